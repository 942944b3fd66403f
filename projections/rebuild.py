"""Makes a projection anew beside the live tables, shows what differs, and puts the new ones in their place.

    prepare   tables `NAME_next` and a row a bucket; a rebuild begun before by the same code is taken up again
    fill      workers claim buckets (row locks: a dead one's bucket is free at once), fold all orders of one, write its
              rows and its row's position in one transaction
    finish    one process at a time: make the indexes, catch up with what was appended since, compare. A check ends
              here. Else stop the followers by locking their progress rows, catch up once more, swap. Locks are asked
              for 100 ms, then given back and asked for again.

The generation rises with the swap, so that a follower of the old tables loses its compare-and-set. Any crash before the
swap's commit leaves the live tables as they are, and what was committed beside is gone on with: buckets filled, indexes
made, events caught up with. What a check found different it keeps, for the rebuild that follows. Whoever works on a
rebuild names its generation and the fingerprint of its code: where another code's rebuild has taken its place, he finds
no more buckets and stops.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from projections import shape
from projections.differences import Found, differences, seen
from projections.filling import Connect, Report, Work, fill, fill_apart
from projections.fingerprint import fingerprint
from projections.follow import begin
from projections.projection import BUCKETS, Projection
from projections.store import PATIENT, Connection, Pool
from projections.swap import FORGET, FORGET_FAILURES, Beside, make_tables

# One process prepares or finishes a projection's rebuild; another waits its turn. The lock falls with the connection.
TURN = "SELECT pg_advisory_lock(hashtext('okno.rebuild'), hashtext($1))"

# Whether another process waits for its turn.
WAITED_FOR = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND classid = hashtext('okno.rebuild')::oid AND objid = hashtext($1)::oid)
"""

# The live tables' generation, and the version that made them.
LIVE = """
SELECT max(p.generation) AS generation, min(n.version) AS version
FROM okno.projection_progress p JOIN okno.projections n ON n.name = p.projection WHERE p.projection = $1
"""

# A rebuild under way, its buckets and up to where each is filled.
UNDER_WAY = "SELECT generation, code, bucket, position FROM okno.projection_rebuilds WHERE projection = $1"

# All buckets, to do.
PLAN = """
INSERT INTO okno.projection_rebuilds (projection, bucket, generation, version, code)
SELECT $1, n, $2, $3, $4 FROM generate_series(0, $5::integer - 1) AS n
"""


class RebuildReplaced(Exception):
    """A program with other code began a rebuild of its own meanwhile, or has swapped."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of a rebuild. `found`: what differed before the swap; None where another process has swapped."""

    found: Found | None
    swapped: bool


async def rebuild(
    pool: Pool, projection: Projection, *, workers: int = 1, connect: Connect | None = None,
    report: Report | None = None, only_check: bool = False,
) -> Outcome:  # fmt: skip
    """Rebuilds, compares and swaps; may be interrupted anywhere and run again, also by several processes at once.

    `only_check` leaves the live tables alone and keeps what it filled where something differs. `workers` share the
    buckets: processes where `connect` (picklable; opens a pool) is given, else tasks, which overlap only the waiting
    for Postgres.
    """
    report = report or Report()
    while True:
        work = await prepare(pool, projection)
        report.stage("filling")
        if workers > 1 and connect is not None:
            await fill_apart(pool, work, report, workers, connect)
            await fill(pool, work, report)
        else:
            await asyncio.gather(*(fill(pool, work, report) for _ in range(workers)))
        outcome = await finish(pool, work, report, only_check=only_check)
        if outcome is not None:
            return outcome


async def prepare(pool: Pool, projection: Projection) -> Work:
    """Makes the tables beside, unless there is a rebuild to take up again; `OtherShape` where rows would not fit."""
    await begin(pool, [projection])
    code = fingerprint(projection)
    async with turn(pool, projection) as connection:
        await shape.refuse_unfit(connection, projection)
        live = await connection.fetchrow(LIVE, projection.name)
        assert live is not None
        work = Work(projection, live["generation"] + 1, code)
        rows = await connection.fetch(UNDER_WAY, projection.name)
        if {(row["generation"], row["code"]) for row in rows} == {(work.generation, code)} and len(rows) == BUCKETS:
            return work
        async with connection.transaction():
            await connection.execute(FORGET, projection.name)
            await connection.execute(FORGET_FAILURES, projection.name, live["generation"])
            await make_tables(connection, projection)
            await connection.execute(PLAN, projection.name, work.generation, projection.version, code, BUCKETS)
    return work


async def finish(pool: Pool, work: Work, report: Report, *, only_check: bool = False) -> Outcome | None:
    """Brings filled tables up to the log, compares, and swaps unless this is a check.

    None where there is nothing to finish: another process ended its check without a difference, say.
    """
    projection = work.projection
    async with turn(pool, projection) as connection:
        rows = await connection.fetch(UNDER_WAY, projection.name)
        reached = {row["bucket"]: row["position"] for row in rows if row["code"] == work.code}
        live = await connection.fetchrow(LIVE, projection.name)
        assert live is not None
        if live["generation"] >= work.generation:  # another process has swapped
            if live["version"] != projection.version:
                raise RebuildReplaced(f"{projection.name} was rebuilt by a program of another version")
            return Outcome(None, swapped=True)
        if rows and not reached:
            raise RebuildReplaced(f"a rebuild of {projection.name} by other code has begun: leave it to that one")
        if len(reached) < BUCKETS or None in reached.values():
            return None
        beside = Beside(connection, projection, work.generation, reached)
        await _ready(beside, report)
        found = await _compare(connection, work, report)
        if only_check:
            if not found.values and not await connection.fetchval(WAITED_FOR, projection.name):
                await beside.drop()  # else it is for who waits
            return Outcome(found, swapped=False)
        report.stage("swapping")
        await beside.catch_up()
        pause = 0.1
        while not await beside.swap():
            report.stage("waiting for who reads the live tables")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 2.0)  # those who read queue up behind each attempt
            await beside.catch_up()
    return Outcome(found, swapped=True)


async def _ready(beside: Beside, report: Report) -> None:
    report.stage("indexing")
    await beside.index()
    report.stage("catching up")
    await beside.catch_up()
    await beside.analyze()


async def _compare(connection: Connection, work: Work, report: Report) -> Found:
    """Tells every difference; counts values, and orders, which come one after the other."""
    report.stage("comparing")
    orders, values, last = 0, 0, ""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        position = await seen(connection, work.projection)
        async for one in differences(connection, work.projection, work.generation, position):
            orders, values, last = orders + (one.order != last), values + 1, one.order
            report.difference(one)
    found = Found(position, orders, values)
    report.compared(found)
    return found


@asynccontextmanager
async def turn(pool: Pool, projection: Projection) -> AsyncIterator[Connection]:
    """A connection while no other process prepares or finishes this projection; waits for as long as one does."""
    async with pool.acquire() as connection:
        try:
            await connection.execute("SET lock_timeout = 0")
            await connection.fetchval(TURN, projection.name, timeout=PATIENT)
            yield connection
        finally:
            await connection.close()  # its setting and its turn end with it, wherever it is cut off
