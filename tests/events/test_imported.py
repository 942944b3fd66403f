"""What was imported counts as had: nobody is told of it, and only what comes after it is asked for."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.codec import decode
from events.order import facts as f
from events.order.reactions import ONEC
from events.recorded import Recorded
from tests.events.given import (
    BUYER_ASKS,
    DOCUMENT,
    MARKET_CANCELS,
    MOVED,
    OPEN,
    ORDER,
    PLACED,
    PLAN,
    REGISTERED,
    SHOP_CANCELS,
    START,
    Said,
    asked,
    carried_out,
    history,
    mark,
    market,
    seen,
    steps,
    then,
    told,
)
from tests.events.test_properties import HISTORIES, MARKET_SAYS, ONEC_SAYS


def past(events: list[Recorded], until: int | None = None) -> list[Recorded]:
    """The events up to a position as an import brings them."""
    until = max((e.position for e in events), default=0) if until is None else until
    return [
        msgspec.structs.replace(e, actor=f"{f.IMPORT}anna") if e.position <= until else e for e in events
    ]  # fmt: skip


LIFE = (PLACED, OPEN, REGISTERED, mark("confirmed"), mark("assembled"), MOVED, mark("shipped"))


def test_what_was_imported_is_told_to_nobody() -> None:
    """A life's facts, a wish, an answer, an end over there: no step and no message."""
    whole = history(
        *LIFE, BUYER_ASKS, mark("cancellation_declined"), seen("delivered"), market("returned", f.Returned())
    )
    assert asked(past(whole)) == []
    assert asked(past(history(PLACED, OPEN, SHOP_CANCELS, MARKET_CANCELS))) == []


def test_a_later_mark_asks_for_what_lies_above() -> None:
    """After an import up to «assembled» a live «delivered» walks through the stages above that one alone."""
    known = past(history(PLACED, OPEN, REGISTERED, mark("assembled")))
    assert steps(then(known, mark("delivered"))) == ["ship", "hand_out"]


def test_a_mark_that_repeats_an_imported_one_asks_for_nothing() -> None:
    """1C sends again what it had sent before the log began: its stage, its document, its cancellation."""
    known = past(history(*LIFE))
    assert steps(then(known, mark("assembled"), mark("shipped"), REGISTERED)) == []
    cancelled = past(history(PLACED, OPEN, SHOP_CANCELS))
    assert steps(then(cancelled, SHOP_CANCELS)) == []


def test_a_repeated_mark_that_says_something_else_is_told() -> None:
    """A track that comes for a stage that was imported without one; another reason for an imported cancellation."""
    says = {"track": lambda state: state.track, "cancel": lambda state: state.shop_cancelled}
    plan = replace(PLAN, steps={name: replace(s, says=says.get(name, s.says)) for name, s in PLAN.steps.items()})
    shipped = mark("shipped", f.Shipped(track="T"))
    known = past(history(PLACED, OPEN, mark("shipped")))
    assert steps(then(known, shipped, shipped), plan=plan) == ["track"]
    cancelled = past(history(PLACED, OPEN, SHOP_CANCELS))
    other = mark("cancelled", f.Cancelled(by="customer", reason="unreachable"))
    found = asked(then(cancelled, other), plan=plan)
    assert [(request.fact.action, request.cause) for request in found] == [("cancel", 4)]


@pytest.mark.parametrize("said", [mark("confirmed"), MOVED, SHOP_CANCELS, REGISTERED])
def test_what_was_imported_before_the_order_is_not_new_with_it(said: Said) -> None:
    """Marks came by import, the order is then shown live: the marketplace is told nothing, 1C of the order."""
    shown = then(past(history(said)), PLACED, OPEN)
    assert steps(shown) == []
    assert told(shown) == ["order.placed"]


def test_an_imported_answer_is_not_new_with_the_order() -> None:
    """The wish and its answer were imported; the order's status is seen live."""
    known = past(history(PLACED, BUYER_ASKS, mark("cancellation_declined")))
    assert steps(then(known, seen("confirmed", request=True))) == []


