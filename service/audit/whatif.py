"""What today's code and trigger map would have told for past events, order by order, beside what was told.

Reads the log and records nothing. Orders come by where their first event of the span lies, in spans of positions, so
that memory does not grow with the log. Events the reactor has not come to yet are not asked about.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from events.log import RECORDED_BEFORE, Log, waits
from events.order.reactions import Plan
from events.recorded import Recorded
from service.audit.supposing import Compared, Count, Difference, Span, compare
from service.database import Pool

POSITIONS = 5000
"""So many positions of the log are looked through at a time for orders."""

ORDERS = 200
"""So many histories are read at a time."""

# Orders whose first event behind position $3 lies in a span; $4: the channel's prefix. The lateral looks by the index
# of one order; an anti-join could be planned as a walk through the whole log.
FIRST = """
SELECT e.order_key FROM okno.events e
CROSS JOIN LATERAL (
    SELECT p.position FROM okno.events p WHERE p.order_key = e.order_key AND p.position > $3
    ORDER BY p.position LIMIT 1
) first
WHERE e.position > $1 AND e.position <= $2 AND first.position = e.position AND left(e.order_key, 3) <> '1c/'
  AND ($4::text IS NULL OR starts_with(e.order_key, $4))
ORDER BY e.position
"""

# The same for the whole log: an order's first version is its first event.
FIRST_OF_ALL = """
SELECT e.order_key FROM okno.events e
WHERE e.position > $1 AND e.position <= $2 AND e.version = 1 AND left(e.order_key, 3) <> '1c/'
  AND ($3::text IS NULL OR starts_with(e.order_key, $3))
ORDER BY e.position
"""

# How far the reactor has come; no row or 0 where that was forgotten.
REACTED = "SELECT position FROM okno.progress WHERE name = 'reactor'"


@dataclass(frozen=True)
class Failed:
    """An order today's code fails on."""

    order: str
    error: str


@dataclass
class Summary:
    """Sums over orders, by channel, target and action."""

    orders: int = 0
    events: int = 0
    failed: int = 0
    differing: int = 0
    counts: dict[tuple[str, str, str], Count] = field(default_factory=dict)

    def add(self, one: Compared | Failed) -> None:
        """Counts an order."""
        self.orders += 1
        if isinstance(one, Failed):
            self.failed += 1
            return
        self.events += one.events
        self.differing += bool(one.differences)
        channel = one.order.partition("/")[0]
        for (target, action), count in one.counts.items():
            self.counts.setdefault((channel, target, action), Count()).add(count)


def silent(done: int, total: int) -> None:
    """Shows no progress."""


async def span(pool: Pool, log: Log, since: datetime | None) -> Span:
    """The events recorded at or behind a time that the reactor has come to."""
    head = (await log.head()).position
    reacted: int | None = await _reacted(pool)
    until = min(head, reacted) if reacted else head
    return Span(min(await _before(pool, since), until), until)


@waits
async def _reacted(pool: Pool) -> int | None:
    position: int | None = await pool.fetchval(REACTED)
    return position


@waits
async def _before(pool: Pool, since: datetime | None) -> int:
    position: int = await pool.fetchval(RECORDED_BEFORE, since) if since is not None else 0
    return position


async def whatif(
    pool: Pool, log: Log, plans: Mapping[str, Plan], asked: Span, *, channel: str | None = None,
    order: str | None = None, progress: Callable[[int, int], None] = silent,
) -> AsyncIterator[Compared | Failed]:  # fmt: skip
    """Every order with events in a span, compared."""
    async for histories in _ahead(_histories(pool, log, asked, channel, order, progress)):
        for name, history in histories.items():
            try:
                yield compare(name, history, plans.get(name.partition("/")[0]), asked)
            except Exception as error:  # whatever it is, it is this order's alone, as in the reactor
                yield Failed(name, f"{type(error).__name__}: {error}")


Histories = dict[str, list[Recorded]]


async def _histories(
    pool: Pool, log: Log, asked: Span, channel: str | None, order: str | None, progress: Callable[[int, int], None]
) -> AsyncIterator[Histories]:
    if order is not None:
        yield await log.histories([order])
        return
    for begin in range(asked.after, asked.until, POSITIONS):
        end = min(begin + POSITIONS, asked.until)
        orders = await _orders(pool, begin, end, asked.after, None if channel is None else f"{channel}/")
        for first in range(0, len(orders), ORDERS):
            yield await log.histories(orders[first : first + ORDERS])
        progress(end - asked.after, asked.until - asked.after)


@waits
async def _orders(pool: Pool, begin: int, end: int, after: int, prefix: str | None) -> Sequence[str]:
    if after == 0:
        rows = await pool.fetch(FIRST_OF_ALL, begin, end, prefix)
    else:
        rows = await pool.fetch(FIRST, begin, end, after, prefix)
    return [row["order_key"] for row in rows]


async def _ahead(source: AsyncIterator[Histories]) -> AsyncIterator[Histories]:
    """The same one by one, each asked of Postgres before the one before it is worked on."""
    following = asyncio.ensure_future(anext(source, None))
    try:
        while (found := await following) is not None:
            following = asyncio.ensure_future(anext(source, None))
            await asyncio.sleep(0)  # lets the question leave
            yield found
    finally:
        following.cancel()


__all__ = ["Compared", "Difference", "Failed", "Span", "Summary", "span", "whatif"]
