"""Rebuilding: what is done is kept, whoever dies; what comes out equals what was followed live."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

import projections.rebuild
import projections.swap
from events.log import Log
from projections.follow import begin, status
from projections.orders import queries
from projections.orders.project import ORDERS
from projections.projection import BUCKETS
from projections.rebuild import RebuildReplaced, fill, prepare, rebuild
from service.database import Pool, open_pool
from tests.projections.shop import (
    ALL_SLICES,
    EVERY,
    assert_true_to_the_log,
    confirmed,
    follow,
    follower,
    live,
    orders,
    placed,
    requested,
)


async def test_a_rebuild_makes_what_was_followed_live(pool: Pool, log: Log) -> None:
    """Rows lost or changed by hand are right again, time after time, and following goes on from there."""
    keys = orders(20)
    await log.append([placed(key) for key in keys] + [requested(key, f"c{key}") for key in keys])
    await follow(pool, log)
    for _ in range(2):
        await pool.execute("DELETE FROM okno.orders WHERE order_key < 'ym-msk/48000010'")
        await pool.execute("UPDATE okno.commands SET state = 'done'")
        for projection in EVERY:
            await rebuild(pool, log, projection)
        await assert_true_to_the_log(pool, log, keys)
    await log.append([confirmed(key) for key in keys])
    await follow(pool, log)
    await assert_true_to_the_log(pool, log, keys)


async def test_new_tables_keep_their_indexes_and_know_their_numbers(pool: Pool, log: Log) -> None:
    """After any number of swaps the tables have the indexes of the first ones, and statistics at once."""
    definitions = "SELECT regexp_replace(indexdef, 'INDEX \\S+', '') FROM pg_indexes WHERE tablename = 'orders'"
    before = sorted(row[0] for row in await pool.fetch(definitions))
    await log.append([placed(key) for key in orders(20)])
    for _ in range(2):
        await rebuild(pool, log, ORDERS)
    assert sorted(row[0] for row in await pool.fetch(definitions)) == before
    assert await pool.fetchval("SELECT reltuples FROM pg_class WHERE oid = 'okno.orders'::regclass") == 20
    assert await pool.fetchval("SELECT to_regclass('okno.orders_next')") is None


async def test_a_rebuild_killed_midway_keeps_what_is_done(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buckets done before the kill are not done again, live tables stay as they were, and the next run swaps."""
    keys = orders(20)
    await log.append([placed(key) for key in keys])
    await follow(pool, log)
    told: list[int] = []

    def dies(done: int, total: int) -> None:
        if done == 100:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await rebuild(pool, log, ORDERS, progress=dies)
    assert [(s.rebuild and s.rebuild.done, s.rows) for s in await status(pool, [ORDERS], 0)] == [(100, len(keys))]
    await log.append([confirmed(key) for key in keys])

    await rebuild(pool, log, ORDERS, progress=lambda done, total: told.append(done))
    assert told == list(range(101, BUCKETS + 1))
    assert [s.rebuild for s in await status(pool, [ORDERS], 0)] == [None]
    await follow(pool, log)
    await assert_true_to_the_log(pool, log, keys)


async def test_a_rebuild_killed_while_it_swaps_can_be_run_again(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the swap commits, the old tables are live, whole and followed."""
    keys = orders(10)
    await log.append([placed(key) for key in keys])
    await follow(pool, log)
    monkeypatch.setattr(projections.swap, "VERSION", "SELECT 1 / 0, $1::text, $2::integer")
    with pytest.raises(Exception, match="division by zero"):
        await rebuild(pool, log, ORDERS)
    monkeypatch.undo()
    await log.append([confirmed(key) for key in keys])
    await follow(pool, log)
    await assert_true_to_the_log(pool, log, keys)
    await rebuild(pool, log, ORDERS)
    await assert_true_to_the_log(pool, log, keys)


async def test_a_follower_of_the_old_generation_writes_nothing(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before a swap, even from the very position the new tables stand at, is thrown away after it."""
    keys = orders(10)
    await begin(pool, EVERY)
    await log.append([placed(key) for key in keys])
    real = Log.histories

    async def swapped(self: Log, wanted: Any) -> Any:
        monkeypatch.undo()
        found = await real(self, wanted)
        await rebuild(pool, log, ORDERS)
        await pool.execute("UPDATE okno.projection_progress SET position = 0")
        await pool.execute("DELETE FROM okno.orders")
        return found

    monkeypatch.setattr(Log, "histories", swapped)
    await follower(pool, log, [ORDERS]).step(ALL_SLICES)
    assert await live(pool, ORDERS.tables[0]) == []


async def test_rebuilding_at_once_swaps_once(pool: Pool, log: Log) -> None:
    """Two who rebuild the same projection share the buckets; both end well."""
    keys = orders(10)
    await log.append([placed(key) for key in keys])
    await asyncio.gather(rebuild(pool, log, ORDERS), rebuild(pool, log, ORDERS, workers=2))
    assert await pool.fetchval("SELECT max(generation) FROM okno.projection_progress") == 2
    assert [row.order for row in (await queries.listed(pool))[0]] == keys[::-1]


async def test_another_versions_rebuild_takes_over(pool: Pool, log: Log) -> None:
    """Workers of a replaced rebuild fill no bucket of the new one, and say that they were replaced."""
    await log.append([placed(key) for key in orders(10)])
    await begin(pool, [ORDERS])
    generation = await prepare(pool, ORDERS)
    newer = replace(ORDERS, version=ORDERS.version + 1)
    assert await prepare(pool, newer) == generation
    await fill(pool, ORDERS, generation)
    assert await pool.fetchval("SELECT count(position) FROM okno.projection_rebuilds") == 0
    with pytest.raises(RebuildReplaced):
        await projections.rebuild._finish(pool, log, ORDERS, generation)
    await rebuild(pool, log, newer)
    assert await pool.fetchval("SELECT count(*) FROM okno.orders") == 10


async def test_workers_may_be_processes(pool: Pool, log: Log, database_url: str) -> None:
    """Two real processes fill the buckets while the caller only watches."""
    keys = orders(30)
    await log.append([placed(key) for key in keys])
    told: list[int] = []
    connect = partial(open_pool, database_url, size=2)
    await rebuild(pool, log, ORDERS, workers=2, connect=connect, progress=lambda done, total: told.append(done))
    assert told == sorted(told)
    assert len(set(told)) < BUCKETS  # the caller's own filling would have told of each
    assert told[-1] == BUCKETS
    await follow(pool, log)
    await assert_true_to_the_log(pool, log, keys)


async def no_pool() -> Pool:
    """A worker that dies before it has done anything."""
    raise SystemExit(1)


async def test_what_dead_processes_leave_is_done_by_the_caller(pool: Pool, log: Log) -> None:
    """Processes that die do not end the rebuild."""
    keys = orders(5)
    await log.append([placed(key) for key in keys])
    await rebuild(pool, log, ORDERS, workers=2, connect=no_pool)
    assert [row.order for row in (await queries.listed(pool))[0]] == keys[::-1]
