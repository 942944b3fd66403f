"""One order's rows made anew in the live tables; orders set aside come back by themselves once the code is mended."""

import asyncio
from typing import Any

import pytest

from events.log import Log
from projections.follow import begin, slowest
from projections.mend import mend, try_again
from projections.orders import queries
from projections.orders.project import ORDERS
from projections.projection import BUCKETS, bucket_of
from projections.rebuild import rebuild
from projections.slices import SLICES
from projections.status import status
from service.database import Pool
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
    stumbling,
)


async def failures(pool: Pool) -> list[str]:
    """Orders set aside."""
    return [row[0] for row in await pool.fetch("SELECT order_key FROM okno.projection_failures ORDER BY 1")]


async def runs(pool: Pool, log: Log, projection: Any) -> None:
    """A hub that starts, follows to the log's end, and stops."""
    hub = follower(pool, log, [projection])
    running = asyncio.create_task(hub.run(asyncio.Event()))
    try:
        async with asyncio.timeout(30):
            while hub._tried != ALL_SLICES or await slowest(pool, [projection]) < (await log.head()).position:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_one_orders_rows_are_made_anew(pool: Pool, log: Log) -> None:
    """Its rows in all tables, and no other's; what was different is told."""
    one, two, *_ = keys = orders(3)
    await log.append([placed(key) for key in keys] + [requested(key, f"c{key}") for key in keys])
    await follow(pool, log)
    await pool.execute("UPDATE okno.orders SET stage = 'wrong', total = 1")
    await pool.execute("DELETE FROM okno.order_deadlines")
    found = await mend(pool, ORDERS, [one])
    assert [(d.order, d.live, d.rebuilt) for d in found if d.column == "orders.stage"] == [(one, "wrong", "placed")]
    assert len(found) == 3
    rows = {row[0]: row[3] for row in await live(pool, ORDERS.tables[0])}
    assert rows == {one: "placed", two: "wrong", keys[2]: "wrong"}
    assert [row[0] for row in await live(pool, ORDERS.tables[1])] == [one]
    assert await mend(pool, ORDERS, [one]) == []
    await mend(pool, ORDERS, keys)
    await assert_true_to_the_log(pool, log, keys)


async def test_only_looked_at_it_stays_as_it_is(pool: Pool, log: Log) -> None:
    """A check of one order writes nothing, and events that were not followed yet are no difference."""
    (key,) = orders(1)
    await log.append([placed(key)])
    await follow(pool, log)
    await pool.execute("UPDATE okno.orders SET stage = 'wrong'")
    assert "orders.stage" in [d.column for d in await mend(pool, ORDERS, [key], write_down=False)]
    assert [row[3] for row in await live(pool, ORDERS.tables[0])] == ["wrong"]
    await log.append([confirmed(key)])
    assert await mend(pool, ORDERS, [key], write_down=False) == []


async def test_a_follower_that_read_before_writes_nothing_older(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mended row never goes back: who read its history earlier loses his compare-and-set and reads again."""
    (key,) = orders(1)
    await log.append([placed(key)])
    await begin(pool, EVERY)
    real = Log.histories

    async def mended_meanwhile(self: Log, wanted: Any) -> Any:
        monkeypatch.undo()
        found = await real(self, wanted)
        await log.append([confirmed(key)])
        await mend(pool, ORDERS, [key])
        return found

    monkeypatch.setattr(Log, "histories", mended_meanwhile)
    await follower(pool, log, [ORDERS]).step(ALL_SLICES)
    found = await queries.one(pool, key)
    assert found is not None
    assert (found.stage, found.version) == ("confirmed", 2)
    assert await slowest(pool, [ORDERS]) == 0
    await follow(pool, log)
    await assert_true_to_the_log(pool, log, [key])


async def test_mending_beside_followers_and_rebuilds(pool: Pool, log: Log) -> None:
    """While an order changes, is followed by two and its tables are swapped, mending it leaves the rows of a fold, and
    at no time an older row than there was."""
    keys = orders(4)
    await log.append([placed(key) for key in keys])
    await follow(pool, log)
    running, newest = True, 0

    async def trades() -> None:
        for _ in range(40):
            await log.append([confirmed(key) for key in keys])
            await asyncio.sleep(0.005)

    async def mends() -> None:
        while running:
            await mend(pool, ORDERS, keys)

    async def follows(owner: str) -> None:
        one = follower(pool, log, owner=owner)
        while running or await slowest(pool, EVERY) < (await log.head()).position:
            await one.step(ALL_SLICES)
            await asyncio.sleep(0)

    async def reads() -> None:
        nonlocal newest
        while running:
            row = await queries.one(pool, keys[0])
            assert row is not None
            assert row.version >= newest
            newest = row.version

    async with asyncio.TaskGroup() as group:
        for loop in (mends(), follows("one"), follows("two"), reads()):
            group.create_task(loop)
        await trades()
        await rebuild(pool, ORDERS)
        running = False
    await assert_true_to_the_log(pool, log, keys)


async def test_rows_of_another_version_are_left_alone(pool: Pool, log: Log) -> None:
    """Nothing of this program's shape is written into them."""
    (key,) = orders(1)
    await log.append([placed(key)])
    await follow(pool, log)
    await pool.execute("UPDATE okno.orders SET stage = 'as the other version says'")
    await pool.execute("UPDATE okno.projections SET version = 7")
    assert await mend(pool, ORDERS, [key]) == []
    assert [row[3] for row in await live(pool, ORDERS.tables[0])] == ["as the other version says"]


async def test_an_order_set_aside_comes_back_with_mended_code(pool: Pool, log: Log) -> None:
    """A hub started with mended code takes it back, though nothing happens to the order; one that still fails stays
    aside with its new error."""
    first, second, *_ = keys = orders(5)
    await log.append([placed(key) for key in keys])
    await runs(pool, log, stumbling(first))
    assert await failures(pool) == [first]
    await runs(pool, log, stumbling(first, "another error"))
    assert "another error" in await pool.fetchval("SELECT error FROM okno.projection_failures")
    await runs(pool, log, ORDERS)
    assert await failures(pool) == []
    assert [s.failures for s in await status(pool, [ORDERS], 5)] == [0]
    assert sorted(row[0] for row in await live(pool, ORDERS.tables[0])) == keys
    assert second in keys


async def test_only_ones_own_slices_are_tried_again(pool: Pool, log: Log) -> None:
    """Who holds a slice tries its orders, and nobody else's; all slices together are all orders."""
    keys = orders(40)
    bad = {key: bucket_of(key) * SLICES // BUCKETS for key in keys}
    await begin(pool, [ORDERS])
    await log.append([placed(key) for key in keys])
    for key in keys:
        await pool.execute("INSERT INTO okno.projection_failures VALUES ('orders', 1, $1, 1, 'bug')", key)
    for number in range(SLICES):
        assert await try_again(pool, ORDERS, {number}) == list(bad.values()).count(number)
        left = {bad[key] for key in await failures(pool)}
        assert left == {other for other in bad.values() if other > number}


async def test_the_bucket_is_the_logs(pool: Pool, log: Log) -> None:
    """Which slice an order is mended in follows from its key alone, as the log computes it."""
    keys = [*orders(20), "ым/ключ-№1"]
    await log.append([placed(key) for key in keys])
    stored = await pool.fetch("SELECT order_key, bucket FROM okno.events")
    assert {row["order_key"]: row["bucket"] for row in stored} == {key: bucket_of(key) for key in keys}
