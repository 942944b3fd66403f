"""An order's current state: `evolve` applies one event, `fold` a history.

Pure, and total: any event in any order is applied, late, doubled or contradictory; what contradicts becomes attention.
`evolve` works in place on a state its caller owns, because folding is the hub's hottest loop.
"""

from collections.abc import Callable, Iterable
from typing import Any

from events.codec import decode
from events.order import facts as f
from events.order import snapshots
from events.order.shapes import Answer, Attention, Cancellation, Command, Mark, Move, OrderState
from events.order.stages import further, rank
from events.recorded import Recorded

__all__ = ["Attention", "Command", "OrderState", "evolve", "fold"]


def fold(order: str, events: Iterable[Recorded]) -> OrderState:
    """The state after a history."""
    state = OrderState(order=order)
    for event in events:
        evolve(state, event)
    return state


def evolve(state: OrderState, event: Recorded) -> None:
    """Applies one event."""
    if event.version > state.version and event.order == state.order:  # marks under a document keep their own count
        state.version = event.version
    state.position = max(state.position, event.position)
    if event.type != "marketplace.notified" and not event.type.startswith("command."):
        state.updated_at = event.recorded_at
    if event.id_reused:
        state.attend(event, "id_reused", f"message id {event.id} from {event.source} came before with other content")
    fact = decode(event)
    if fact is None:
        state.attend(
            event, "unmapped", f"{event.type!r} is unknown here: recorded, nothing follows from it", event.type
        )
        return
    apply = _APPLY.get(event.type)
    if apply is not None:
        apply(state, event, fact)
    if event.type in f.ONEC_STAGES:
        _mark(state, event)
    if not state.placed and f.from_onec(event.source):
        state.attend(event, "order_unknown", "1C marks an order the marketplace has not shown yet")


def _mark(state: OrderState, event: Recorded) -> None:
    stage = f.ONEC_STAGES[event.type]
    if state.cancelled is not None:
        state.attend(event, "contradiction", f"1C marks {stage} after the order was cancelled", stage)
    if stage not in state.marks:
        state.marks = {**state.marks, stage: Mark(event.position, event.occurred_at)}
    state.shop_stage = further(state.shop_stage, stage)
    _settle_deadlines(state)


def _settle_deadlines(state: OrderState) -> None:
    """Ends warnings of deadlines that were met; `cancelled` is the one for an answer to the buyer's request."""
    for near in [a.about for a in state.attention if a.code == "deadline"]:
        if state.reached(near) or (near == "cancelled" and not _unanswered(state)):
            state.settle("deadline", near)


def _unanswered(state: OrderState) -> bool:
    return state.request is not None and state.answer is None


def _confirmed(state: OrderState, event: Recorded, fact: f.Confirmed) -> None:
    state.document = snapshots.named(fact.document, state.document)
    state.confirmed_lines = fact.lines or state.confirmed_lines


def _assembled(state: OrderState, event: Recorded, fact: f.Assembled) -> None:
    state.assembled_lines = fact.lines or state.assembled_lines
    state.boxes = fact.boxes or state.boxes


def _shipped(state: OrderState, event: Recorded, fact: f.Shipped) -> None:
    state.track = fact.track or state.track


def _handed_over(state: OrderState, event: Recorded, fact: f.HandedOver) -> None:
    state.coded = event.position if fact.coded else state.coded


def _arrived(state: OrderState, event: Recorded, fact: f.Arrived) -> None:
    state.keep_until = fact.keep_until or state.keep_until


def _delivered(state: OrderState, event: Recorded, fact: f.Delivered) -> None:
    state.delivered_lines = fact.lines if fact.lines is not None else state.delivered_lines
    state.receipt = fact.receipt or state.receipt


def _rescheduled(state: OrderState, event: Recorded, fact: f.Rescheduled) -> None:
    if state.move is None or event.occurred_at >= state.move.at:  # an older one that comes late changes nothing
        state.move = Move(event.position, fact.date, fact.by, event.occurred_at, fact.interval)


