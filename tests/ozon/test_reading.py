"""What Ozon shows is read whole, in both spellings, and nothing is lost that this version does not know."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from events.codec import canonical
from events.order import facts as f
from service.marketplaces import port
from service.marketplaces.invented import MARKED
from service.marketplaces.ozon import incoming, statuses, wire
from service.marketplaces.ozon.survey import survey
from tests.ozon.conftest import MakeHub
from tests.ozon.official import sample
from tests.ozon.sandboxed import HOSE, KETTLE, Seller

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def rfbs_posting(**changed: Any) -> Any:
    """The sample of a posting the seller delivers."""
    return {**sample("14_posting_get_v3_rfbs_non_integrated.composed.json")["result"], **changed}


def seen(posting: Any, model: str = "rfbs", **more: Any) -> port.Seen:
    found = incoming.seen(posting, model, **more)
    assert found is not None
    return found


def test_a_posting_the_seller_delivers() -> None:
    """Goods, prices, the buyer's interval, both deadlines, what the courier must know, and the buyer apart."""
    found = seen(rfbs_posting())
    order = found.order
    assert (found.number, found.status, found.stage, found.ready) == (
        "48173252-0033-2", "awaiting_deliver/posting_transferring_to_delivery", "assembled", True,
    )  # fmt: skip
    assert order.lines == (
        f.Line(
            sku="00-00012345", quantity=1, id="1904686181", name="Холодильник двухкамерный", price=Decimal("54990.00")
        ),
    )
    assert (order.total, order.currency) == (Decimal("54990.00"), "RUB")
    assert order.delivery == f.Delivery(
        type="courier", since=datetime(2026, 8, 5, 7, tzinfo=UTC), until=datetime(2026, 8, 5, 15, tzinfo=UTC),
        service="Самостоятельная доставка",
    )  # fmt: skip
    assert order.deadlines == (
        f.Deadline("assembled", datetime(2026, 8, 4, 15, tzinfo=UTC)),
        f.Deadline("delivered", datetime(2026, 8, 5, 15, tzinfo=UTC)),
    )
    details = ("lift", "lift_floor", "lift_price", "order", "delivery_price", "payment_type", "warehouse")
    assert {name: order.details.get(name) for name in details} == {
        "lift": "lift", "lift_floor": "7", "lift_price": "500.00", "order": "48173252-0033", "delivery_price": "0.00",
        "payment_type": "карта Ozon Банка", "warehouse": "Склад магазина 1",
    }  # fmt: skip
    assert found.personal["customer"] == {"name": "Иван П.", "phone": "79990000000", "pin": "12345"}
    assert found.personal["address"] == "101000, г Москва, ул Примерная, д 1, кв 2"
    assert found.personal["comment"] == "Позвонить за час"
    assert "Иван" not in str(order), "personal data stay out of the facts"


def test_a_posting_ozon_delivers() -> None:
    """FBS: one deadline, the goods; nobody's name, since Ozon tells none."""
    found = seen(sample("01_posting_get_v3_fbs.json")["result"], "fbs")
    assert (found.stage, found.ready, found.order.total) == ("placed", True, Decimal("1530.00"))
    assert [deadline.stage for deadline in found.order.deadlines] == ["assembled"]
    assert (found.order.delivery, found.personal.get("customer")) == (None, None)


def test_a_page_of_the_list_has_prices_as_objects() -> None:
    """The same goods in the other spelling; requirements become the kinds of codes 1C must send."""
    posting = sample("02_postings_page_v4_unfulfilled.json")["postings"][0]
    found = seen({**posting, "status": "awaiting_packaging"}, "fbs")
    assert (found.order.lines[0].price, found.order.currency) == (Decimal("300.00"), "RUB")
    assert found.order.details["marking.4116250392"] == "gtd"
    assert found.order.details["marking_possible.4116250392"] == "mandatory_mark"
    assert found.order.delivery is not None
    assert found.order.delivery.type == "pickup"
    packed = seen(posting, "fbs")
    assert not [name for name in packed.order.details if name.startswith("marking")], "told while it is packed only"


@pytest.mark.parametrize("channel", ["rfbs", "fbs"])
@pytest.mark.parametrize("marked", [False, True])
async def test_lists_and_get_say_the_same(
    sellers: tuple[Seller, Seller], hub: MakeHub, channel: str, *, marked: bool
) -> None:
    """What get showed is no news when a list shows it again, at any status, in any handwriting: nothing flaps."""
    seller = sellers[0] if channel == "rfbs" else sellers[1]
    seller.ozon.chances.strings = seller.ozon.chances.fractions = seller.ozon.chances.wrapped = 0.5
    posting = seller.place((KETTLE, 2), (HOSE, 1), marked=marked)
    one = hub(seller, posting)
    for _ in range(4):
        await one.see()
        for since in (None, NOW - timedelta(days=1)):
            polled = await one.talk(one.ozon.poll(since, datetime.now(UTC)))
            assert [found.number for found in polled] == [posting.number]
            assert all(one.take(found) == [] for found in polled if isinstance(found, port.Seen))
        await one.mark(*_NEXT[_])


