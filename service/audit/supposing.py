"""What one order's history would have told by another plan or other code, beside what it told. Pure.

The facts are taken as they were, all but the commands. A command asked for now is taken as requested where the log has
the same one (ids follow from what a command is for), so that its outcome is what it was and the same hub over its own
log finds no difference; one the log does not have is taken as requested at once, and nothing came of it.

    more    would be told, and was not
    fewer   was told, and would not be
    other   both, for another stage or because of another fact
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest
from typing import Final

import msgspec

from events.codec import decode, encode
from events.order import facts as f
from events.order.reactions import ONEC, Plan, Reacting, Request
from events.order.state import fold
from events.order.telling import message_id
from events.recorded import Recorded

MORE: Final = "more"
FEWER: Final = "fewer"
OTHER: Final = "other"


@dataclass(frozen=True)
class Span:
    """The events that are asked about: those behind position `after`, up to `until`."""

    after: int
    until: int


class Because(msgspec.Struct, frozen=True):
    """The fact a command follows from."""

    position: int
    type: str
    source: str
    occurred_at: datetime
    recorded_at: datetime


class Told(msgspec.Struct, frozen=True):
    """A command: what for, because of what, and what came of it; no `state` and `requested_at` where only supposed."""

    command: str
    stage: str | None
    because: Because | None
    state: str | None = None
    requested_at: datetime | None = None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One command that differs. `what`: more, fewer or other."""

    what: str
    order: str
    target: str
    action: str
    was: Told | None = None
    would: Told | None = None


@dataclass
class Count:
    """How often one thing was told, would be, and how that differs; `would` None where nobody can say.

    `withheld`: of what was told, what shadow mode kept back.
    """

    told: int = 0
    withheld: int = 0
    would: int | None = 0
    more: int = 0
    fewer: int = 0
    other: int = 0

    def differs(self, what: str) -> None:
        """Counts a difference."""
        self.more += what == MORE
        self.fewer += what == FEWER
        self.other += what == OTHER

    def add(self, one: "Count") -> None:
        """Adds another count."""
        self.told += one.told
        self.withheld += one.withheld
        self.would = None if self.would is None or one.would is None else self.would + one.would
        self.more, self.fewer, self.other = self.more + one.more, self.fewer + one.fewer, self.other + one.other


@dataclass
class Compared:
    """One order: counts by target and action, and what differs."""

    order: str
    events: int
    counts: dict[tuple[str, str], Count] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    def count(self, target: str, action: str) -> Count:
        """The count of one thing."""
        return self.counts.setdefault((target, action), Count())


@dataclass(frozen=True)
class _Was:
    """A command the log has."""

    event: Recorded
    fact: f.CommandRequested


def compare(order: str, history: Sequence[Recorded], plan: Plan | None, span: Span) -> Compared:
    """What an order's events of a span would have told by a plan, beside what they told; without one the latter."""
    inside = sum(span.after < e.position <= span.until for e in history)
    found = Compared(order, inside)
    was = _requested(history)
    would, elsewhere = ({}, set[str]()) if plan is None else _supposed(order, history, plan, span, was)
    told = {
        id: one
        for id, one in was.items()
        if one.event.position > span.after and (one.event.cause or 0) <= span.until and id not in elsewhere
    }
    withheld = {
        fact.command
        for e in history
        if e.type == "command.withheld" and isinstance(fact := decode(e), f.CommandOutcome)
    }
    for one in told.values():
        count = found.count(one.fact.target, one.fact.action)
        count.told += 1
        count.withheld += one.fact.command in withheld
    for request in would.values():
        count = found.count(request.fact.target, request.fact.action)
        count.would = (count.would or 0) + 1
    if plan is None:
        for count in found.counts.values():
            count.would = None
        return found
    pairs = list(_pairs(told, would))
    if pairs:
        found.differences = _differences(order, history, pairs)
        for difference in found.differences:
            found.count(difference.target, difference.action).differs(difference.what)
    return found


def _requested(history: Sequence[Recorded]) -> dict[str, _Was]:
    """The commands of a log by the id they have now, but imported ones: those were told by nobody here."""
    found: dict[str, _Was] = {}
    by_position = {event.position: event for event in history}
    for event in history:
        fact = decode(event) if event.type == "command.requested" and not f.imported(event) else None
        if isinstance(fact, f.CommandRequested):
            found.setdefault(_id_now(fact, event, by_position), _Was(event, fact))
    return found


def _id_now(fact: f.CommandRequested, event: Recorded, by_position: Mapping[int, Recorded]) -> str:
    """A command's id; messages to 1C had other ones in older logs."""
    cause = by_position.get(event.cause or 0)
    return fact.command if fact.target != ONEC or cause is None else message_id(event.order, fact.action, cause)


