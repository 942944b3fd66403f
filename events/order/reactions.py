"""What follows from a fact: steps at the marketplace, messages to 1C.

Pure and idempotent: the same history asked twice wants the same commands, under the same ids; what was requested before
is not wanted again, so that a refused step comes back only by `okno retry`. The trigger map is an argument, so that
"what if" can ask with another one; a changed map applies to later marks only.

A mark asks for the steps of its own stage and of every stage between it and what was marked before: stages 1C skips are
walked through. What 1C says before the marketplace showed the order waits until the order and its status are known,
what it says under a document until `order.registered` links it; then all of it is new at once.

Had is what was requested, and what the marketplace did without us: a step that moves the order where it already is.
Data for a stage it has passed (a track, marking codes) are still sent when 1C marks them late, but not out of the past
of an order that is seen for the first time: else the first start would tell a marketplace of its whole archive.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from events.codec import command_id, decode
from events.order import facts as f
from events.order.stages import ASIDE, PATH, rank
from events.order.state import OrderState, evolve
from events.recorded import Recorded

ONEC = "1c"
"""The target of messages to 1C."""


def always(_: OrderState) -> bool:
    """For every order."""
    return True


@dataclass(frozen=True)
class Step:
    """One thing a marketplace can be told.

    `applies`: whether it makes sense for this order. `moves`: it brings the order to its stage over there, so an order
    that is already as far counts as told. `needed`: later steps wait for it; a failed one that is not holds nobody up.
    `announces`: 1C is told when the marketplace took it.
    """

    name: str
    applies: Callable[[OrderState], bool] = always
    moves: bool = False
    needed: bool = True
    announces: bool = True


@dataclass(frozen=True)
class Plan:
    """A channel's steps and which of them each stage triggers; besides stages: `registered`, `rescheduled`,
    `cancelled`, `cancellation_answered`."""

    channel: str
    steps: Mapping[str, Step]
    triggers: Mapping[str, Sequence[str]]

    def at(self, trigger: str) -> list[Step]:
        """The steps a stage triggers, in order."""
        return [self.steps[name] for name in self.triggers.get(trigger, ())]


@dataclass(frozen=True)
class Request:
    """A command wanted, and the position of the fact it follows from."""

    fact: f.CommandRequested
    cause: int


@dataclass(frozen=True)
class _Before:
    """What was known before a fact; nothing where all is new with it."""

    stage: str | None = None
    market_stage: str | None = None
    number: str | None = None


_NOTHING = _Before()


def _before(state: OrderState) -> _Before:
    return _Before(state.shop_stage, state.market_stage, state.document.number if state.document is not None else None)


def requests(order: str, history: Sequence[Recorded], after: int, plan: Plan) -> list[Request]:
    """What the events of a history behind position `after` call for and was not requested yet."""
    had = {
        fact.command
        for e in history
        if e.type == "command.requested" and isinstance(fact := decode(e), f.CommandRequested)
    }
    wanted: list[Request] = []
    state = OrderState(order=order)
    unlinked = False  # something was said under a document, and nobody has reacted to it
    for event in history:
        before = _before(state)
        evolve(state, event)
        unlinked = unlinked or event.order != order
        linked = unlinked and event.type == "order.registered" and event.order == order
        unlinked = unlinked and not linked
        if event.position <= after:
            continue
        everything = linked or event.position == state.shown
        for request in _react(state, event, plan, before, everything=everything):
            if request.fact.command not in had:
                had.add(request.fact.command)
                wanted.append(request)
    return wanted


def _react(state: OrderState, cause: Recorded, plan: Plan, before: _Before, *, everything: bool) -> Iterator[Request]:
    """What the state after `cause` calls for because of it; `everything`: all that 1C ever said is new with it."""
    if everything or f.from_onec(cause.source):
        yield from _steps(state, cause, plan, before, everything=everything)
    message = _message(state, cause, plan, before)
    if message is not None:
        action, stage = message
        id = command_id(state.order, ONEC, action, cause.position)
        yield Request(f.CommandRequested(command=id, target=ONEC, action=action, stage=stage), cause.position)


def _steps(state: OrderState, cause: Recorded, plan: Plan, before: _Before, *, everything: bool) -> Iterator[Request]:
    if not state.placed or state.market_cancelled is not None or state.market_stage in ASIDE:
        return
    if state.shop_cancelled is not None:
        if everything or cause.type == "order.cancelled":
            yield from _triggered(state, plan, "cancelled", state.shop_cancelled.position)
        return
    first = cause.position == state.shown
    there = rank(state.market_stage)
    number = state.document.number if state.document is not None else None
    if number and (everything or number != before.number) and not (first and there >= rank("shipped")):
        yield from _triggered(state, plan, "registered", cause.position, stage="placed")
    yield from _path(state, cause, plan, _NOTHING if everything else before)
    move = state.move if everything or cause.type == "order.rescheduled" else None
    if move is not None and not (first and there >= rank("delivered")):
        yield from _triggered(state, plan, "rescheduled", move.position, once=False)
    if state.answer is not None and state.request is not None and (everything or cause.type in _ANSWERS):
        yield from _triggered(state, plan, "cancellation_answered", state.answer.position, once=False)


_ANSWERS = ("order.cancellation_accepted", "order.cancellation_declined")


def _path(state: OrderState, cause: Recorded, plan: Plan, before: _Before) -> Iterator[Request]:
    """The steps of the stages that are new, and of the one marked now, which may have come with new data."""
    first, there = cause.position == state.shown, rank(state.market_stage)
    marked = f.ONEC_STAGES.get(cause.type)
    for stage in PATH[1 : rank(state.shop_stage) + 1]:
        if rank(stage) <= rank(before.stage) and stage != marked:
            continue
        mark = state.marks.get(stage) if stage != marked else None
        position = mark.position if mark is not None else cause.position
        for request in _triggered(state, plan, stage, position):
            moves = plan.steps[request.fact.action].moves
            if not (moves and rank(stage) <= there) and not (first and rank(stage) < there):
                yield request


def _triggered(
    state: OrderState, plan: Plan, trigger: str, cause: int, *, stage: str | None = None, once: bool = True
) -> Iterator[Request]:
    """The steps a trigger asks for that make sense for this order."""
    for step in plan.at(trigger):
        if step.applies(state):
            id = command_id(state.order, plan.channel, step.name, None if once else cause)
            fact = f.CommandRequested(command=id, target=plan.channel, action=step.name, stage=stage or trigger)
            yield Request(fact, cause)


def _message(state: OrderState, cause: Recorded, plan: Plan, before: _Before) -> tuple[str, str | None] | None:
    """The message to 1C a fact calls for, and its stage."""
    if cause.type in ("order.placed", "order.changed", "order.cancellation_requested"):
        return cause.type, None
    if cause.type in ("order.cancelled", "order.returned") and not f.from_onec(cause.source):
        return None if cause.type == "order.cancelled" and _echo(state) else (cause.type, None)
    fact = decode(cause)
    if isinstance(fact, f.DeadlineNear):
        return "order.deadline", fact.stage
    if isinstance(fact, f.Seen) and not fact.stale:
        return _moved_by_marketplace(state, fact, before)
    if isinstance(fact, f.CommandOutcome):
        return _told(state, cause, fact, plan)
    return None


def _echo(state: OrderState) -> bool:
    """Whether a cancellation seen at the marketplace is 1C's own; not where that one was refused, and failed there."""
    failed = any(c.stage == "cancelled" and c.state in ("refused", "given_up") for c in state.commands.values())
    return state.shop_cancelled is not None and not failed


def _moved_by_marketplace(state: OrderState, fact: f.Seen, before: _Before) -> tuple[str, str | None] | None:
    """A marketplace that moved an order on by itself changed it; one that follows our own step did not."""
    ours = max((rank(c.stage) for c in state.commands.values() if c.target != ONEC), default=-1)
    known = max(ours, rank(state.shop_stage), rank(before.market_stage))
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
