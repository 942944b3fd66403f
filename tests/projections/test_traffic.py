"""Rebuilding under traffic: readers, followers and writers notice nothing."""

import asyncio

import pytest

from events.log import Log
from projections.check import check
from projections.commands import queries as commands
from projections.follow import slowest
from projections.orders import queries as orders_queries
from projections.rebuild import rebuild
from projections.swap import Beside
from service.database import Pool, open_pool
from tests.projections.shop import (
    EVERY,
    WHEN,
    assert_true_to_the_log,
    confirmed,
    follow,
    follower,
    orders,
    placed,
    requested,
)


async def test_nobody_notices_a_rebuild(pool: Pool, log: Log, database_url: str) -> None:
    """While orders change, are followed, read and checked all the time, each rebuild swaps unseen: no error, never a
    row less or older than there was, no difference found, and at the end the rows of a fresh fold."""
    keys = orders(60)
    await log.append([placed(key) for key in keys] + [requested(key, f"c{key}") for key in keys])
    await follow(pool, log)
    readers = await open_pool(database_url, size=2)
    reads, checks, running = 0, 0, True
    newest = 0

    async def reads_all() -> None:
        nonlocal reads, newest
        while running:
            rows = (await orders_queries.listed(readers, limit=500))[0]
            assert len(rows) == len(keys)
            assert rows[0].position >= newest
            newest = rows[0].position
            assert sum((await orders_queries.counts(readers))["stage"].values()) == len(keys)
            assert await orders_queries.one(readers, keys[7]) is not None
            assert len(
                await orders_queries.deadlines(readers, WHEN.replace(year=2000), WHEN.replace(year=2030))
            ) == len(keys)
            assert len((await commands.listed(readers, limit=500))[0]) == len(keys)
            assert await commands.one(readers, f"c{keys[7]}") is not None
            reads += 1

    async def checks_all() -> None:
        nonlocal checks
        while running:
            for projection in EVERY:
                assert await check(readers, projection) == []
            checks += 1

    async def trades() -> None:
        n = 0
        while running:
            await log.append([confirmed(keys[(n + m) % len(keys)]) for m in range(5)])
            await log.append([requested(keys[n % len(keys)], f"c{keys[n % len(keys)]}")])
            n += 5
            await asyncio.sleep(0.002)

    async with asyncio.TaskGroup() as group:
        following = group.create_task(follower(pool, log).run(asyncio.Event()))
        loops = [group.create_task(loop()) for loop in (reads_all, checks_all, trades)]
        for projection in EVERY:
            await rebuild(pool, log, projection)
        while not reads or not checks:  # noqa: ASYNC110  # counters, told by nobody
            await asyncio.sleep(0.01)
        running = False
        await asyncio.wait(loops)
        following.cancel()
    await readers.close()
    assert await pool.fetchval("SELECT min(generation) FROM okno.projection_progress") == 2
    await follow(pool, log)
    assert await slowest(pool, EVERY) == (await log.head()).position
    await assert_true_to_the_log(pool, log, keys)


async def test_a_statement_cached_over_a_swap_still_reads(pool: Pool, log: Log, database_url: str) -> None:
    """A connection that read the old tables reads the new ones by the same statement, within a transaction too."""
    (key,) = orders(1)
    await log.append([placed(key)])
    await follow(pool, log)
    reader = await open_pool(database_url, size=1)
    try:
        async with reader.acquire() as connection:
            await connection.fetch(orders_queries.ONE, key)
            await rebuild(pool, log, EVERY[0])
            async with connection.transaction():
                assert len(await connection.fetch(orders_queries.ONE, key)) == 1
    finally:
        await reader.close()


async def test_a_swap_waits_for_a_long_reader_and_lets_others_read(pool: Pool, log: Log) -> None:
    """Somebody who holds the old table in a transaction delays the swap; meanwhile orders are read and followed."""
    keys = orders(5)
    await log.append([placed(key) for key in keys])
    await follow(pool, log)
    async with pool.acquire() as holder, holder.transaction():
        await holder.fetch("SELECT order_key FROM okno.orders")
        rebuilding = asyncio.create_task(rebuild(pool, log, EVERY[0]))
        done, _ = await asyncio.wait([rebuilding], timeout=1.5)
        assert not done
        await log.append([confirmed(keys[0])])
        await follow(pool, log)
        assert (await orders_queries.listed(pool, stage="confirmed"))[0][0].order == keys[0]
    await rebuilding
    await follow(pool, log)
    await assert_true_to_the_log(pool, log, keys)


async def test_no_row_goes_back_over_a_swap(pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was followed live after a rebuild had caught up is in the new tables from their first moment."""
    (key,) = orders(1)
    await log.append([placed(key)])
    real = Beside.analyze

    async def late(self: Beside) -> None:
        await log.append([confirmed(key)])
        await follow(pool, log)
        await real(self)

    monkeypatch.setattr(Beside, "analyze", late)
    await rebuild(pool, log, EVERY[0])
    assert [row.order for row in (await orders_queries.listed(pool, stage="confirmed"))[0]] == [key]


async def test_a_swap_given_up_loses_nothing(pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows caught up with inside a swap that did not get its locks are caught up with again by the next."""
    (key,) = orders(1)
    await log.append([placed(key)])
    real, calls, again = Beside.catch_up, 0, asyncio.Event()

    async def late(self: Beside) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:  # the one inside the first swap
            await log.append([confirmed(key)])
        if calls == 3:
            again.set()
        await real(self)

    monkeypatch.setattr(Beside, "catch_up", late)
    async with pool.acquire() as holder, holder.transaction():
        await holder.fetch("SELECT order_key FROM okno.orders")
        rebuilding = asyncio.create_task(rebuild(pool, log, EVERY[0]))
        await again.wait()
    await rebuilding
    await follow(pool, log)
    assert [row.order for row in (await orders_queries.listed(pool, stage="confirmed"))[0]] == [key]