_NEXT = (
    ("order.assembled", f.Assembled(lines=(f.Line(sku=MARKED.sku, quantity=1, marks=("0104600439931256",)),))),
    ("order.shipped", f.Shipped(track="RA-1")),
    ("order.handed_over", f.HandedOver()),
    ("order.completed", f.Completed()),
)


async def test_a_poll_finds_what_changed_and_the_wishes(rfbs: Seller, hub: MakeHub) -> None:
    """The first time whatever is open; later also what ended; open wishes to cancel and returns each time."""
    done, asked, fresh = rfbs.place(), rfbs.place(), rfbs.place()
    one = hub(rfbs, done)
    await one.see()
    await one.mark("order.delivered", f.Delivered())
    rfbs.wait(done)
    await rfbs.take(asked, "delivering")
    assert rfbs.ozon.buyer_cancels(asked) is not None
    back = rfbs.ozon.buyer_returns(done)
    now = done.updated + timedelta(seconds=1)
    first = await one.talk(one.ozon.poll(None, now))
    assert {found.number for found in first} == {asked.number, fresh.number}
    later = await one.talk(one.ozon.poll(now - timedelta(minutes=5), now))
    orders = {found.number: found for found in later if isinstance(found, port.Seen)}
    assert (orders[done.number].stage, set(orders)) == ("delivered", {done.number, asked.number, fresh.number})
    assert orders[asked.number].request is not None
    assert orders[fresh.number].request is None
    returns = [found for found in later if isinstance(found, port.ReturnSeen)]
    assert [(one.number, one.fact.id, one.fact.asked) for one in returns] == [(done.number, str(back.id), True)]


async def test_many_pages_are_read_to_the_end(rfbs: Seller, hub: MakeHub) -> None:
    """The cursor is never empty: `has_next` ends the walk, and each posting comes once."""
    for _ in range(205):
        rfbs.place((HOSE, 1))
    one = hub(rfbs, rfbs.place((HOSE, 1)))
    found = await one.talk(one.ozon.poll(None, datetime.now(UTC)))
    assert len(found) == len({one.number for one in found}) == 206
    pages = [entry for entry in rfbs.ozon.journal if "unfulfilled" in entry.path and entry.status == 200]
    assert len(pages) == 3


async def test_what_is_not_there_is_missing(rfbs: Seller, fbs: Seller, hub: MakeHub) -> None:
    """No such posting: missing in the result, no fault."""
    one = hub(rfbs, rfbs.place())
    wanted = [port.Wanted("00000000-0000-1"), port.Wanted(one.posting.number)]
    assert [found.number for found in await one.talk(one.ozon.read(wanted))] == [one.posting.number]


async def test_one_cabinet_may_be_two_channels(rfbs: Seller, hub: MakeHub) -> None:
    """With the same key, reads and polls of each channel show the postings of its model only."""
    own, ozons = rfbs.place(), rfbs.place()
    ozons.model = "fbs"
    one = hub(rfbs, own)
    wanted = [port.Wanted(own.number), port.Wanted(ozons.number)]
    for model, expected in (("rfbs", own), ("fbs", ozons)):
        one.configure(model)
        for talk in (one.ozon.read(wanted), one.ozon.poll(None, datetime.now(UTC))):
            assert [found.number for found in await one.talk(talk)] == [expected.number]


@pytest.mark.parametrize(
    ("flow", "tpl", "rfbs", "fbs"),
    [
        ("non_integrated", "non_integrated", True, False),
        ("3pl_tracking", "3pl_tracking", True, False),
        ("hybrid_non_integrated", "hybryd", True, False),
        ("click_and_collect", None, True, False),
        ("ozon", "ozon", False, True),
        ("hybrid_aggregator", "hybryd", False, True),
        (None, "aggregator", False, True),
        ("", "hybryd", True, True),
        ("something_new", "something_new", True, True),
        (None, None, True, True),
    ],
)
def test_each_model_takes_its_own(flow: str | None, tpl: str | None, *, rfbs: bool, fbs: bool) -> None:
    """A cabinet may be two channels with one key; what says neither is taken by whoever reads it."""
    assert (statuses.mine(flow, tpl, "rfbs"), statuses.mine(flow, tpl, "fbs")) == (rfbs, fbs)


@pytest.mark.parametrize(
    ("status", "substatus", "stage", "ready"),
    [
        ("awaiting_verification", "posting_created", "placed", False),
        ("awaiting_approve", "", "placed", False),
        ("awaiting_packaging", "ship_failed", "placed", True),
        ("awaiting_registration", "posting_awaiting_registration", "assembled", True),
        ("not_accepted", "posting_not_in_sort_center", "assembled", True),
        ("delivering", "posting_on_way_to_city", "shipped", True),
        ("delivering", "posting_in_courier_service", "handed_over", True),
        ("driver_pickup", "posting_driver_pick_up", "handed_over", True),
        ("delivering", "posting_in_pickup_point", "arrived", True),
        ("delivering", "posting_conditionally_delivered", "delivered", True),
        ("delivered", "posting_received", "delivered", True),
        ("client_arbitration", "posting_in_client_arbitration", None, True),
        ("cancelled", "posting_canceled", "cancelled", True),
        ("something_new", "posting_something", None, False),
        ("delivering", "posting_something", "shipped", True),
    ],
)
def test_statuses_in_our_words(status: str, substatus: str, stage: str | None, *, ready: bool) -> None:
    """The status says how far it is; on the way the substatus says it closer. What is unknown says nothing."""
    found = seen(rfbs_posting(status=status, substatus=substatus))
    assert (found.stage, found.ready) == (stage, ready)
    assert found.status == "/".join(part for part in (status, substatus) if part)


