"""How fast batches are appended: `python -m tests.benchmarks.append [--history N] [--batches N] [--url URL]`.

The reference is one plain INSERT … SELECT unnest of the same rows, as they lie in the end, into plain tables with the
same columns and indexes: events, raw bodies, personal data and a seal in one commit, with nothing hashed, compared,
numbered or sealed. Each batch is appended and then inserted, so that what else the machine does slows both; the medians
count. Measured on an empty database, and again with a history in both.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import asyncpg

from events.log import Log
from events.recorded import NewEvent
from service.database import close, open_pool
from tests.benchmarks.figures import postgres
from tests.benchmarks.fill import BATCH
from tests.benchmarks.histories import ABREAST, events
from tests.servers import BODY_KEY

SIZES = (1, 100, 500)
WARM = 10
"""Batches before those that count: plans and caches are made by then."""

TABLES = {
    "events": "position, order_key, version, type, source, id, cause, actor, occurred_at, recorded_at, bucket, "
    "id_reused, digest, data, body_hash, hash",
    "bodies": "position, order_key, body",
    "personal": "position, order_key, data",
    "documents": "document_id, order_key",
    "seals": "last_position, first_position, seal, recorded_at, number, root",
}
TYPES = {
    "events": "bigint[], text[], integer[], text[], text[], text[], bigint[], text[], timestamptz[], timestamptz[], "
    "smallint[], boolean[], bytea[], bytea[], bytea[], bytea[]",
    "bodies": "bigint[], text[], bytea[]",
    "personal": "bigint[], text[], bytea[]",
    "documents": "text[], text[]",
    "seals": "bigint[], bigint[], bytea[], timestamptz[], bigint[], bytea[]",
}
SINCE = {
    "events": "position > $1", "bodies": "position > $1", "personal": "position > $1", "seals": "last_position > $1",
    "documents": "order_key IN (SELECT order_key FROM okno.events WHERE position > $1 AND type = 'order.registered')",
}  # fmt: skip
"""Which rows of a table came behind a position."""


def plain() -> str:
    """The one statement that inserts all rows of a batch."""
    inserts, first = [], 1
    for table, columns in TABLES.items():
        types = TYPES[table].split(", ")
        arrays = ", ".join(f"${first + n}::{type}" for n, type in enumerate(types))
        inserts.append(f"INSERT INTO plain.{table} ({columns}) SELECT * FROM unnest({arrays})")
        first += len(types)
    *steps, last = inserts
    return "WITH " + ", ".join(f"step_{n} AS ({step})" for n, step in enumerate(steps)) + " " + last


@asynccontextmanager
async def database(url: str) -> AsyncIterator[str]:
    """A database of its own; its URL."""
    name, admin = "okno_benchmark_append", await asyncpg.connect(url)
    try:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.execute(f"CREATE DATABASE {name}")
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""  # urlunsplit would drop the empty authority of a socket's URL
        yield f"{parts.scheme}://{parts.netloc}/{name}{query}"
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


class Sides:
    """The log, and beside it the plain tables, with the same rows in both."""

    def __init__(self, log: Log, owner: asyncpg.Connection, made: Iterator[NewEvent]) -> None:
        self._log, self._owner, self._made = log, owner, made
        self._statement = plain()

    async def filled(self, history: int) -> None:
        """Makes the plain tables, and brings both to so many events."""
        head = await self._log.head()
        for _ in range(head.position, history, BATCH):
            await self._log.append(list(islice(self._made, BATCH)))
        if not head.position:
            await self._owner.execute("CREATE SCHEMA plain")
        for table, columns in TABLES.items():
            if not head.position:
                await self._owner.execute(f"CREATE TABLE plain.{table} (LIKE okno.{table} INCLUDING INDEXES)")
            await self._owner.execute(
                f"INSERT INTO plain.{table} ({columns}) SELECT {columns} FROM okno.{table} ON CONFLICT DO NOTHING"
            )
        await self._owner.execute("VACUUM ANALYZE")
        await self._owner.execute("CHECKPOINT")

    async def batch(self, size: int) -> tuple[float, float]:
        """Seconds of an append and of the plain insert of the same rows."""
        batch, before = list(islice(self._made, size)), (await self._log.head()).position
        began = time.perf_counter()
        outcomes = await self._log.append(batch)
        appended = time.perf_counter() - began
        assert all(one.outcome == "appended" for one in outcomes)
        arguments = list[Sequence[object]]()
        for table, columns in TABLES.items():
            query = f"SELECT {columns} FROM okno.{table} WHERE {SINCE[table]}"
            rows = await self._owner.fetch(query, before)
            arguments += zip(*rows, strict=True) if rows else [()] * len(TYPES[table].split(", "))
        began = time.perf_counter()
        await self._owner.execute(self._statement, *arguments)
        return appended, time.perf_counter() - began


async def measure(url: str, histories: Sequence[int], batches: int) -> None:
    """Prints a line for each history and size of batches."""
    pool, owner = await open_pool(url, size=2), await asyncpg.connect(url)
    try:
        sides = Sides(Log(pool, BODY_KEY), owner, events(1, 1, ABREAST))
        for history in histories:
            await sides.filled(history)
            for size in SIZES:
                taken = [await sides.batch(size) for _ in range(WARM + batches)][WARM:]
                append, insert = (median(one) for one in zip(*taken, strict=True))
                print(
                    f"{history:>9,} events before, batches of {size:>3}: append {size / append:,.0f} events/s, "
                    f"plain INSERT {size / insert:,.0f}/s, ratio {insert / append:.2f}",
                    flush=True,
                )
    finally:
        await owner.close()
        await close(pool)


async def _main(url: str | None, histories: Sequence[int], batches: int) -> None:
    if url is not None:
        async with database(url) as own:
            await measure(own, histories, batches)
        return
    with tempfile.TemporaryDirectory(prefix="okno-append-") as folder:
        Path(folder).chmod(0o711)  # root's Postgres runs as another user
        async with postgres(Path(folder)) as own:
            await measure(own, histories, batches)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--history", type=int, nargs="+", default=[0, 300_000])
    parser.add_argument("--batches", type=int, default=60)
    given = parser.parse_args()
    asyncio.run(_main(given.url, given.history, given.batches))


if __name__ == "__main__":
    main()
