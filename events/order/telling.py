"""Which facts are news to 1C: the messages it is told of what happened at the marketplace. Pure."""

from datetime import timedelta

from events.codec import command_id, decode
from events.order import facts as f
from events.order.plan import ONEC, Plan
from events.order.stages import ASIDE, rank
from events.order.state import OrderState
from events.recorded import Recorded
from events.seal import microseconds

ARCHIVE = timedelta(days=7)
"""An order that is over when it is first seen, and was placed longer ago, is no news to 1C."""

_NO_NEWS = ("order.placed", "order.changed", "marketplace.seen")
_ARCHIVED = {"cancelled": (*_NO_NEWS, "order.cancelled")}
"""What 1C is not told of an order that was over long ago, by where it stood."""


def archived(event: Recorded, following: Recorded | None) -> str | None:
    """The stage of an order that is placed when its status, seen in the same read, says that it was over long ago."""
    if event.type != "order.placed" or following is None or following.type != "marketplace.seen":
        return None
    placed, seen = decode(event), decode(following)
    if not (isinstance(placed, f.Placed) and isinstance(seen, f.Seen)):
        return None
    over = seen.stage in ASIDE or rank(seen.stage) >= rank("delivered")
    return seen.stage if over and event.recorded_at - (placed.placed_at or event.recorded_at) > ARCHIVE else None


def no_news(stage: str, type: str) -> bool:
    """Whether a fact of this type is none to 1C, of an order that had long come to this stage."""
    return type in _ARCHIVED.get(stage, _NO_NEWS)


def message_id(order: str, action: str, cause: Recorded) -> str:
    """The id of the message to 1C that a fact calls for: by the fact's place and moment, for the same place may be
    another fact's after a restore from a backup, and 1C takes the same id for the same message.

    What is said once of an order or of a due time keeps its id whatever happened to the log.
    """
    if action == "order.placed":
        return command_id(order, ONEC, action)
    known = cause.id if cause.type == "deadline.near" else f"{cause.position}/{microseconds(cause.recorded_at)}"
    return command_id(order, ONEC, action, known)


def message(state: OrderState, cause: Recorded, plan: Plan, market_stage: str | None) -> tuple[str, str | None] | None:
    """The message to 1C a fact calls for, and its stage; `market_stage` is the one known before it."""
    if cause.type == "order.changed":
        return None if _ending(state) else (cause.type, None)
    if cause.type in ("order.placed", "order.cancellation_requested"):
        return cause.type, None
    if cause.type in ("order.cancelled", "order.returned") and not f.from_onec(cause.source):
        return None if cause.type == "order.cancelled" and _echo(state) else (cause.type, None)
    if cause.type not in _READ:
        return None
    fact = decode(cause)
    if isinstance(fact, f.DeadlineNear):
        return "order.deadline", fact.stage
    if isinstance(fact, f.Seen) and not fact.stale:
        return _moved_by_marketplace(state, fact, market_stage)
    if isinstance(fact, f.CommandOutcome):
        return _told(state, cause, fact, plan)
    return None


_READ = ("deadline.near", "marketplace.seen", "command.done", "command.refused", "command.given_up")
"""Types of which the content decides."""


def _echo(state: OrderState) -> bool:
    """Whether a cancellation seen at the marketplace is 1C's own; not where that one was refused, and failed there."""
    failed = any(c.stage == "cancelled" and c.state in ("refused", "given_up") for c in state.commands.values())
    return state.shop_cancelled is not None and not failed


def _ending(state: OrderState) -> bool:
    """Whether goods go because 1C cancels the whole order, or said yes to the buyer who does: no news to 1C."""
    granted = state.answer is not None and state.answer.accepted
    asked = state.request
    return _echo(state) or (granted and asked is not None and (asked.lines is None or asked.whole))


def _moved_by_marketplace(state: OrderState, fact: f.Seen, before: str | None) -> tuple[str, str | None] | None:
    """A marketplace that moved an order on by itself changed it; one that follows our own step did not."""
    ours = max((rank(c.stage) for c in state.commands.values() if c.target != ONEC), default=-1)
    known = max(ours, rank(state.shop_stage), rank(before))
    if state.placed and rank(fact.stage) >= rank("shipped") and rank(fact.stage) > known:
        return "order.changed", fact.stage
    return None


def _told(state: OrderState, cause: Recorded, fact: f.CommandOutcome, plan: Plan) -> tuple[str, str | None] | None:
    """What a marketplace answered; nothing where another answer had been final."""
    command = state.commands.get(fact.command)
    if command is None or command.target == ONEC or command.outcome != cause.position:
        return None
    step = plan.steps.get(command.action)
    if cause.type == "command.done" and (step is None or step.announces):
        return "marketplace.accepted", command.stage
    if cause.type in ("command.refused", "command.given_up"):
        return "marketplace.refused", command.stage
    return None
