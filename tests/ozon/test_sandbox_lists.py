"""The sandbox Ozon's lists, and the form of everything it answers."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.marketplaces.ozon.sandbox import Chances, Ozon, Posting, cabinets, pushes
from service.marketplaces.ozon.sandbox.methods import CHANGING, READING
from tests.ozon.official import answer_faults, sample
from tests.ozon.sandboxed import PACE, WIDE, Reply, Seller, sandboxed, slot
from tests.ozon.test_sandbox_wishes import asked_to_cancel, put

Sellers = tuple[Seller, Seller]
UNFULFILLED, LISTED = "/v4/posting/fbs/unfulfilled/list", "/v4/posting/fbs/list"
YEAR = {"since": "2026-01-01T00:00:00Z", "to": "2026-12-31T00:00:00Z"}


@pytest.fixture
async def sellers() -> AsyncIterator[Sellers]:
    async with sandboxed() as made:
        yield made


@pytest.fixture
def rfbs(sellers: Sellers) -> Seller:
    return sellers[0]


@pytest.fixture
def fbs(sellers: Sellers) -> Seller:
    return sellers[1]


def around(moment: datetime) -> dict[str, str]:
    """Half a year to each side."""
    half = timedelta(days=180)
    return {"since": (moment - half).isoformat(), "to": (moment + half).isoformat()}


async def ask(seller: Seller, path: str, wanted: dict[str, Any], **more: Any) -> Reply:
    return await seller(path, {"filter": wanted, "limit": 100, **more})


def numbers(reply: Reply) -> list[str]:
    return [one["posting_number"] for one in reply.body["postings"]]


@pytest.mark.parametrize(
    ("path", "wanted", "more", "words"),
    [
        (UNFULFILLED, {}, {}, "either filter.cutoff or filter.delivering_date"),
        (
            UNFULFILLED,
            {**WIDE, "delivering_date_from": YEAR["since"], "delivering_date_to": YEAR["to"]},
            {},
            "only one",
        ),
        (UNFULFILLED, {"cutoff_from": WIDE["cutoff_from"]}, {}, "both are needed"),
        (UNFULFILLED, WIDE, {"limit": 1000}, "inside range [1, 100]"),
        (UNFULFILLED, WIDE, {"limit": 0}, "inside range [1, 100]"),
        (UNFULFILLED, WIDE, {"cursor": "nonsense"}, "invalid cursor"),
        (UNFULFILLED, WIDE, {"sort_dir": "asc"}, "sort_dir"),
        (UNFULFILLED, {**WIDE, "cutoff_to": "2028-01-01T00:00:00Z"}, {}, "PERIOD_IS_TOO_LONG"),
        (LISTED, {}, {}, "since and to must be specified"),
        (LISTED, {**YEAR, "since": "2024-01-01T00:00:00Z"}, {}, "PERIOD_IS_TOO_LONG"),
        (LISTED, {**YEAR, "since": "2026-01-01"}, {}, "Timestamp"),
        (LISTED, {**YEAR, "order_numbers": ["1-0001"] * 101}, {}, "between 0 and 100 items"),
    ],
)
async def test_a_list_asked_for_wrongly(
    rfbs: Seller, path: str, wanted: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    """400 with words that say what is wrong."""
    reply = await ask(rfbs, path, wanted, **more)
    assert (reply.status, reply.body["code"]) == (400, 3)
    assert words in reply.message


async def test_pages(rfbs: Seller) -> None:
    """Each page goes on behind the last; the cursor stays on the last page, and `has_next` says that it is the last."""
    made = [rfbs.place().number for _ in range(5)]
    for path, wanted in ((UNFULFILLED, WIDE), (LISTED, around(datetime.now(UTC)))):
        for sort, expected in (("ASC", made), ("DESC", made[::-1])):
            seen, cursor, more, pages = [], "", True, 0
            while more:
                pages += 1
                reply = await ask(rfbs, path, wanted, limit=2, cursor=cursor, sort_dir=sort)
                seen += numbers(reply)
                cursor, more = reply.body["cursor"], reply.body["has_next"]
                assert cursor
            assert (seen, pages) == (expected, 3)
            other = "DESC" if sort == "ASC" else "ASC"
            assert (await ask(rfbs, path, wanted, cursor=cursor, sort_dir=other)).status == 400
    assert (await ask(rfbs, UNFULFILLED, WIDE, limit=1)).body["count"] == 5


async def test_unfulfilled_is_what_is_not_delivered_yet(rfbs: Seller) -> None:
    """What is on its way is among it, also by the date of its hand-over; what has ended is not."""
    fresh, way, gone = rfbs.place(), rfbs.place(), rfbs.place()
    await rfbs.take(way, "delivering")
    rfbs.ozon.buyer_cancels(gone)
    assert numbers(await ask(rfbs, UNFULFILLED, WIDE)) == [fresh.number, way.number]
    handed = around(datetime.now(UTC))
    handed = {"delivering_date_from": handed["since"], "delivering_date_to": handed["to"]}
    assert numbers(await ask(rfbs, UNFULFILLED, handed)) == [way.number]
    assert numbers(await ask(rfbs, LISTED, around(datetime.now(UTC)))) == [fresh.number, way.number, gone.number]


async def test_filters(rfbs: Seller, fbs: Seller) -> None:
    """Each narrows the list; a misspelt one is as if it were not there."""
    first, second = rfbs.place(), rfbs.place()
    await rfbs.take(second)
    fbs.place()
    wide, warehouse = around(datetime.now(UTC)), rfbs.ozon.cabinets["ozon-rfbs"].warehouse_id
    after = {"from": second.updated.isoformat(), "to": (second.updated + timedelta(days=1)).isoformat()}
    both, only = [first.number, second.number], [second.number]
    for narrowed, expected in (
        ({}, both),
        ({"statuses": ["awaiting_deliver"]}, only),
        ({"last_changed_status_date": after}, only),
        ({"last_change_status_date": after}, both),
        ({"order_numbers": [second.order_number]}, only),
        ({"warehouse_ids": [str(warehouse)]}, both),
        ({"warehouse_ids": [warehouse + 1]}, []),
        ({"integration_type_flow": ["ozon"]}, []),
        ({"order_id": (await rfbs.get(second))["order_id"]}, only),
    ):
        assert numbers(await ask(rfbs, LISTED, {**wide, **narrowed})) == expected, narrowed


async def test_what_changes_no_status_changes_no_date_of_it(rfbs: Seller) -> None:
    """A moved delivery and a buyer's request are not found by `last_changed_status_date`."""
    posting = rfbs.place()
    await rfbs.take(posting)
    before = posting.updated
    await rfbs("/v1/posting/fbs/timeslot/set", slot(posting, 4))
    assert rfbs.ozon.buyer_cancels(posting) is not None
    assert posting.updated == before


