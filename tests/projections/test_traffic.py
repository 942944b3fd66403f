"""Rebuilding under traffic: readers, followers and writers notice nothing."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from events.log import Log
from events.order.state import OrderState
from projections.commands import queries as commands
from projections.commands.project import COMMANDS
from projections.follow import slowest
from projections.orders import queries as orders_queries
from projections.orders.project import ORDERS, Row
from projections.projection import Rows
from projections.rebuild import rebuild
from projections.swap import Beside
from service.database import Pool, open_pool
from tests.projections.shop import (
    EVERY,
    WHEN,
    assert_true_to_the_log,
    check,
    confirmed,
    follow,
    follower,
    orders,
    placed,
    requested,
)


class Readers:
    """People and programs that poll lists and single orders, each on a connection of its own."""

    def __init__(self, url: str, keys: list[str]) -> None:
        self._url, self._keys = url, keys
        self.reads, self.running = 0, True
        self._versions: dict[str, int] = {}

    async def poll(self) -> None:
        """Reads everything until stopped: never an error, never a row less or older than there was."""
        pool, keys = await open_pool(self._url, size=1), self._keys
        always = (WHEN.replace(year=2000), WHEN.replace(year=2030))
        newest = 0
        while self.running:
            before = dict(self._versions)
            rows = (await orders_queries.listed(pool, limit=500))[0]
            assert len(rows) == len(keys)
            assert rows[0].position >= newest
            newest = rows[0].position
            assert [row.order for row in rows if row.version < before.get(row.order, 0)] == []
            self._versions |= {row.order: max(row.version, self._versions.get(row.order, 0)) for row in rows}
            assert sum((await orders_queries.counts(pool))["stage"].values()) == len(keys)
            one = await orders_queries.one(pool, keys[self.reads % len(keys)])
            assert one is not None
            assert one.version >= before.get(one.order, 0)
            assert len(await orders_queries.deadlines(pool, *always)) == len(keys)
            assert len((await commands.listed(pool, limit=500))[0]) == len(keys)
            assert await commands.one(pool, f"c{keys[7]}") is not None
            self.reads += 1
            await asyncio.sleep(0.02)  # reading without a pause, four would leave the rebuild no processor
        await pool.close()

    async def some(self) -> None:
        """Waits until all have read once more."""
        wanted = self.reads + 8
        while self.reads < wanted:  # noqa: ASYNC110  # a counter, told by nobody
            await asyncio.sleep(0.01)


def _with_a_bug(state: OrderState) -> Rows:
    """Rows as a hub with a bug makes them: every total is wrong, and one order's rows can't be made."""
    if state.order == BAD:
        raise ZeroDivisionError
    rows = ORDERS.project(state)
    return {
        **rows,
        "orders": [row._replace(total=Decimal(1), currency="USD") for row in rows["orders"] if isinstance(row, Row)],
    }


KEYS = orders(60)
BAD = KEYS[13]


async def test_a_bug_is_repaired_while_everybody_works(pool: Pool, log: Log, database_url: str) -> None:
    """A projection's bug has made all rows wrong. With mended code they are rebuilt, twice, while orders change, are
    followed and polled by four readers: no error, never a row less or older than there was, and all right in the end.
    """
    await log.append([placed(key) for key in KEYS] + [requested(key, f"c{key}") for key in KEYS])
    await follow(pool, log)
    buggy = replace(ORDERS, project=_with_a_bug)
    await log.append([confirmed(key) for key in KEYS])
    await follow(pool, log, [buggy, COMMANDS])
    rows = (await orders_queries.listed(pool, limit=500))[0]
    assert await pool.fetchval("SELECT count(*) FROM okno.orders WHERE currency = 'USD'") == len(KEYS) - 1
    assert len(rows) == len(KEYS)
    assert {difference.order for difference in await check(pool, ORDERS)} == set(KEYS)

    readers = Readers(database_url, KEYS)

    async def trades() -> None:
        n = 0
        while readers.running:
            await log.append([confirmed(KEYS[(n + m) % len(KEYS)]) for m in range(5)])
            await log.append([requested(KEYS[n % len(KEYS)], f"c{KEYS[n % len(KEYS)]}")])
            n += 5
            await asyncio.sleep(0.002)

    async with asyncio.TaskGroup() as group:
        following = group.create_task(follower(pool, log).run(asyncio.Event()))
        loops = [group.create_task(loop) for loop in (*(readers.poll() for _ in range(4)), trades())]
        for projection in (*EVERY, ORDERS):
            await rebuild(pool, projection)
            await readers.some()
        readers.running = False
        await asyncio.wait(loops)
        following.cancel()
    generations = await pool.fetch("SELECT DISTINCT projection, generation FROM okno.projection_progress ORDER BY 1")
    assert [tuple(row) for row in generations] == [("commands", 2), ("orders", 3)]
    await follow(pool, log)
    assert await slowest(pool, EVERY) == (await log.head()).position
    await assert_true_to_the_log(pool, log, KEYS)
    assert await pool.fetchval("SELECT count(*) FROM okno.projection_failures") == 0


async def test_checks_beside_traffic_find_nothing(pool: Pool, log: Log) -> None:
    """While orders change and are followed, checks one after the other find no difference in healthy rows."""
    await log.append([placed(key) for key in KEYS] + [requested(key, f"c{key}") for key in KEYS])
    await follow(pool, log)
    running = True

    async def trades() -> None:
        while running:
            await log.append([confirmed(key) for key in KEYS[:5]])
            await asyncio.sleep(0.002)

    async with asyncio.TaskGroup() as group:
        following = group.create_task(follower(pool, log).run(asyncio.Event()))
        trading = group.create_task(trades())
        for projection in (*EVERY, ORDERS):
            assert await check(pool, projection) == []
        running = False
        await trading
        following.cancel()


async def test_a_statement_cached_over_a_swap_still_reads(pool: Pool, log: Log, database_url: str) -> None:
    """A connection that read the old tables reads the new ones by the same statement, within a transaction too."""
    (key,) = orders(1)
    await log.append([placed(key)])
    await follow(pool, log)
    reader = await open_pool(database_url, size=1)
    try:
        async with reader.acquire() as connection:
            await connection.fetch(orders_queries.ONE, key)
            await rebuild(pool, EVERY[0])
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
        rebuilding = asyncio.create_task(rebuild(pool, EVERY[0]))
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
    real = Beside.swap

    async def late(self: Beside) -> bool:
        await log.append([confirmed(key)])
        await follow(pool, log)
        return await real(self)

    monkeypatch.setattr(Beside, "swap", late)
    await rebuild(pool, EVERY[0])
    assert [row.order for row in (await orders_queries.listed(pool, stage="confirmed"))[0]] == [key]


async def test_nobody_follows_the_old_tables_while_they_are_swapped(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A follower that would show something new in the last moment of the old tables waits, and shows it in the new."""
    (key,) = orders(1)
    await log.append([placed(key)])
    await follow(pool, log)
    real, seen, following = Beside.catch_up, list[int](), list[asyncio.Task[None]]()

    async def late(self: Beside) -> None:
        await real(self)
        if self._connection.is_in_transaction():
            await log.append([confirmed(key)])
            following.append(asyncio.create_task(follow(pool, log)))
            await asyncio.wait(following, timeout=0.5)
            seen.append((await orders_queries.listed(pool))[0][0].version)

    monkeypatch.setattr(Beside, "catch_up", late)
    await rebuild(pool, EVERY[0])
    seen.append((await orders_queries.listed(pool))[0][0].version)
    assert seen == sorted(seen)
    await asyncio.wait(following)
    await follow(pool, log)
    assert (await orders_queries.listed(pool))[0][0].version == 2


async def test_a_swap_given_up_loses_nothing(pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows caught up with inside a swap that did not get its locks are caught up with again by the next."""
    (key,) = orders(1)
    await log.append([placed(key)])
    real, calls, again = Beside.catch_up, 0, asyncio.Event()

    async def late(self: Beside) -> None:
        nonlocal calls
        calls += self._connection.is_in_transaction()
        if calls == 1:  # inside the first swap
            calls += 1
            await log.append([confirmed(key)])
        elif calls == 3:
            again.set()
        await real(self)

    monkeypatch.setattr(Beside, "catch_up", late)
    async with pool.acquire() as holder, holder.transaction():
        await holder.fetch("SELECT order_key FROM okno.orders")
        rebuilding = asyncio.create_task(rebuild(pool, EVERY[0]))
        await again.wait()
    await rebuilding
    await follow(pool, log)
    assert [row.order for row in (await orders_queries.listed(pool, stage="confirmed"))[0]] == [key]
