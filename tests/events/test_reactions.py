"""What follows from a fact: which steps the marketplace is asked for, and what 1C is told."""

from dataclasses import replace
from datetime import timedelta

import pytest

from events.order import facts as f
from tests.events.given import (
    BUYER_ASKS,
    DOCUMENT,
    MARKET_CANCELS,
    MOVED,
    OPEN,
    PLACED,
    PLAN,
    REGISTERED,
    SHOP_CANCELS,
    START,
    TRIGGERS,
    asked,
    attention,
    carried_out,
    history,
    hub,
    mark,
    market,
    outcome,
    seen,
    state,
    steps,
    then,
    told,
)


def test_each_stage_asks_for_its_own_steps() -> None:
    """Stage after stage, each mark asks for what its stage triggers and for nothing else."""
    told_so_far = history(PLACED, OPEN)
    for name, wanted in (("assembled", ["pack"]), ("shipped", ["ship"]), ("delivered", ["hand_out"])):
        marked = then(told_so_far, mark(name))
        assert steps(marked, len(told_so_far)) == wanted
        told_so_far = carried_out(marked)


def test_stages_that_1c_skips_are_walked_through_in_order() -> None:
    """Only «delivered» was marked: every step up to it is wanted, in the order of the stages."""
    assert steps(history(PLACED, OPEN, mark("delivered"))) == ["pack", "ship", "hand_out"]


def test_a_late_mark_asks_for_its_own_stage_only() -> None:
    """What 1C marks out of order still asks for what only that mark could bring."""
    shipped = carried_out(history(PLACED, OPEN, mark("shipped")))
    late = mark("confirmed", f.Confirmed(lines=(f.Line(sku="A", quantity=1),)))
    assert steps(then(shipped, late), len(shipped)) == ["fewer"]
    assert steps(then(shipped, mark("shipped", f.Shipped(track="T"))), len(shipped)) == ["track"]


def test_marks_before_the_order_wait_for_it() -> None:
    """Nothing is asked until the order and its status are known; then all of it, each because of its mark."""
    early = history(REGISTERED, mark("assembled"), MOVED)
    assert asked(early) == []
    placed = then(early, PLACED)
    assert steps(placed) == []
    shown = then(placed, OPEN)
    assert [(r.fact.action, r.cause) for r in asked(shown, len(placed))] == [
        ("number", 5),
        ("pack", 2),
        ("new_date", 3),
    ]


def test_a_date_moved_before_the_delivery_is_told_before_it() -> None:
    """What waited for the order goes in the order 1C said it, skipped stages with the mark that passed them."""
    early = (mark("assembled"), MOVED, mark("delivered"))
    assert steps(history(*early, PLACED, OPEN)) == ["pack", "new_date", "ship", "hand_out"]
    assert steps(history(mark("delivered"), mark("assembled"), MOVED, PLACED, OPEN))[:3] == ["pack", "ship", "hand_out"]


def test_marks_under_a_document_count_once_it_is_linked() -> None:
    """What 1C said under `1c/DOCUMENT` is asked for when `order.registered` says whose document that is."""
    events = history(PLACED, OPEN, mark("assembled", order=DOCUMENT), MOVED._replace(order=DOCUMENT), REGISTERED)
    assert steps(events, 4) == ["number", "pack", "new_date"]
    assert steps(then(carried_out(events), REGISTERED), 0) == []


def test_what_the_marketplace_reached_by_itself_was_had() -> None:
    """A step that moves an order where it already is, is not wanted; data for a stage it passed still are."""
    events = history(PLACED, seen("shipped"), mark("shipped", f.Shipped(track="T")))
    assert steps(events, 2) == ["track"]
    assert steps(history(PLACED, seen("delivered"), mark("completed")), 2) == []