async def test_the_buyer_is_in_get_only(rfbs: Seller, fbs: Seller) -> None:
    """Phone and address of an rFBS buyer are in get, a name in the lists; of an FBS buyer nothing anywhere."""
    own, foreign = rfbs.place(), fbs.place()
    found = await rfbs.get(own)
    assert found["addressee"]["phone"].startswith("7900000")
    assert found["customer"]["address"]["zip_code"] == "443000"
    [listed] = (await ask(rfbs, UNFULFILLED, WIDE)).body["postings"]
    assert (listed["addressee"], listed["customer"]) == ({"name": own.buyer["name"]}, None)
    [other] = (await ask(fbs, UNFULFILLED, WIDE)).body["postings"]
    for form in (await fbs.get(foreign), other):
        assert (form["addressee"], form["customer"]) == (None, None)


async def test_forms_have_the_samples_fields(rfbs: Seller, fbs: Seller) -> None:
    """No more and no fewer, at any depth the sandbox fills."""
    posting, _ = rfbs.place(), fbs.place()
    whole = dict.fromkeys(("analytics_data", "barcodes", "financial_data", "legal_info"), True)
    asked = {"posting_number": posting.number, "with": whole}
    got = (await rfbs("/v3/posting/fbs/get", asked)).body["result"]
    [listed] = (await ask(fbs, UNFULFILLED, WIDE, **{"with": whole})).body["postings"]
    [page] = sample("02_postings_page_v4_unfulfilled.json")["postings"]
    pairs = [(got, sample("14_posting_get_v3_rfbs_non_integrated.composed.json")["result"]), (listed, page)]
    for made, theirs in pairs:
        assert set(made) == set(theirs)
        for name in ("delivery_method", "cancellation", "requirements", "analytics_data", "addressee", "customer"):
            assert set(made[name] or {}) == set(theirs[name] or {}), name
        assert set(made["products"][0]) == set(theirs["products"][0])
    assert isinstance(got["products"][0]["price"], str)
    assert listed["products"][0]["price"] == {"amount": "2390", "currency": "RUB"}


