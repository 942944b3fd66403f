"""What follows from a fact: steps at the marketplace, messages to 1C.

Pure and idempotent: the same history asked twice wants the same commands, under the same ids; what was requested before
is not wanted again, so that a refused step comes back only by `okno retry`, or when 1C marks its stage again and says
something else by it (the right code, the missing marks, another reason). The trigger map is an argument, so that
"what if" can ask with another one; a changed map applies to later marks only.

A mark asks for the steps of its own stage and of every stage between it and what was marked before: stages 1C skips are
walked through. What 1C says before the marketplace showed the order waits until the order and its status are known,
what it says under a document until `order.registered` links it; then all of it is new at once.

Had is what was requested, and what the marketplace did without us: a step that moves the order where it already is.
Data for a stage it has passed (a track, marking codes) are still sent when 1C marks them late, but not out of the past
of an order that is seen for the first time: else the first start would tell a marketplace of its whole archive.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import zip_longest

from events.codec import command_id, decode
from events.order import facts as f
from events.order.stages import ASIDE, PATH, rank
from events.order.state import OrderState, evolve
from events.recorded import Recorded

ONEC = "1c"
"""The target of messages to 1C."""


ARCHIVE = timedelta(days=7)
"""An order that is over when it is first seen, and was placed longer ago, is no news to 1C."""


def always(_: OrderState) -> bool:
    """For every order."""
    return True


def nothing(_: OrderState) -> object:
    """A step that hands on nothing but its stage."""
    return None


@dataclass(frozen=True)
class Step:
    """One thing a marketplace can be told.

    `applies`: whether it makes sense for this order. `moves`: it brings the order to its stage over there, so an order
    that is already as far counts as told. `needed`: later steps wait for it; a failed one that is not holds nobody up.
    `announces`: 1C is told when the marketplace took it. `says`: what of 1C's words the step hands on; where a later
    mark changes that, the step is wanted once more.
    """

    name: str
    applies: Callable[[OrderState], bool] = always
    moves: bool = False
    needed: bool = True
    announces: bool = True
    says: Callable[[OrderState], object] = nothing


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
    said: Mapping[str, object] = field(default_factory=dict)


_NOTHING = _Before()


def _before(state: OrderState, plan: Plan) -> _Before:
    number = state.document.number if state.document is not None else None
    said = {name: step.says(state) for name, step in plan.steps.items() if step.says is not nothing}
    return _Before(state.shop_stage, state.market_stage, number, said)


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
    archived: str | None = None  # where an order stood that was over long before it was first seen
    for event, following in zip_longest(history, history[1:]):
        before = _before(state, plan) if event.position > after else _NOTHING
        evolve(state, event)
        archived = archived or _archived(event, following)
        unlinked = unlinked or event.order != order
        linked = unlinked and event.type == "order.registered" and event.order == order
        unlinked = unlinked and not linked
        if event.position <= after:
            continue
        if archived is not None and state.shop_stage is None and event.type in _ARCHIVED.get(archived, _NO_NEWS):
            continue
        everything = linked or event.position == state.shown
        for request in _react(state, event, plan, before, everything=everything):
            if request.fact.command not in had:
                had.add(request.fact.command)
                wanted.append(request)
    return wanted


_NO_NEWS = ("order.placed", "order.changed", "marketplace.seen")
_ARCHIVED = {"cancelled": (*_NO_NEWS, "order.cancelled")}
"""What 1C is not told of an order that was over long ago, by where it stood."""


def _archived(event: Recorded, following: Recorded | None) -> str | None:
    """The stage of an order that is placed when its status, seen in the same read, says that it was over long ago."""
    if event.type != "order.placed" or following is None or following.type != "marketplace.seen":
        return None
    placed, seen = decode(event), decode(following)
    if not (isinstance(placed, f.Placed) and isinstance(seen, f.Seen)):
        return None
    over = seen.stage in ASIDE or rank(seen.stage) >= rank("delivered")
    return seen.stage if over and event.recorded_at - (placed.placed_at or event.recorded_at) > ARCHIVE else None


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
            first_said = everything or cause.position == state.shop_cancelled.position
            position = state.shop_cancelled.position if first_said else cause.position
            yield from _triggered(state, plan, "cancelled", position, before=before)
        return
    first = cause.position == state.shown
    there = rank(state.market_stage)
    number = state.document.number if state.document is not None else None
    if number and (everything or number != before.number) and not (first and there >= rank("shipped")):
        yield from _triggered(state, plan, "registered", cause.position, stage="placed")
    path = list(_path(state, cause, plan, replace(_NOTHING, said=before.said) if everything else before))
    moved: list[Request] = []
    move = state.move if everything or cause.type == "order.rescheduled" else None
    if move is not None and not (first and there >= rank("delivered")):
        moved = list(_triggered(state, plan, "rescheduled", move.position, once=False))
    yield from sorted([*path, *moved], key=lambda request: request.cause)  # as 1C said it: no date after the delivery
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
        said = [mark.position for other, mark in state.marks.items() if rank(other) >= rank(stage)]
        position = cause.position if stage == marked else min(said)
        for request in _triggered(state, plan, stage, position, before=before):
            moves = plan.steps[request.fact.action].moves
            if not (moves and rank(stage) <= there) and not (first and rank(stage) < there):
                yield request


def _triggered(
    state: OrderState, plan: Plan, trigger: str, cause: int, *,
    stage: str | None = None, once: bool = True, before: _Before = _NOTHING,
) -> Iterator[Request]:  # fmt: skip
    """The steps a trigger asks for that make sense for this order; once each, as long as they say the same."""
    for step in plan.at(trigger):
        if step.applies(state):
            id = command_id(state.order, plan.channel, step.name, None if once else cause)
            if id in state.commands and step.name in before.said and step.says(state) != before.said[step.name]:
                id = command_id(state.order, plan.channel, step.name, cause)
            fact = f.CommandRequested(command=id, target=plan.channel, action=step.name, stage=stage or trigger)
            yield Request(fact, cause)


def _message(state: OrderState, cause: Recorded, plan: Plan, before: _Before) -> tuple[str, str | None] | None:
    """The message to 1C a fact calls for, and its stage."""
    if cause.type == "order.changed":
        return None if _ending(state) else (cause.type, None)
    if cause.type in ("order.placed", "order.cancellation_requested"):
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


def _ending(state: OrderState) -> bool:
    """Whether goods go because 1C cancels the whole order, or said yes to the buyer who does: no news to 1C."""
    granted = state.answer is not None and state.answer.accepted
    asked = state.request
    return _echo(state) or (granted and asked is not None and (asked.lines is None or asked.whole))


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
