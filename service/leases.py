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

SECONDS = 6.0
"""How long a lease holds unless renewed, every quarter of it: what a dead process's successor waits."""

OWN = 0.8
"""The part of that in which a process that can't renew still counts a lease as its own: it stops before the others may
begin."""

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
        self._choosing = asyncio.Lock()
        self._leaving: set[str] = set()

    async def take(self, name: str) -> bool:
        """Takes or renews a lease; False while somebody else has it."""
        return await self._pool.fetchval(TAKE, name, self.owner, SECONDS) is not None

    async def release(self, name: str) -> None:
        """Gives a lease back, so that the next owner need not wait."""
        await self._pool.execute(RELEASE, name, self.owner)

    async def over(self, prefix: str, total: int) -> int:
        """How many more of the `total` leases that begin with `prefix` this process holds than its share."""
        row = await self._pool.fetchrow(SHARE, prefix + "%", self.owner)
        assert row is not None
        leaving = sum(name.startswith(prefix) for name in self._leaving)
        return int(row["mine"]) - leaving - -(-total // max(int(row["processes"]), 1))

    async def stay_alive(self) -> None:
        """Keeps this process among those that share leases out among themselves."""
        while True:
            try:
                await self.take(f"process/{self.owner}")
            except Exception as error:
                if not is_transient(error):
                    raise
            await asyncio.sleep(SECONDS / 3)

    @asynccontextmanager
    async def held(self, name: str, *, share_of: int = 1) -> AsyncIterator[asyncio.Event]:
        """Waits for a lease and holds it; the event inside is set when it is lost. Given back at the end.

        `share_of`: how many of its kind there are, to be shared out among the living processes: none takes more than
        its share, and one that has more, because another process came, lets the surplus go.
        """
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                if await self._takes(name, share_of):
                    break
            except Exception as error:
                if not is_transient(error):
                    raise
            await asyncio.sleep(SECONDS / 10)
        lost = asyncio.Event()
        renewing = asyncio.create_task(self._renew(name, lost, share_of, began + SECONDS * OWN))
        try:
            yield lost
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            self._leaving.discard(name)
            try:
                async with asyncio.timeout(2):
                    await self.release(name)
            except Exception as error:
                if not is_transient(error):
                    raise

    async def _takes(self, name: str, share_of: int) -> bool:
        if share_of == 1:
            return await self.take(name)
        async with self._choosing:
            return await self.over(_kind(name), share_of) < 0 and await self.take(name)

    async def _surplus(self, name: str, share_of: int) -> bool:
        """Whether this lease should go to another process."""
        if share_of == 1:
            return False
        async with self._choosing:
            if await self.over(_kind(name), share_of) <= 0:
                return False
            self._leaving.add(name)
            return True

    async def _renew(self, name: str, lost: asyncio.Event, share_of: int, until: float) -> None:
        """Renews until the lease is lost; `until`, by this process's clock, it is surely still ours."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(min(SECONDS / 4, until - loop.time()), 0))
            began = loop.time()
            try:
                # Not wait_for: that of Python 3.11 loses a cancellation that meets the answer.
                async with asyncio.timeout(max(until - began, 0.1)):
                    kept = await self.take(name)
                if kept and await self._surplus(name, share_of):
                    logger.info("lease let go for another process", name=name)
                    lost.set()
                    return
            except Exception as error:
                if not is_transient(error):
                    logger.exception("lease can't be renewed", name=name)
                elif loop.time() < until:
                    continue
                kept = False
            if not kept:
                logger.warning("lease lost", name=name)
                lost.set()
                return
            until = began + SECONDS * OWN


def _kind(name: str) -> str:
    return name.rpartition("/")[0] + "/"
