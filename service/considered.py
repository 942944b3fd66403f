"""Orders the reactor looked at lately, as their last events left them: of the next one only that event is read.

What is remembered is worth nothing by itself: it is made anew from the log whenever it is in doubt. That is where
versions have a gap, where an order is first shown or a document is linked (what stands around such an event counts,
too), after a failure, after requests that were refused because the order had moved on, and, by `forget`, after any
trouble with Postgres: it may be another log behind it.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from events.codec import decode
from events.log import Log
from events.order import facts as f
from events.order.reactions import Plan, Reacting, Request, reacted
from events.order.state import OrderState
from events.recorded import Recorded
from events.turns import by_turns

MOST = 2000
"""Orders remembered, some 10 kB each: what follows from a mark comes within seconds, the next mark within hours."""

REQUESTED = "command.requested"
"""Nothing follows from a request itself but that its lane is looked at."""

WHOLE = ("order.placed", "order.registered")
"""Types of events that are understood with what stands before and behind them alone."""


class Considered(msgspec.Struct, frozen=True):
    """An order's state, and what its new events call for."""

    state: OrderState
    requests: list[Request]


Found: TypeAlias = dict[str, Considered | Exception]


class Orders:
    """The orders known to one reactor; `plans` by channel."""

    def __init__(self, log: Log, plans: Mapping[str, Plan]) -> None:
        self._log, self._plans = log, plans
        self._known: dict[str, Reacting] = {}  # the one touched longest ago comes first

    def forget(self) -> None:
        """Knows nothing any more."""
        self._known.clear()

    def drop(self, order: str) -> None:
        """Knows one order no more: what it called for is not in the log, or nobody can say."""
        self._known.pop(order, None)

    async def consider(self, news: Mapping[str, Sequence[Recorded]], after: int) -> Found:
        """What orders call for because of their events behind `after`, of which these are the next, or the error an
        order ended in. One that is not known is left out where nothing can follow from its news."""
        found: Found = {}
        unknown = []
        async for order, events in by_turns(news.items()):
            known = self._followed(order, events)
            if known is not None:
                found[order] = known
            elif any(event.type != REQUESTED and not f.imported(event) for event in events):
                unknown.append(order)
        histories = await self._log.histories(unknown) if unknown else {}
        async for order, history in by_turns(histories.items()):
            found[order] = self._read(order, history, after)
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        return found

    def _followed(self, order: str, events: Sequence[Recorded]) -> Considered | None:
        """What the next events of an order call for; None where its history is to be read."""
        reacting = self._known.pop(order, None)
        if reacting is None:
            return None
        reacting.asked |= _requested(events)
        wanted: list[Request] = []
        for event in events:
            if event.version <= reacting.state.version:  # it stood in the history already
                continue
            if event.version > reacting.state.version + 1 or event.type in WHOLE:
                return None
            try:
                wanted += reacting.take(event)
            except Exception:  # the history says what it is
                return None
        self._known[order] = reacting
        return Considered(reacting.state, wanted)

    def _read(self, order: str, history: Sequence[Recorded], after: int) -> Considered | Exception:
        try:
            reacting, wanted = reacted(order, history, after, self._plans[order.partition("/")[0]])
        except Exception as error:  # whatever it is, it is this order's alone
            return error
        if history and history[-1].type not in WHOLE:
            self._known[order] = reacting
        return Considered(reacting.state, wanted)


def _requested(events: Sequence[Recorded]) -> set[str]:
    """Commands asked for meanwhile: perhaps by another reactor, because of what only comes before them here."""
    facts = [decode(event) for event in events if event.type == REQUESTED]
    return {fact.command for fact in facts if isinstance(fact, f.CommandRequested)}
