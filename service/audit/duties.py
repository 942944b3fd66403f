"""What was to be told to a marketplace, and by when: each command for it, each stage with a deadline, each wish of the
buyer's that waits for an answer; and 1C's mark behind it. Pure."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from events.codec import decode
from events.order import facts as f
from events.order.reactions import ONEC
from events.order.stages import rank
from events.order.state import OrderState, evolve
from events.recorded import Recorded

ANSWERED = "cancellation_answered"
"""The trigger, and so the stage, of an answer to the buyer."""

ANSWERS = ("order.cancellation_accepted", "order.cancellation_declined")


class Duty(msgspec.Struct, kw_only=True):
    """Something owed to a marketplace.

    `due`: the deadline as it was known when 1C marked it, and `source` the fact it came with. `ends`: what came of the
    command, each time. `retried`: when an operator brought it back. `moved`: since when the marketplace shows the stage
    by itself; `over`: when the order was cancelled or the buyer took the wish back.
    """

    stage: str
    step: str | None = None
    command: str | None = None
    due: datetime | None = None
    source: Recorded | None = None
    mark: Recorded | None = None
    request: Recorded | None = None
    ends: list[tuple[Recorded, f.CommandOutcome]] = []
    retried: list[datetime] = []
    moved: datetime | None = None
    over: datetime | None = None

    @property
    def state(self) -> str:
        """done, refused, given_up, withdrawn, withheld; waiting; `none` where nothing was requested."""
        if self.request is None:
            return "none"
        if not self.ends or (self.retried and self.retried[-1] > self.ends[-1][0].recorded_at):
            return "waiting"
        return f.OUTCOMES[self.ends[-1][0].type]


class _Wish(msgspec.Struct):
    """A buyer's wish to cancel and what became of it."""

    said: Recorded
    due: datetime | None
    answer: Recorded | None = None
    over: datetime | None = None


def duties(order: str, history: Iterable[Recorded]) -> list[Duty]:
    """An order's duties, in the order they arose."""
    story = _Story(order)
    for event in sorted(history, key=lambda event: event.position):
        story.take(event)
    return story.told()


class _Story:
    """Collects duties event by event."""

    def __init__(self, order: str) -> None:
        self._state = OrderState(order=order)
        self._events: dict[int, Recorded] = {}
        self._dues: dict[str, list[tuple[Recorded, datetime | None]]] = {}
        self._marks: list[tuple[str, Recorded]] = []
        self._moved: dict[str, datetime] = {}
        self._commands: dict[str, Duty] = {}
        self._wishes: list[_Wish] = []
        self._over: datetime | None = None

    def take(self, event: Recorded) -> None:
        """One more event, in the order they were recorded."""
        state, fact = self._state, decode(event)
        self._events[event.position] = event
        evolve(state, event)
        self._deadlines(event)
        if event.type in f.ONEC_STAGES:
            self._marks.append((f.ONEC_STAGES[event.type], event))
        elif event.type in ANSWERS:
            for wish in self._wishes:
                wish.answer = wish.answer or (event if wish.over is None else None)
        if isinstance(fact, f.CommandRequested) and fact.target != ONEC and fact.command not in self._commands:
            self._commands[fact.command] = self._asked(event, fact)
        elif isinstance(fact, f.CommandOutcome) and (duty := self._commands.get(fact.command)) is not None:
            if duty.state != "done":
                duty.ends = [*duty.ends, (event, fact)]
        elif isinstance(fact, f.CommandRetried) and (duty := self._commands.get(fact.command)) is not None:
            duty.retried = [*duty.retried, event.recorded_at]
        elif isinstance(fact, f.CancellationRequested):
            self._wishes.append(_Wish(event, fact.due))
        elif isinstance(fact, f.Seen) and not fact.stale:
            self._moved.setdefault(fact.stage or "", event.occurred_at)
        if state.cancelled is not None or state.returned:
            self._over = self._over or event.occurred_at
        if state.request is None:  # answered, taken back, or cancelled at the marketplace
            for wish in self._wishes:
                wish.over = wish.over or event.occurred_at

    def told(self) -> list[Duty]:
        """All duties."""
        found = list(self._commands.values())
        for duty in found:
            duty.over = self._over
            if duty.stage != ANSWERED and duty.mark is not None:
                duty.due, duty.source = self._due(duty.stage, duty.mark.position)
        found += [unasked for stage in self._dues if (unasked := self._unasked(stage)) is not None]
        found += self._answers(found)
        return sorted(found, key=_arose)

    def _deadlines(self, event: Recorded) -> None:
        now = {deadline.stage: deadline.due for deadline in self._state.deadlines}
        for stage in {*now, *self._dues}:
            known = self._dues.setdefault(stage, [])
            if not known or known[-1][1] != now.get(stage):
                known.append((event, now.get(stage)))

    def _asked(self, event: Recorded, fact: f.CommandRequested) -> Duty:
        stage = fact.stage or fact.action
        cause = self._events.get(event.cause or 0)
        mark = cause if cause is not None and f.from_onec(cause.source) else self._mark(stage)
        return Duty(stage=stage, step=fact.action, command=fact.command, mark=mark or cause, request=event)

    def _mark(self, stage: str) -> Recorded | None:
        """1C's first mark that says an order has reached a stage."""
        return next((event for marked, event in self._marks if rank(marked) >= rank(stage) >= 0), None)

    def _due(self, stage: str, position: int | None) -> tuple[datetime | None, Recorded | None]:
        """A stage's deadline as known at a position, or learned first after it; without one: as known last."""
        known = self._dues.get(stage, [])
        before = [one for one in known if position is None or one[0].position <= position]
        if not known:
            return None, None
        event, due = before[-1] if before else known[0]
        return due, event if due is not None else None

    def _unasked(self, stage: str) -> Duty | None:
        """The duty of a stage with a deadline for which nothing was requested."""
        if rank(stage) <= 0 or any(duty.stage == stage for duty in self._commands.values()):
            return None
        mark = self._mark(stage)
        due, source = self._due(stage, mark.position if mark is not None else None)
        if due is None:
            return None
        moved = min((at for seen, at in self._moved.items() if rank(seen) >= rank(stage)), default=None)
        return Duty(stage=stage, due=due, source=source, mark=mark, moved=moved, over=self._over)

    def _answers(self, commands: list[Duty]) -> list[Duty]:
        """Wishes without a command for their answer; one that has it gives it its deadline."""
        found = []
        for wish in self._wishes:
            answer = wish.answer
            told = [d for d in commands if d.stage == ANSWERED and d.mark is answer and answer is not None]
            for duty in told:
                if wish.due is not None and (duty.due is None or wish.due < duty.due):
                    duty.due, duty.source = wish.due, wish.said
            if not told and wish.due is not None:
                found.append(Duty(stage=ANSWERED, due=wish.due, source=wish.said, mark=answer, over=wish.over))
        return found


def _arose(duty: Duty) -> tuple[int, datetime]:
    first = duty.request or duty.mark or duty.source
    assert first is not None
    return first.position, duty.due or first.recorded_at
