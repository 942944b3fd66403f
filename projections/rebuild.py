"""Makes a projection anew beside the live tables, and puts the new ones in their place.

    prepare   tables `NAME_next` and a row a bucket; a rebuild begun before by the same version is taken up again
    fill      workers claim buckets (row locks: a dead one's bucket is free at once), fold all orders of one, write its
              rows and its row's position in one transaction
    finish    one process at a time: catch up with what was appended since, stop the followers by locking their progress
              rows, catch up once more, swap. Locks are asked for 100 ms, then given back and asked for again.

The generation rises with the swap, so that a follower of the old tables loses its compare-and-set. Any crash before the
swap's commit leaves the live tables as they are, and the buckets done stay done.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeAlias

import asyncpg

from events.log import COLUMNS, Log, recorded
from events.recorded import Recorded
from projections.follow import BATCH, TOUCHED, begin
from projections.projection import BUCKETS, Projection, belongs, make_all
from projections.store import BESIDE, Connection, Pool, write

Progress: TypeAlias = Callable[[int, int], None]
Connect: TypeAlias = Callable[[], Awaitable[Pool]]

# One process prepares or finishes a projection's rebuild; another waits its turn.
ALONE = "SELECT name FROM okno.projections WHERE name = $1 FOR UPDATE"

# The live tables' generation.
GENERATION = "SELECT max(generation) FROM okno.projection_progress WHERE projection = $1"

# A rebuild under way that may be taken up again.
RESUMABLE = """
SELECT count(*) = $4 FROM okno.projection_rebuilds WHERE projection = $1 AND generation = $2 AND version = $3
"""

# Forgets a rebuild under way.
FORGET = "DELETE FROM okno.projection_rebuilds WHERE projection = $1"
FORGET_FAILURES = "DELETE FROM okno.projection_failures WHERE projection = $1 AND generation <> $2"

# All buckets, to do.
PLAN = """
INSERT INTO okno.projection_rebuilds (projection, bucket, generation, version)
SELECT $1, n, $2, $3 FROM generate_series(0, $4::integer - 1) AS n
"""

# A bucket to do that nobody works on.
CLAIM = """
SELECT bucket, generation FROM okno.projection_rebuilds WHERE projection = $1 AND position IS NULL
ORDER BY bucket LIMIT 1 FOR UPDATE SKIP LOCKED
"""
DONE = "UPDATE okno.projection_rebuilds SET position = $3 WHERE projection = $1 AND bucket = $2"

# Where the log ends.
HEAD = "SELECT position FROM okno.head WHERE log_id = 0"

# Every event of a bucket's orders; marks sent under a document count for the order it was linked to. An order's first
# version stands for the order.
BUCKET = f"""
SELECT e.order_key AS owner, {COLUMNS} FROM okno.events e WHERE e.bucket = $1 AND left(e.order_key, 3) <> '1c/'
UNION ALL
SELECT d.order_key, {", ".join("e." + column for column in COLUMNS.split(", "))}
FROM okno.events o JOIN okno.documents d ON d.order_key = o.order_key
JOIN okno.events e ON e.order_key = '1c/' || d.document_id
WHERE o.bucket = $1 AND o.version = 1
ORDER BY position
"""  # noqa: S608

# How far a rebuild is.
COUNT = "SELECT count(position) AS done, count(*) AS total FROM okno.projection_rebuilds WHERE projection = $1"
REACHED = "SELECT bucket, generation, position FROM okno.projection_rebuilds WHERE projection = $1"

# Stops the followers.
STOP = "SELECT position FROM okno.projection_progress WHERE projection = $1 ORDER BY slice FOR UPDATE"

# Starts them again on the new tables.
START = "UPDATE okno.projection_progress SET generation = $2, position = $3 WHERE projection = $1"
VERSION = "UPDATE okno.projections SET version = $2 WHERE name = $1"


def silent(done: int, total: int) -> None:
    """Shows no progress."""


async def rebuild(
    pool: Pool, log: Log, projection: Projection, *, workers: int = 1, progress: Progress = silent,
    connect: Connect | None = None,
) -> None:  # fmt: skip
    """Rebuilds and swaps; may be interrupted anywhere and run again, also by several processes at once.

    `workers` share the buckets: processes where `connect` (picklable; opens a pool) is given, else tasks, which overlap
    only the waiting for Postgres.
    """
    await begin(pool, [projection])
    await prepare(pool, projection)
    if workers > 1 and connect is not None:
        await _fill_apart(projection, workers, connect, pool, progress)
    await asyncio.gather(*(fill(pool, projection, progress) for _ in range(workers)))
    await _finish(pool, log, projection)


async def prepare(pool: Pool, projection: Projection) -> None:
    """Makes the tables beside, unless there is a rebuild to take up again."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = 0")
        await connection.fetchval(ALONE, projection.name)
        generation = 1 + await connection.fetchval(GENERATION, projection.name)
        if await connection.fetchval(RESUMABLE, projection.name, generation, projection.version, BUCKETS):
            return
        await connection.execute(FORGET, projection.name)
        await connection.execute(FORGET_FAILURES, projection.name, generation - 1)
        for table in projection.tables:
            await connection.execute(f"DROP TABLE IF EXISTS okno.{table.name}{BESIDE}")
            await connection.execute(f"CREATE TABLE okno.{table.name}{BESIDE} (LIKE okno.{table.name} INCLUDING ALL)")
        await connection.execute(PLAN, projection.name, generation, projection.version, BUCKETS)


