"""Deadlines: says once per stage and due time that one is near.

Which deadlines are open is asked of the projection; that it was said is a fact in the log, under an id that names the
order, the stage and the time, so that saying it twice is a duplicate. If the process dies before the append, the next
look says it.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import structlog

from events.codec import own_event
from events.log import Log, LogUnavailable, is_transient
from events.order import facts as f
from projections.orders import queries
from service.database import Pool
from service.leases import Leases
from service.settings import Channel

logger = structlog.get_logger()

LOOK_SECONDS = 15.0

TOO_LATE = timedelta(days=1)
"""A deadline that passed so long ago is no news: nobody is told of it when its order is first seen."""


class Deadlines:
    """Watches the open deadlines of all channels; one process at a time, by lease."""

    def __init__(self, log: Log, pool: Pool, channels: Mapping[str, Channel], leases: Leases) -> None:
        self._log, self._pool, self._channels, self._leases = log, pool, channels, leases
        self._said: set[tuple[str, str, datetime]] = set()

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
        new = sorted(near - self._said)
        if new:
            await self._log.append([
                own_event(order, "deadline.near", f"{order}/{stage}/{due.isoformat()}",
                          f.DeadlineNear(stage=stage, due=due), None)
                for order, stage, due in new
            ])  # fmt: skip
            self._said |= near
        return len(new)