@pytest.mark.parametrize(
    ("kind", "id", "by", "reason"),
    [
        ("seller", 352, "shop", "out_of_stock"),
        ("client", 508, "customer", "customer_changed_mind"),
        ("customer", "665", "customer", "not_collected"),
        ("ozon", 999, "marketplace", "other"),
        ("something_new", None, "marketplace", "other"),
    ],
)
def test_who_cancelled_and_why(kind: str, id: object, by: str, reason: str) -> None:
    """By type and number of the reason."""
    told = {"cancellation_type": kind, "cancel_reason_id": id}
    found = seen(rfbs_posting(status="cancelled", cancellation=told)).cancelled
    assert found is not None
    assert (found.by, found.reason) == (by, reason)


def test_unknown_fields_and_odd_values_survive() -> None:
    """New fields are kept where they can be erased; ids as text, nulls and empties break nothing."""
    odd = rfbs_posting(
        brand_new={"deep": [1]}, shipment_date="", in_process_at=None, order_id="35566798201", addressee=None,
        requirements={"products_requiring_mandatory_mark": ["1904686181", None]}, status="awaiting_packaging",
        available_actions=None, prr_option="lift", delivery_price=None, related_postings=["x"],
    )  # fmt: skip
    odd["products"] = [{**odd["products"][0], "sku": "1904686181", "quantity": "1", "novelty": 7}, None]
    odd["analytics_data"]["delivery_date_end"] = "9999-12-31T23:59:59.999999900Z"
    found = seen(odd)
    assert found.personal["extra"] == {"brand_new": {"deep": [1]}, "products": {"0": {"novelty": 7}}}
    assert (found.order.lines[0].id, found.order.details["marking.1904686181"]) == ("1904686181", "mandatory_mark")
    assert (found.order.deadlines, found.order.placed_at, found.order.details["lift"]) == ((), None, "lift")
    assert json.loads(found.raw)["posting"]["brand_new"] == {"deep": [1]}
    told = incoming.answers(found.raw)
    assert told is not None
    assert isinstance(told.posting, wire.Posting)


def test_a_wish_counts_while_it_is_open() -> None:
    """Of several rows the open one counts; an answered one is no wish any more, nor one of a cancelled posting."""
    rows = [
        {"cancellation_id": 2, "posting_number": "a-1", "state": {"state": "REJECTED"}},
        {"cancellation_id": "1", "posting_number": "a-1", "state": {"state": "ON_APPROVAL"},
         "auto_approve_date": "2026-11-25T10:00:00.123456789Z"},
        {"cancellation_id": 9, "posting_number": "b-1", "state": {"state": "ON_APPROVAL"}},
    ]  # fmt: skip
    wish = incoming.wish_of(rows, "a-1")
    assert wish is rows[1]
    assert incoming.wish_of(rows[:1], "a-1") is rows[0]
    due = datetime(2026, 11, 25, 10, 0, 0, 123456, UTC)
    assert seen(rfbs_posting(), wish=wish).request == f.CancellationRequested(due=due)
    assert seen(rfbs_posting(), wish=rows[0]).request is None
    assert seen(rfbs_posting(status="cancelled"), wish=wish).request is None


def test_raw_holds_all_answers() -> None:
    """The bytes kept of a posting are every answer it was read from."""
    found = seen(rfbs_posting(), wish={"cancellation_id": 1, "posting_number": "x"}, exemplars={"status": "x"})
    assert set(json.loads(found.raw)) == {"posting", "wish", "exemplars"}
    assert found.raw == canonical(json.loads(found.raw))


async def test_a_live_cabinet_that_differs_is_described(rfbs: Seller, hub: MakeHub) -> None:
    """Unknown words and fields are named, without anybody's data; a filter that is not heeded is said."""
    rfbs.ozon.chances.wrapped = 1.0
    posting = rfbs.place()
    posting.status, posting.substatus = "something_new", "posting_novel"
    one = hub(rfbs, posting)
    lines = await one.talk(survey("rfbs", datetime.now(UTC)))
    assert "v4 lists come under `result`" in lines
    assert "get: status 'something_new' is not known here" in lines
    assert "lists: substatus 'posting_novel' is not known here" in lines
    assert not any("last_changed_status_date" in line for line in lines)
    assert not any("field" in line for line in lines), "the sandbox's fields are all known"
