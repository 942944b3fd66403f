"""Removes messages as they were received once they are older than `raw_retention_days`; events stay for ever.

What goes: raw bodies of events (the hash of each stays in its event, so the log verifies as before), and rejected
messages that were taken in later. What nobody has settled in `rejected` stays, and so do personal data, until they are
erased.

Each removal is a short transaction of its own under the log's lock, with a pause behind it, so that appends go on.
There is nothing to remember: if the process dies, the next one goes on with whatever is left.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import structlog

from events.log import RECORDED_BEFORE, LogUnavailable, is_transient, waits
from service import metrics
from service.database import Pool
from service.leases import Leases

logger = structlog.get_logger()

DAY = 24 * 3600.0
AGAIN_SECONDS = 60.0

AT_ONCE = 1000
"""Messages removed in one transaction."""

REST = 2.0
"""How much longer than a removal the pause behind it is."""

# Removes some, the oldest first; see events/sql/0006_erased.sql.
DROP_BODIES = "SELECT bodies, reached FROM okno.drop_raw($1, $2, $3)"
DROP_REJECTED = "SELECT okno.drop_resubmitted($1, $2)"


class Retention:
    """Removes what is too old, at the start and every day; one process at a time, by lease."""

    def __init__(self, pool: Pool, leases: Leases, days: int) -> None:
        self._pool, self._leases, self._age = pool, leases, timedelta(days=days)

    async def run(self) -> None:
        """Removes until cancelled."""
        while True:
            async with self._leases.held("retention/0") as lost:
                while not lost.is_set():
                    pause = DAY
                    try:
                        await self.clear(datetime.now(UTC), lost)
                    except Exception as error:
                        if not isinstance(error, LogUnavailable) and not is_transient(error):
                            raise
                        logger.warning("retention waits for Postgres", error=str(error))
                        pause = AGAIN_SECONDS
                    await _wait(lost, pause)

    async def clear(self, now: datetime, lost: asyncio.Event | None = None) -> tuple[int, int]:
        """Removes what is too old now; how many raw bodies and rejected messages."""
        before = now - self._age
        upto = await self.recorded_before(before)
        bodies, rejected = 0, 0
        reached = removed = 0
        while reached < upto and not (lost is not None and lost.is_set()):
            began = time.monotonic()
            removed, reached = await self._drop_bodies(reached, upto)
            bodies += removed
            metrics.RAW_REMOVED.labels("body").inc(removed)
            await asyncio.sleep((time.monotonic() - began) * REST)
        removed = AT_ONCE
        while removed == AT_ONCE and not (lost is not None and lost.is_set()):
            removed = await self._drop_rejected(before)
            rejected += removed
            metrics.RAW_REMOVED.labels("rejected").inc(removed)
        if bodies or rejected:
            logger.info("raw messages past their time removed", bodies=bodies, rejected=rejected, upto=upto)
        return bodies, rejected

    @waits
    async def recorded_before(self, moment: datetime) -> int:
        """The last position recorded before a moment, 0 for none."""
        position: int = await self._pool.fetchval(RECORDED_BEFORE, moment)
        return position

    @waits
    async def _drop_bodies(self, after: int, upto: int) -> tuple[int, int]:
        row = await self._pool.fetchrow(DROP_BODIES, after, upto, AT_ONCE)
        assert row is not None
        return row["bodies"], row["reached"]

    @waits
    async def _drop_rejected(self, before: datetime) -> int:
        removed: int = await self._pool.fetchval(DROP_REJECTED, before, AT_ONCE)
        return removed


async def _wait(lost: asyncio.Event, seconds: float) -> None:
    """Waits, or until the lease is lost."""
    try:
        async with asyncio.timeout(seconds):
            await lost.wait()
    except TimeoutError:
        pass
