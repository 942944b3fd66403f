"""What 1C's documents leave known of an order, and what follows when a cancellation is taken back."""

from dataclasses import replace
from itertools import zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.order import facts as f
from events.order import snapshots
from events.order.reactions import Reacting
from events.recorded import Recorded
from tests.events.given import (
    DOCUMENT,
    MARKET_CANCELS,
    MOVED,
    OPEN,
    ORDER,
    PLACED,
    PLAN,
    REGISTERED,
    SHOP_CANCELS,
    Said,
    asked,
    attention,
    carried_out,
    history,
    mark,
    outcome,
    seen,
    state,
    steps,
    then,
    told,
)

UNCANCELS = mark("uncancelled")
MARKED = carried_out(history(PLACED, OPEN, REGISTERED, mark("assembled"), mark("shipped")))
OUT_OF_STOCK = f.Cancelled(by="shop", reason="out_of_stock")


def withdrawn(events: list[Recorded], *actions: str) -> list[Recorded]:
    """The history after the dispatcher withdrew the last commands of these names."""
    for action in actions:
        events = then(events, outcome(events, action, "withdrawn"))
    return events


def states(events: list[Recorded], action: str) -> list[str]:
    """How each command of a name stands."""
    return [command.state for command in state(events).commands.values() if command.action == action]


# What is known of a document


def test_the_newest_snapshot_is_known_and_a_stale_one_is_not() -> None:
    """Each document by its base, kind and id; what is stale or older than the rules leaves nothing."""
    first = mark("snapshot", f.Snapshot(content="1", document=f.Document("D"), posted=True))
    newer = mark("snapshot", f.Snapshot(content="2", document=f.Document("d")))
    found = state(history(PLACED, first, newer, mark("snapshot", f.Snapshot(content="3", stale=True))))
    assert list(found.documents) == ["1c/ut order d"]
    known = found.documents["1c/ut order d"]
    assert (known.fact.content, known.posted, known.stage) == ("2", True, "confirmed")


@pytest.mark.parametrize(
    ("fact", "known", "ways"),
    [
        (f.Snapshot(deleted=True, cancelled=False), set(), {"deleted"}),
        (f.Snapshot(), {"deleted", "lines"}, {"deleted", "lines"}),
        (f.Snapshot(deleted=False), {"deleted", "lines"}, {"lines"}),
        (f.Snapshot(lines=()), {"lines"}, {"lines"}),
        (f.Snapshot(lines=(f.Line(sku="A", quantity=0),)), set(), {"lines"}),
        (f.Snapshot(lines=(f.Line(sku="A", quantity=0), f.Line(sku="B", quantity=1))), {"lines"}, set()),
        (f.Snapshot(status="x", means="order.confirmed"), {"status"}, set()),
        (f.Snapshot(status="x", means="order.status"), {"status"}, {"status"}),
        (f.Snapshot(status="x"), {"status"}, {"status"}),
    ],
)
def test_four_spellings(fact: f.Snapshot, known: set[str], ways: set[str]) -> None:
    """A document is cancelled in the ways it says, and in those it said before and is silent about."""
    assert snapshots.spellings(fact, frozenset(known)) == ways


def test_unposted_is_a_call_for_a_person_until_it_is_posted() -> None:
    """Each document has its own."""
    one, other = (f.Unposted(document=f.Document(name)) for name in ("d-1", "d-2"))
    unposted = history(PLACED, mark("unposted", one), mark("unposted", other))
    assert [code for code, _ in attention(unposted)] == ["unposted", "unposted"]
    posted = then(unposted, mark("posted", f.Posted(document=f.Document("D-1"))))
    assert attention(posted) == [("unposted", "1c/ut order d-2")]


# What follows when a cancellation is taken back


def test_what_was_withdrawn_is_wanted_again_in_order() -> None:
    """Each step once, under an id of its own, because of its own mark; what was done before is not."""
    packed = then(MARKED, outcome(MARKED, "pack", "done"), outcome(MARKED, "number", "done"))
    cancelled = withdrawn(carried_out(then(packed, SHOP_CANCELS)), "ship")
    back = then(cancelled, UNCANCELS)
    assert [(r.fact.action, r.cause) for r in asked(back, len(cancelled))] == [("ship", 5)]
    grown = carried_out(back)
    assert states(grown, "ship") == ["withdrawn", "waiting"]
    assert asked(grown) == []


