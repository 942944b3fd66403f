"""What follows from a fact: steps at the marketplace, messages to 1C.

Pure and idempotent: the same history asked twice wants the same commands, under the same ids; what was requested before
is not wanted again. The trigger map is an argument, so that "what if" can ask with another one.

A step is wanted once its stage was marked in 1C, with every step of the stages before it that the marketplace has not
had: stages 1C skips are walked through. Marks that came before the order was seen wait for `order.placed`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from events.codec import command_id, decode
from events.order import facts as f
from events.order.stages import PATH, rank
from events.order.state import OrderState, evolve
from events.recorded import Recorded

ONEC = "1c"
"""The target of messages to 1C."""


@dataclass(frozen=True)
class Step:
    """One thing a marketplace can be told.

    `applies`: whether it makes sense for this order. `moves`: it brings the order to its stage over there, so an order
    that is already as far counts as told. `needed`: later steps wait for it; a failed one that is not holds nobody up.
    `announces`: 1C is told when the marketplace took it.
    """

    name: str
    applies: Callable[[OrderState], bool] = lambda state: True
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


def requests(order: str, history: Sequence[Recorded], after: int, plan: Plan) -> list[Request]:
    """What the events of a history behind position `after` call for and was not requested yet."""
    had = {
        fact.command
        for e in history
        if e.type == "command.requested" and isinstance(fact := decode(e), f.CommandRequested)
    }
    wanted: list[Request] = []
    state = OrderState(order=order)
    for event in history:
        evolve(state, event)
        if event.position <= after:
            continue
        for request in react(state, event, plan):
            if request.fact.command not in had:
                had.add(request.fact.command)
                wanted.append(request)
    return wanted


def react(state: OrderState, cause: Recorded, plan: Plan) -> Iterator[Request]:
    """What the state after `cause` calls for because of it."""
    if f.from_onec(cause.source) or cause.type == "order.placed":
        yield from _steps(state, cause, plan)
    message = _message(state, cause, plan)
    if message is not None:
        action, stage, data = message
        id = command_id(state.order, ONEC, action, cause.position)
        yield Request(
            f.CommandRequested(command=id, target=ONEC, action=action, stage=stage, data=data), cause.position
        )


def _steps(state: OrderState, cause: Recorded, plan: Plan) -> Iterator[Request]:
    if not state.placed or state.market_cancelled is not None:
        return
    if state.shop_cancelled is not None:
        for step in plan.at("cancelled"):
            yield _step(state, step, "cancelled", plan, state.shop_cancelled.position)
        return
    if state.document is not None and state.document.number:
        for step in plan.at("registered"):
            if step.applies(state):
                yield _step(state, step, "placed", plan, cause.position)
    for stage in PATH[1 : rank(state.shop_stage) + 1]:
        for step in plan.at(stage):
            if step.applies(state) and not (step.moves and rank(stage) <= rank(state.market_stage)):
                mark = state.marks.get(stage)
                yield _step(state, step, stage, plan, mark.position if mark is not None else cause.position)
    if state.move is not None:
        for step in plan.at("rescheduled"):
            if step.applies(state):
                yield _step(state, step, "rescheduled", plan, state.move.position, once=False)
    if state.answer is not None and state.request is not None:
        for step in plan.at("cancellation_answered"):
            if step.applies(state):
                yield _step(state, step, "cancellation_answered", plan, state.answer.position, once=False)


def _step(state: OrderState, step: Step, stage: str, plan: Plan, cause: int, *, once: bool = True) -> Request:
    id = command_id(state.order, plan.channel, step.name, None if once else cause)
    return Request(f.CommandRequested(command=id, target=plan.channel, action=step.name, stage=stage), cause)


def _message(state: OrderState, cause: Recorded, plan: Plan) -> tuple[str, str | None, dict[str, str]] | None:
    """The message to 1C a fact calls for: its type, stage and data."""
    if cause.type in ("order.placed", "order.changed", "order.cancellation_requested"):
        return cause.type, None, {}
    if cause.type in ("order.cancelled", "order.returned") and not f.from_onec(cause.source):
        echo = cause.type == "order.cancelled" and state.shop_cancelled is not None
        return None if echo else (cause.type, None, {})
    fact = decode(cause)
    if isinstance(fact, f.DeadlineNear):
        return "order.deadline", fact.stage, {}
    if isinstance(fact, f.Seen) and not fact.stale:
        return _moved_by_marketplace(state, fact, cause)
    if isinstance(fact, f.CommandOutcome):
        return _told(state, cause, fact, plan)
    return None


def _moved_by_marketplace(state: OrderState, fact: f.Seen, cause: Recorded) -> tuple[str, str, dict[str, str]] | None:
    """A marketplace that moved an order on by itself changed it; one that follows our own step did not."""
    ours = max((rank(c.stage) for c in state.commands.values() if c.target != ONEC), default=-1)
    if state.placed and rank(fact.stage) >= rank("shipped") and rank(fact.stage) > max(ours, rank(state.shop_stage)):
        return "order.changed", fact.stage or "", {}
    return None


def _told(
    state: OrderState, cause: Recorded, fact: f.CommandOutcome, plan: Plan
) -> tuple[str, str | None, dict[str, str]] | None:
    command = state.commands.get(fact.command)
    if command is None or command.target == ONEC:
        return None
    step = plan.steps.get(command.action)
    if cause.type == "command.done" and (step is None or step.announces):
        return "marketplace.accepted", command.stage, {}
    if cause.type in ("command.refused", "command.given_up"):
        return "marketplace.refused", command.stage, {}
    return None
