"""What to do next in one order's lane at a marketplace. Pure.

nothing waits                         ─▶ Idle
the channel is in shadow              ─▶ End withheld
the order is cancelled over there     ─▶ End done for what asked for just that, withdrawn for the rest
an attempt nobody knows the end of    ─▶ ReadBack, before anything else is sent for this order; one that may never have
                                         been made, once a needed step before it is done
the shop cancelled                    ─▶ End withdrawn, all but the cancellation
the shop took that back               ─▶ End withdrawn, the cancellation
1C said a step anew since             ─▶ End withdrawn, the older one
tried to the end of its time          ─▶ End given_up
a step before it failed for good      ─▶ Wait, until that one is retried or the order moved on over there
else                                  ─▶ Send the first that is due

Every command has a row among the attempts from the moment it is requested. One without a row is young, and its row is
about to come; or the table was lost, and nobody knows whether it was sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from events.order.reactions import Plan
from events.order.stages import rank
from events.order.state import Command, OrderState

UNSEEN = timedelta(seconds=10)
"""A command older than this without a row is read back. Whoever put rows there asks for the lane in the same moment."""

UNSEEN_LOOK = timedelta(seconds=1)

PRECEDENCE = timedelta(minutes=1)
"""So long a step that later ones do not need goes before them all the same: some are taken no more once the order is
further. Then they go on without it."""

BLOCKED_LOOK = timedelta(minutes=10)
"""How often a lane is looked at that waits for a person; what it waits for brings it up at once."""


class Attempt(msgspec.Struct, frozen=True):
    """The last attempt at a command. `open`: nobody knows what became of it, so the order is read first.

    `attempts` 0 and open: an operator brings it back, or the log was restored from a backup, and the order is read
    before it is sent. `refusals`: so often the marketplace refused it and a read could not say why. `before`: what was
    seen just before it; `exchange`: its request and answer. `first_at`: when the marketplace was first asked because of
    it.
    """

    attempts: int
    attempted_at: datetime
    next_at: datetime
    open: bool
    refusals: int = 0
    reason: str | None = None
    before: Any = None
    exchange: bytes | None = None
    first_at: datetime | None = None


@dataclass(frozen=True)
class Idle:
    """Nothing to do."""


@dataclass(frozen=True)
class Wait:
    """Nothing to do before then."""

    until: datetime


@dataclass(frozen=True)
class End:
    """Commands that end without being sent: `outcome` withheld, withdrawn, given_up or done."""

    commands: Sequence[Command]
    outcome: str
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class ReadBack:
    """Read the order to learn what became of this command."""

    command: Command


@dataclass(frozen=True)
class Send:
    """Send this command now."""

    command: Command


Decision = Idle | Wait | End | ReadBack | Send


def decide(
    state: OrderState, plan: Plan, attempts: Mapping[str, Attempt], now: datetime, *,
    live: bool, give_up_after: timedelta,
) -> Decision:  # fmt: skip
    """The next thing to do for this order."""
    waiting = state.waiting(plan.channel)
    if not waiting:
        return Idle()
    if not live:
        return End(waiting, "withheld", "the channel is in shadow mode: decided, not sent")
    if state.market_cancelled is not None:
        return _cancelled_there(state, plan, waiting)
    unknown = next((c for c in waiting if _unknown(c, attempts, now) and not _behind(state, plan, c, attempts)), None)
    if unknown is not None:
        return _look_back(unknown, attempts.get(unknown.id), now)
    if state.shop_cancelled is not None:
        rest = [c for c in waiting if c.action not in plan.triggers.get("cancelled", ())]
        if rest:
            return End(rest, "withdrawn", "the shop cancelled the order")
    back = [c for c in waiting if c.stage == "cancelled"] if state.shop_cancelled is None else []
    if back:
        return End(back, "withdrawn", "the shop took its cancellation back")
    anew = [c for c in waiting if _said_anew(c, waiting)]
    if anew:
        return End(anew, "withdrawn", "1C has said it anew since: the newer one is told")
    late = next((c for c in waiting if _out_of_time(c, attempts.get(c.id), give_up_after)), None)
    if late is not None:
        return _given_up(late, attempts[late.id], give_up_after)
    return _first_due(state, plan, waiting, attempts, now)


def _cancelled_there(state: OrderState, plan: Plan, waiting: Sequence[Command]) -> End:
    """The cancellation itself, and a yes to the buyer's wish for it, have come true; everything else is pointless."""
    wanted = set(plan.triggers.get("cancelled", ()))
    if state.answer is not None and state.answer.accepted:
        wanted |= set(plan.triggers.get("cancellation_answered", ()))
    own = [c for c in waiting if c.action in wanted]
    if own:
        return End(own, "done", "the order is cancelled at the marketplace")
    return End(waiting, "withdrawn", "the order was cancelled at the marketplace")


