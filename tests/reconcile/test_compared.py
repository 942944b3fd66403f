"""What differs between 1C's document and its order: every kind, and nothing where nothing does."""

from decimal import Decimal
from typing import Any

import pytest

from events import codec
from events.order import facts as f
from service.onec import snapshots
from service.reconcile.compared import Claim, Difference, compare, sayable
from service.settings import Settings
from tests.onec.dialects.making import NUMBER, Order, one
from tests.onec.making import ORDER, body, configured

SETTINGS = configured(onec={
    "statuses": {"Отгружен": "order.shipped", "Собран": "order.assembled", "Отменен": "order.cancelled"},
    "sources": {"ut11": {}},
})  # fmt: skip
GOODS = (f.Line(sku="A-1", quantity=2, price=Decimal(10)), f.Line(sku="B-7", quantity=1, price=Decimal(5)))
LINES = [{"sku": "A-1", "quantity": 2, "price": "10"}, {"sku": "B-7", "quantity": 1, "price": "5,00"}]
DOCUMENT = {"id": "d-1", "number": "УТ-1", "date": "2022-11-28T10:00:00"}


def snapshot(**data: Any) -> bytes:
    """1C's document as a clean snapshot."""
    return body("order.snapshot", {"document": DOCUMENT, "posted": True, "lines": LINES, **data})


def order(*marks: tuple[str, dict[str, Any]]) -> Order:
    """An order with two kinds of goods, whose document 1C has registered and then marked so."""
    made = Order(SETTINGS, GOODS)
    made.send(body("order.registered", {"document": DOCUMENT}, id="r"))
    for number, (type, data) in enumerate(marks):
        made.send(body(f"order.{type}", data, id=f"k{number}"))
    return made


def differences(made: Order, sent: bytes, settings: Settings = SETTINGS) -> list[Difference]:
    """What differs between that order and a document."""
    message = one(sent, settings)
    claim = Claim(ORDER, message, snapshots.understood(message, settings))
    return compare(made.state, claim, sayable(message.source, settings))


def kinds(made: Order, sent: bytes) -> list[tuple[str, str | None, str | None, str | None]]:
    """The same, kind, both sides and what mends it."""
    return [(d.kind, d.onec, d.hub, d.fix) for d in differences(made, sent)]


CONFIRMED: tuple[str, dict[str, Any]] = ("confirmed", {})


def test_nothing_differs() -> None:
    """The same stage, goods and sum; said in other words, or already taken as a snapshot."""
    made = order(CONFIRMED)
    assert kinds(made, snapshot()) == []
    made.send(snapshot())
    assert kinds(made, snapshot()) == []
    assert kinds(made, snapshot(lines=LINES[::-1], comment="новое")) == []
    assert kinds(order(("shipped", {})), snapshot(status="Отгружен")) == []


def test_an_order_nobody_heard_of() -> None:
    """1C's document goes in, the marketplace is asked."""
    made = order()
    made.history.clear()
    assert kinds(made, snapshot()) == [("missing_here", "confirmed", None, "send")]


def test_an_order_that_the_marketplace_has_not_shown() -> None:
    """1C marked it: a read brings what the marketplace knows."""
    made = order(CONFIRMED)
    made.history = made.history[1:]
    assert kinds(made, snapshot()) == [("not_placed", "confirmed", "marked confirmed", "read")]


def test_1c_is_further() -> None:
    """What would follow is what taking the snapshot would derive."""
    would = "placed; would follow: order.confirmed, order.shipped"
    assert kinds(order(), snapshot(status="Отгружен")) == [("stage", "shipped «Отгружен»", would, "send")]
    found = kinds(order(CONFIRMED), snapshot(shipment={"number": "РТ-1"}, receipt={"number": "7"}))
    assert found == [("stage", "delivered", "confirmed; would follow: order.shipped, order.delivered", "send")]


@pytest.mark.parametrize("how", [{"deleted": True}, {"cancelled": True}, {"status": "Отменен"},
                                 {"lines": [{**line, "cancelled": True} for line in LINES]}])  # fmt: skip
def test_1c_cancelled(how: dict[str, Any]) -> None:
    """In any of its spellings."""
    would = "confirmed; would follow: order.cancelled"
    assert kinds(order(CONFIRMED), snapshot(**how)) == [("stage", "cancelled", would, "send")]