def test_everything_withdrawn_comes_back_whatever_it_was() -> None:
    """The number, the stages, a new day."""
    moved = carried_out(then(MARKED, MOVED))
    cancelled = withdrawn(carried_out(then(moved, SHOP_CANCELS)), "number", "pack", "ship", "new_date")
    assert steps(then(cancelled, UNCANCELS), len(cancelled)) == ["number", "pack", "ship", "new_date"]


def test_what_is_still_waiting_is_not_asked_for_twice() -> None:
    """Taken back before the dispatcher looked, nothing is missing."""
    cancelled = carried_out(then(MARKED, SHOP_CANCELS))
    assert steps(then(cancelled, UNCANCELS), len(cancelled)) == []


def test_a_withdrawal_that_comes_too_late_is_made_good() -> None:
    """The dispatcher had read the order while it was cancelled: what it withdraws after that is wanted again, once."""
    back = carried_out(then(MARKED, SHOP_CANCELS, UNCANCELS))
    late = withdrawn(back, "pack", "ship")
    assert steps(late, len(back)) == ["pack", "ship"]
    grown = carried_out(late)
    assert asked(grown) == []
    assert steps(withdrawn(grown, "cancel"), len(grown)) == []


def test_what_was_marked_meanwhile_is_wanted() -> None:
    """Marks of a cancelled order ask for nothing until it is none any more."""
    cancelled = carried_out(then(MARKED, SHOP_CANCELS, mark("delivered")))
    assert "hand_out" not in [c.action for c in state(cancelled).commands.values()]
    assert steps(then(cancelled, UNCANCELS), len(cancelled)) == ["hand_out"]


def test_a_changed_map_asks_for_nothing_of_what_was_passed() -> None:
    """A step added since to a stage the order had before it was cancelled is not asked for."""
    less = replace(PLAN, triggers={**PLAN.triggers, "assembled": ()})
    events = carried_out(history(PLACED, OPEN, mark("assembled"), mark("shipped")), less)
    cancelled = withdrawn(carried_out(then(events, SHOP_CANCELS), less), "ship")
    assert steps(then(cancelled, UNCANCELS), len(cancelled)) == ["ship"]


def test_an_archive_is_not_told_when_a_cancellation_is_taken_back() -> None:
    """Data of stages the order had passed when it was first seen stay untold."""
    early = mark("confirmed", f.Confirmed(lines=(f.Line(sku="A", quantity=1),)))
    shown = carried_out(history(early, PLACED, seen("shipped"), SHOP_CANCELS))
    assert "fewer" not in [c.action for c in state(shown).commands.values()]
    assert steps(then(withdrawn(shown, "cancel"), UNCANCELS), len(shown)) == []


@pytest.mark.parametrize("ended", ["withdrawn", "refused", "given_up"])
def test_cancelled_again(ended: str) -> None:
    """The second cancellation is told, whatever came of the first one; so are the steps after it is taken back too."""
    cancelled = withdrawn(carried_out(then(MARKED, SHOP_CANCELS)), "pack", "ship")
    back = then(cancelled, UNCANCELS)
    back = carried_out(then(back, outcome(back, "cancel", ended)))
    again = then(back, SHOP_CANCELS)
    assert steps(again, len(back)) == ["cancel"]
    over = withdrawn(carried_out(again), "pack", "ship")
    assert steps(then(over, UNCANCELS), len(over)) == ["pack", "ship"]


def test_a_refused_cancellation_does_not_come_back_by_itself() -> None:
    """The first command stood for the second cancellation too, and was refused: said again it is not asked again."""
    twice = carried_out(then(MARKED, SHOP_CANCELS, UNCANCELS, SHOP_CANCELS))
    refused = carried_out(then(twice, outcome(twice, "cancel", "refused")))
    assert steps(then(refused, SHOP_CANCELS), len(refused)) == []


def test_cancelled_again_while_the_first_one_is_being_withdrawn() -> None:
    """The dispatcher withdraws what was taken back when it has been said once more: it is wanted again."""
    twice = carried_out(then(MARKED, SHOP_CANCELS, UNCANCELS, SHOP_CANCELS))
    assert states(twice, "cancel") == ["waiting"]
    late = withdrawn(twice, "cancel")
    assert steps(late, len(twice)) == ["cancel"]
    assert asked(carried_out(late)) == []


def test_taken_back_when_it_was_done() -> None:
    """The marketplace has cancelled already: a person is called, nothing is asked for, the order stays cancelled."""
    cancelled = withdrawn(carried_out(then(MARKED, SHOP_CANCELS)), "pack", "ship")
    for over in (then(cancelled, outcome(cancelled, "cancel", "done")), then(cancelled, MARKET_CANCELS)):
        back = then(over, UNCANCELS)
        assert steps(back, len(over)) == []
        assert ("contradiction", "uncancelled") in attention(back)
        assert state(back).stage == "cancelled"


