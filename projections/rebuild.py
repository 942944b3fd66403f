"""Makes a projection anew beside the live tables, and puts the new ones in their place.

    prepare   tables `NAME_next` and a row a bucket; a rebuild begun before by the same version is taken up again
    fill      workers claim buckets (row locks: a dead one's bucket is free at once), fold all orders of one, write its
              rows and its row's position in one transaction
    finish    one process at a time: catch up with what was appended since, stop the followers by locking their progress
              rows, catch up once more, swap. Locks are asked for 100 ms, then given back and asked for again.

The generation rises with the swap, so that a follower of the old tables loses its compare-and-set. Any crash before the
swap's commit leaves the live tables as they are, and the buckets done stay done. Whoever works on a rebuild names its
generation and version: where another version's rebuild has taken its place, he finds no more buckets and stops.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from multiprocessing import get_context
from typing import TypeAlias

from events.log import COLUMNS, Log, recorded
from events.recorded import Recorded
from projections.follow import begin
from projections.projection import BUCKETS, Projection, make_all
from projections.store import BESIDE, Connection, Pool, write
from projections.swap import FORGET, FORGET_FAILURES, Beside

Progress: TypeAlias = Callable[[int, int], None]
Connect: TypeAlias = Callable[[], Awaitable[Pool]]

# One process prepares or finishes a projection's rebuild; another waits its turn.
ALONE = "SELECT name FROM okno.projections WHERE name = $1 FOR UPDATE"

# The live tables' generation, and the version that made them.
LIVE = """
SELECT max(p.generation) AS generation, min(n.version) AS version
FROM okno.projection_progress p JOIN okno.projections n ON n.name = p.projection WHERE p.projection = $1
"""

# A rebuild under way that may be taken up again.
RESUMABLE = """
SELECT count(*) = $4 FROM okno.projection_rebuilds WHERE projection = $1 AND generation = $2 AND version = $3
"""

# All buckets, to do.
PLAN = """
INSERT INTO okno.projection_rebuilds (projection, bucket, generation, version)
SELECT $1, n, $2, $3 FROM generate_series(0, $4::integer - 1) AS n
"""

# A bucket to do that nobody works on.
CLAIM = """
SELECT bucket FROM okno.projection_rebuilds
WHERE projection = $1 AND generation = $2 AND version = $3 AND position IS NULL
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
COUNT = """
SELECT count(position) AS done, count(*) AS total FROM okno.projection_rebuilds
WHERE projection = $1 AND generation = $2 AND version = $3
"""
REACHED = """
SELECT bucket, position FROM okno.projection_rebuilds WHERE projection = $1 AND generation = $2 AND version = $3
"""


TURN_SECONDS = 86_400.0
"""How long a process waits while another prepares or finishes the same rebuild."""


class RebuildReplaced(Exception):
    """A program of another version began a rebuild of its own meanwhile: the live tables are not of this version."""


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
    generation = await prepare(pool, projection)
    if workers > 1 and connect is not None:
        await _fill_apart(pool, projection, generation, workers, connect, progress)
    await asyncio.gather(*(fill(pool, projection, generation, progress) for _ in range(workers)))
    await _finish(pool, log, projection, generation)


async def prepare(pool: Pool, projection: Projection) -> int:
    """Makes the tables beside, unless there is a rebuild to take up again; the generation they will be."""
    async with _alone(pool, projection) as connection:
        live = await connection.fetchrow(LIVE, projection.name)
        assert live is not None
        generation: int = live["generation"] + 1
        if await connection.fetchval(RESUMABLE, projection.name, generation, projection.version, BUCKETS):
            return generation
        await connection.execute(FORGET, projection.name)
        await connection.execute(FORGET_FAILURES, projection.name, live["generation"])
        for table in projection.tables:
            await connection.execute(f"DROP TABLE IF EXISTS okno.{table.name}{BESIDE}")
            await connection.execute(f"CREATE TABLE okno.{table.name}{BESIDE} (LIKE okno.{table.name} INCLUDING ALL)")
        await connection.execute(PLAN, projection.name, generation, projection.version, BUCKETS)
    return generation


async def fill(pool: Pool, projection: Projection, generation: int, progress: Progress = silent) -> None:
    """Works off buckets until none is left to do, whoever does them."""
    while True:
        worked = await _one_bucket(pool, projection, generation)
        if await _told(pool, projection, generation, progress):
            return
        if not worked:  # the last ones are being worked on; a worker that dies leaves them to us
            await asyncio.sleep(0.2)


async def _told(pool: Pool, projection: Projection, generation: int, progress: Progress) -> bool:
    """Tells how far it is; whether all is done."""
    row = await pool.fetchrow(COUNT, projection.name, generation, projection.version)
    assert row is not None
    progress(row["done"], row["total"])
    return bool(row["done"] == row["total"])


async def _one_bucket(pool: Pool, projection: Projection, generation: int) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        bucket = await connection.fetchval(CLAIM, projection.name, generation, projection.version)
        if bucket is None:
            return False
        head = await connection.fetchval(HEAD)
        histories = await bucket_histories(connection, bucket)
        [made] = await make_all([projection], histories)
        await write(connection, projection, generation, made, BESIDE)
        await connection.execute(DONE, projection.name, bucket, head)
        return True


async def bucket_histories(connection: Connection, bucket: int) -> dict[str, list[Recorded]]:
    """The histories of all orders of a bucket."""
    histories: defaultdict[str, list[Recorded]] = defaultdict(list)
    for row in await connection.fetch(BUCKET, bucket):
        histories[row["owner"]].append(recorded(row))
    return histories


async def _fill_apart(
    pool: Pool, projection: Projection, generation: int, workers: int, connect: Connect, progress: Progress
) -> None:
    """`fill` in processes of their own; what one that died has left undone is the caller's to do."""
    spawn = get_context("spawn")
    work = (projection, generation, connect)
    processes = [spawn.Process(target=_work, args=work, daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    try:
        while any(process.is_alive() for process in processes):
            await _told(pool, projection, generation, progress)
            await asyncio.sleep(0.2)
    finally:
        for process in processes:
            process.terminate()  # where we were interrupted; else it has ended
            process.join()


def _work(projection: Projection, generation: int, connect: Connect) -> None:
    async def work() -> None:
        pool = await connect()
        try:
            await fill(pool, projection, generation)
        finally:
            await pool.close()

    asyncio.run(work())


@asynccontextmanager
async def _alone(pool: Pool, projection: Projection) -> AsyncIterator[Connection]:
    """A transaction in which no other process prepares or finishes; waits for as long as one does."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = 0")
        await connection.fetchval(ALONE, projection.name, timeout=TURN_SECONDS)
        yield connection


async def _finish(pool: Pool, log: Log, projection: Projection, generation: int) -> None:
    async with _alone(pool, projection) as connection:
        buckets = await connection.fetch(REACHED, projection.name, generation, projection.version)
        reached = {row["bucket"]: row["position"] for row in buckets}
        if not reached or None in reached.values():
            live = await connection.fetchrow(LIVE, projection.name)
            assert live is not None
            if live["generation"] < generation or live["version"] != projection.version:
                raise RebuildReplaced(f"{projection.name} was taken over by a program of another version")
            return  # another process has swapped
        beside = Beside(connection, log, projection, generation, reached)
        await beside.catch_up()
        await beside.analyze()
        while not await beside.swap():
            await asyncio.sleep(0.1)
            await beside.catch_up()
