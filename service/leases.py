"""Named leases as rows: who may do a thing now. They outlive a restart of Postgres; a dead owner's runs out.

If a process dies holding one, another takes it when it has run out; if it merely can't renew, its own clock tells it to
stop before that.

One statement a round takes and renews everything this process waits for or holds, so a hub with many channels asks
Postgres no more often than one with a single channel.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from events.log import is_transient
from service.database import Pool
from service.signals import wait

logger = structlog.get_logger()

SECONDS = 6.0
"""How long a lease holds unless renewed, every quarter of it: what a dead process's successor waits. Who waits for one
looks every sixth of it."""

OWN = 0.8
"""The part of that in which a process that can't renew still counts a lease as its own: it stops before the others may
begin."""

# Takes leases that are free or run out, renews one's own; no row back: somebody else has it. That is looked at first,
# since what a conflict locks makes its owner wait; sorted, so that two processes can't lock each other out.
TAKE = """
INSERT INTO okno.leases (name, owner, leased_until)
SELECT n, $2, clock_timestamp() + make_interval(secs => $3) FROM unnest($1::text[]) AS n
WHERE NOT EXISTS (
    SELECT FROM okno.leases h WHERE h.name = n AND h.owner <> $2 AND h.leased_until >= clock_timestamp())
ORDER BY n
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


@dataclass(eq=False)
class _Lease:
    """One that is waited for, then held, then perhaps lost. `until`, by this process's clock, it is surely ours."""

    name: str
    share_of: int
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    until: float = 0.0
    error: BaseException | None = None

    @property
    def waits(self) -> bool:
        return not self.taken.is_set()

    @property
    def held(self) -> bool:
        return self.taken.is_set() and self.error is None and not self.lost.is_set()


class Leases:
    """This process's leases, under the name `owner`."""

    def __init__(self, pool: Pool, owner: str) -> None:
        self._pool = pool
        self.owner = owner
        self._all: dict[str, _Lease] = {}
        self._leaving: set[str] = set()
        self._more = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def take(self, name: str) -> bool:
        """Takes or renews a lease; False while somebody else has it."""
        return name in await self._take([name])

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
        assert name not in self._all, f"{name} is waited for twice"
        lease = self._all[name] = _Lease(name, share_of)
        self._more.set()
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())
        try:
            await lease.taken.wait()
            if lease.error is not None:
                raise lease.error
            yield lease.lost
        finally:
            del self._all[name]
            await self._rest()
            if lease.taken.is_set() and lease.error is None:
                await self._give_back(name)

    async def _rest(self) -> None:
        """Ends the rounds where nothing is left to do, so that none takes again what is given back."""
        if not self._all and self._keeping is not None:
            keeping, self._keeping = self._keeping, None
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _give_back(self, name: str) -> None:
        self._leaving.add(name)
        try:
            async with asyncio.timeout(2):
                await self.release(name)
        except Exception as error:
            if not is_transient(error):
                raise
        finally:
            self._leaving.discard(name)

    async def _keep(self) -> None:
        """Round after round, for as long as something is waited for or held."""
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(0)  # who begins at the same time as the first one is in its round
            self._more.clear()
            try:
                # Not wait_for: that of Python 3.11 loses a cancellation that meets the answer.
                async with asyncio.timeout(max(self._until(now() + SECONDS) - now(), 0.1)):
                    await self._round(now() + SECONDS * OWN)
            except (Exception, asyncio.CancelledError) as error:
                task = asyncio.current_task()
                if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                    raise
                self._fail(error, now())  # a cancellation of somebody else's as well: no lease may outlive its rounds
            waits = any(lease.waits for lease in self._all.values())
            next_at = self._until(now() + (SECONDS / 6 if waits else SECONDS / 4))
            await wait(self._more, max(next_at - now(), 0))

    def _until(self, latest: float) -> float:
        """Until when everything that is held is surely ours, as far as it matters."""
        return min([latest, *(lease.until for lease in self._all.values() if lease.held)])

    async def _round(self, until: float) -> None:
        """Takes what is waited for and free, renews what is held, lets go what is another process's share."""
        everything = list(self._all.values())
        asked = [lease for lease in everything if lease.held or (lease.waits and lease.share_of == 1)]
        ours = await self._take([lease.name for lease in asked])
        for lease in asked:
            if lease.name in ours:
                await self._grant(lease, until)
            elif lease.held:
                _lose(lease)
        for kind, total in {_kind(lease.name): lease.share_of for lease in everything if lease.share_of > 1}.items():
            await self._share(kind, total, until)

    async def _share(self, kind: str, total: int, until: float) -> None:
        """Takes what is missing of this process's share, lets go what is more."""
        over = await self.over(kind, total)
        for lease in [lease for name, lease in self._all.items() if _kind(name) == kind]:
            if over < 0 and lease.waits and await self.take(lease.name):
                await self._grant(lease, until)
                over += 1
            elif over > 0 and lease.held:
                logger.info("lease let go for another process", name=lease.name)
                self._leaving.add(lease.name)
                lease.lost.set()
                over -= 1

    async def _grant(self, lease: _Lease, until: float) -> None:
        if self._all.get(lease.name) is lease:
            lease.until = until
            lease.taken.set()
        elif lease.name not in self._all:  # nobody waits for it any more
            await self.release(lease.name)

    def _fail(self, error: BaseException, now: float) -> None:
        """A round that failed: what may be another's by now is lost. Waiting goes on only where it helps."""
        transient = is_transient(error)
        if not transient:
            logger.error("leases can't be taken or renewed", exc_info=error)
        for lease in self._all.values():
            if lease.held and (not transient or lease.until <= now):
                _lose(lease)
            elif lease.waits and not transient:
                lease.error = error
                lease.taken.set()

    async def _take(self, names: Sequence[str]) -> set[str]:
        if not names:
            return set()
        return {row["name"] for row in await self._pool.fetch(TAKE, names, self.owner, SECONDS)}


def _lose(lease: _Lease) -> None:
    logger.warning("lease lost", name=lease.name)
    lease.lost.set()


def _kind(name: str) -> str:
    return name.rpartition("/")[0] + "/"
