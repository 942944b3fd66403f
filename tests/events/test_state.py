"""What is known of an order after its history, and what a person is asked to look at."""

from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from events.order import facts as f
from tests.events.given import (
    BUYER_ASKS,
    LINES,
    MARKET_CANCELS,
    OPEN,
    PLACED,
    REGISTERED,
    SHOP_CANCELS,
    START,
    Said,
    attention,
    carried_out,
    history,
    hub,
    mark,
    market,
    outcome,
    seen,
    state,
    then,
)


def near(stage: str) -> Said:
    """A warning that a deadline is near."""
    return hub("deadline.near", f.DeadlineNear(stage=stage, due=START + timedelta(hours=1)))


@pytest.mark.parametrize(
    ("said", "stage"),
    [
        ((), "placed"),
        ((mark("assembled"), mark("confirmed")), "assembled"),
        ((mark("confirmed"), seen("assembled")), "confirmed"),
        ((mark("confirmed"), seen("shipped")), "shipped"),
        ((mark("delivered"), seen("shipped")), "delivered"),
        ((mark("delivered"), mark("returned")), "returned"),
        ((mark("delivered"), mark("returned", f.Returned(lines=LINES[:1]))), "delivered"),
        ((mark("delivered"), market("returned", f.Returned(lines=LINES, id="r"))), "returned"),
        ((SHOP_CANCELS, mark("delivered")), "cancelled"),
        ((MARKET_CANCELS,), "cancelled"),
    ],
)
def test_the_stage_is_the_shops_word_or_where_the_goods_are(said: tuple[Said, ...], stage: str) -> None:
    """1C's furthest mark; the marketplace's own only once goods moved there; aside, whatever was before."""
    assert state(history(PLACED, OPEN, *said)).stage == stage


def test_who_cancelled_first_is_remembered() -> None:
    """Both cancelled: the first one counts, from whichever side it came."""
    for first, second, by in ((SHOP_CANCELS, MARKET_CANCELS, "shop"), (MARKET_CANCELS, SHOP_CANCELS, "customer")):
        cancelled = state(history(PLACED, first, second)).cancelled
        assert cancelled is not None
        assert (cancelled.by, cancelled.position) == (by, 2)


def test_late_news_adds_and_takes_nothing_away() -> None:
    """A repeated mark without data keeps the data of the first; a change keeps what it does not name."""
    shipped = mark("shipped", f.Shipped(track="T-1"))
    delivery = f.Delivery(type="courier")
    events = history(PLACED, shipped, mark("shipped"), market("changed", f.Changed(delivery=delivery)), REGISTERED)
    found = state(then(events, mark("confirmed", f.Confirmed(document=f.Document(number="УТ-2")))))
    assert (found.track, found.lines, found.delivery) == ("T-1", LINES, delivery)
    assert found.document == f.Document("D-1", "УТ-2")
    assert found.marks["shipped"].position == 2


def test_a_stale_read_changes_nothing() -> None:
    """A read that saw an older status is recorded and leaves the newer one in place."""
    found = state(history(PLACED, seen("shipped"), seen("confirmed", stale=True)))
    assert (found.status, found.market_stage) == ("SHIPPED", "shipped")


def test_a_return_that_is_only_asked_for_ends_nothing() -> None:
    """The buyer wants to give it back, or was refused: the order stands as it did until the goods or the money move."""
    asked = market("returned", f.Returned(lines=LINES, id="1", status="RETURN/WAITING", asked=True))
    wanted = history(PLACED, seen("delivered"), asked)
    assert state(wanted).stage == "delivered"
    assert state(then(wanted, market("returned", f.Returned(id="2", status="?")))).stage == "delivered", "of what?"
    done = then(wanted, market("returned", f.Returned(lines=LINES, id="1", status="RETURN/REFUNDED")))
    assert state(done).stage == "returned"


def test_a_status_nobody_knows_takes_no_stage_away() -> None:
    """A marketplace's new word says nothing of how far the order is: it is as far as it was."""
    found = state(history(PLACED, seen("shipped"), seen(None, status="NEW_WORD")))
    assert (found.status, found.market_stage, found.stage) == ("NEW_WORD", "shipped", "shipped")


@pytest.mark.parametrize(
    ("said", "about"),
    [
        ((SHOP_CANCELS, mark("shipped")), "shipped"),
        ((MARKET_CANCELS, mark("delivered")), "delivered"),
        ((mark("delivered"), SHOP_CANCELS), "cancelled"),
        ((seen("delivered"), SHOP_CANCELS), "cancelled"),
        ((mark("delivered"), MARKET_CANCELS), "cancelled"),
        ((MARKET_CANCELS, seen("delivered")), "DELIVERED"),
        ((REGISTERED, mark("registered", f.Registered(document=f.Document("D-2", "УТ-2")))), "document"),
        ((mark("cancellation_accepted"),), "answer"),
        ((BUYER_ASKS, mark("cancellation_accepted"), mark("cancellation_declined")), "answer"),
    ],
)
def test_a_contradiction_becomes_attention(said: tuple[Said, ...], about: str) -> None:
    """What can't both be true is recorded, and a person is asked to look."""
    events = history(PLACED, OPEN, *said)
    assert attention(events[:-1]).count(("contradiction", about)) == 0
    assert attention(events).count(("contradiction", about)) == 1


