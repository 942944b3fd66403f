"""Fills a rebuild's tables: workers, tasks or processes, share the buckets until none is left to do.

A bucket is claimed, filled and marked within one transaction. A worker that dies at any line of it leaves the bucket as
it was, and free at once. A process whose parent has died stops behind the bucket it works on.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.context import SpawnProcess
from typing import TypeAlias

import msgspec

from projections.bucket import fill_bucket
from projections.differences import Difference, Found
from projections.projection import Projection
from projections.store import Pool

Connect: TypeAlias = Callable[[], Awaitable[Pool]]

# A bucket to do that nobody works on.
CLAIM = """
SELECT bucket FROM okno.projection_rebuilds
WHERE projection = $1 AND generation = $2 AND code = $3 AND position IS NULL
ORDER BY bucket LIMIT 1 FOR UPDATE SKIP LOCKED
"""
DONE = "UPDATE okno.projection_rebuilds SET position = $3 WHERE projection = $1 AND bucket = $2"

# Where the log ends.
HEAD = "SELECT position FROM okno.head WHERE log_id = 0"

# How far a rebuild is.
COUNT = """
SELECT count(position) AS done, count(*) AS total FROM okno.projection_rebuilds
WHERE projection = $1 AND generation = $2 AND code = $3
"""


class Work(msgspec.Struct, frozen=True):
    """One rebuild: of what, as which generation of its tables, and by which code."""

    projection: Projection
    generation: int
    code: str


class Report:
    """Who watches a rebuild; this one looks away."""

    def stage(self, what: str) -> None:
        """What is done now: filling, indexing, catching up, comparing, swapping, or waiting for readers to swap."""

    def progress(self, done: int, total: int) -> None:
        """Buckets filled of all; each holds an equal part of the orders."""

    def difference(self, one: Difference) -> None:
        """One value that differs, in the order of the orders."""

    def compared(self, found: Found) -> None:
        """All differences were told; nothing is swapped yet."""


async def fill(pool: Pool, work: Work, report: Report, *, until: Callable[[], bool] = lambda: False) -> None:
    """Works off buckets until none is left to do, whoever does them, or until told to stop."""
    while not until():
        worked = await _one_bucket(pool, work)
        if await _told(pool, work, report):
            return
        if not worked:  # the last ones are being worked on; a worker that dies leaves them to us
            await asyncio.sleep(0.2)


async def fill_apart(pool: Pool, work: Work, report: Report, workers: int, connect: Connect) -> None:
    """`fill` in processes of their own; what those that died have left undone is the caller's to do."""
    spawn = get_context("spawn")
    processes = [spawn.Process(target=_process, args=(work, connect), daemon=True) for _ in range(workers)]
    # Ctrl-C reaches the whole group: it is ours, and we end them. They inherit that from their first instruction on.
    # The tracker, which the first of them would start, lets it through again behind itself.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for process in processes:
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        while any(process.is_alive() for process in processes):
            await _told(pool, work, report)
            await asyncio.sleep(0.2)
    finally:
        _end(processes)


def _end(processes: list[SpawnProcess]) -> None:
    """Ends them where the caller was interrupted; else they have ended."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


async def _told(pool: Pool, work: Work, report: Report) -> bool:
    """Tells how far it is; whether all is done."""
    row = await pool.fetchrow(COUNT, work.projection.name, work.generation, work.code)
    assert row is not None
    report.progress(row["done"], row["total"])
    return bool(row["done"] == row["total"])


async def _one_bucket(pool: Pool, work: Work) -> bool:
    projection = work.projection
    async with pool.acquire() as connection, connection.transaction():
        bucket = await connection.fetchval(CLAIM, projection.name, work.generation, work.code)
        if bucket is None:
            return False
        head = await connection.fetchval(HEAD)  # before the events are read: what comes later is caught up with
        await fill_bucket(connection, projection, work.generation, bucket)
        await connection.execute(DONE, projection.name, bucket, head)
        return True


def _process(work: Work, connect: Connect) -> None:
    parent = parent_process()

    async def run() -> None:
        pool = await connect()
        try:
            await fill(pool, work, Report(), until=lambda: parent is not None and not parent.is_alive())
        finally:
            await pool.close()

    asyncio.run(run())