def test_taken_back_while_it_was_being_done() -> None:
    """It turns out to have been carried out: the order is cancelled after all, and 1C is told."""
    back = carried_out(then(withdrawn(carried_out(then(MARKED, SHOP_CANCELS)), "pack", "ship"), UNCANCELS))
    done = then(back, outcome(back, "cancel", "done"))
    assert state(done).stage == "cancelled"
    assert ("contradiction", "uncancelled") in attention(done)
    assert steps(done, len(back)) == []
    assert told(done, len(back)) == ["marketplace.accepted"]
    assert steps(withdrawn(carried_out(done), "pack", "ship"), len(done)) == []


def test_nothing_to_take_back() -> None:
    """Without a cancellation it is recorded, and that is all."""
    back = then(MARKED, UNCANCELS)
    assert steps(back, len(MARKED)) == []
    assert (state(back).uncancelled, attention(back)) == (0, [])


def test_before_the_order_is_known() -> None:
    """Cancelled and taken back before the marketplace shows it: all that was marked is wanted."""
    events = history(mark("assembled"), SHOP_CANCELS, UNCANCELS, PLACED, OPEN)
    assert steps(events) == ["pack"]


@pytest.mark.parametrize("shown", [[PLACED, OPEN], [REGISTERED]], ids=["shown", "linked"])
def test_known_while_it_was_cancelled(shown: list[Said]) -> None:
    """Shown, or linked to what its document said, between the cancellation and its end: all is wanted then."""
    before = [mark("assembled", order=DOCUMENT), SHOP_CANCELS]
    first = [PLACED, OPEN] if shown == [REGISTERED] else [REGISTERED]
    cancelled = carried_out(history(*first, *before, *shown))
    assert [c.action for c in state(cancelled).commands.values() if c.target == "shop"] == ["cancel"]
    back = then(withdrawn(cancelled, "cancel"), UNCANCELS)
    assert "pack" in steps(back, len(back) - 1)
    assert steps(then(carried_out(back), mark("assembled")), len(back)) == []


def test_an_archive_that_was_first_seen_cancelled_is_not_told_either() -> None:
    """The data of stages it had passed by then."""
    early = mark("confirmed", f.Confirmed(lines=(f.Line(sku="A", quantity=1),)))
    shown = carried_out(history(early, SHOP_CANCELS, PLACED, seen("shipped")))
    assert steps(then(withdrawn(shown, "cancel"), UNCANCELS), len(shown)) == []


STEP_OF = {"assembled": "pack", "shipped": "ship", "delivered": "hand_out"}
WORDS = st.lists(st.sampled_from(["cancelled", "uncancelled", "look", "react", *STEP_OF]), max_size=20)


def dispatched(events: list[Recorded], known: int) -> list[Recorded]:
    """What the dispatcher withdraws of what it reads up to a position: all but the cancellation, or just that."""
    found = state(events[:known])
    cancelled = found.shop_cancelled is not None
    ends = [c.id for c in found.waiting("shop") if (c.stage == "cancelled") != cancelled]
    waiting = {c.id for c in state(events).waiting("shop")}
    said = [Said("command.withdrawn", f.CommandOutcome(command=id), f.HUB) for id in ends if id in waiting]
    return then(events, *said)


@given(WORDS, st.data())
def test_in_the_end_what_1c_wants_is_waiting(words: list[str], data: st.DataObject) -> None:
    """However 1C changes its mind and however late the dispatcher looks: in the end just the right steps wait.

    And whoever asks anew about the whole history wants the very commands that were wanted then.
    """
    events = history(PLACED, OPEN)
    for word in words:
        if word == "look":  # on what it read some time ago
            events = dispatched(events, data.draw(st.integers(1, len(events))))
        elif word == "react":
            events = carried_out(events)
        else:
            events = then(events, mark(word, OUT_OF_STOCK if word == "cancelled" else None))
    for _ in range(3):
        events = carried_out(events)
        events = dispatched(events, len(events))
    assert asked(events) == []
    found = state(events)
    wanted = {action for stage, action in STEP_OF.items() if found.reached(stage)}
    assert {c.action for c in found.waiting("shop")} == ({"cancel"} if found.shop_cancelled is not None else wanted)
    anew = Reacting(ORDER, PLAN)
    pairs = zip_longest(events, events[1:])
    assert {r.fact.command for event, following in pairs for r in anew.take(event, following)} == set(found.commands)
