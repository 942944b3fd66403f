"""What Market sends: every sample, unknown fields and values, odd numbers and times."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.marketplaces import lenient, port
from service.marketplaces.yandex import answers, incoming, make, notifications, values, wire
from tests.acceptance.spec import specs_dir

SAMPLES = specs_dir() / "yandex_market" / "samples"
NOW = datetime(2026, 9, 14, 12, tzinfo=UTC)
SHOP = {"business_id": 1, "campaign_id": 100200300, "api_key": "k"}


@pytest.fixture
def samples() -> Path:
    if not SAMPLES.is_dir():
        pytest.skip(f"no samples of Yandex Market in {SAMPLES}: reading them is NOT checked")
    return SAMPLES


def an_order(**changes: Any) -> bytes:
    """An order with little in it."""
    value = {
        "orderId": 52701397891, "status": "PROCESSING", "substatus": "STARTED", "campaignId": 1,
        "creationDate": "2026-09-14T10:21:07+03:00",
        "items": [
            {"id": 1, "offerId": " SKU ", "count": 3, "prices": {"payment": {"value": 1000, "currencyId": "RUR"}}},
        ],
    }  # fmt: skip
    return json.dumps({**value, **changes}).encode()


def seen(raw: bytes, model: str = "dbs", hints: tuple[str, ...] = ()) -> port.Seen:
    found = incoming.seen(raw, model, hints)
    assert found is not None
    return found


def run(talk: port.Talk[list[Any]], *replies: port.Reply) -> tuple[list[port.Call], list[Any]]:
    calls, waiting = [next(talk)], iter(replies)
    try:
        while True:
            calls.append(talk.send(next(waiting)))
    except StopIteration as stop:
        return calls, stop.value


def test_every_sample_is_looked_at(samples: Path) -> None:
    """A sample that comes new gets a test here."""
    assert {path.name for path in samples.glob("*.json")} == {
        "boxes_request__spec_examples.json", "buyer_response__php_fixture.json", "error_401__docs_example.json",
        "errors_400_404_420_composed.json", "notification_responses__docs_example.json",
        "notifications_all_order_types.json", "order_v2__php_fixture.json", "orders_page_v1__client_mock_fbs.json",
        "orders_page_v1__dbs_courier_composed.json", "orders_page_v1__docs_example.json",
        "status_update_batch_response__php_fixture.json", "status_update_response_v2__php_fixture.json",
    }  # fmt: skip


def test_dbs_sample(samples: Path) -> None:
    """A courier order with two lines, a lift and a comment, wholly."""
    page = json.loads((samples / "orders_page_v1__dbs_courier_composed.json").read_text("utf-8"))
    order = seen(json.dumps(page["orders"][0]).encode())
    assert (order.status, order.stage, order.ready) == ("PROCESSING/STARTED", "confirmed", True)
    assert [(line.id, line.sku, line.quantity, line.price) for line in order.order.lines] == [
        ("801234567", "WM-BOSCH-WHA222", 1, Decimal("45990.00")), ("801234568", "HOSE-15-25", 2, Decimal("590.00")),
    ]  # fmt: skip
    assert (order.order.total, order.order.currency) == (Decimal("47170.00"), "RUB")
    assert order.order.deadlines[0].due == datetime(2026, 9, 16, 15, tzinfo=UTC)
    assert order.order.details["subsidy.801234568"] == "120.00"
    assert order.personal["comment"] == "Позвонить за час"
    assert order.personal["address"].startswith(
        "119313, Россия, Москва, м. Проспект Вернадского, Ленинский проспект, д. 90"
    )
    assert order.personal["extra"]["delivery"]["courier"]["region"]["id"] == 213
    kept = msgspec.json.encode(order.order).decode()
    assert not any(word in kept for word in ("Ленинский", "Позвонить", "119313"))


@pytest.mark.parametrize("name", ["orders_page_v1__client_mock_fbs.json", "orders_page_v1__docs_example.json"])
def test_poor_samples(samples: Path, name: str) -> None:
    """Nulls and empty objects where the schema wants more are no hindrance; every order of a page is read."""
    page = json.loads((samples / name).read_text("utf-8"))
    numbers = [str(order["orderId"]) for order in page["orders"]]
    market = make("ym", model="fbs", base_url=None, options=SHOP)
    first = port.Reply(200, {}, json.dumps({**page, "paging": {}}).encode())
    buyer = port.Reply(
        400, {}, b'{"status":"ERROR","errors":[{"code":"BAD_REQUEST","message":"Not a business buyer."}]}'
    )
    calls, found = run(market.read([port.Wanted(n, new=True) for n in numbers]), first, *[buyer] * len(numbers))
    assert [order.number for order in found] == numbers
    assert all(call.path.endswith("/buyer") for call in calls[1:])


def test_buyer_sample(samples: Path) -> None:
    """The buyer's name in one line; the number may be a substitute."""
    market = make("ym", model="dbs", base_url=None, options=SHOP)
    page = port.Reply(200, {}, b'{"orders": [' + an_order() + b"]}")
    buyer = port.Reply(200, {}, (samples / "buyer_response__php_fixture.json").read_bytes())
    _, found = run(market.read([port.Wanted("52701397891", new=True)]), page, buyer)
    assert found[0].personal["customer"] == {"name": "Иванов Иван Иванович", "phone": "+79012345678"}


