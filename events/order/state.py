"""An order's current state: `evolve` applies one event, `fold` a history.

Pure, and total: any event in any order is applied, late, doubled or contradictory; what contradicts becomes attention.
`evolve` works in place on a state its caller owns, because folding is the hub's hottest loop.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from events.codec import decode
from events.order import facts as f
from events.order.stages import further, rank
from events.recorded import Recorded


class Command(msgspec.Struct):
    """Something that must be done, and how it stands. `cause`, `position`: of the fact behind it, of the request.

    `since`: from when it is tried, the last `okno retry` included.
    """

    id: str
    target: str
    action: str
    stage: str | None
    cause: int
    position: int
    version: int
    requested_at: datetime
    since: datetime
    state: str = "waiting"
    attempts: int = 0
    rounds: int = 0
    code: str | None = None
    message: str | None = None
    hint: str | None = None
    finished_at: datetime | None = None
    data: dict[str, str] = {}


class Attention(msgspec.Struct):
    """Something a person should look at. `about` tells one from another of the same code."""

    code: str
    message: str
    since: datetime
    position: int
    about: str = ""


class Mark(msgspec.Struct, frozen=True):
    """One of 1C's marks: where it stands in the log, and when it occurred."""

    position: int
    at: datetime


class Cancellation(msgspec.Struct, frozen=True):
    by: str
    reason: str | None
    at: datetime
    position: int


class Move(msgspec.Struct, frozen=True):
    position: int
    date: date
    by: str


class Answer(msgspec.Struct, frozen=True):
    position: int
    accepted: bool
    reason: str | None


class OrderState(msgspec.Struct, kw_only=True):
    """Everything the hub knows of an order but personal data."""

    order: str
    version: int = 0
    position: int = 0
    number: str = ""
    placed: bool = False
    lines: tuple[f.Line, ...] = ()
    total: Decimal | None = None
    currency: str | None = None
    delivery: f.Delivery = f.Delivery()
    deadlines: tuple[f.Deadline, ...] = ()
    details: dict[str, str] = {}
    placed_at: datetime | None = None
    updated_at: datetime | None = None
    document: f.Document | None = None
    # what the shop's 1C says
    shop_stage: str | None = None
    marks: dict[str, Mark] = {}
    confirmed_lines: tuple[f.Line, ...] | None = None
    assembled_lines: tuple[f.Line, ...] | None = None
    delivered_lines: tuple[f.Line, ...] | None = None
    boxes: int | None = None
    track: str | None = None
    keep_until: date | None = None
    receipt: f.Receipt | None = None
    shop_cancelled: Cancellation | None = None
    move: Move | None = None
    answer: Answer | None = None
    # what the marketplace says
    status: str | None = None
    market_stage: str | None = None
    seen_at: datetime | None = None
    stamp: datetime | None = None
    market_cancelled: Cancellation | None = None
    request: f.CancellationRequested | None = None
    returned: bool = False
    returns: dict[str, str] = {}
    # what the hub must do and did
    commands: dict[str, Command] = {}
    attention: list[Attention] = []

    @property
    def channel(self) -> str:
        """The channel's name, the first half of the key."""
        return self.order.partition("/")[0]

    @property
    def cancelled(self) -> Cancellation | None:
        """Whoever cancelled first."""
        return self.market_cancelled or self.shop_cancelled

    @property
    def stage(self) -> str:
        """How far the order is: 1C's mark, or the marketplace's own where goods moved there without one."""
        if self.cancelled is not None:
            return "cancelled"
        if self.returned:
            return "returned"
        moved = self.market_stage if rank(self.market_stage) >= rank("shipped") else None
        return further(self.shop_stage, moved) or "placed"

    def waiting(self, target: str) -> list[Command]:
        """Commands for a target without an outcome, in the order they were requested."""
        return [c for c in self.commands.values() if c.target == target and c.state == "waiting"]


def fold(order: str, events: Iterable[Recorded]) -> OrderState:
    """The state after a history."""
    state = OrderState(order=order)
    for event in events:
        evolve(state, event)
    return state


