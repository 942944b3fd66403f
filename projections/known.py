"""Orders lately touched, as the last step left them: of an order's next event only that event is read.

What is known is worth nothing by itself: it is folded from the log, and folded again whenever it is in doubt. That is
where versions have a gap (another process followed the slice meanwhile), where a document was linked (marks sent under
it before count from now on), where folding failed, and, by `forget`, after any trouble with Postgres: it may be another
log behind it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

import msgspec

from events.log import Log
from events.order.state import OrderState, evolve
from events.recorded import Recorded
from events.turns import by_turns
from projections.projection import Failed, Made, Projection, Rows, folded, make

MOST = 6000
"""Orders known at a time, some 5 kB each."""

READ = 200
"""Orders whose histories are read, and held, at a time."""

LINKING = "order.registered"
"""The type of the facts that link a document to an order."""


Which: TypeAlias = tuple[int, int]
"""Which rows of a projection are meant: of which generation of its tables, and mended how often."""


class Known(msgspec.Struct):
    """An order's state, and the rows last stored of it by projection."""

    state: OrderState
    stored: dict[str, tuple[Which, Rows]] = {}


class States:
    """The orders known to one follower."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: dict[str, Known] = {}  # the one touched longest ago comes first

    def forget(self) -> None:
        """Knows nothing any more."""
        self._known.clear()

    async def upto(self, orders: Collection[str], events: Iterable[Recorded]) -> dict[str, OrderState | Failed]:
        """The orders' states with at least these events, or the error that folding one ended in."""
        news: defaultdict[str, list[Recorded]] = defaultdict(list)
        for event in events:
            news[event.order].append(event)
        found: dict[str, OrderState | Failed] = {}
        unknown = []
        async for order in by_turns(orders):
            known = self._applied(order, news[order])
            if known is None:
                unknown.append(order)
            else:
                found[order] = known.state
        return found | await self._folded(unknown)

    def _applied(self, order: str, events: Sequence[Recorded]) -> Known | None:
        """What is known of an order with its new events applied; None where its history is to be read."""
        known = self._known.pop(order, None)
        if known is None:
            return None
        for event in events:
            if event.version <= known.state.version:  # read again: somebody else had moved the slice
                continue
            if event.version > known.state.version + 1 or event.type == LINKING:
                return None
            try:
                evolve(known.state, event)
            except Exception:  # it may be half applied
                return None
        self._known[order] = known
        return known

    async def _folded(self, orders: Iterable[str]) -> dict[str, OrderState | Failed]:
        found: dict[str, OrderState | Failed] = {}
        left = iter(orders)
        while some := list(islice(left, READ)):
            async for order, history in by_turns((await self._log.histories(some)).items()):
                state = found[order] = folded(order, history)
                if isinstance(state, OrderState):
                    self._known[order] = Known(state)
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        return found

    async def made(
        self, projection: Projection, orders: Mapping[str, Which], states: Mapping[str, OrderState | Failed]
    ) -> dict[str, Made]:
        """The orders' rows, with those stored before where it is known that they still stand."""
        found = {}
        async for order, which in by_turns(orders.items()):
            known = self._known.get(order)
            stored = None if known is None else known.stored.get(projection.name)
            found[order] = make(projection, states[order], stored[1] if stored and stored[0] == which else None)
        return found

    def stored(self, projection: Projection, orders: Mapping[str, Which], made: Mapping[str, Made]) -> None:
        """Notes which rows of these orders stand now; of tables that change with each event nothing is kept."""
        steady = [table.name for table in projection.tables if table.steady]
        for order, which in orders.items():
            if (known := self._known.get(order)) is None:
                continue
            known.stored.pop(projection.name, None)
            if order in made:
                known.stored[projection.name] = which, {name: made[order].rows[name] for name in steady}
