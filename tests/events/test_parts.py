"""The events lie in parts: nobody who appends, reads or verifies notices, and a log of before is taken over whole."""

import asyncpg
import pytest

from events.log import Log
from service import audit, database
from service.database import Pool
from tests.events.said import new
from tests.servers import BODY_KEY, Databases, opened


def unseen(done: int, total: int) -> None:
    """Progress nobody watches."""


async def parts(owner: asyncpg.Connection) -> list[str]:
    """Names of the tables the events lie in."""
    found = await owner.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'okno.events'::regclass"
    )
    return sorted(row[0] for row in found)


async def small_parts(owner: asyncpg.Connection) -> None:
    """Parts of four events each, from the first on."""
    await owner.execute("UPDATE okno.head SET part_size = 4, room = 5")
    await owner.execute("ALTER TABLE okno.events DETACH PARTITION okno.events_1")
    await owner.execute("ALTER TABLE okno.events ATTACH PARTITION okno.events_1 FOR VALUES FROM (MINVALUE) TO (5)")


async def test_parts_are_added_as_the_log_grows(pool: Pool, log: Log, owner: asyncpg.Connection) -> None:
    """A batch that needs more room gets it in the same append; repeats, versions and proofs reach over all parts."""
    await small_parts(owner)
    for batch in ((1, 2, 3), (4, 5), (6, 7, 8, 9, 10, 11, 12, 13, 14), (15,)):
        appended = await log.append([new(n, order="shop/1") for n in batch])
        assert [one.position for one in appended] == list(batch)
    assert await parts(owner) == ["okno.events_1", "okno.events_13", "okno.events_5", "okno.events_9"]
    [again] = await log.append([new(2, order="shop/1")])
    assert (again.outcome, again.position, again.version) == ("duplicate", 2, 2)
    history = (await log.histories(["shop/1"]))["shop/1"]
    assert [event.version for event in history] == list(range(1, 16))
    assert (await audit.verify(pool, unseen, BODY_KEY)).events == 15


async def test_every_part_is_guarded(log: Log, owner: asyncpg.Connection) -> None:
    """A part is no back door: it refuses what the log refuses."""
    await small_parts(owner)
    await log.append([new(n) for n in range(1, 7)])
    for part in await parts(owner):
        for deed in (f"DELETE FROM {part}", f"UPDATE {part} SET version = 0", f"TRUNCATE {part}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await owner.execute(deed)


async def test_a_log_of_before_is_taken_over(databases: Databases, postgres_url: str) -> None:
    """A database from before parts and reaching seals: all events stay where they are, and it verifies."""
    url = await databases.create()
    owner = await asyncpg.connect(url)
    later = [name for name, _ in database.scripts() if not name.startswith(("events/sql/0001", "events/sql/0002"))]
    try:
        await owner.execute("DROP SCHEMA okno CASCADE; CREATE SCHEMA okno")
        for name, text in database.scripts():
            if name not in later:
                await owner.execute(text)
        await owner.execute("CREATE TABLE okno.migrations (name text PRIMARY KEY, at timestamptz DEFAULT now())")
        old = [name for name, _ in database.scripts() if name not in later]
        await owner.executemany("INSERT INTO okno.migrations (name) VALUES ($1)", [(name,) for name in old])
        pool = await asyncpg.create_pool(url, min_size=1, max_size=1)
        for batch in ((1, 2, 3), (4,), (5, 6)):
            await Log(pool, BODY_KEY).append([new(n, order="shop/1", body=b"raw", document="d-1") for n in batch])
        await pool.close()
    finally:
        await owner.close()
    async with opened(url) as pool:
        found = await audit.verify(pool, unseen, BODY_KEY)
        assert (found.whole, found.events) == (True, 6), found
        log = Log(pool, BODY_KEY)
        outcomes = await log.append([new(2, order="shop/1"), new(7, order="shop/1")])
        assert [(one.outcome, one.position) for one in outcomes] == [("duplicate", 2), ("appended", 7)]
        assert (await audit.verify(pool, unseen, BODY_KEY)).whole
