"""`check` finds every row that does not say what the log says, and none in a healthy database."""

import asyncio
from typing import Any

import pytest

import projections.check
from events.log import Log
from projections.check import Difference, check
from projections.commands.project import COMMANDS
from projections.orders.project import ORDERS
from projections.projection import BUCKETS, Projection
from projections.rebuild import _finish, bucket_histories, fill, prepare
from service.database import Pool
from tests.projections.shop import EVERY, confirmed, follow, orders, placed, requested, stumbling

KEY, OTHER, *_ = orders(4)


async def two_orders(pool: Pool, log: Log) -> None:
    """Two orders with a command each, followed."""
    await log.append([placed(key) for key in (KEY, OTHER)])
    await log.append([requested(key, f"c{key}") for key in (KEY, OTHER)])
    await follow(pool, log)


async def test_a_healthy_database_has_no_differences(pool: Pool, log: Log) -> None:
    """Nothing is found, also while events wait to be followed; progress goes over all buckets."""
    await two_orders(pool, log)
    await log.append([confirmed(KEY), placed("ym-msk/new")])
    told: list[tuple[int, int]] = []
    for projection in EVERY:
        assert await check(pool, projection, lambda done, total: told.append((done, total))) == []
    assert told[-1] == (BUCKETS, BUCKETS)


@pytest.mark.parametrize(
    ("projection", "change", "found"),
    [
        (ORDERS, f"UPDATE okno.orders SET total = 1 WHERE order_key = '{KEY}'", "orders.total"),
        (ORDERS, f"UPDATE okno.orders SET body = body - 'stage' WHERE order_key = '{KEY}'", "orders.body"),
        (ORDERS, f"DELETE FROM okno.orders WHERE order_key = '{KEY}'", "orders"),
        (ORDERS, f"DELETE FROM okno.order_deadlines WHERE order_key = '{KEY}'", f"order_deadlines[{KEY}, shipped, "),
        (ORDERS, f"INSERT INTO okno.order_deadlines VALUES ('{KEY}', 'x', now())", f"order_deadlines[{KEY}, x, "),
        (COMMANDS, f"UPDATE okno.commands SET state = 'done' WHERE id = 'c{KEY}'", f"commands[c{KEY}].state"),
        (COMMANDS, f"DELETE FROM okno.commands WHERE id = 'c{KEY}'", f"commands[c{KEY}]"),
    ],
)  # fmt: skip
async def test_a_row_that_is_not_as_the_log_says_is_found(
    pool: Pool, log: Log, projection: Projection, change: str, found: str
) -> None:
    """A value changed, a row missing, a row too many: each is the one difference, under its order and column."""
    await two_orders(pool, log)
    await pool.execute(change)
    (difference,) = await check(pool, projection)
    assert difference.order == KEY
    assert difference.column.startswith(found)
    assert difference.live != difference.rebuilt


@pytest.mark.parametrize("key", ["ym-msk/stranger", "1c/doc-1"])
async def test_a_strangers_row_is_found(pool: Pool, log: Log, key: str) -> None:
    """A row of an order the log never heard of, and one of a document that is no order, are differences."""
    await two_orders(pool, log)
    await log.append([confirmed("1c/doc-1")])
    await follow(pool, log)
    await pool.execute("UPDATE okno.commands SET order_key = $1 WHERE id = $2", key, f"c{KEY}")
    assert sorted(d.order for d in await check(pool, COMMANDS)) == sorted([KEY, key])


async def test_a_swap_during_a_check_makes_no_difference(pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that a rebuild caught up with at its very end are not missed by a check that began before."""
    await two_orders(pool, log)
    generation = await prepare(pool, ORDERS)
    await fill(pool, ORDERS, generation)
    await log.append([confirmed(KEY), confirmed(OTHER)])
    await follow(pool, log)
    finishing: list[asyncio.Task[None]] = []

    async def swapped_meanwhile(*asked: Any) -> Any:
        found = await bucket_histories(*asked)
        if found and not finishing:
            finishing.append(asyncio.create_task(_finish(pool, log, ORDERS, generation)))
            await asyncio.wait(finishing, timeout=0.5)
        return found

    monkeypatch.setattr(projections.check, "bucket_histories", swapped_meanwhile)
    assert await check(pool, ORDERS) == []
    await finishing[0]
    assert await check(pool, ORDERS) == []


async def test_an_order_whose_rows_cannot_be_made_is_told_once(pool: Pool, log: Log) -> None:
    """The error stands in place of the rows."""
    await two_orders(pool, log)
    assert await check(pool, stumbling(KEY)) == [Difference(KEY, "", None, "ZeroDivisionError: no price")]