async def fill(pool: Pool, projection: Projection, progress: Progress = silent) -> None:
    """Works off buckets until all are done, whoever does them."""
    while True:
        worked = await _one_bucket(pool, projection)
        row = await pool.fetchrow(COUNT, projection.name)
        assert row is not None
        progress(row["done"], row["total"])
        if row["done"] == row["total"]:
            return
        if not worked:  # the last ones are being worked on; a worker that dies leaves them to us
            await asyncio.sleep(0.2)


async def _one_bucket(pool: Pool, projection: Projection) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        claimed = await connection.fetchrow(CLAIM, projection.name)
        if claimed is None:
            return False
        head = await connection.fetchval(HEAD)
        histories = await bucket_histories(connection, claimed["bucket"])
        [made] = await make_all([projection], histories)
        await write(connection, projection, claimed["generation"], made, BESIDE)
        await connection.execute(DONE, projection.name, claimed["bucket"], head)
        return True


async def bucket_histories(connection: Connection, bucket: int) -> dict[str, list[Recorded]]:
    """The histories of all orders of a bucket."""
    histories: defaultdict[str, list[Recorded]] = defaultdict(list)
    for row in await connection.fetch(BUCKET, bucket):
        histories[row["owner"]].append(recorded(row))
    return histories


async def _fill_apart(projection: Projection, workers: int, connect: Connect, pool: Pool, progress: Progress) -> None:
    """`fill` in processes of their own."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes:
        running = [loop.run_in_executor(processes, _work, projection, connect) for _ in range(workers)]
        waiting: set[asyncio.Future[None]] = set(running)
        while waiting:
            _, waiting = await asyncio.wait(waiting, timeout=0.2)
            row = await pool.fetchrow(COUNT, projection.name)
            assert row is not None
            progress(row["done"], row["total"])
        await asyncio.gather(*running)


def _work(projection: Projection, connect: Connect) -> None:
    async def work() -> None:
        pool = await connect()
        try:
            await fill(pool, projection)
        finally:
            await pool.close()

    asyncio.run(work())


async def _finish(pool: Pool, log: Log, projection: Projection) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = 0")
        await connection.fetchval(ALONE, projection.name)
        buckets = await connection.fetch(REACHED, projection.name)
        if not buckets:
            return  # another process has swapped
        reached = {row["bucket"]: row["position"] for row in buckets}
        beside = _Beside(connection, log, projection, buckets[0]["generation"], reached)
        await beside.catch_up()
        while not await beside.swap():
            await asyncio.sleep(0.1)
            await beside.catch_up()


class _Beside:
    """Filled tables on their way to being the live ones. `reached`: up to where each bucket was filled."""

    def __init__(
        self, connection: Connection, log: Log, projection: Projection, generation: int, reached: dict[int, int]
    ) -> None:
        self._connection, self._log, self._projection = connection, log, projection
        self._generation, self._reached = generation, reached
        self._position = min(reached.values())

    async def catch_up(self) -> None:
        """Replaces the rows of orders touched since they were filled."""
        while events := await self._connection.fetch(TOUCHED, self._position, BATCH):
            touched = {
                event["order_key"]
                for event in events
                if belongs(event["order_key"]) and event["position"] > self._reached[event["bucket"]]
            }
            [made] = await make_all([self._projection], await self._log.histories(touched))
            await write(self._connection, self._projection, self._generation, made, BESIDE)
            self._position = events[-1]["position"]

    async def swap(self) -> bool:
        """Puts the new tables in the live ones' place; False where somebody holds those for longer than 100 ms."""
        connection, name = self._connection, self._projection.name
        position = self._position
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '100ms'")
                await connection.execute(STOP, name)
                await self.catch_up()
                for table in self._projection.tables:
                    await connection.execute(f"DROP TABLE okno.{table.name}")
                    await connection.execute(f"ALTER TABLE okno.{table.name}{BESIDE} RENAME TO {table.name}")
                await connection.execute(START, name, self._generation, self._position)
                await connection.execute(VERSION, name, self._projection.version)
                await connection.execute(FORGET, name)
                await connection.execute(FORGET_FAILURES, name, self._generation)
        except asyncpg.LockNotAvailableError:
            self._position = position  # what was caught up inside went back with the transaction
            return False
        return True
