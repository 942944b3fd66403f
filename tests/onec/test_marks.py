"""1C's marks as facts: each type of the contract, and each way 1C spells a value."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from events.order import facts as f
from service.onec import marks
from service.onec.cloudevents import Unreadable

SAMARA = ZoneInfo("Europe/Samara")  # UTC+4
LINE = {"sku": "A-1", "quantity": 2}


def fact(type: str, data: Any) -> f.Fact:
    """The fact alone."""
    return marks.understood(type, data, SAMARA)[0]


def aside(type: str, data: Any) -> dict[str, Any]:
    """What goes to the side table."""
    return marks.understood(type, data, SAMARA)[1]


def fault(type: str, data: Any) -> tuple[str, str]:
    """Reason and pointer of what is wrong."""
    with pytest.raises(Unreadable) as caught:
        marks.understood(type, data, SAMARA)
    return caught.value.reason, caught.value.pointer


@pytest.mark.parametrize(
    ("type", "data", "expected"),
    [
        (
            "order.registered",
            {"document": {"id": "6F9", "number": "Ц-1", "date": "2022-11-28T09:58:00"}},
            f.Registered(document=f.Document("6F9", "Ц-1", datetime(2022, 11, 28, 5, 58, tzinfo=UTC))),
        ),
        ("order.confirmed", {"lines": [LINE]}, f.Confirmed(lines=(f.Line(sku="A-1", quantity=2),))),
        (
            "order.assembled",
            {"lines": [{**LINE, "marks": ["01046"], "serials": ["S1"]}], "boxes": "2"},
            f.Assembled(lines=(f.Line(sku="A-1", quantity=2, marks=("01046",), serials=("S1",)),), boxes=2),
        ),
        ("order.shipped", {"track": "RU1", "to": "7"}, f.Shipped(track="RU1", to="7")),
        (
            "order.arrived",
            {"store": "7", "keep_until": "2022-12-05T00:00:00"},
            f.Arrived(store="7", keep_until=date(2022, 12, 5)),
        ),
        ("order.handed_over", {"courier": "Иван"}, f.HandedOver()),
        ("order.handed_over", {"code": "1234"}, f.HandedOver(coded=True)),
        (
            "order.delivered",
            {"receipt": {"number": 15, "total": "39 570,50"}, "code": 1234},
            f.Delivered(receipt=f.Receipt("15", Decimal("39570.50"))),
        ),
        ("order.completed", {}, f.Completed()),
        (
            "order.rescheduled",
            {"date": "2022-11-30", "interval": {"from": "10:00", "to": "14:00"}, "by": "customer"},
            f.Rescheduled(date=date(2022, 11, 30), interval=f.Interval("10:00", "14:00"), by="customer"),
        ),
        ("order.cancelled", {"by": "shop", "reason": "out_of_stock"}, f.Cancelled(by="shop", reason="out_of_stock")),
        ("order.cancellation_accepted", {}, f.CancellationAccepted()),
        ("order.cancellation_declined", {"reason": "in_delivery"}, f.CancellationDeclined(reason="in_delivery")),
        ("order.returned", {"lines": [LINE]}, f.Returned(lines=(f.Line(sku="A-1", quantity=2),))),
        ("order.status", {"status": "Собран"}, f.Status(status="Собран")),
        (
            "order.snapshot",
            {"document": {"number": "Ц-1"}, "status": "Собран", "posted": True, "deleted": False, "version": 7},
            f.Snapshot(document=f.Document(number="Ц-1"), status="Собран", posted=True, deleted=False, version="7"),
        ),
        ("order.uncancelled", {}, f.Uncancelled()),
        ("order.unposted", {"kind": "shipment"}, f.Unposted(kind="shipment")),
        ("order.posted", {"document": {"id": "6F9"}}, f.Posted(document=f.Document(id="6F9"))),
    ],
)
def test_each_type(type: str, data: dict[str, Any], expected: f.Fact) -> None:
    """Every type of the contract's table is its own fact, with every field the log may hold."""
    assert fact(type, data) == expected


