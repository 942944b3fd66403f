"""Whether the log was restored from a backup, and what follows from it.

A log that is behind what marketplaces and 1C were told looks like any other. So each hub keeps a witness beside the
database, a file under its data folder that says how far it has seen the log. It is looked at before anything is sent,
and every few seconds, for Postgres may also fail over to a copy that lacks the last moments:

    another first seal           another log, or none yet: it has a witness of its own, and nothing is amiss
    a higher epoch               somebody has said already that the log was restored
    further, over the same seal  it has grown
    else                         it was restored

Then the log's epoch rises, notes of attempts are forgotten, and for some time each command is read back before its
first try (`okno.restored`, `attempts.EXPECT`). If the process dies before that is committed, the next one finds the
same; after it, it finds the higher epoch. The file is replaced whole, never written into.

Where the data folder went with the database, nobody can know: then `okno restored` says it.
"""

import asyncio
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import structlog

from events.log import LogUnavailable, waits
from service.attempts import DOUBT
from service.database import Pool

logger = structlog.get_logger()

FOLDER = "witness"
LOOK_SECONDS = 3.0
"""What a hub that was killed may have sent unseen: its witness is as old as this."""

# How far the log is, in the order of `Witness`, behind its first seal; no row for a log that never began.
NOW = """
SELECT encode(s.seal, 'hex') AS first, h.position, h.links, encode(h.seal, 'hex') AS seal, h.epoch
FROM okno.head h JOIN okno.seals s ON s.number = 1 WHERE h.log_id = 0
"""

# The seal of a link.
LINK = "SELECT encode(seal, 'hex') FROM okno.seals WHERE number = $1"

# Says that the log was restored; see sql/0006_restores.sql.
RESTORED = "SELECT okno.restored($1, $2)"

# Whether a hub is at work over this database.
AT_WORK = "SELECT EXISTS (SELECT FROM okno.leases WHERE leased_until > clock_timestamp())"


class Witness(msgspec.Struct, frozen=True):
    """How far a log was seen: its head's position, the number of its links, the last one's seal, its epoch."""

    position: int
    link: int
    seal: str
    epoch: int


def was_restored(kept: Witness | None, now: Witness, there: str | None) -> bool:
    """Whether a log is not the one that was seen, gone on; `there` is its seal now where the witness's was."""
    if kept is None or now.epoch > kept.epoch:
        return False
    return now.epoch < kept.epoch or there != kept.seal


class Watch:
    """Keeps the witnesses under a data folder."""

    def __init__(self, pool: Pool, data_dir: Path) -> None:
        self._pool, self._folder = pool, data_dir / FOLDER
        self._written: tuple[str, Witness] | None = None
        self._warned = False

    async def begin(self) -> None:
        """Looks before anything is sent; waits for Postgres."""
        looked = False
        while not looked:
            try:
                await self.look()
                looked = True
            except LogUnavailable as error:
                logger.warning("the witness waits for Postgres", error=str(error))
                await asyncio.sleep(1)

    async def run(self) -> None:
        """Looks until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                with suppress(LogUnavailable):
                    await self.look()
        finally:
            with suppress(LogUnavailable, TimeoutError):
                async with asyncio.timeout(1):
                    await self.look()

    @waits
    async def look(self) -> bool:
        """Compares the log with its witness, does what follows where it was restored, and keeps a new one; whether it
        was."""
        found = await self._now()
        if found is None:
            if not self._warned and next(self._folder.glob("*.json"), None) is not None:
                logger.warning("the log is empty; this data folder has seen one: if it was lost, restore its backup")
                self._warned = True
            return False
        first, now = found
        if self._written == (first, now):
            return False
        kept = self._written[1] if self._written is not None and self._written[0] == first else self._read(first)
        if kept is None:
            logger.info("a log this data folder has not seen before", first_seal=first, position=now.position)
        there = await self._pool.fetchval(LINK, kept.link) if kept is not None else None
        restored = kept is not None and was_restored(kept, now, there)
        if kept is not None and restored:
            logger.error(
                "the log was restored from a backup: it is behind what was told, so each command is read back first",
                position=now.position, epoch=now.epoch, seen_to=kept.position, seen_epoch=kept.epoch,
            )  # fmt: skip
            await self._pool.execute(RESTORED, now.epoch, kept.epoch)
            first, now = await self._now() or found
        await self._keep(first, now)
        return restored

    @waits
    async def say(self) -> tuple[int, timedelta] | None:
        """Says for a log that nobody works on that it was restored: its new epoch, and for how long everything is read
        before it is told; None where a hub is at work."""
        if await self._pool.fetchval(AT_WORK):
            return None
        epoch = await self._pool.fetchval("SELECT epoch FROM okno.head WHERE log_id = 0")
        found = await self._now()
        kept = self._read(found[0]) if found is not None else None
        await self._pool.execute(RESTORED, epoch, kept.epoch if kept is not None else 0)
        found = await self._now()
        if found is not None:
            await self._keep(*found)
        return await self._pool.fetchval("SELECT epoch FROM okno.head WHERE log_id = 0"), DOUBT

    async def _now(self) -> tuple[str, Witness] | None:
        row = await self._pool.fetchrow(NOW)
        return None if row is None else (row["first"], Witness(*list(row.values())[1:]))

    def _path(self, first: str) -> Path:
        return self._folder / f"{first[:32]}.json"

    def _read(self, first: str) -> Witness | None:
        path = self._path(first)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Witness)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            logger.warning("the witness can't be read; if the log was restored: okno restored", error=str(error))
            return None

    async def _keep(self, first: str, now: Witness) -> None:
        try:
            await asyncio.to_thread(_replace, self._path(first), msgspec.json.encode(now))
            self._written = first, now
        except OSError as error:
            logger.warning("the witness can't be written: a restored log would not be noticed", error=str(error))


def _replace(path: Path, content: bytes) -> None:
    """Puts a file in another's place; a process killed in between, or a power cut, leaves the one or the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    with unfinished.open("wb") as file:
        file.write(content + b"\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