def _cancelled(state: OrderState, event: Recorded, fact: f.Cancelled) -> None:
    cancellation = Cancellation(fact.by, fact.reason, event.occurred_at, event.position)
    if f.from_onec(event.source):
        if state.cancelled is None and max(rank(state.stage), rank(state.market_stage)) >= rank("delivered"):
            state.attend(event, "contradiction", "1C cancels an order that was delivered", "cancelled")
        if state.shop_cancelled is None:
            state.shop_cancelled = cancellation
        elif state.market_cancelled is None and fact.reason is not None:  # said again, for another reason
            first = state.shop_cancelled
            state.shop_cancelled = Cancellation(fact.by, fact.reason, first.at, first.position)
    else:
        if rank(state.shop_stage) >= rank("delivered"):
            message = "the marketplace cancelled an order that 1C says was delivered"
            state.attend(event, "contradiction", message, "cancelled")
        state.market_cancelled = state.market_cancelled or cancellation
        state.request = None
        state.settle("cancellation_requested")
    _settle_deadlines(state)


def _requested_cancellation(state: OrderState, event: Recorded, fact: f.CancellationRequested) -> None:
    state.request, state.answer = fact, None  # an answer to an earlier request is none to this one
    state.attend(event, "cancellation_requested", "the buyer asks to cancel; unanswered, the marketplace cancels")


def _answered(state: OrderState, event: Recorded, fact: f.Fact) -> None:
    accepted = event.type == "order.cancellation_accepted"
    if state.request is None:
        if not (accepted and state.cancelled is not None):
            state.attend(event, "contradiction", "1C answers a request to cancel that is not open", "answer")
        return
    if state.answer is not None and state.answer.accepted != accepted:
        state.attend(event, "contradiction", "1C accepts and declines the same request to cancel", "answer")
    reason = fact.reason if isinstance(fact, f.CancellationDeclined) else None
    state.answer = Answer(event.position, accepted, reason)
    state.settle("cancellation_requested")
    _settle_deadlines(state)


def _returned(state: OrderState, event: Recorded, fact: f.Returned) -> None:
    if fact.id is not None:
        state.returns = {**state.returns, fact.id: fact.status or ""}
    back, sold = (sum(line.quantity for line in lines or ()) for lines in (fact.lines, state.lines))
    whole = back >= sold > 0 if fact.lines else fact.id is None
    state.returned = state.returned or (whole and not fact.asked)
    _settle_deadlines(state)


def _status(state: OrderState, event: Recorded, fact: f.Status) -> None:
    message = f"1C's status {fact.status!r} is not in [onec.statuses]: nothing follows from it"
    state.attend(event, "unmapped", message, fact.status)


def _placed(state: OrderState, event: Recorded, fact: f.Placed) -> None:
    state.placed, state.number = True, fact.number
    state.lines, state.total, state.currency = fact.lines, fact.total, fact.currency
    state.delivery = fact.delivery or state.delivery
    state.deadlines, state.details = fact.deadlines, fact.details
    state.placed_at = fact.placed_at or event.occurred_at
    state.settle("order_unknown")
    if state.status is not None:
        state.shown = state.shown or event.position


def _changed(state: OrderState, event: Recorded, fact: f.Changed) -> None:
    state.lines = fact.lines if fact.lines is not None else state.lines
    state.total = fact.total if fact.total is not None else state.total
    state.delivery = fact.delivery or state.delivery
    state.deadlines = fact.deadlines if fact.deadlines is not None else state.deadlines
    state.details = fact.details if fact.details is not None else state.details


def _seen(state: OrderState, event: Recorded, fact: f.Seen) -> None:
    if fact.stale:
        return
    if state.market_cancelled is not None and rank(fact.stage) >= 0:
        message = f"the marketplace shows {fact.status} after it cancelled the order"
        state.attend(event, "contradiction", message, fact.status)
    state.status, state.market_stage = fact.status, fact.stage or state.market_stage
    state.seen_at, state.stamp = fact.began_at, fact.stamp
    if state.placed:
        state.shown = state.shown or event.position
    if not fact.request and state.request is not None:
        state.request = None
        state.settle("cancellation_requested")
    _settle_deadlines(state)