def evolve(state: OrderState, event: Recorded) -> None:
    """Applies one event."""
    if event.order == state.order:  # marks sent under a document keep their own count
        state.version = event.version
    state.position = event.position
    if event.type != "marketplace.notified" and not event.type.startswith("command."):
        state.updated_at = event.recorded_at
    if event.id_reused:
        _attend(state, event, "id_reused", f"message id {event.id} from {event.source} came before with other content")
    fact = decode(event)
    if fact is None:
        _attend(state, event, "unmapped", f"unknown type {event.type!r}: recorded, nothing follows from it", event.type)
        return
    apply = _APPLY.get(event.type)
    if apply is not None:
        apply(state, event, fact)
    if event.type in f.ONEC_STAGES:
        _mark(state, event)
    if not state.placed and f.from_onec(event.source):
        _attend(state, event, "order_unknown", "1C marks an order the marketplace has not shown yet")


def _attend(state: OrderState, event: Recorded, code: str, message: str, about: str = "") -> None:
    if any(a.code == code and a.about == about for a in state.attention):
        return
    state.attention = [*state.attention, Attention(code, message, event.recorded_at, event.position, about)]


def _settle(state: OrderState, code: str, about: str | None = None) -> None:
    if state.attention:
        state.attention = [a for a in state.attention if a.code != code or (about is not None and a.about != about)]


def _mark(state: OrderState, event: Recorded) -> None:
    stage = f.ONEC_STAGES[event.type]
    if state.cancelled is not None:
        _attend(state, event, "contradiction", f"1C marks {stage} after the order was cancelled", stage)
    if stage not in state.marks:
        state.marks = {**state.marks, stage: Mark(event.position, event.occurred_at)}
    state.shop_stage = further(state.shop_stage, stage)
    _reached(state)


def _reached(state: OrderState) -> None:
    for attention in [a for a in state.attention if a.code == "deadline"]:
        if rank(state.stage) >= rank(attention.about) or state.cancelled is not None:
            _settle(state, "deadline", attention.about)


def _document(state: OrderState, document: f.Document | None) -> None:
    if document is None:
        return
    known = state.document or f.Document()
    state.document = f.Document(document.id or known.id, document.number or known.number, document.date or known.date)


def _registered(state: OrderState, event: Recorded, fact: f.Registered) -> None:
    _document(state, fact.document)


def _confirmed(state: OrderState, event: Recorded, fact: f.Confirmed) -> None:
    _document(state, fact.document)
    state.confirmed_lines = fact.lines or state.confirmed_lines


def _assembled(state: OrderState, event: Recorded, fact: f.Assembled) -> None:
    state.assembled_lines = fact.lines or state.assembled_lines
    state.boxes = fact.boxes or state.boxes


def _shipped(state: OrderState, event: Recorded, fact: f.Shipped) -> None:
    state.track = fact.track or state.track


def _arrived(state: OrderState, event: Recorded, fact: f.Arrived) -> None:
    state.keep_until = fact.keep_until or state.keep_until


def _delivered(state: OrderState, event: Recorded, fact: f.Delivered) -> None:
    state.delivered_lines = fact.lines if fact.lines is not None else state.delivered_lines
    state.receipt = fact.receipt or state.receipt


def _rescheduled(state: OrderState, event: Recorded, fact: f.Rescheduled) -> None:
    state.move = Move(event.position, fact.date, fact.by)


def _cancelled(state: OrderState, event: Recorded, fact: f.Cancelled) -> None:
    cancellation = Cancellation(fact.by, fact.reason, event.occurred_at, event.position)
    if f.from_onec(event.source):
        state.shop_cancelled = state.shop_cancelled or cancellation
    else:
        state.market_cancelled = state.market_cancelled or cancellation
        state.request = None
        _settle(state, "cancellation_requested")
    _reached(state)


def _requested_cancellation(state: OrderState, event: Recorded, fact: f.CancellationRequested) -> None:
    state.request = fact
    _attend(state, event, "cancellation_requested", "the buyer asks to cancel; unanswered, the marketplace cancels")


def _answered(state: OrderState, event: Recorded, fact: f.Fact) -> None:
    reason = fact.reason if isinstance(fact, f.CancellationDeclined) else None
    state.answer = Answer(event.position, event.type == "order.cancellation_accepted", reason)
    _settle(state, "cancellation_requested")