async def test_every_push_has_its_samples_fields() -> None:
    """And with them the sample's types."""
    ozon = Ozon(cabinets(), pace=PACE)
    makers: dict[str, Callable[[Posting], object]] = {
        "04_push_new_posting.json": lambda one: None,
        "05_push_posting_cancelled.json": ozon.buyer_cancels,
        "06_push_state_changed.json": lambda one: ozon.enter(one, "delivered", "posting_delivered", one.updated),
        "07_push_cutoff_date_changed.json": lambda one: ozon.move_cutoff(one, one.updated),
        "08_push_delivery_date_changed.json": lambda one: ozon.move_delivery(one, None),
    }
    for file, make in makers.items():
        theirs = sample(file)
        make(ozon.place("ozon-rfbs"))
        channel, made = ozon.pushes[-1]
        assert (channel, made["message_type"], set(made)) == ("ozon-rfbs", theirs["message_type"], set(theirs))
        assert [name for name in made if type(made[name]) is not type(theirs[name]) and made[name]] == []
    assert set(pushes.ping(datetime.now(UTC))) == set(sample("03_push_ping.json"))


async def test_every_answer_is_one_of_the_official_openapi() -> None:
    """Every call that is served is made, on postings of every state, in both handwritings, and its answer judged."""
    answers: list[tuple[str, Any]] = []
    for chances in (Chances(), Chances(strings=0.5, fractions=0.5)):
        async with sandboxed(ozon=Ozon(cabinets(), pace=PACE, chances=chances)) as (rfbs, fbs):
            await _everything(rfbs)
            await fbs.take(fbs.place())
            for number in list(fbs.ozon.postings):
                await fbs("/v3/posting/fbs/get", {"posting_number": number})
            await ask(fbs, LISTED, around(datetime.now(UTC)))
            answers += rfbs.answers + fbs.answers
    called = {path for path, _ in answers} | {f"/v2/conditional-cancellation/{verb}" for verb in ("approve", "reject")}
    assert set(READING) | set(CHANGING) == called
    assert [fault for path, body in answers for fault in answer_faults(path, body)] == []


async def _everything(seller: Seller) -> None:
    """Every call once at least, with an answer of 200."""
    marked, asked = seller.place(marked=True), {"with": {"analytics_data": True, "financial_data": True}}
    one = {"posting_number": marked.number}
    await seller("/v6/fbs/posting/product/exemplar/create-or-get", one)
    products = [{"product_id": marked.lines[-1].sku, "exemplars": [{"marks": [{"mark": "a b"}]}]}]
    await seller("/v5/fbs/posting/product/exemplar/validate", {**one, "products": products})
    await put(seller, marked, "a b")
    await seller("/v5/fbs/posting/product/exemplar/status", one)
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    await seller("/v1/posting/cutoff/set", {**one, "new_cutoff_date": later})
    why = {"cancel_reason_id": 352, "cancel_reason_message": "Нет"}
    items = [{"sku": marked.lines[0].sku, "quantity": 1}]
    await seller("/v2/posting/fbs/product/cancel", {**one, **why, "items": items})
    await seller("/v2/posting/fbs/cancel", {**one, **why})
    await seller("/v1/posting/fbs/cancel-reason", {"related_posting_numbers": [seller.place().number]})
    await seller("/v2/posting/fbs/cancel-reason/list")
    way, request = await asked_to_cancel(seller)
    await seller("/v2/conditional-cancellation/list", {"limit": 1, "with": {"counter": True}})
    await seller("/v2/conditional-cancellation/reject", {"cancellation_id": request})
    _, other = await asked_to_cancel(seller)
    await seller("/v2/conditional-cancellation/approve", {"cancellation_id": other})
    await seller("/v1/posting/fbs/timeslot/change-restrictions", {"posting_number": way.number})
    await seller("/v1/posting/fbs/timeslot/set", slot(way, 3))
    tracks = [{"posting_number": way.number, "tracking_number": "ZZ-1"}]
    await seller("/v2/fbs/posting/tracking-number/set", {"tracking_numbers": tracks})
    await seller.take(seller.place(), "delivering", "last-mile", "delivered")
    kept = seller.ozon.buyer_returns(way)
    await seller("/v2/returns/rfbs/list", {"limit": 10})
    await seller("/v2/returns/rfbs/get", {"return_id": kept.id})
    await seller("/v1/roles")
    await seller("/v2/warehouse/list", {"limit": 10})
    await ask(seller, UNFULFILLED, WIDE, **asked)
    await ask(seller, LISTED, around(datetime.now(UTC)), **asked)
    for number in list(seller.ozon.postings):
        body = {"posting_number": number, "with": {"product_exemplars": True, "financial_data": True}}
        await seller("/v3/posting/fbs/get", body)
