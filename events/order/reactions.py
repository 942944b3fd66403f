"""What follows from a fact: steps at the marketplace, messages to 1C.

Pure and idempotent: the same history asked twice wants the same commands, under the same ids; what was requested before
is not wanted again, so that a refused step comes back only by `okno retry`, or when 1C marks its stage again and says
something else by it (the right code, the missing marks, another reason). The trigger map is an argument, so that
"what if" can ask with another one; a changed map applies to later marks only.

A mark asks for the steps of its own stage and of every stage between it and what was marked before: stages 1C skips are
walked through. What 1C says before the marketplace showed the order waits until the order and its status are known,
what it says under a document is no part of the order until `order.registered` links it; then all of it is new at once.

Had is what was requested, and what the marketplace did without us: a step that moves the order where it already is.
Data for a stage it has passed (a track, marking codes) are still sent when 1C marks them late, but not out of the past
of an order that is seen for the first time: else the first start would tell a marketplace of its whole archive.

A cancellation that 1C takes back before the marketplace was told is none: the steps withdrawn for it are wanted again,
and so is what waited when the order was shown or linked meanwhile.

Had is what was imported, too. Nothing follows from an imported event. A later mark asks for what lies above the stages
imported; one that repeats such a stage only for steps by which it says something else. What was marked live before an
import showed or linked the order is told with the next event from outside.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from events.codec import command_id, decode
from events.order import facts as f
from events.order import taken_back
from events.order.plan import ONEC, Plan, Request, Step, always, nothing
from events.order.stages import ASIDE, PATH, further, rank
from events.order.state import OrderState, evolve, fold
from events.order.telling import ARCHIVE, archived, message, message_id, no_news
from events.recorded import Recorded

__all__ = ["ARCHIVE", "ONEC", "Plan", "Reacting", "Request", "Step", "always", "nothing", "reacted", "requests"]


def requests(order: str, history: Sequence[Recorded], after: int, plan: Plan) -> list[Request]:
    """What the events of a history behind position `after` call for and was not requested yet."""
    return reacted(order, history, after, plan)[1]


def reacted(order: str, history: Sequence[Recorded], after: int, plan: Plan) -> tuple["Reacting", list[Request]]:
    """The same, with the order as it stands then, for the events that follow."""
    reacting = Reacting(order, plan, _requested(history))
    wanted: list[Request] = []
    for event, following in zip_longest(history, history[1:]):
        wanted += reacting.take(event, following, react=event.position > after)
    return reacting, wanted


def _requested(history: Sequence[Recorded]) -> Iterator[str]:
    """The commands a history asked for; messages to 1C also under the id they have now, where they had an older one."""
    causes: dict[int | None, Recorded] = {e.position: e for e in history}
    for event in history:
        if event.type == "command.requested" and isinstance(fact := decode(event), f.CommandRequested):
            yield fact.command
            if fact.target == ONEC and (cause := causes.get(event.cause)) is not None:
                yield message_id(event.order, fact.action, cause)


class Reacting:
    """One order's history, followed event by event: its state, and what each event calls for.

    `asked` holds the commands that are not wanted any more; what is wanted is put there.
    """

    def __init__(self, order: str, plan: Plan, asked: Iterable[str] = ()) -> None:
        self.state = OrderState(order=order)
        self.asked = set(asked)
        self._plan = plan
        self._taken: list[Recorded] = []
        self._held: list[Recorded] = []  # said under documents that are not linked yet
        self._linked: set[str] = set()  # keys of documents that are
        self._past = _Past()
        self._everything = self._first = False  # shown or linked, and nobody has reacted to it
        self._archived: str | None = None  # where an order stood that was over long before it was first seen

    def take(self, event: Recorded, following: Recorded | None = None, *, react: bool = True) -> list[Request]:
        """Takes the next event; what it calls for, unless it was reacted to before. `following` comes after it."""
        if event.order != self.state.order and event.order not in self._linked:
            self._held.append(event)
            return []
        before = self._known(event) if react else _NOTHING
        if event.type == "order.registered":
            self._link(decode(event))
        self._taken.append(event)
        evolve(self.state, event)
        self._archived = self._archived or archived(event, following)
        if event.position == self.state.shown:
            self._everything = self._first = True
        if f.imported(event):
            self._past.add(event)
            return []
        back = taken_back.releases(self.state, event)
        everything = first = False
        if event.source != f.HUB:  # the hub's own commands are no news that could release what waits
            everything, first = self._everything, self._first
            if self.state.shop_cancelled is None:  # else it waits until 1C takes that back
                self._everything = self._first = False
        if not react:
            return []
        return self._wanted(_Moment(self.state, event, self._plan, before, self._past, everything, first, back))

    def _known(self, event: Recorded) -> "_Before":
        """What is known before an event; what 1C said only where steps may follow."""
        state = self.state
        if not (f.from_onec(event.source) or event.type in _SHOWING or self._everything):
            return _Before(market_stage=state.market_stage)
        number = state.document.number if state.document is not None else None
        said = {name: step.says(state) for name, step in self._plan.steps.items() if step.says is not nothing}
        return _Before(state.shop_stage, state.market_stage, number, said)

    def _link(self, fact: f.Fact | None) -> None:
        """Joins what was said under a document that is the order's from now on, each at its own place."""
        document = fact.document.id if isinstance(fact, f.Registered) else None
        key = f"{ONEC}/{(document or '').casefold()}"
        self._linked.add(key)
        linked = [e for e in self._held if e.order == key]
        if not linked:
            return
        self._held = [e for e in self._held if e not in linked]
        self._taken = sorted([*self._taken, *linked], key=lambda e: e.position)
        self.state = fold(self.state.order, self._taken)
        for event in linked:
            if f.imported(event):
                self._past.add(event)
            else:
                self._everything = True

    def _wanted(self, now: "_Moment") -> list[Request]:
        if self._archived is not None and now.state.shop_stage is None and no_news(self._archived, now.cause.type):
            return []
        wanted = []
        for request in _react(now):
            if request.fact.command not in self.asked:
                self.asked.add(request.fact.command)
                wanted.append(request)
        return wanted