def test_a_date_moved_live_after_an_imported_one_is_told() -> None:
    """And an older one that comes late changes nothing, as ever."""
    known = past(history(PLACED, OPEN, MOVED))
    assert steps(then(known, MOVED)) == ["new_date"]
    assert steps(then(known, MOVED._replace(hours=-9))) == []


def test_what_was_marked_live_before_an_import_showed_the_order_is_not_lost() -> None:
    """Nothing follows from the import itself; the next live event brings it, because of its own mark."""
    marked = history(mark("assembled"), PLACED, OPEN)
    known = [marked[0], *past(marked)[1:]]
    assert asked(known) == []
    found = [r for r in asked(then(known, seen("confirmed", status="STARTED"))) if r.fact.target != ONEC]
    assert [(request.fact.action, request.cause) for request in found] == [("pack", 1)]
    linked = history(PLACED, OPEN, mark("assembled", order=DOCUMENT), REGISTERED)
    known = [*linked[:3], *past(linked)[3:]]
    assert steps(known) == []
    assert steps(then(known, mark("shipped"))) == ["pack", "ship"]


def test_an_imported_archive_is_no_news_when_it_is_read_again() -> None:
    """Of an old order that is over, what a live read finds different is not told to 1C."""
    old = PLACED._replace(fact=f.Placed(number="1", placed_at=START - timedelta(days=30)))
    known = past(history(old, seen("delivered")))
    assert told(then(known, market("changed", f.Changed()))) == []


PATH_MARKS = ("confirmed", "assembled", "shipped", "arrived", "handed_over", "delivered", "completed")


def furthest(events: Iterable[Recorded]) -> int:
    """How far 1C's marks among these events go, -1 for nowhere."""
    marked = [f.ONEC_STAGES.get(e.type) for e in events if decode(e) is not None]
    return max((PATH_MARKS.index(stage) for stage in marked if stage in PATH_MARKS), default=-1)


@given(HISTORIES, st.sets(st.integers(1, 25)))
def test_nothing_follows_from_an_import(events: list[Recorded], brought: set[int]) -> None:
    """Whatever part of a history is imported: no request is because of it, none is for a stage only imports marked."""
    mixed = [past([e])[0] if e.position in brought else e for e in events]
    reached = furthest(e for e in mixed if not f.imported(e))
    for request in asked(mixed):
        assert request.cause not in brought
        if request.fact.target != ONEC and request.fact.stage in PATH_MARKS:
            assert PATH_MARKS.index(request.fact.stage) <= reached


@given(
    st.lists(st.sampled_from(ONEC_SAYS + MARKET_SAYS), max_size=15), st.lists(st.sampled_from(ONEC_SAYS), max_size=8)
)
def test_after_an_import_only_later_stages_are_asked_for(before: list[Said], after: list[Said]) -> None:
    """An imported past, then live marks: no stage the past had reached is asked for, nor the end it had come to."""
    known = past(history(*before, PLACED, OPEN))
    had = furthest(e for e in known if e.order == ORDER)
    ended = any(e.type == "order.cancelled" and f.from_onec(e.source) for e in known)
    for request in asked(then(known, *after)):
        if request.fact.target != ONEC and request.fact.stage in PATH_MARKS:
            assert PATH_MARKS.index(request.fact.stage) > had
        assert not (ended and request.fact.action == "cancel")


@given(HISTORIES, st.integers(0, 25))
def test_it_does_not_matter_when_it_is_asked(events: list[Recorded], until: int) -> None:
    """Imported prefixes too: one who sees each event as it comes wants what one wants that comes late."""
    mixed = past(events, until)
    at_once = {(request.fact.command, request.cause) for request in asked(mixed)}
    one_by_one: set[tuple[str, int]] = set()
    had: set[str] = set()
    for number, recorded in enumerate(mixed, 1):
        for request in asked(mixed[:number], recorded.position - 1):
            if request.fact.command not in had:
                one_by_one.add((request.fact.command, request.cause))
                had.add(request.fact.command)
    assert one_by_one == at_once


def test_carried_out_commands_of_an_import_are_had() -> None:
    """Requests that came with an import are not made again."""
    grown = past(carried_out(history(PLACED, OPEN, MOVED, mark("shipped"))))
    assert asked(grown) == []