def _unknown(command: Command, attempts: Mapping[str, Attempt], now: datetime) -> bool:
    attempt = attempts.get(command.id)
    return attempt.open if attempt is not None else now - command.since > UNSEEN


def _behind(state: OrderState, plan: Plan, command: Command, attempts: Mapping[str, Attempt]) -> bool:
    """Whether a look at a command of which no attempt is known would come too soon: its turn has not come.

    A needed step before it is known not to be done, and nothing goes before that one.
    """
    attempt = attempts.get(command.id)
    if attempt is not None and attempt.attempts:
        return False
    if not command.rounds and any(_blocks(state, plan, earlier, command) for earlier in state.commands.values()):
        return True
    before = [plan.steps.get(c.action) for c in state.waiting(plan.channel) if c.position < command.position]
    return any(step is None or step.needed for step in before)


def _look_back(command: Command, attempt: Attempt | None, now: datetime) -> Decision:
    """That it was done may show at any time; that it was not is believed only once the attempt has settled."""
    return Wait(attempt.next_at) if attempt is not None and attempt.next_at > now else ReadBack(command)


def _said_anew(command: Command, waiting: Sequence[Command]) -> bool:
    """Whether a newer command of the same step waits too: what the older one says is no more what 1C wants told."""
    return any(
        c.position > command.position and (c.action, c.stage) == (command.action, command.stage) for c in waiting
    )


def _out_of_time(command: Command, attempt: Attempt | None, give_up_after: timedelta) -> bool:
    """Whether a try made after its time was over failed too: what could not be tried, because we were down, goes on."""
    if attempt is None or not attempt.attempts:
        return False
    return attempt.attempted_at - command.since > give_up_after


def _given_up(command: Command, attempt: Attempt, give_up_after: timedelta) -> End:
    what = f"in vain for {give_up_after}, {attempt.attempts} attempts; the last one: {attempt.reason or 'no answer'}"
    return End([command], "given_up", what, "see to what the last answer names, then: okno retry")


def _first_due(
    state: OrderState, plan: Plan, waiting: Sequence[Command], attempts: Mapping[str, Attempt], now: datetime
) -> Decision:
    until: datetime | None = None
    for command in waiting:
        step = plan.steps.get(command.action)
        if any(_blocks(state, plan, earlier, command) for earlier in state.commands.values()):
            return Wait(until or now + BLOCKED_LOOK)
        attempt = attempts.get(command.id)
        if attempt is not None and attempt.next_at <= now:
            return Send(command)
        due = attempt.next_at if attempt is not None else now + UNSEEN_LOOK
        until = min(until, due) if until is not None else due
        if step is None or step.needed or now - command.since < PRECEDENCE:
            return Wait(until)
    return Wait(until or now + BLOCKED_LOOK)


def _blocks(state: OrderState, plan: Plan, earlier: Command, later: Command) -> bool:
    """Whether a failed step keeps a later one of the path from being sent: it was needed, and the order is not past it.

    Moves, answers and cancellations wait for no stage.
    """
    if (
        earlier.target != later.target
        or earlier.position >= later.position
        or earlier.state not in ("refused", "given_up")
    ):
        return False
    step = plan.steps.get(earlier.action)
    if step is None or not step.needed or rank(later.stage) < 0:
        return False
    there = rank(state.market_stage) - rank(earlier.stage)
    return there < 0 or (there == 0 and not step.moves)
