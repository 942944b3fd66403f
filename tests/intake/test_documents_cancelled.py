"""A document cancelled, in each of 1C's spellings, and taken back."""

from itertools import combinations
from typing import Any

import pytest

from events.codec import decode
from events.order import facts as f
from tests.events.given import (
    SHOP_CANCELS,
    attention,
    carried_out,
    outcome,
    state,
    steps,
    then,
)
from tests.intake.sending import CONFIRMED, DOC, GOODS, SHOWN, follows, sends

OFF = [{**line, "cancelled": True} for line in GOODS]

SPELLINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "deleted": ({"deleted": "true"}, {"deleted": "false"}),
    "cancelled": ({"cancelled": 1}, {"cancelled": 0}),
    "lines": ({"lines": OFF}, {"lines": GOODS}),
    "zeros": ({"lines": [{**line, "quantity": "0,000"} for line in GOODS]}, {"lines": GOODS}),
    "status": ({"status": "Отказ"}, {"status": "Заказ подтверждён"}),
}
"""How a document says that it is cancelled, and that it is not."""


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_each_spelling_cancels_and_takes_back(spelling: str) -> None:
    """Cancelled by any of them, once; taken back when it is said to be false; cancelled again after that."""
    off, on = SPELLINGS[spelling]
    cancelled = sends(CONFIRMED, {"document": DOC, **off})
    assert follows(CONFIRMED, {"document": DOC, **off}) == ["cancelled"]
    assert follows(cancelled, {"document": DOC, **off, "version": 2}) == []
    back = sends(cancelled, {"document": DOC, **on, "version": 3})
    assert follows(cancelled, {"document": DOC, **on, "version": 3}) == ["uncancelled"]
    assert state(back).shop_cancelled is None
    assert follows(back, {"document": DOC, **off, "version": 4}) == ["cancelled"]


