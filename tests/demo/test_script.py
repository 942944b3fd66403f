"""What the pretend 1C says of an order makes sense, whatever chance decides."""

from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.demo.script import STAGES, Lines, Mark, Placed, placed, script, without
from service.marketplaces.trial import Way

NOW = datetime(2026, 9, 14, 12, tzinfo=UTC)
OWN, ALIEN, CODE, PARTLY = Way(shop=True), Way(), Way(code=True), Way(shop=True, partly=True)
KINDS = (
    (OWN, "courier"), (OWN, "pickup"), (ALIEN, "courier"), (CODE, "courier"), (PARTLY, "courier"), (PARTLY, "pickup"),
)  # fmt: skip
LINES: Lines = [
    {"sku": "BOSCH-WAN24260OE", "quantity": 1, "id": "1", "price": "38990.00"},
    {"sku": "HOSE-15-25", "quantity": 2, "id": "2", "price": "590.00"},
]

kinds = st.sampled_from(KINDS)
seeds = st.integers(0, 10_000)


def order(kind: tuple[Way, str], key: str = "shop/0132112277-0101-1", *, marked: bool = False) -> Placed:
    """An order of one kind, out of what the hub tells 1C."""
    way, delivery = kind
    data: dict[str, Any] = {"lines": LINES, "delivery": {"type": delivery}}
    data["details"] = {"marking.2": "CIS"} if marked else {}
    return placed(key, way, data)


def said(of: Placed, seed: int, after: str | None = None) -> list[Mark]:
    return list(script(of, Random(seed), NOW, after))


def stages(marks: list[Mark]) -> list[str]:
    """The stages of marks that are stages."""
    return [mark.stage for mark in marks if mark.stage is not None]


def total(lines: Lines) -> Decimal:
    """What goods cost."""
    prices = {line["sku"]: Decimal(line["price"]) for line in LINES}
    return sum((prices[line["sku"]] * line["quantity"] for line in lines), Decimal(0))


@given(kinds, seeds)
def test_an_order_comes_to_an_end(kind: tuple[Way, str], seed: int) -> None:
    """It begins with 1C's document, goes forward only, and ends as completed or cancelled."""
    marks = said(order(kind), seed)
    assert marks[0].type == "order.registered"
    assert marks[-1].type in ("order.completed", "order.cancelled")
    assert stages(marks) == sorted(stages(marks), key=STAGES.index)


def test_a_document_is_the_orders_own() -> None:
    """An order's document is the same each time, whatever its number looks like; two orders' differ."""
    keys = ("a/52700000001", "b/52700000001", "a/0132112277-0101-1", "a/0132112277-0101-2")
    documents = [order(KINDS[0], key).document for key in keys]
    assert documents == [order(KINDS[0], key).document for key in keys]
    assert len({document["number"] for document in documents}) == len({d["id"] for d in documents}) == len(keys)


@given(kinds, seeds)
def test_marked_goods_carry_their_codes(kind: tuple[Way, str], seed: int) -> None:
    """Where the order asks for codes they are always told, one for a piece, unless the goods were missing."""
    marks = said(order(kind, marked=True), seed)
    packed = [mark for mark in marks if mark.type == "order.assembled"]
    assert packed or marks[-1].type == "order.cancelled"
    for mark in packed:
        for line in mark.data["lines"]:
            assert len(set(line.get("marks", []))) == (2 if line["sku"] == "HOSE-15-25" else 0)


@given(kinds, seeds)
def test_what_is_confirmed_is_what_is_packed(kind: tuple[Way, str], seed: int) -> None:
    """Goods that were not confirmed are in no parcel, and something always is."""
    lines = {
        mark.type: [(line["sku"], line["quantity"]) for line in mark.data["lines"]]
        for mark in said(order(kind), seed)
        if "lines" in mark.data
    }
    assert all(lines.values())
    if {"order.confirmed", "order.assembled"} <= set(lines):
        assert lines["order.confirmed"] == lines["order.assembled"]