def test_the_table_is_complete() -> None:
    """What 1C may say is what the test above goes through."""
    said = {mark.args[1][number][0] for mark in test_each_type.pytestmark for number in range(len(mark.args[1]))}
    assert said == set(f.ONEC_TYPES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2022-11-28T10:00:00", datetime(2022, 11, 28, 6, tzinfo=UTC)),
        ("2022-11-28T10:00:00+03:00", datetime(2022, 11, 28, 7, tzinfo=UTC)),
        ("2022-11-28T10:00:00Z", datetime(2022, 11, 28, 10, tzinfo=UTC)),
        ("2022-11-28T10:00:00.123456789", datetime(2022, 11, 28, 6, 0, 0, 123456, tzinfo=UTC)),
        ("2022-11-28T10:00:00.123456789Z", datetime(2022, 11, 28, 10, 0, 0, 123456, tzinfo=UTC)),
        (" 2022-11-28T10:00 ", datetime(2022, 11, 28, 6, tzinfo=UTC)),
        ("2022-11-28", datetime(2022, 11, 27, 20, tzinfo=UTC)),
        ("28.11.2022 9:58:00", datetime(2022, 11, 28, 5, 58, tzinfo=UTC)),
        ("28.11.2022", datetime(2022, 11, 27, 20, tzinfo=UTC)),
        ("0001-01-01T00:00:00", None),
        ("0001-01-01", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("tomorrow", None),
        ("31.02.2022", None),
        ("", None),
        (None, None),
    ],
)
def test_times(text: str | None, expected: datetime | None) -> None:
    """A time without a zone is the base's; what is no time is none."""
    assert marks.moment(text, SAMARA) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [(2, 2), ("2", 2), ("2,000", 2), ("1 000", 1000), ("1\u00a0000", 1000), ("1\u202f000,0", 1000), (2.0, 2)],
)
def test_quantities(written: object, expected: int) -> None:
    """Pieces are whole, however 1C spells them."""
    found = fact("order.confirmed", {"lines": [{"sku": "A-1", "quantity": written}]})
    assert found == f.Confirmed(lines=(f.Line(sku="A-1", quantity=expected),))


@pytest.mark.parametrize(
    ("written", "expected"),
    [("231,7400", "231.7400"), ("1\u00a0320,50", "1320.50"), (660, "660"), ("1E+2", "100"), (Decimal("0.10"), "0.10")],
)
def test_money(written: object, expected: str) -> None:
    """Money keeps its kopecks as sent."""
    found = fact("order.delivered", {"receipt": {"total": written}})
    assert isinstance(found, f.Delivered)
    assert str(found.receipt.total if found.receipt else None) == expected


def test_padded_texts_and_nothing() -> None:
    """Fixed-length strings come padded; empty texts, no dates and nulls are left out."""
    data = {"document": {"id": "  ", "number": "Ц-1     ", "date": "0001-01-01T00:00:00"}, "lines": None}
    assert fact("order.confirmed", data) == f.Confirmed(document=f.Document(number="Ц-1"))


def test_a_date_with_an_offset_is_the_bases_day() -> None:
    """Late in the evening in UTC is the next day in Samara."""
    assert fact("order.rescheduled", {"date": "2022-11-28T22:00:00Z"}) == f.Rescheduled(date=date(2022, 11, 29))


@pytest.mark.parametrize("written", ["0001-01-01T09:30:00", "2022-11-30T09:30:00", "9:30", "09:30:00"])
def test_hours(written: str) -> None:
    """1C has no hour of a day: it writes a whole date for it."""
    found = fact("order.rescheduled", {"date": "2022-11-30", "interval": {"from": written}})
    assert found == f.Rescheduled(date=date(2022, 11, 30), interval=f.Interval("09:30"))


