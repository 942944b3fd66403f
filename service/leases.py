"""Named leases as rows: who may do a thing now. They outlive a restart of Postgres; a dead owner's runs out.

If a process dies holding one, another takes it when it has run out; if it merely can't renew, its own clock tells it to
stop before that.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from events.log import is_transient
from service.database import Pool

logger = structlog.get_logger()

SECONDS = 15.0
"""How long a lease holds unless renewed; renewed every third of it."""

# Takes a lease that is free, run out or one's own; no row back: somebody else has it.
TAKE = """
INSERT INTO okno.leases (name, owner, leased_until) VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, leased_until = excluded.leased_until
WHERE leases.owner = excluded.owner OR leases.leased_until < clock_timestamp()
RETURNING name
"""

# Gives a lease back.
RELEASE = "DELETE FROM okno.leases WHERE name = $1 AND owner = $2"

# How many processes are alive, and how many leases of a kind this one holds.
SHARE = """
SELECT count(*) FILTER (WHERE name LIKE 'process/%') AS processes,
       count(*) FILTER (WHERE name LIKE $1 AND owner = $2) AS mine
FROM okno.leases WHERE leased_until > clock_timestamp()
"""


class Leases:
    """This process's leases, under the name `owner`."""

    def __init__(self, pool: Pool, owner: str) -> None:
        self._pool = pool
        self.owner = owner

    async def take(self, name: str) -> bool:
        """Takes or renews a lease; False while somebody else has it."""
        return await self._pool.fetchval(TAKE, name, self.owner, SECONDS) is not None

    async def release(self, name: str) -> None:
        """Gives a lease back, so that the next owner need not wait."""
        await self._pool.execute(RELEASE, name, self.owner)

    async def fair(self, prefix: str, total: int) -> bool:
        """Whether this process holds less than its share of the `total` leases that begin with `prefix`."""
        row = await self._pool.fetchrow(SHARE, prefix + "%", self.owner)
        assert row is not None
        return int(row["mine"]) < -(-total // max(int(row["processes"]), 1))

    async def stay_alive(self) -> None:
        """Keeps this process among the living, for `fair`."""
        while True:
            try:
                await self.take(f"process/{self.owner}")
            except Exception as error:
                if not is_transient(error):
                    raise
            await asyncio.sleep(SECONDS / 3)

    @asynccontextmanager
    async def held(self, name: str, *, share_of: int = 1) -> AsyncIterator[asyncio.Event]:
        """Waits for a lease and holds it; the event inside is set when it is lost. Given back at the end."""
        prefix = name.rpartition("/")[0] + "/"
        while True:
            try:
                if (share_of == 1 or await self.fair(prefix, share_of)) and await self.take(name):
                    break
            except Exception as error:
                if not is_transient(error):
                    raise
            await asyncio.sleep(SECONDS / 10)
        lost = asyncio.Event()
        renewing = asyncio.create_task(self._renew(name, lost))
        try:
            yield lost
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            try:
                await asyncio.wait_for(self.release(name), 2)
            except Exception as error:
                if not is_transient(error):
                    raise

    async def _renew(self, name: str, lost: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + SECONDS * 0.8
        while True:
            await asyncio.sleep(SECONDS / 4)
            began = loop.time()
            try:
                kept = await asyncio.wait_for(self.take(name), max(until - began, 0.1))
            except Exception as error:
                if not is_transient(error):
                    raise
                if loop.time() < until:
                    continue
                kept = False
            if not kept:
                logger.warning("lease lost", name=name)
                lost.set()
                return
            until = began + SECONDS * 0.8