def _command(state: OrderState, event: Recorded, fact: f.CommandRequested) -> None:
    if fact.command in state.commands:  # asked for once, whatever is said of it later
        return
    command = Command(
        fact.command, fact.target, fact.action, fact.stage, event.cause or 0, event.position, event.version,
        event.recorded_at, event.recorded_at, data=fact.data,
    )  # fmt: skip
    state.commands = {**state.commands, fact.command: command}
    for one in state.commands.values():
        if one.state != "done":
            _replaced(state, one)


def _replaced(state: OrderState, command: Command) -> bool:
    """Whether a failed command was asked for anew with other data: it calls nobody any more, and holds nothing up."""
    if command.target == "1c" or command.state not in ("refused", "given_up"):
        return False
    newer = any(
        c.position > command.position
        and (c.target, c.action, c.stage) == (command.target, command.action, command.stage)
        for c in state.commands.values()
    )
    if not newer:
        return False
    command.state = "withdrawn"
    state.settle("refused", command.id)
    state.settle("given_up", command.id)
    return True


def _outcome(state: OrderState, event: Recorded, fact: f.CommandOutcome) -> None:
    command = state.commands.get(fact.command)
    if command is None or command.state == "done":  # what was done stays done, whoever says otherwise later
        return
    command.state, command.attempts = f.OUTCOMES[event.type], fact.attempts
    command.code, command.message, command.hint = fact.code, fact.message, fact.hint
    command.finished_at, command.outcome = event.recorded_at, event.position
    state.settle("refused", fact.command)
    state.settle("given_up", fact.command)
    if command.state in ("refused", "given_up") and not _replaced(state, command):
        what = fact.message or fact.code or "no reason given"
        state.attend(event, command.state, f"{command.action} to {command.target}: {what}", fact.command)
    if command.state == "done":
        snapshots.carried_out(state, event, command)


def _retried(state: OrderState, event: Recorded, fact: f.CommandRetried) -> None:
    command = state.commands.get(fact.command)
    if command is not None and command.state in ("refused", "given_up"):
        command.state, command.finished_at, command.outcome = "waiting", None, 0
        command.rounds += 1
        command.since = event.recorded_at
        state.settle("refused", fact.command)
        state.settle("given_up", fact.command)


def _near(state: OrderState, event: Recorded, fact: f.DeadlineNear) -> None:
    open = _unanswered(state) if fact.stage == "cancelled" else not state.reached(fact.stage)
    if open:
        state.attend(event, "deadline", f"{fact.stage} is due {fact.due.isoformat()}", fact.stage)


def _cleared(state: OrderState, event: Recorded, fact: f.AttentionCleared) -> None:
    state.attention = [a for a in state.attention if a.code != fact.code or a.position > fact.until]


# Any: each takes the fact its tag names, which the type system cannot say of a table.
_APPLY: dict[str, Callable[[OrderState, Recorded, Any], None]] = {
    **snapshots.APPLY,
    "order.confirmed": _confirmed,
    "order.assembled": _assembled,
    "order.shipped": _shipped,
    "order.arrived": _arrived,
    "order.handed_over": _handed_over,
    "order.delivered": _delivered,
    "order.rescheduled": _rescheduled,
    "order.cancelled": _cancelled,
    "order.cancellation_requested": _requested_cancellation,
    "order.cancellation_accepted": _answered,
    "order.cancellation_declined": _answered,
    "order.returned": _returned,
    "order.status": _status,
    "order.placed": _placed,
    "order.changed": _changed,
    "marketplace.seen": _seen,
    "command.requested": _command,
    "command.done": _outcome,
    "command.refused": _outcome,
    "command.given_up": _outcome,
    "command.withdrawn": _outcome,
    "command.withheld": _outcome,
    "command.retried": _retried,
    "deadline.near": _near,
    "attention.cleared": _cleared,
}