@pytest.mark.parametrize("there", ["shipped", "delivered", "cancelled", "returned"])
def test_an_archive_floods_nobody(there: str) -> None:
    """Of an order first seen far along or over, what 1C said long ago is told to nobody."""
    past = (
        REGISTERED,
        mark("confirmed", f.Confirmed(lines=(f.Line(sku="A", quantity=1),))),
        mark("shipped"),
    )
    assert steps(history(*past, PLACED, seen(there))) == []


def test_an_order_first_seen_over_is_not_cancelled_again() -> None:
    """1C cancelled, and the marketplace shows the order cancelled at first sight: nothing is asked, nothing echoed."""
    events = history(SHOP_CANCELS, PLACED, seen("cancelled"), MARKET_CANCELS)
    assert steps(events) == []
    assert "order.cancelled" not in told(events)


def test_the_shops_cancellation_asks_for_nothing_else() -> None:
    """A cancellation wants its own step; marks that come after it want none, and are a contradiction."""
    cancelled = history(PLACED, OPEN, SHOP_CANCELS)
    assert steps(cancelled) == ["cancel"]
    after = then(carried_out(cancelled), mark("delivered"), MOVED)
    assert steps(after, len(after) - 2) == []
    assert ("contradiction", "delivered") in attention(after)


def test_a_refused_step_does_not_come_back_by_itself() -> None:
    """A mark said again, or a later one, does not ask again for what was refused."""
    events = carried_out(history(PLACED, OPEN, mark("assembled")))
    refused = carried_out(then(events, outcome(events, "pack", "refused")))
    again = then(refused, mark("assembled"), mark("shipped"))
    assert steps(again, len(refused)) == ["ship"]


def test_a_changed_trigger_map_applies_to_later_marks_only() -> None:
    """A step added to a stage is not asked for orders that had passed it, not even at their next mark."""
    before = replace(PLAN, triggers={**TRIGGERS, "confirmed": (), "assembled": ()})
    events = carried_out(history(PLACED, OPEN, mark("confirmed"), mark("assembled")), before)
    assert steps(then(events, mark("shipped")), len(events)) == ["ship"]
    assert steps(events, len(events)) == []


def test_moves_and_answers_are_asked_each_time() -> None:
    """A second date and a second answer are commands of their own; the first ones are not asked again."""
    events = carried_out(history(PLACED, OPEN, MOVED, BUYER_ASKS, mark("cancellation_declined")))
    more = then(events, MOVED, mark("cancellation_declined"))
    assert steps(more, len(events)) == ["new_date", "answer"]
    assert len({r.fact.command for r in asked(more)} & {r.fact.command for r in asked(events)}) == 0


def test_an_answer_is_for_the_request_that_was_open() -> None:
    """An answer nobody asked for tells nothing and becomes attention; nor does an old one answer a new request."""
    unasked = history(PLACED, OPEN, mark("cancellation_accepted"))
    assert steps(unasked) == []
    assert ("contradiction", "answer") in attention(unasked)
    again = then(unasked, BUYER_ASKS, mark("assembled"))
    assert "answer" not in steps(again)
    answered = carried_out(history(PLACED, OPEN, BUYER_ASKS, mark("cancellation_declined"), OPEN))
    second = then(answered, BUYER_ASKS, mark("completed"))
    assert "answer" not in steps(second, len(answered))


def test_an_answer_under_a_document_is_for_its_own_request_too() -> None:
    """What a document's link brings is an answer only while the request it was given to is open."""
    answer = mark("cancellation_accepted", order=DOCUMENT)
    assert "answer" in steps(history(PLACED, OPEN, BUYER_ASKS, answer, REGISTERED), 4)
    assert "answer" not in steps(history(PLACED, OPEN, BUYER_ASKS, answer, OPEN, REGISTERED), 4)
    assert "answer" not in steps(history(PLACED, OPEN, BUYER_ASKS, answer, OPEN, BUYER_ASKS, REGISTERED), 4)


# What 1C is told