def test_answers_in_samples(samples: Path) -> None:
    """The old order form of a status answer, and a batch with one order that failed."""
    old = json.loads((samples / "status_update_response_v2__php_fixture.json").read_text("utf-8"))
    assert lenient.read(wire.StatusAnswer, old["order"]) == wire.StatusAnswer(id=12345, status="PROCESSING")
    older = json.loads((samples / "order_v2__php_fixture.json").read_text("utf-8"))
    assert values.moment(older["order"]["creationDate"]) == datetime(2019, 12, 10, 8, 42, 14, tzinfo=UTC)
    batch = json.loads((samples / "status_update_batch_response__php_fixture.json").read_text("utf-8"))
    rows = [lenient.read(wire.StatusAnswer, row) for row in batch["result"]["orders"]]
    assert [(row.id, row.update_status, row.error_details) for row in rows if row] == [
        (1234, "OK", None), (123456, "ERROR", "Order not found: 123456"),
    ]  # fmt: skip


def test_errors_in_samples(samples: Path) -> None:
    """Code and words of every error."""
    told = json.loads((samples / "error_401__docs_example.json").read_text("utf-8"))
    assert answers.failure(told) == ("UNAUTHORIZED", "Api-Key token is invalid")
    for case in json.loads((samples / "errors_400_404_420_composed.json").read_text("utf-8")):
        code, message = answers.failure(case["body"])
        assert (code, message) == (case["body"]["errors"][0]["code"], case["body"]["errors"][0]["message"])


def test_notifications_in_samples(samples: Path) -> None:
    """Every type is answered with 200; each that names an order becomes one notice, its repeat the same one."""
    told = json.loads((samples / "notifications_all_order_types.json").read_text("utf-8"))
    form = json.loads((samples / "notification_responses__docs_example.json").read_text("utf-8"))
    market = make("ym", model="dbs", base_url=None, options=SHOP)
    keys = []
    for one in told:
        body = json.dumps(one).encode()
        answer, again = (market.hook("/notification", {}, body, NOW + timedelta(seconds=n)) for n in range(2))
        assert answer.status == 200
        assert set(answer.body) == set(form["200"])
        assert answer.notices == again.notices
        keys += [(notice.notice, notice.key) for notice in answer.notices]
    assert [kind for kind, _ in keys] == [one["notificationType"] for one in told[1:8]]
    assert len({key for _, key in keys}) == len(keys)
    bad = market.hook("", {}, b"{", NOW)
    assert (bad.status, set(bad.body["error"])) == (400, set(form["400"]["error"]))


def test_a_cabinet_wide_notification_is_left_to_its_shop() -> None:
    """Another campaign's order is answered and not taken; later types about an order are taken."""
    body = {
        "notificationType": "ORDER_TELEPORTED",
        "orderId": 7,
        "campaignId": 5,
        "updatedAt": "2025-01-16T10:09:49.759084017Z",
    }
    assert notifications.answer(json.dumps(body).encode(), 6, NOW).notices == ()
    (notice,) = notifications.answer(json.dumps(body).encode(), 5, NOW).notices
    assert notice.at == datetime(2025, 1, 16, 10, 9, 49, 759084, tzinfo=UTC)
    assert "759084017" in notice.key, "the nanoseconds tell one event from another"


def test_unknown_fields_and_values_survive() -> None:
    """New fields are kept aside, new enum values read as they are, a field of a wrong type breaks nothing else."""
    order = seen(an_order(
        status="TELEPORTED", substatus="BEAMED", paymentMethod="DIGITAL_RUBLE", newField={"a": 1},
        delivery={"type": "DRONE", "dates": {"fromDate": 5, "toDate": "2026-09-16"}, "tracks": "none"},
        prices="free", notes=None,
    ))  # fmt: skip
    assert (order.status, order.stage, order.ready) == ("TELEPORTED/BEAMED", None, False)
    assert order.order.details["payment_method"] == "DIGITAL_RUBLE"
    assert order.personal["extra"]["newField"] == {"a": 1}
    assert order.order.delivery is not None
    assert order.order.delivery.type == "DRONE"
    assert order.order.delivery.until == datetime(2026, 9, 16, 20, 59, 59, tzinfo=UTC)
    assert len(order.order.lines) == 1
    assert incoming.seen(b'{"status": "PROCESSING"}', "dbs") is None