def test_missing_goods_are_always_confirmed() -> None:
    """Where goods are missing `order.confirmed` is never left out: nobody else knows of it so early."""
    without_it = [
        {mark.type: mark for mark in marks}
        for marks in (said(order(kind), seed) for kind in KINDS for seed in range(300))
        if "order.confirmed" not in [mark.type for mark in marks]
    ]
    packed = [marks["order.assembled"].data["lines"] for marks in without_it if "order.assembled" in marks]
    assert packed
    assert [lines for lines in packed if len(lines) < len(LINES)] == []


@given(kinds, seeds, st.sampled_from(STAGES[:-1]))
def test_going_on_repeats_nothing(kind: tuple[Way, str], seed: int, after: str) -> None:
    """An order left open is gone on with behind the stage it had reached."""
    marks = said(order(kind), seed, after)
    assert marks
    assert "order.registered" not in [mark.type for mark in marks]
    assert all(STAGES.index(stage) > STAGES.index(after) for stage in stages(marks))


@given(kinds, seeds)
def test_each_goes_its_own_way(kind: tuple[Way, str], seed: int) -> None:
    """No courier where the buyer collects, no shop of issue where he does not, another day only for the shop's own."""
    way, delivery = kind
    types = {mark.type for mark in said(order(kind), seed)}
    home = way.shop and delivery == "courier"
    assert home or "order.rescheduled" not in types
    assert home or way.code or "order.handed_over" not in types
    assert (way.shop and not home) or "order.arrived" not in types


@given(kinds, seeds)
def test_the_receipt_is_for_what_was_taken(kind: tuple[Way, str], seed: int) -> None:
    """A buyer may leave one piece where the marketplace lets him, never all; the receipt says what he paid."""
    marks = {mark.type: mark for mark in said(order(kind), seed)}
    if "order.delivered" not in marks:
        return
    packed = next((marks[t].data["lines"] for t in ("order.assembled", "order.confirmed") if t in marks), None)
    taken = marks["order.delivered"].data.get("lines")
    if taken is not None:
        assert kind[0].partly
        assert taken
        assert packed is None or _pieces(packed) - _pieces(taken) == 1
    paid = Decimal(marks["order.delivered"].data["receipt"]["total"].replace(",", "."))
    if (known := taken or packed) is not None:
        assert paid == total(known)


def _pieces(lines: Lines) -> int:
    return sum(line["quantity"] for line in lines)


def test_what_is_left() -> None:
    """Pieces go from the lines that hold them, a line without any goes too, what was never there goes nowhere."""
    two = [*LINES, {"sku": "HOSE-15-25", "quantity": 1, "id": "3"}]
    assert without(two, [{"sku": "HOSE-15-25", "quantity": 2}, {"sku": "OTHER", "quantity": 1}]) == [LINES[0], two[2]]
    assert without(LINES, [{"sku": "HOSE-15-25", "quantity": 1}]) == [LINES[0], {**LINES[1], "quantity": 1}]
    assert without(LINES, LINES) == []


@pytest.mark.parametrize("type", ["order.cancelled", "order.rescheduled", "order.arrived", "order.handed_over"])
def test_everything_happens(type: str) -> None:
    """The rarer things are rare, not absent; and stages are left out and marks told twice now and then."""
    all_said = [said(order(kind), seed) for kind in KINDS for seed in range(100)]
    assert any(mark.type == type for marks in all_said for mark in marks)
    assert any(mark.twice for marks in all_said for mark in marks)
    assert any("order.confirmed" not in [mark.type for mark in marks] for marks in all_said)
    assert any(mark.type == "order.delivered" and "lines" in mark.data for marks in all_said for mark in marks)


def test_a_courier_is_asked_for_his_code() -> None:
    """Where the marketplace's courier has a code goods leave the shop with it only; nobody else is asked for one."""
    for seed in range(50):
        for kind in KINDS:
            asked = [mark.type for mark in said(order(kind), seed) if mark.code]
            ended = said(order(kind), seed)[-1].type == "order.completed"
            assert asked == (["order.handed_over"] if kind[0].code and ended else [])