def test_personal_data_and_unknown_fields_stand_aside() -> None:
    """Names, comments, codes and what we don't know are kept where erasing reaches them, never in the log."""
    assert aside("order.handed_over", {"courier": "Иван", "Склад": {"код": 1}}) == {
        "courier": "Иван", "extra": {"Склад": {"код": 1}},
    }  # fmt: skip
    assert aside("order.delivered", {"code": 1234}) == {"code": "1234"}
    assert aside("order.cancelled", {"by": "shop", "comment": "звонил", "status": "X"}) == {
        "comment": "звонил", "extra": {"status": "X"},
    }  # fmt: skip
    assert aside("order.returned", {"id": "77", "lines": [LINE]}) == {"extra": {"id": "77"}}
    assert aside("order.completed", {}) == {}


def test_a_reason_in_free_text_is_other() -> None:
    """The log holds the contract's reasons; the words themselves are kept aside."""
    fact, personal = marks.understood("order.cancelled", {"by": "customer", "reason": "Передумал, т. 8-912"}, SAMARA)
    assert fact == f.Cancelled(by="customer", reason="other")
    assert personal == {"extra": {"reason": "Передумал, т. 8-912"}}
    fact, _ = marks.understood("order.cancellation_declined", {"reason": "поздно"}, SAMARA)
    assert fact == f.CancellationDeclined()


@pytest.mark.parametrize(
    ("type", "data", "expected"),
    [
        ("order.registered", {}, ("missing_field", "/data/document")),
        ("order.registered", {"document": None}, ("missing_field", "/data/document")),
        ("order.registered", {"document": "Ц-1"}, ("bad_field", "/data/document")),
        ("order.registered", {"document": {"date": "вчера"}}, ("bad_field", "/data/document/date")),
        ("order.rescheduled", {}, ("missing_field", "/data/date")),
        ("order.rescheduled", {"date": "0001-01-01T00:00:00"}, ("missing_field", "/data/date")),
        ("order.rescheduled", {"date": "завтра"}, ("bad_field", "/data/date")),
        (
            "order.rescheduled",
            {"date": "2022-11-30", "interval": {"to": "вечером"}},
            ("bad_field", "/data/interval/to"),
        ),
        ("order.cancelled", {}, ("missing_field", "/data/by")),
        ("order.cancelled", {"by": "marketplace"}, ("bad_field", "/data/by")),
        ("order.status", {"status": " "}, ("missing_field", "/data/status")),
        ("order.confirmed", {"lines": [LINE, {"sku": "B"}]}, ("bad_field", "/data/lines/1")),
        ("order.confirmed", {"lines": [{"sku": "B", "quantity": "1,5"}]}, ("bad_field", "/data/lines/0/quantity")),
        ("order.confirmed", {"lines": [{"sku": "B", "quantity": True}]}, ("bad_field", "/data/lines/0/quantity")),
        ("order.confirmed", {"lines": [{"sku": "B", "quantity": -1}]}, ("bad_field", "/data/lines/0/quantity")),
        ("order.confirmed", {"lines": [{"sku": "B", "quantity": 10**12}]}, ("bad_field", "/data/lines/0/quantity")),
        ("order.assembled", {"boxes": -1}, ("bad_field", "/data/boxes")),
        ("order.confirmed", {"lines": {"sku": "B"}}, ("bad_field", "/data/lines")),
        ("order.delivered", {"receipt": {"total": "много"}}, ("bad_field", "/data/receipt/total")),
        ("order.delivered", {"receipt": {"total": "1E+999999"}}, ("bad_field", "/data/receipt/total")),
        ("order.shipped", [], ("bad_data", "/data")),
        ("order.shipped", "RU1", ("bad_data", "/data")),
    ],
)
def test_what_is_wrong_is_pointed_at(type: str, data: Any, expected: tuple[str, str]) -> None:
    """A needed field that is missing and a value of a wrong type are refused with where they stand."""
    assert fault(type, data) == expected


def test_texts_lose_u0000() -> None:
    """Postgres takes no U+0000 in a text, and rows are made of facts."""
    assert fact("order.shipped", {"track": "RU\x001"}) == f.Shipped(track="RU1")