def test_what_is_usual_calls_nobody() -> None:
    """An order as it should be, cancelled in time, asked about and answered, needs no person."""
    path = [mark(name) for name in ("confirmed", "assembled", "shipped", "delivered", "completed", "returned")]
    assert attention(history(PLACED, OPEN, REGISTERED, *path, REGISTERED)) == []
    assert attention(history(PLACED, OPEN, SHOP_CANCELS, seen("cancelled"), MARKET_CANCELS)) == []
    accepted = history(PLACED, OPEN, BUYER_ASKS, mark("cancellation_accepted"), MARKET_CANCELS)
    assert attention(accepted) == []
    assert attention(then(accepted, mark("cancellation_accepted"))) == []


def test_attention_ends_with_the_fact_that_settles_it() -> None:
    """An order shown, a request answered or withdrawn, a stage reached: nobody needs to look any more."""
    unknown = history(mark("confirmed"))
    assert attention(unknown) == [("order_unknown", "")]
    assert attention(then(unknown, PLACED)) == []
    asked_for = history(PLACED, OPEN, BUYER_ASKS)
    assert attention(asked_for) == [("cancellation_requested", "")]
    for end in (mark("cancellation_declined"), OPEN, MARKET_CANCELS):
        assert attention(then(asked_for, end)) == []
    due = history(PLACED, OPEN, near("shipped"))
    assert attention(then(due, mark("assembled"))) == [("deadline", "shipped")]
    for end in (mark("shipped"), seen("shipped"), mark("delivered"), SHOP_CANCELS):
        assert attention(then(due, end)) == []
        assert attention(history(PLACED, OPEN, end, near("shipped"))) == []


def test_the_deadline_of_an_answer_stays_until_the_answer() -> None:
    """A warning that the buyer's request is due is settled by the answer to it, not by the next mark."""
    due = history(PLACED, OPEN, BUYER_ASKS, near("cancelled"), mark("shipped"), seen("shipped", request=True))
    assert ("deadline", "cancelled") in attention(due)
    assert attention(then(due, mark("cancellation_declined"))) == []
    assert attention(history(PLACED, OPEN, near("cancelled"))) == []


def test_a_failed_command_calls_until_it_is_retried() -> None:
    """Refused or given up: attention under the command; a retry or a later success ends it."""
    events = carried_out(history(PLACED, OPEN, mark("assembled")))
    pack = next(c for c in state(events).commands.values() if c.action == "pack")
    refused = then(events, outcome(events, "pack", "refused"))
    assert attention(refused) == [("refused", pack.id)]
    retried = then(refused, hub("command.retried", f.CommandRetried(command=pack.id)))
    assert attention(retried) == []
    again = state(retried).commands[pack.id]
    assert (again.state, again.rounds, again.since > pack.since) == ("waiting", 1, True)
    assert attention(then(refused, outcome(events, "pack", "done"))) == []
    assert attention(then(events, hub("command.retried", f.CommandRetried(command=pack.id)))) == []


def test_an_operator_settles_what_had_risen_until_then() -> None:
    """Cleared attention is gone; what rises later, or has another code, stands."""
    events = history(PLACED, OPEN, SHOP_CANCELS, mark("shipped"), mark("status", f.Status(status="?")))
    cleared = then(events, hub("attention.cleared", f.AttentionCleared(code="contradiction", until=4)))
    assert attention(cleared) == [("unmapped", "?")]
    assert attention(then(cleared, mark("delivered")))[1:] == [("contradiction", "delivered")]


def test_what_nobody_understands_is_attention() -> None:
    """Unknown types, shapes nobody here can read and unmapped statuses are kept, and a person is told."""
    invented = Said("order.invented", f.Completed(), "1c/ut")
    assert attention(history(PLACED, invented)) == [("unmapped", "order.invented")]
    broken = Said("order.rescheduled", f.Completed(), "1c/ut")
    found = history(PLACED, broken, mark("status", f.Status(status="Ждём")))
    assert attention(found) == [("unmapped", "order.rescheduled"), ("unmapped", "Ждём")]
    assert state(found).version == 3


def test_an_older_date_that_comes_late_changes_nothing() -> None:
    """Of two moved dates the one 1C said last counts, whichever comes first."""
    first, last = f.Rescheduled(date=date(2026, 3, 5)), f.Rescheduled(date=date(2026, 3, 9))
    events = history(PLACED, OPEN, mark("rescheduled", last), mark("rescheduled", first))
    late = replace(events[-1], occurred_at=events[-2].occurred_at - timedelta(hours=1))
    move = state([*events[:-1], late]).move
    assert move is not None
    assert move.date == last.date
