"""How fast batches are appended: `bin/benchmark append [--history N…] [--batches N]`.

The reference is one plain INSERT … SELECT unnest of the same rows, as they lie in the end, into plain tables with the
same columns and indexes: events, raw bodies, personal data and a seal in one commit, with nothing hashed, compared,
numbered or sealed. Each batch is appended and then inserted, so that what else the machine does slows both; the medians
count. Measured on an empty database, and again with a history in both.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from statistics import median

import asyncpg

from events.log import Log
from events.recorded import NewEvent
from service.database import close, open_pool
from tests.benchmarks.figures import Figures, database, parser, servers
from tests.benchmarks.fill import BATCH
from tests.benchmarks.histories import ABREAST, events
from tests.servers import BODY_KEY

SIZES = (1, 100, 500)
REACH = 0.8
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


async def measure(url: str, figures: Figures, histories: Sequence[int], batches: int) -> None:
    """Says a figure for each history and size of batches."""
    pool, owner = await open_pool(url, size=2), await asyncpg.connect(url)
    try:
        sides = Sides(Log(pool, BODY_KEY), owner, events(1, 1, ABREAST))
        for history in histories:
            await sides.filled(history)
            for size in SIZES:
                taken = [await sides.batch(size) for _ in range(WARM + batches)][WARM:]
                append, insert = (median(one) for one in zip(*taken, strict=True))
                figures.add(
                    f"batches of {size}, {history:,} events before", size / append, "events/s",
                    reference=size / insert, against="plain INSERT", reach=REACH if size > 1 else None,
                )  # fmt: skip
                if size == 1:
                    figures.add(
                        f"one event, {history:,} events before", append * 1000, "ms", reference=insert * 1000,
                        against="plain INSERT", at_most=True,
                    )  # fmt: skip
    finally:
        await owner.close()
        await close(pool)


async def _main(given: argparse.Namespace) -> None:
    figures = Figures("append", given.json)
    async with servers(given) as (url,), database(url, "okno_benchmark_append") as own:
        await measure(own, figures, given.history, given.batches)


def main() -> None:
    """From the command line."""
    options = parser(__doc__)
    options.add_argument("--history", type=int, nargs="+", default=[0, 300_000])
    options.add_argument("--batches", type=int, default=60)
    asyncio.run(_main(options.parse_args()))


if __name__ == "__main__":
    main()
