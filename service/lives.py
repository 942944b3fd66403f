"""Notes when this process is at work, and while a marketplace lets it tell nothing: for the audit of what came late.

A row goes on as long as it is renewed in time. A process that died, that slept or that could not reach Postgres leaves
a gap behind its row: then no hub was at work, as far as it matters to those who wait for one. Losing these tables costs
nothing but what a report can say.
"""

import asyncio
import platform
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import structlog

from events.log import LogUnavailable, waits
from service.database import Pool
from service.http_client import ChannelClient

logger = structlog.get_logger()

BEAT_SECONDS = 10.0
UNBROKEN = timedelta(seconds=45)
"""A row renewed within so long is one life: Postgres may take its time over a commit."""

# Renews this process's row, or begins one.
ALIVE = """
WITH going AS (
    UPDATE okno.runs SET seen_at = clock_timestamp()
    WHERE owner = $1 AND seen_at > clock_timestamp() - $4::interval RETURNING owner
)
INSERT INTO okno.runs (owner, started_at, seen_at, roles, host)
SELECT $1, now, now, $2, $3 FROM clock_timestamp() AS now WHERE NOT EXISTS (SELECT FROM going)
"""

# Renews a channel's outage, or begins one: it began $4 before now.
OUT = """
WITH going AS (
    UPDATE okno.outages SET seen_at = clock_timestamp(), reason = $3
    WHERE channel = $1 AND owner = $2 AND seen_at > clock_timestamp() - $5::interval RETURNING channel
)
INSERT INTO okno.outages (channel, owner, started_at, seen_at, reason)
SELECT $1, $2, now - $4::interval, now, $3 FROM clock_timestamp() AS now WHERE NOT EXISTS (SELECT FROM going)
"""


class Lives:
    """One process's notes; `clients`: the channels it dispatches to."""

    def __init__(self, pool: Pool, owner: str, roles: frozenset[str], clients: Mapping[str, ChannelClient]) -> None:
        self._pool, self._owner, self._roles, self._clients = pool, owner, sorted(roles), clients

    async def run(self) -> None:
        """Notes until cancelled, and once more then, so that the end is known to the second."""
        try:
            while True:
                try:
                    await self.note()
                except LogUnavailable as error:
                    logger.warning("lives wait for Postgres", error=str(error))
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            await self._last_word()

    @waits
    async def note(self) -> None:
        """Notes that this process is at work now, and which channels hold it back."""
        await self._pool.execute(ALIVE, self._owner, self._roles, platform.node(), UNBROKEN)
        for name, client in self._clients.items():
            if (outage := client.outage()) is not None:
                since, reason = outage
                lasted = max(datetime.now(UTC) - since, timedelta())
                await self._pool.execute(OUT, name, self._owner, reason[:300], lasted, UNBROKEN)

    async def _last_word(self) -> None:
        try:
            async with asyncio.timeout(1):
                await self.note()
        except (LogUnavailable, TimeoutError):
            return