def _returned(state: OrderState, event: Recorded, fact: f.Returned) -> None:
    if fact.id is not None:
        state.returns = {**state.returns, fact.id: fact.status or ""}
    back, sold = (sum(line.quantity for line in lines or ()) for lines in (fact.lines, state.lines))
    state.returned = state.returned or not fact.lines or back >= sold > 0


def _status(state: OrderState, event: Recorded, fact: f.Status) -> None:
    _attend(
        state,
        event,
        "unmapped",
        f"1C's status {fact.status!r} is not in [onec.statuses]: nothing follows from it",
        fact.status,
    )


def _placed(state: OrderState, event: Recorded, fact: f.Placed) -> None:
    state.placed, state.number = True, fact.number
    state.lines, state.total, state.currency = fact.lines, fact.total, fact.currency
    state.delivery = fact.delivery or state.delivery
    state.deadlines, state.details = fact.deadlines, fact.details
    state.placed_at = fact.placed_at or event.occurred_at
    _settle(state, "order_unknown")


def _changed(state: OrderState, event: Recorded, fact: f.Changed) -> None:
    state.lines = fact.lines if fact.lines is not None else state.lines
    state.total = fact.total if fact.total is not None else state.total
    state.delivery = fact.delivery or state.delivery
    state.deadlines = fact.deadlines if fact.deadlines is not None else state.deadlines
    state.details = fact.details if fact.details is not None else state.details


def _seen(state: OrderState, event: Recorded, fact: f.Seen) -> None:
    if fact.stale:
        return
    state.status, state.market_stage = fact.status, fact.stage
    state.seen_at, state.stamp = fact.began_at, fact.stamp
    if not fact.request and state.request is not None:
        state.request = None
        _settle(state, "cancellation_requested")
    _reached(state)


def _command(state: OrderState, event: Recorded, fact: f.CommandRequested) -> None:
    command = Command(
        fact.command, fact.target, fact.action, fact.stage, event.cause or 0, event.position, event.version,
        event.recorded_at, event.recorded_at, data=fact.data,
    )  # fmt: skip
    state.commands = {**state.commands, fact.command: command}


def _outcome(state: OrderState, event: Recorded, fact: f.CommandOutcome) -> None:
    command = state.commands.get(fact.command)
    if command is None or command.state == "done":  # what was done stays done, whoever says otherwise later
        return
    command.state, command.attempts = f.OUTCOMES[event.type], fact.attempts
    command.code, command.message, command.hint = fact.code, fact.message, fact.hint
    command.finished_at = event.recorded_at
    _settle(state, "refused", fact.command)
    _settle(state, "given_up", fact.command)
    if command.state in ("refused", "given_up"):
        what = fact.message or fact.code or "no reason given"
        _attend(state, event, command.state, f"{command.action} to {command.target}: {what}", fact.command)


def _retried(state: OrderState, event: Recorded, fact: f.CommandRetried) -> None:
    command = state.commands.get(fact.command)
    if command is not None and command.state in ("refused", "given_up"):
        command.state, command.finished_at, command.rounds = "waiting", None, command.rounds + 1
        command.since = event.recorded_at
        _settle(state, "refused", fact.command)
        _settle(state, "given_up", fact.command)


def _near(state: OrderState, event: Recorded, fact: f.DeadlineNear) -> None:
    if rank(state.stage) < rank(fact.stage) or fact.stage == "cancelled":
        _attend(state, event, "deadline", f"{fact.stage} is due {fact.due.isoformat()}", fact.stage)


def _cleared(state: OrderState, event: Recorded, fact: f.AttentionCleared) -> None:
    state.attention = [a for a in state.attention if a.code != fact.code or a.position > fact.until]


# Any: each takes the fact its tag names, which the type system cannot say of a table.
_APPLY: dict[str, Callable[[OrderState, Recorded, Any], None]] = {
    "order.registered": _registered,
    "order.confirmed": _confirmed,
    "order.assembled": _assembled,
    "order.shipped": _shipped,
    "order.arrived": _arrived,
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
