"""What to do next in one order's lane at a marketplace. Pure.

nothing waits                         ─▶ Idle
the channel is in shadow              ─▶ End withheld
the order is cancelled                ─▶ End withdrawn (done, for the cancellation itself), what is unknown first read back
an attempt nobody knows the end of    ─▶ ReadBack, before anything else is sent for this order
tried for too long                    ─▶ End given_up
a step before it failed for good      ─▶ Wait, until that one is retried or the order moved on over there
else                                  ─▶ Send the first that is due
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from events.order.reactions import Plan
from events.order.stages import rank
from events.order.state import Command, OrderState
from service.work import Attempt

UNSEEN = timedelta(seconds=60)
"""A command older than this of which the work tables know nothing is read back: they were lost."""

BLOCKED_LOOK = timedelta(minutes=10)
"""How often a lane is looked at that waits for a person; what it waits for brings it up at once."""


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
    live: bool, give_up_after: timedelta, settle_seconds: float,
) -> Decision:  # fmt: skip
    """The next thing to do for this order."""
    waiting = state.waiting(plan.channel)
    if not waiting:
        return Idle()
    if not live:
        return End(waiting, "withheld", "the channel is in shadow mode: decided, not sent")
    cancels = {step.name for step in plan.at("cancelled")}
    if state.market_cancelled is not None:
        return _cancelled_there(waiting, cancels)
    unknown = next((c for c in waiting if _unknown(c, attempts, now)), None)
    if unknown is not None:
        attempt = attempts.get(unknown.id)
        if attempt is not None:
            ready = max(attempt.next_at, attempt.attempted_at + timedelta(seconds=settle_seconds))
            if ready > now:
                return Wait(ready)
        return ReadBack(unknown)
    if state.shop_cancelled is not None:
        rest = [c for c in waiting if c.action not in cancels]
        if rest:
            return End(rest, "withdrawn", "the shop cancelled the order")
    late = next((c for c in waiting if now - c.since > give_up_after), None)
    if late is not None:
        return End([late], "given_up", f"tried for {give_up_after}, in vain")
    return _first_due(state, plan, waiting, attempts, now)


def _cancelled_there(waiting: Sequence[Command], cancels: set[str]) -> End:
    own = [c for c in waiting if c.action in cancels]
    if own:
        return End(own, "done", "the order is cancelled at the marketplace")
    return End(waiting, "withdrawn", "the order was cancelled at the marketplace")


def _unknown(command: Command, attempts: Mapping[str, Attempt], now: datetime) -> bool:
    attempt = attempts.get(command.id)
    return attempt.open if attempt is not None else now - command.since > UNSEEN


def _first_due(
    state: OrderState, plan: Plan, waiting: Sequence[Command], attempts: Mapping[str, Attempt], now: datetime
) -> Decision:
    until: datetime | None = None
    for command in waiting:
        step = plan.steps.get(command.action)
        if any(_blocks(state, plan, earlier, command) for earlier in state.commands.values()):
            return Wait(until or now + BLOCKED_LOOK)
        attempt = attempts.get(command.id)
        if attempt is None or attempt.next_at <= now:
            return Send(command)
        until = min(until, attempt.next_at) if until is not None else attempt.next_at
        if step is None or step.needed:
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