def test_1c_is_told_what_the_marketplace_says() -> None:
    """Placed, changed, asked to cancel, returned, a deadline: a message each; what 1C said itself is none."""
    assert told(history(PLACED)) == ["order.placed"]
    assert told(history(PLACED, market("changed", f.Changed())), 1) == ["order.changed"]
    assert told(history(PLACED, BUYER_ASKS), 1) == ["order.cancellation_requested"]
    assert told(history(PLACED, market("returned", f.Returned())), 1) == ["order.returned"]
    assert told(history(PLACED, hub("deadline.near", f.DeadlineNear(stage="shipped", due=START)))) == [
        "order.placed", "order.deadline",
    ]  # fmt: skip
    assert told(history(mark("returned"), SHOP_CANCELS, mark("shipped"), REGISTERED)) == []


def test_1cs_own_cancellation_is_not_echoed() -> None:
    """The cancellation 1C asked for is no news to it; any other is, also after its own was refused."""
    events = carried_out(history(PLACED, OPEN, SHOP_CANCELS))
    assert told(then(events, MARKET_CANCELS), len(events)) == []
    refused = carried_out(then(events, outcome(events, "cancel", "refused")))
    assert told(then(refused, MARKET_CANCELS), len(refused)) == ["order.cancelled"]
    assert told(history(PLACED, OPEN, MARKET_CANCELS), 2) == ["order.cancelled"]


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("done", ["marketplace.accepted"]),
        ("refused", ["marketplace.refused"]),
        ("given_up", ["marketplace.refused"]),
        ("withdrawn", []),
        ("withheld", []),
    ],
)
def test_1c_is_told_what_came_of_a_step(what: str, wanted: list[str]) -> None:
    """Taken or failed is news, with the stage it was for; what was never sent is none."""
    events = carried_out(history(PLACED, OPEN, mark("assembled")))
    ended = then(events, outcome(events, "pack", what))
    assert told(ended, len(events)) == wanted
    assert {r.fact.stage for r in asked(ended, len(events))} <= {"assembled"}


def test_1c_is_not_told_of_a_refusal_after_the_deed() -> None:
    """What was done stays done: an outcome that comes later changes nothing and tells nothing."""
    events = carried_out(history(PLACED, OPEN, mark("assembled")))
    done = carried_out(then(events, outcome(events, "pack", "done")))
    assert told(then(done, outcome(events, "pack", "refused")), len(done)) == []


def test_shadow_withholds_from_the_marketplace_only() -> None:
    """Commands withheld in shadow take nothing from 1C: what the marketplace says still reaches it."""
    events = carried_out(history(PLACED, OPEN, mark("assembled")))
    shadow = carried_out(then(events, outcome(events, "pack", "withheld")))
    assert told(then(shadow, MARKET_CANCELS), len(shadow)) == ["order.cancelled"]


def test_1c_is_told_once_when_the_marketplace_moves_by_itself() -> None:
    """A marketplace that goes on without us is a change, once a stage; one that follows our step is none."""
    events = history(PLACED, OPEN, seen("shipped"), seen("shipped", status="SHIPPED/2"))
    assert [(r.fact.action, r.fact.stage) for r in asked(events, 2)] == [("order.changed", "shipped")]
    ours = carried_out(history(PLACED, OPEN, mark("shipped")))
    assert told(then(ours, seen("shipped")), len(ours)) == []
    assert told(history(PLACED, OPEN, seen("shipped", stale=True)), 2) == []


SAYING = replace(PLAN, steps={**PLAN.steps, "ship": replace(PLAN.steps["ship"], says=lambda state: state.track)})


def test_a_mark_that_says_something_else_asks_again() -> None:
    """What the step hands on has changed, so it is a new command, once; the failed one calls and blocks no more."""
    said = carried_out(history(PLACED, OPEN, mark("shipped", f.Shipped(track="A"))), SAYING)
    refused = carried_out(then(said, outcome(said, "ship", "refused")), SAYING)
    same = then(refused, mark("shipped", f.Shipped(track="A")), mark("shipped"))
    assert steps(same, len(refused), SAYING) == []
    other = then(refused, mark("shipped", f.Shipped(track="B")))
    assert steps(other, len(refused), SAYING) == ["ship"]
    asked_again = carried_out(other, SAYING)
    assert steps(asked_again, 0, SAYING) == []
    assert [c.state for c in state(asked_again).commands.values() if c.action == "ship"] == ["withdrawn", "waiting"]
    assert attention(asked_again) == []


