"""Deadlines: says once per stage and due time that one is near.

Which deadlines are open is asked of the projection; that it was said is a fact in the log, under an id that names the
order, the stage and the time, so that saying it twice is a duplicate. If the process dies before the append, the next
look says it.

A deadline that was near or past already when it was imported is no news: else an import of last week's orders would
tell 1C of all of them. One that lies further ahead is warned of like any other.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import structlog

from events.codec import decode, own_event
from events.log import Log, LogUnavailable, is_transient
from events.order import facts as f
from events.recorded import Recorded
from projections.orders import queries
from service.database import Pool
from service.leases import Leases
from service.settings import Channel

logger = structlog.get_logger()

LOOK_SECONDS = 15.0

TOO_LATE = timedelta(days=1)
"""A deadline that passed so long ago is no news: nobody is told of it when its order is first seen."""

Near: TypeAlias = tuple[str, str, datetime]
"""An order, a stage, and when it is due."""

CHUNK = 200


class Deadlines:
    """Watches the open deadlines of all channels; one process at a time, by lease."""

    def __init__(self, log: Log, pool: Pool, channels: Mapping[str, Channel], leases: Leases) -> None:
        self._log, self._pool, self._channels, self._leases = log, pool, channels, leases
        self._said: set[Near] = set()

    async def run(self) -> None:
        """Watches until cancelled."""
        while True:
            async with self._leases.held("deadlines/0") as lost:
                while not lost.is_set():
                    try:
                        await self.look(datetime.now(UTC))
                    except Exception as error:
                        if not isinstance(error, LogUnavailable) and not is_transient(error):
                            raise
                        logger.warning("deadlines wait for Postgres", error=str(error))
                    await asyncio.sleep(LOOK_SECONDS)

    async def look(self, now: datetime) -> int:
        """Says what is near now; how many."""
        warnings = {name: channel.deadline_warning for name, channel in self._channels.items()}
        latest = now + max(warnings.values(), default=timedelta())
        open_ones = await queries.deadlines(self._pool, now - TOO_LATE, latest)
        near = {
            (order, stage, due)
            for order, stage, due in open_ones
            if (warning := warnings.get(order.partition("/")[0])) is not None and due <= now + warning
        }
        self._said &= near
        new = await self._not_imported(near - self._said, warnings)
        if new:
            await self._log.append([
                own_event(order, "deadline.near", f"{order}/{stage}/{due.isoformat()}",
                          f.DeadlineNear(stage=stage, due=due), None)
                for order, stage, due in new
            ])  # fmt: skip
        self._said |= near
        return len(new)

    async def _not_imported(self, near: Iterable[Near], warnings: Mapping[str, timedelta]) -> list[Near]:
        """Those that were not near yet when they were imported, or were not imported."""
        found, left = [], sorted(near)
        while left:
            some, left = left[:CHUNK], left[CHUNK:]
            histories = await self._log.histories({order for order, _, _ in some})
            for order, stage, due in some:
                brought = _brought(histories[order], stage, due)
                ahead = due - warnings[order.partition("/")[0]]
                if brought is None or not f.imported(brought) or brought.recorded_at < ahead:
                    found.append((order, stage, due))
        return found


def _brought(history: Sequence[Recorded], stage: str, due: datetime) -> Recorded | None:
    """The fact a deadline came with."""
    for event in history:
        fact = decode(event) if event.type in _WITH_DEADLINES else None
        if isinstance(fact, f.Placed | f.Changed) and f.Deadline(stage, due) in (fact.deadlines or ()):
            return event
        if isinstance(fact, f.CancellationRequested) and (stage, due) == ("cancelled", fact.due):
            return event
    return None


_WITH_DEADLINES = ("order.placed", "order.changed", "order.cancellation_requested")