_SHOWING = ("order.placed", "marketplace.seen")
"""Facts by which an order and its status become known."""


@dataclass(frozen=True, slots=True)
class _Before:
    """What was known before a fact; nothing where all is new with it."""

    stage: str | None = None
    market_stage: str | None = None
    number: str | None = None
    said: Mapping[str, object] = field(default_factory=dict)


_NOTHING = _Before()


@dataclass(slots=True)
class _Past:
    """What was imported, and therefore had."""

    positions: set[int] = field(default_factory=set)
    stage: str | None = None
    number: str | None = None
    cancelled: bool = False

    def add(self, event: Recorded) -> None:
        """Counts an imported event."""
        self.positions.add(event.position)
        fact = decode(event)
        if fact is None:
            return
        self.stage = further(self.stage, f.ONEC_STAGES.get(event.type))
        if isinstance(fact, f.Registered | f.Confirmed) and fact.document is not None:
            self.number = fact.document.number or self.number
        if event.type == "order.cancelled" and f.from_onec(event.source):
            self.cancelled = True


@dataclass(frozen=True, slots=True)
class _Moment:
    """A fact at its place, and the state with it. `everything`: all that 1C ever said live is new with it; `first`: the
    order is seen for the first time; `back`: a cancellation is taken back, and what it held up is new."""

    state: OrderState
    cause: Recorded
    plan: Plan
    before: _Before
    past: _Past
    everything: bool
    first: bool
    back: bool

    @property
    def open(self) -> bool:
        """Whether what was said before this fact may be wanted with it."""
        return self.everything or self.back

    @property
    def base(self) -> _Before:
        """What counts as had before the fact."""
        if not self.open:
            return self.before
        told = None if self.everything else taken_back.told_before(self.state)
        return _Before(stage=further(self.past.stage, told), number=self.past.number, said=self.before.said)