def test_numbers_as_text_and_money_exactly() -> None:
    """Ids as numbers or text, sums as either, a sum that does not divide evenly is kept whole."""
    payment, points = {"value": "1000.10", "currencyId": "RUR"}, {"value": 0.1, "currencyId": "RUR"}
    line = {"id": "1", "offerId": 4609283881, "count": "3", "prices": {"payment": payment, "cashback": points}}
    order = seen(an_order(orderId="52701397891", items=[line, {"id": 2, "offerId": "GONE", "count": 0}])).order
    (only,) = order.lines
    assert (only.id, only.sku, only.quantity, only.price) == ("1", "4609283881", 3, Decimal("333.40"))
    assert order.total == Decimal("1000.20")
    assert "total.1" not in order.details
    uneven = seen(an_order()).order
    assert (uneven.lines[0].sku, uneven.lines[0].price, uneven.details["total.1"]) == (
        "SKU",
        Decimal("333.33"),
        "1000.00",
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-01-16T10:09:49.759084017Z", datetime(2025, 1, 16, 10, 9, 49, 759084, tzinfo=UTC)),
        ("2026-09-14T10:21:07+03:00", datetime(2026, 9, 14, 7, 21, 7, tzinfo=UTC)),
        ("15-09-2020 00:42:42", datetime(2020, 9, 14, 21, 42, 42, tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
    ],
)
def test_times(text: str | None, moment: datetime | None) -> None:
    """ISO with up to nine fraction digits, the old form in Moscow's time, and nothing else."""
    assert values.moment(text) == moment


def test_days_and_hours() -> None:
    """Both spellings of a day; 1970 is how Market says none; hours with and without seconds."""
    assert values.day("2026-09-16") == values.day("16-09-2026") == date(2026, 9, 16)
    assert values.day("01-01-1970") is None
    assert values.hour("10:00") == values.hour("10:00:00")


@pytest.mark.parametrize("model", ["fbs", "express"])
def test_when_a_parcel_is_due(model: str) -> None:
    """FBS and Express: by the hour of shipment, or the end of its day; unknown for now: no deadline."""
    dated = {"type": "DELIVERY", "shipment": {"shipmentDate": "2026-09-16", "shipmentTime": "14:00"}}
    assert seen(an_order(delivery=dated), model).order.deadlines[0].due == datetime(2026, 9, 16, 11, tzinfo=UTC)
    dated["shipment"] = {"shipmentDate": "2026-09-16", "shipmentTime": None}
    (deadline,) = seen(an_order(delivery=dated), model).order.deadlines
    assert (deadline.stage, deadline.due) == ("assembled", datetime(2026, 9, 16, 20, 59, 59, tzinfo=UTC))
    assert seen(an_order(delivery={"shipment": None}), model).order.deadlines == ()


def test_no_hours_agreed() -> None:
    """Midnight to midnight means the whole day."""
    dates = {"fromDate": "2026-09-16", "fromTime": "00:00:00", "toTime": "00:00:00"}
    delivery = seen(an_order(delivery={"type": "DELIVERY", "dates": dates})).order.delivery
    assert delivery is not None
    assert delivery.since is not None
    assert delivery.until == delivery.since + timedelta(hours=23, minutes=59, seconds=59)


def test_buyers_wish_to_cancel() -> None:
    """48 hours from when the notification says it was asked, else from the last change."""
    raw = an_order(status="DELIVERY", cancelRequested=True, updateDate="2026-09-15T10:00:00Z")
    late, told = seen(raw), seen(raw, hints=("cancel-requested:2026-09-14T07:30:00.500Z",))
    assert late.request is not None
    assert late.request.due == datetime(2026, 9, 17, 10, tzinfo=UTC)
    assert told.request is not None
    assert told.request.due == datetime(2026, 9, 16, 7, 30, 0, 500000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("substatus", "by", "reason", "ready"),
    [
        ("SHOP_FAILED", "shop", "other", True),
        ("USER_CHANGED_MIND", "customer", "customer_changed_mind", True),
        ("PICKUP_EXPIRED", "customer", "not_collected", True),
        ("TECHNICAL_ERROR", "marketplace", "other", True),
        ("NEVER_HEARD_OF", "marketplace", "other", True),
        ("USER_NOT_PAID", "customer", "other", False),
    ],
)
def test_who_cancelled(substatus: str, by: str, reason: str, *, ready: bool) -> None:
    """As far as the substatus tells; an order never paid was never the shop's."""
    order = seen(an_order(status="CANCELLED", substatus=substatus))
    assert order.cancelled is not None
    assert (order.cancelled.by, order.cancelled.reason, order.ready) == (by, reason, ready)


def _json() -> st.SearchStrategy[Any]:
    simple = (
        st.none()
        | st.booleans()
        | st.integers(-5, 2**40)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=8)
    )
    return st.recursive(
        simple, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner), max_leaves=6
    )


def _fields() -> Iterator[str]:
    yield from (
        field.encode_name
        for field in msgspec.structs.fields(wire.Order)
        if field.encode_name not in ("orderId", "status")
    )


@given(st.dictionaries(st.sampled_from(list(_fields())), _json(), max_size=6))
def test_no_field_can_hide_an_order(fields: dict[str, Any]) -> None:
    """Whatever stands in the other fields, the order and its status are seen."""
    order = seen(json.dumps({"orderId": 7, "status": "DELIVERY", **fields}).encode())
    assert (order.number, order.stage) == ("7", "shipped")
