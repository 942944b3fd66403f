"""What the pretend 1C says of an order makes sense, whatever chance decides."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.demo.script import STAGES, Mark, Placed, placed, script

NOW = datetime(2026, 9, 14, 12, tzinfo=UTC)
KINDS = (("dbs", "courier"), ("dbs", "pickup"), ("fbs", "courier"), ("express", "courier"))
LINES = [
    {"sku": "BOSCH-WAN24260OE", "quantity": 1, "id": "1", "price": "38990.00"},
    {"sku": "HOSE-15-25", "quantity": 2, "id": "2", "price": "590.00"},
]

kinds = st.sampled_from(KINDS)
seeds = st.integers(0, 10_000)


def order(kind: tuple[str, str], *, marked: bool = False) -> Placed:
    """An order of one kind, out of what the hub tells 1C."""
    model, delivery = kind
    data: dict[str, Any] = {"lines": LINES, "delivery": {"type": delivery}}
    data["details"] = {"marking.2": "CIS"} if marked else {}
    return placed(f"ym-{model}/52700000001", model, data)


def said(of: Placed, seed: int, after: str | None = None) -> list[Mark]:
    return list(script(of, Random(seed), NOW, after))


def stages(marks: list[Mark]) -> list[str]:
    """The stages of marks that are stages."""
    return [m.type.removeprefix("order.") for m in marks if m.type.removeprefix("order.") in STAGES]


@given(kinds, seeds)
def test_an_order_comes_to_an_end(kind: tuple[str, str], seed: int) -> None:
    """It begins with 1C's document, goes forward only, and ends as completed or cancelled."""
    marks = said(order(kind), seed)
    assert marks[0].type == "order.registered"
    assert marks[0].data["document"]["number"] == "ЦСУТ-000001"
    assert marks[-1].type in ("order.completed", "order.cancelled")
    assert stages(marks) == sorted(stages(marks), key=STAGES.index)


@given(kinds, seeds)
def test_marked_goods_carry_their_codes(kind: tuple[str, str], seed: int) -> None:
    """Where the order asks for codes they are always told, one for a piece, unless the goods were missing."""
    marks = said(order(kind, marked=True), seed)
    packed = [mark for mark in marks if mark.type == "order.assembled"]
    assert packed or marks[-1].type == "order.cancelled"
    for mark in packed:
        for line in mark.data["lines"]:
            assert len(set(line.get("marks", []))) == (2 if line["sku"] == "HOSE-15-25" else 0)


@given(kinds, seeds)
def test_what_is_confirmed_is_what_is_packed(kind: tuple[str, str], seed: int) -> None:
    """Goods that were not confirmed are in no parcel, and something always is."""
    lines = {
        mark.type: [(line["sku"], line["quantity"]) for line in mark.data["lines"]]
        for mark in said(order(kind), seed)
        if "lines" in mark.data
    }
    assert all(lines.values())
    if {"order.confirmed", "order.assembled"} <= set(lines):
        assert lines["order.confirmed"] == lines["order.assembled"]


@given(kinds, seeds, st.sampled_from(STAGES[:-1]))
def test_going_on_repeats_nothing(kind: tuple[str, str], seed: int, after: str) -> None:
    """An order left open is gone on with behind the stage it had reached."""
    marks = said(order(kind), seed, after)
    assert marks
    assert "order.registered" not in [mark.type for mark in marks]
    assert all(STAGES.index(stage) > STAGES.index(after) for stage in stages(marks))


@pytest.mark.parametrize("type", ["order.cancelled", "order.rescheduled", "order.arrived", "order.handed_over"])
def test_everything_happens(type: str) -> None:
    """The rarer things are rare, not absent; and stages are left out and marks told twice now and then."""
    all_said = [said(order(kind), seed) for kind in KINDS for seed in range(100)]
    assert any(mark.type == type for marks in all_said for mark in marks)
    assert any(mark.twice for marks in all_said for mark in marks)
    assert any("order.confirmed" not in [mark.type for mark in marks] for marks in all_said)


def test_a_courier_is_asked_for_his_code() -> None:
    """Express goods leave the shop with the courier's code only; own deliveries need none."""
    for seed in range(50):
        for kind in KINDS:
            asked = [mark.type for mark in said(order(kind), seed) if mark.code]
            ended = said(order(kind), seed)[-1].type == "order.completed"
            assert asked == (["order.handed_over"] if kind[0] == "express" and ended else [])