def test_a_refusal_that_comes_after_the_new_words_blocks_nobody() -> None:
    """The first command was on its way when 1C said something else: its refusal is told, and is not in the way."""
    said = carried_out(history(PLACED, OPEN, mark("shipped", f.Shipped(track="A"))), SAYING)
    first = outcome(said, "ship", "refused")
    again = carried_out(then(said, mark("shipped", f.Shipped(track="B"))), SAYING)
    late = then(again, first)
    assert [c.state for c in state(late).commands.values() if c.action == "ship"] == ["withdrawn", "waiting"]
    assert told(late, len(again)) == ["marketplace.refused"]


def test_a_cancellation_for_another_reason_is_another_one() -> None:
    """The marketplace refused the first reason; the second is asked for, and is the one that counts."""
    plan = replace(PLAN, steps={**PLAN.steps, "cancel": replace(PLAN.steps["cancel"], says=lambda s: s.shop_cancelled)})
    events = carried_out(history(PLACED, OPEN, SHOP_CANCELS), plan)
    refused = carried_out(then(events, outcome(events, "cancel", "refused")), plan)
    assert steps(then(refused, SHOP_CANCELS), len(refused), plan) == []
    other = then(refused, mark("cancelled", f.Cancelled(by="customer", reason="unreachable")))
    assert steps(other, len(refused), plan) == ["cancel"]
    cancelled = state(other).shop_cancelled
    assert cancelled is not None
    assert (cancelled.by, cancelled.reason) == ("customer", "unreachable")


@pytest.mark.parametrize("there", ["delivered", "cancelled", "returned"])
def test_1c_is_not_told_of_orders_that_were_over_long_ago(there: str) -> None:
    """An archive's order is not placed as if new, nor cancelled; a young one is told of, and one 1C knows too."""
    old = PLACED._replace(fact=f.Placed(number="1", placed_at=START - timedelta(days=30)))
    end = (MARKET_CANCELS,) if there == "cancelled" else ()
    wanted = ["order.cancelled"] if end else []
    assert told(history(old, seen(there), *end)) == []
    known = told(history(REGISTERED, old, seen(there), *end))
    assert [message for message in known if message != "order.changed"] == ["order.placed", *wanted]
    young = PLACED._replace(fact=f.Placed(number="1", placed_at=START))
    assert [m for m in told(history(young, seen(there), *end)) if m != "order.changed"] == ["order.placed", *wanted]
    assert told(history(old, OPEN)) == ["order.placed"]
    assert told(history(old, seen(there), market("returned", f.Returned(id="1"))))[-1:] == ["order.returned"]


def test_goods_that_go_because_1c_cancels_are_no_news() -> None:
    """A marketplace takes a cancelled order's goods out one by one; 1C, who cancelled it, is told of none of them."""
    fewer = market("changed", f.Changed(lines=()))
    assert told(history(PLACED, OPEN, SHOP_CANCELS, fewer), 3) == []
    granted = mark("cancellation_accepted", f.CancellationAccepted())
    assert told(history(PLACED, OPEN, BUYER_ASKS, granted, fewer), 4) == []
    part = market("cancellation_requested", f.CancellationRequested(lines=(f.Line(sku="A", quantity=1),)))
    assert told(history(PLACED, OPEN, part, granted, fewer), 4) == ["order.changed"]
    every = f.CancellationRequested(lines=(f.Line(sku="A", quantity=1),), whole=True)
    assert told(history(PLACED, OPEN, market("cancellation_requested", every), granted, fewer), 4) == []
