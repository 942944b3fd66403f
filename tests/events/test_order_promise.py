"""The log's order under many writers, while readers follow, and while connections are being killed."""

import asyncio
from collections import Counter

import asyncpg

from events.log import Log, LogUnavailable
from events.recorded import NewEvent, Recorded
from service.audit import verify
from service.database import Pool
from tests.events.said import new
from tests.servers import BODY_KEY

WRITERS, BATCHES, SIZE = 8, 25, 8
KILLS = 15


# Kills one connection of the hub's that is in the middle of something.
SHOOT = """
SELECT count(pg_terminate_backend(pid)) FROM (
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'okno' AND state = 'active'
      AND query LIKE '%append_batch%'
    ORDER BY random() LIMIT 1) AS one
"""


def batches(writer: int) -> list[list[NewEvent]]:
    """What one writer appends: to orders of its own and to one that all of them share."""
    return [
        [new(f"{writer}-{b}-{n}", order=f"shop/{(writer, 'all')[n % 2]}", body=b"raw") for n in range(SIZE)]
        for b in range(BATCHES)
    ]


async def insist(log: Log, batch: list[NewEvent]) -> None:
    """Appends until the log says what became of it, as the hub does."""
    while True:
        try:
            await log.append(batch)
        except LogUnavailable:
            await asyncio.sleep(0.01)
        else:
            return


async def follow(log: Log, until: int) -> list[Recorded]:
    """Reads by position only, as fast as it can."""
    seen: list[Recorded] = []
    while len(seen) < until:
        async for part in log.follow(seen[-1].position if seen else 0, limit=7):
            seen += part
        await asyncio.sleep(0)
    return seen


async def outcome(log: Log, event: NewEvent) -> str:
    """What becomes of one event."""
    try:
        return (await log.append([event]))[0].outcome
    except LogUnavailable:
        return "try again"


def unseen(done: int, total: int) -> None:
    """Progress nobody watches."""


def gapless(events: list[Recorded]) -> None:
    """Positions count from 1 without gaps, and so do the versions of each order, in the same order."""
    assert [e.position for e in events] == list(range(1, len(events) + 1))
    versions: Counter[str] = Counter()
    for event in events:
        versions[event.order] += 1
        assert event.version == versions[event.order]
    times = [e.recorded_at for e in events]
    assert times == sorted(times)


async def test_followers_miss_nothing_under_eight_writers(log: Log, pool: Pool) -> None:
    """What a reader has passed never appears behind it: each follower sees every event once, in one order."""
    total = WRITERS * BATCHES * SIZE

    async def write(writer: int) -> None:
        for batch in batches(writer):
            await log.append(batch)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        readers = [group.create_task(follow(log, total)) for _ in range(2)]
        for writer in range(WRITERS):
            group.create_task(write(writer))
    one, other = (reader.result() for reader in readers)
    assert one == other == await log.read(0, total + 1)
    assert len({e.id for e in one}) == total
    gapless(one)
    assert (await verify(pool, unseen, BODY_KEY)).whole


async def test_the_same_message_by_many_writers_is_recorded_once(log: Log) -> None:
    """Eight writers append equal batches at the same moment: all get the same positions."""
    found = await asyncio.gather(*(log.append([new(n) for n in range(20)]) for _ in range(WRITERS)))
    assert len({tuple(o.position for o in outcomes) for outcomes in found}) == 1
    assert Counter(o.outcome for outcomes in found for o in outcomes) == {"appended": 20, "duplicate": 140}
    assert (await log.head()).position == 20


async def test_of_two_that_decided_on_one_version_one_wins(log: Log) -> None:
    """Appends with the same expectation at the same moment: one is in, the others are told the version there is."""
    found = await asyncio.gather(*(log.append([new(n, expected=0)]) for n in range(WRITERS)))
    assert Counter(outcomes[0].outcome for outcomes in found) == {"appended": 1, "conflict": WRITERS - 1}
    assert {outcomes[0].version for outcomes in found} == {1}


async def test_killed_connections_leave_whole_batches(log: Log, pool: Pool, owner: asyncpg.Connection) -> None:
    """Backends shot while they append: each batch is in the log whole and once, or is appended again by who insists."""
    shot = 0
    said: set[str] = set()

    async def shoot() -> None:
        nonlocal shot
        while shot < KILLS:
            shot += await owner.fetchval(SHOOT)
            await asyncio.sleep(0.01)

    async def write(writer: int) -> None:
        number = 0
        while shot < KILLS:
            batch = [new(f"{writer}/{number}/{n}", order=f"shop/{n % 3}", body=b"raw") for n in range(SIZE)]
            await insist(log, batch)
            said.update(event.id for event in batch)
            number += 1

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(shoot())
        for writer in range(4):
            group.create_task(write(writer))
    events = await log.read(0, 100_000)
    gapless(events)
    assert sorted(event.id for event in events) == sorted(said)
    parts = [events[i : i + SIZE] for i in range(0, len(events), SIZE)]
    assert {len({event.id.rpartition("/")[0] for event in part}) for part in parts} == {1}, "a batch was torn"
    assert await owner.fetchval("SELECT count(*) FROM okno.bodies") == len(events)
    assert (await verify(pool, unseen, BODY_KEY)).whole


async def test_an_append_killed_at_the_lock_writes_nothing(log: Log, owner: asyncpg.Connection) -> None:
    """A backend killed while it waits for the head row leaves no trace, and the caller hears that it may try again."""
    async with owner.transaction():
        await owner.execute("SELECT * FROM okno.head FOR UPDATE")
        append = asyncio.create_task(outcome(log, new(1, body=b"raw", document="d-1")))
        waiting = "SELECT pid FROM pg_stat_activity WHERE application_name = 'okno' AND wait_event_type = 'Lock'"
        async with asyncio.timeout(20):
            while (pid := await owner.fetchval(waiting)) is None:
                await asyncio.sleep(0.01)
                await owner.execute("SELECT pg_stat_clear_snapshot()")
        await owner.execute("SELECT pg_terminate_backend($1)", pid)
        assert await append == "try again"
    for table in ("events", "bodies", "documents", "seals"):
        assert await owner.fetchval(f"SELECT count(*) FROM okno.{table}") == 0, table
    await log.append([new(1)])
    assert (await log.head()).position == 1