def test_the_marketplace_cancelled_and_1c_does_not_know() -> None:
    """1C is told again; its marks are not sent into an order that is over."""
    made = order(CONFIRMED)
    made._add(codec.own_event(ORDER, "order.cancelled", "c", f.Cancelled(by="customer"), None))
    assert kinds(made, snapshot(status="Отгружен")) == [
        ("stage", "shipped «Отгружен»", "cancelled by the marketplace", "tell")
    ]
    assert kinds(made, snapshot(cancelled=True)) == []


def test_1c_cancelled_by_a_mark_and_its_document_stands() -> None:
    """Nobody can tell which of the two it means: a person must look. By a snapshot: it takes it back."""
    marked = order(CONFIRMED, ("cancelled", {"by": "shop"}))
    assert kinds(marked, snapshot()) == [("stage", "confirmed", "cancelled by 1C", None)]
    sent = order(CONFIRMED)
    sent.send(snapshot(cancelled=True))
    assert kinds(sent, snapshot(cancelled=False)) == [
        ("stage", "confirmed", "cancelled; would follow: order.uncancelled", "send")
    ]


def test_the_hub_is_further() -> None:
    """Only where 1C has a status for the stage: else its document could not say it."""
    assert kinds(order(("shipped", {})), snapshot(status="Собран")) == [
        ("stage", "assembled «Собран»", "shipped", None)
    ]
    assert kinds(order(("delivered", {})), snapshot(status="Собран")) == []
    assert kinds(order(("shipped", {})), snapshot()) == []


def test_other_goods() -> None:
    """Fewer, before shipping: confirming them follows. Others, or more later: a person must look."""
    fewer = [LINES[0], {**LINES[1], "quantity": 0}]
    assert kinds(order(CONFIRMED), snapshot(lines=fewer)) == [("lines", "A-1 × 2", "A-1 × 2, B-7 × 1", "send")]
    more = [LINES[0], {**LINES[1], "quantity": 3}]
    assert kinds(order(CONFIRMED, ("shipped", {})), snapshot(lines=more)) == [
        ("lines", "A-1 × 2, B-7 × 3", "A-1 × 2, B-7 × 1", None)
    ]


def test_goods_under_other_names_are_not_sent_in() -> None:
    """As many pieces under names the order does not have are the same goods; sending them would take its own out."""
    strange = [{"sku": "guid-1", "quantity": 2, "price": 10}, {"sku": "guid-2", "quantity": 1, "price": 5}]
    assert kinds(order(CONFIRMED), snapshot(lines=strange)) == []
    assert [d.fix for d in differences(order(), snapshot(lines=strange))] == [None]
    assert kinds(order(CONFIRMED), snapshot(lines=strange[:1])) == [("lines", "guid-1 × 2", "A-1 × 2, B-7 × 1", None)]


def test_another_sum() -> None:
    """Told to the kopeck where the goods are the same; where a price is missing nobody can tell."""
    dearer = [{**LINES[0], "price": "10.01"}, LINES[1]]
    assert kinds(order(CONFIRMED), snapshot(lines=dearer)) == [("sum", "25.02", "25.00", None)]
    assert kinds(order(CONFIRMED), snapshot(lines=[{"sku": "A-1", "quantity": 2}, LINES[1]])) == []
    assert kinds(order(("confirmed", {"lines": LINES[:1]})), snapshot(lines=[dearer[0]])) == [
        ("sum", "20.02", "20.00", None)
    ]


def test_another_document() -> None:
    """The hub does not know 1C's document, or knows another number of it."""
    assert kinds(order(CONFIRMED), snapshot(document={**DOCUMENT, "number": "УТ-2"})) == [
        ("document", "УТ-2", "УТ-1", "send")
    ]
    unknown = Order(SETTINGS, GOODS)
    unknown.send(body("order.confirmed", {}))
    assert kinds(unknown, snapshot()) == [("document", "УТ-1", None, "send")]


def test_what_else_1c_says() -> None:
    """A document unposted, boxes counted."""
    made = order(CONFIRMED)
    made.send(snapshot())
    assert kinds(made, snapshot(posted=False)) == [("marks", "order.unposted", "confirmed", "send")]


def test_a_document_older_than_one_taken_says_nothing() -> None:
    """The file is older than what 1C has sent since."""
    made = order()
    made.send(snapshot(status="Отгружен", version="7"))
    assert kinds(made, snapshot(version="6", cancelled=True)) == []


def test_a_difference_names_its_document_and_base() -> None:
    """For whoever looks it up in 1C."""
    [found] = differences(order(), snapshot())
    assert (found.order, found.document, found.source) == (f"ym-msk/{NUMBER}", "УТ-1", "1c/ut11")