def _react(now: _Moment) -> Iterator[Request]:
    """What the state after a fact calls for because of it."""
    state, cause = now.state, now.cause
    if now.open or f.from_onec(cause.source):
        yield from _steps(now)
    told = message(state, cause, now.plan, now.before.market_stage)
    if told is not None:
        action, stage = told
        id = message_id(state.order, action, cause)
        yield Request(f.CommandRequested(command=id, target=ONEC, action=action, stage=stage), cause.position)


def _steps(now: _Moment) -> Iterator[Request]:
    state, cause, past = now.state, now.cause, now.past
    if not state.placed or state.market_cancelled is not None or state.market_stage in ASIDE:
        return
    if state.shop_cancelled is not None:
        if (now.open and not past.cancelled) or cause.type == "order.cancelled":
            first_said = state.shop_cancelled.position
            said_now = first_said in past.positions or not (now.open or cause.position == first_said)
            position = cause.position if said_now else first_said
            yield from _triggered(now, "cancelled", position, said=now.before.said, had=past.cancelled)
        return
    there = rank(state.market_stage)
    number = state.document.number if state.document is not None else None
    if number and number != now.base.number and not (now.first and there >= rank("shipped")):
        yield from _triggered(now, "registered", cause.position, stage="placed")
    path = list(_path(now))
    moved: list[Request] = []
    move = state.move if now.open or cause.type == "order.rescheduled" else None
    if move is not None and move.position not in past.positions and not (now.first and there >= rank("delivered")):
        moved = list(_triggered(now, "rescheduled", move.position, once=False))
    yield from sorted([*path, *moved], key=lambda request: request.cause)  # as 1C said it: no date after the delivery
    answer = state.answer if now.open or cause.type in _ANSWERS else None
    if answer is not None and state.request is not None and answer.position not in past.positions:
        yield from _triggered(now, "cancellation_answered", answer.position, once=False)


_ANSWERS = ("order.cancellation_accepted", "order.cancellation_declined")


def _path(now: _Moment) -> Iterator[Request]:
    """The steps of the stages that are new, and of the one marked now, which may have come with new data."""
    state, cause, there = now.state, now.cause, rank(now.state.market_stage)
    marked = f.ONEC_STAGES.get(cause.type)
    new, had = rank(now.base.stage), rank(now.past.stage)
    for stage in PATH[1 : rank(state.shop_stage) + 1]:
        passed = rank(stage) <= new and stage != marked
        if passed and not now.back:
            continue
        said = [mark.position for other, mark in state.marks.items() if rank(other) >= rank(stage)]
        position = cause.position if stage == marked else min(said)
        said_before = now.before.said
        for request in _triggered(now, stage, position, said=said_before, had=rank(stage) <= had, only_lost=passed):
            moves = now.plan.steps[request.fact.action].moves
            if not (moves and rank(stage) <= there) and not (now.first and rank(stage) < there):
                yield request


def _triggered(
    now: _Moment, trigger: str, cause: int, *,
    stage: str | None = None, once: bool = True, said: Mapping[str, object] | None = None, had: bool = False,
    only_lost: bool = False,
) -> Iterator[Request]:  # fmt: skip
    """The steps a trigger asks for that make sense for this order; once each, as long as they say what they `said`.

    Not `once`: moves and answers, each time. `had`: they were told before, as what was imported says. `only_lost`:
    those alone that were asked for and withdrawn for a cancellation that is none.
    """
    state, said = now.state, said or {}
    for step in now.plan.at(trigger):
        if not step.applies(state):
            continue
        anew = step.name in said and step.says(state) != said[step.name]
        lost = taken_back.lost(state, step.name, stage or trigger)
        if (had and not anew) or (only_lost and not lost):
            continue
        id = command_id(state.order, now.plan.channel, step.name, None if once else cause)
        if anew and id in state.commands:
            id = command_id(state.order, now.plan.channel, step.name, cause)
        elif lost:
            id = command_id(state.order, now.plan.channel, step.name, f"again/{state.uncancelled}")
        fact = f.CommandRequested(command=id, target=now.plan.channel, action=step.name, stage=stage or trigger)
        yield Request(fact, cause)