@pytest.mark.parametrize(("one", "other"), [p for p in combinations(SPELLINGS, 2) if p != ("lines", "zeros")])
def test_two_spellings_are_taken_back_both(one: str, other: str) -> None:
    """Cancelled in two ways and taken back in one it is still cancelled."""
    (off, on), (off_too, on_too) = SPELLINGS[one], SPELLINGS[other]
    cancelled = sends(CONFIRMED, {"document": DOC, **off, **off_too})
    assert follows(cancelled, {"document": DOC, **on, **off_too}) == []
    still = sends(cancelled, {"document": DOC, **on})
    assert [event.type for event in still[len(cancelled) :]] == ["order.snapshot"]
    assert state(still).shop_cancelled is not None
    assert follows(still, {"document": DOC, **on_too}) == ["uncancelled"]
    assert follows(cancelled, {"document": DOC, **on, **on_too}) == ["uncancelled"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_nothing_else_follows_from_a_cancelled_document(spelling: str) -> None:
    """Neither stages nor anything beside them; what it showed is said once it is taken back."""
    off, on = SPELLINGS[spelling]
    rest: dict[str, Any] = {"document": DOC, "shipment": {"track": "T"}, "posted": True}
    assert follows(CONFIRMED, {**rest, **off}) == ["cancelled"]
    cancelled = sends(CONFIRMED, {**rest, **off})
    assert follows(cancelled, {**rest, **on}) == ["uncancelled", "shipped"]


def test_a_status_that_says_nothing_takes_nothing_back() -> None:
    """An order that is closed after it was cancelled, or has a status nobody maps, stays cancelled."""
    cancelled = sends(CONFIRMED, {"document": DOC, "status": "Отказ"})
    for status in ("Закрыт", "Завершён", "Ждём поставку"):
        assert follows(cancelled, {"document": DOC, "status": status}) == []
    assert follows(cancelled, {"document": DOC, "status": "Не согласован"}) == ["uncancelled"]


def test_who_and_why() -> None:
    """By the shop unless it says otherwise; another reason, or one that comes later, is said; free text is other."""
    why = {"document": DOC, "cancelled": {"by": "customer", "reason": "unreachable"}}
    cancelled = sends(CONFIRMED, why)
    assert decode(cancelled[-1]) == f.Cancelled(by="customer", reason="unreachable")
    assert follows(cancelled, {"document": DOC, "cancelled": True, "version": 2}) == []
    assert follows(cancelled, {**why, "reason": "out_of_stock"}) == []
    plain = sends(CONFIRMED, {"document": DOC, "cancelled": True})
    assert decode(plain[-1]) == f.Cancelled(by="shop")
    text = {"document": DOC, "cancelled": True, "by": "customer", "reason": "клиент передумал"}
    assert follows(plain, text) == ["cancelled"]
    told = sends(plain, text)
    assert decode(told[-1]) == f.Cancelled(by="customer", reason="other")
    assert follows(told, {**text, "version": 2}) == []


def test_deleted_and_unposted_at_once() -> None:
    """Marking for deletion unposts by itself: that is the cancellation alone, and back it is as before."""
    off = {"document": DOC, "deleted": True, "posted": False}
    assert follows(CONFIRMED, off) == ["cancelled"]
    deleted = sends(CONFIRMED, off)
    assert follows(deleted, {"document": DOC, "deleted": False, "posted": True}) == ["uncancelled"]
    half = {"document": DOC, "deleted": False, "posted": False}
    assert follows(deleted, half) == ["uncancelled", "unposted"]
    assert follows(sends(deleted, half), {"document": DOC, "posted": True}) == ["posted"]
    unposted = sends(CONFIRMED, {"document": DOC, "posted": False})
    assert follows(sends(unposted, {**off, "version": 3}), {**half, "version": 4}) == ["uncancelled"]


def test_posted_again_though_cancelled() -> None:
    """The call for a person ends when the document counts again, cancelled or not."""
    unposted = sends(CONFIRMED, {"document": DOC, "posted": False})
    assert follows(unposted, {"document": DOC, "posted": True, "cancelled": True}) == ["cancelled", "posted"]
    assert attention(sends(unposted, {"document": DOC, "posted": True, "cancelled": True})) == []


def test_a_cancelled_draft_cancels() -> None:
    """A document that never counted and is deleted cancels its order: 1C will not fulfil it."""
    assert follows(SHOWN, {"document": DOC, "posted": False, "deleted": True}) == ["registered", "cancelled"]


def test_two_bases_cancel() -> None:
    """Taken back in one base only, the order stays cancelled; what the mark said, a document can take back."""
    one = sends(CONFIRMED, {"document": DOC, "cancelled": True})
    both = sends(one, {"document": DOC, "cancelled": True}, source="1c/kazan")
    assert [event.type for event in both[len(one) :]] == ["order.snapshot"]
    left = sends(both, {"document": DOC, "cancelled": False})
    assert [event.type for event in left[len(both) :]] == ["order.snapshot"]
    assert follows(left, {"document": DOC, "cancelled": False}, source="1c/kazan") == ["uncancelled"]


def test_a_mark_is_taken_back_by_a_mark_or_by_the_document_that_said_so_too() -> None:
    """A snapshot that never said cancelled does not overrule `order.cancelled`."""
    marked = then(CONFIRMED, SHOP_CANCELS)
    assert follows(marked, {"document": DOC, "cancelled": False, "version": 2}) == []
    assert state(sends(marked, {}, type="order.uncancelled")).shop_cancelled is None
    said = sends(marked, {"document": DOC, "cancelled": True, "version": 2})
    assert follows(said, {"document": DOC, "cancelled": False, "version": 3}) == ["uncancelled"]


def test_taken_back_after_the_marketplace_did_it() -> None:
    """The buyer must order anew: a person is called, the order stays cancelled, nothing is asked of the marketplace."""
    cancelled = carried_out(sends(CONFIRMED, {"document": DOC, "cancelled": True}))
    done = then(cancelled, outcome(cancelled, "cancel", "done"))
    back = sends(done, {"document": DOC, "cancelled": False})
    assert back[-1].type == "order.uncancelled"
    assert ("contradiction", "uncancelled") in attention(back)
    assert state(back).stage == "cancelled"
    assert steps(back, len(done)) == []
    assert follows(back, {"document": DOC, "cancelled": True, "version": 5}) == []