def _supposed(
    order: str, history: Sequence[Recorded], plan: Plan, span: Span, was: dict[str, _Was]
) -> tuple[dict[str, Request], set[str]]:
    """What the events of a span ask for, by id, and ids that events outside of it ask for.

    A command of the log whose request was recorded late, behind the span's beginning or its end, is told by the latter.
    """
    reacting = Reacting(order, plan)
    ids = {one.event.position: id for id, one in was.items()}
    would: dict[str, Request] = {}
    elsewhere: set[str] = set()
    asked: dict[str, Request] = {}  # to be taken as requested where the log has it
    for event, following in zip_longest(history, history[1:]):
        before = event.position <= span.after
        if event.type == "command.requested":
            id = ids.get(event.position)
            _take_request(reacting, event, id, asked.get(id or ""), as_it_was=before or f.imported(event))
            continue
        for request in reacting.take(event, following):
            id = request.fact.command
            known = was.get(id)
            if before or event.position > span.until:
                elsewhere.add(id)
            else:
                would[id] = request
            if known is not None and known.event.position > event.position:
                asked[id] = request
            elif before:  # another plan's: a changed one counts for later marks only
                reacting.asked.discard(id)
            else:
                reacting.take(_as_requested(request, event), react=False)
    if 0 < reacting.state.shown <= span.after and all(e.order == order for e in history):  # nothing waited for it
        elsewhere |= {id for id, one in was.items() if (one.event.cause or 0) <= span.after} - would.keys()
    return would, elsewhere


def _take_request(
    reacting: Reacting, event: Recorded, id: str | None, request: Request | None, *, as_it_was: bool
) -> None:
    """Takes a request of the log: where it is history, or where it is asked for now too."""
    fact = decode(event)
    if as_it_was and isinstance(fact, f.CommandRequested):
        reacting.asked |= {fact.command, id or fact.command}
        reacting.take(event, react=False)
    elif request is not None:
        reacting.take(event if request.fact == fact else _as_requested(request, event), react=False)


def _as_requested(request: Request, at: Recorded) -> Recorded:
    """The request the reactor would have appended, at the place of another event."""
    return msgspec.structs.replace(
        at, type="command.requested", source=f.HUB, id=request.fact.command, cause=request.cause, actor=f.HUB,
        data=encode(request.fact), id_reused=False,
    )  # fmt: skip


Pair = tuple[_Was | None, Request | None]


def _pairs(told: dict[str, _Was], would: dict[str, Request]) -> Iterable[Pair]:
    """What differs: commands of one id that are for something else; the rest joined by what is told, stage first."""
    for id in told.keys() & would.keys():
        one, request = told[id], would[id]
        if (one.event.cause, one.fact.stage) != (request.cause, request.fact.stage):
            yield one, request
    left = [one for id, one in told.items() if id not in would]
    new = [request for id, request in would.items() if id not in told]
    for exact in (True, False):
        for request in list(new):
            match = next((one for one in left if _same(one.fact, request.fact, exact=exact)), None)
            if match is not None:
                left.remove(match)
                new.remove(request)
                yield match, request
    yield from ((one, None) for one in left)
    yield from ((None, request) for request in new)


def _same(one: f.CommandRequested, other: f.CommandRequested, *, exact: bool) -> bool:
    return (one.target, one.action) == (other.target, other.action) and (one.stage == other.stage or not exact)


def _differences(order: str, history: Sequence[Recorded], pairs: Iterable[Pair]) -> list[Difference]:
    by_position = {event.position: event for event in history}
    states = {id: command.state for id, command in fold(order, history).commands.items()}
    found = []
    for one, request in pairs:
        fact = one.fact if one is not None else request.fact if request is not None else None
        assert fact is not None
        was = None if one is None else Told(
            one.fact.command, one.fact.stage, _because(by_position.get(one.event.cause or 0)),
            states.get(one.fact.command), one.event.recorded_at,
        )  # fmt: skip
        would = None if request is None else Told(
            request.fact.command, request.fact.stage, _because(by_position.get(request.cause))
        )  # fmt: skip
        what = MORE if was is None else FEWER if would is None else OTHER
        found.append(Difference(what=what, order=order, target=fact.target, action=fact.action, was=was, would=would))
    return sorted(found, key=_place)


def _place(one: Difference) -> int:
    told = one.would or one.was
    return told.because.position if told is not None and told.because is not None else 0


def _because(event: Recorded | None) -> Because | None:
    if event is None:
        return None
    return Because(event.position, event.type, event.source, event.occurred_at, event.recorded_at)
