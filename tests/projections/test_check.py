"""A check finds every row that does not say what the log says, none in a healthy database, and changes nothing."""

import asyncio

import pytest

from events.log import Log
from projections.commands.project import COMMANDS
from projections.differences import Difference, Found
from projections.orders.project import ORDERS
from projections.projection import BUCKETS, Projection
from projections.rebuild import finish, prepare, rebuild
from projections.status import status
from projections.swap import Beside
from service.database import Pool
from tests.projections.shop import (
    EVERY,
    Watched,
    check,
    checked,
    confirmed,
    filled,
    follow,
    live,
    orders,
    placed,
    requested,
    stumbling,
)

KEY, OTHER, *_ = orders(4)


async def two_orders(pool: Pool, log: Log) -> None:
    """Two orders with a command each, followed."""
    await log.append([placed(key) for key in (KEY, OTHER)])
    await log.append([requested(key, f"c{key}") for key in (KEY, OTHER)])
    await follow(pool, log)


async def beside(pool: Pool, projection: Projection) -> list[bool]:
    """Whether its tables beside are there."""
    return [
        await pool.fetchval("SELECT to_regclass($1) IS NOT NULL", f"okno.{table.name}_next")
        for table in projection.tables
    ]


async def test_a_healthy_database_has_no_differences(pool: Pool, log: Log) -> None:
    """Nothing is found, also while events wait to be followed; nothing is left behind."""
    await two_orders(pool, log)
    await log.append([confirmed(KEY), placed("ym-msk/new")])
    for projection in EVERY:
        report = Watched()
        outcome = await rebuild(pool, projection, only_check=True, report=report)
        assert (outcome.found, outcome.swapped, report.differences) == (Found(4), False, [])
        assert report.done[-1] == BUCKETS
        assert report.stages == ["filling", "indexing", "catching up", "comparing"]
        assert set(await beside(pool, projection)) == {False}
    assert await pool.fetchval("SELECT count(*) FROM okno.projection_rebuilds") == 0


@pytest.mark.parametrize(
    ("projection", "change", "found"),
    [
        (ORDERS, f"UPDATE okno.orders SET total = 1 WHERE order_key = '{KEY}'", "orders.total"),
        (ORDERS, f"UPDATE okno.orders SET total = NULL WHERE order_key = '{KEY}'", "orders.total"),
        (ORDERS, f"UPDATE okno.orders SET attention = '{{x}}' WHERE order_key = '{KEY}'", "orders.attention"),
        (ORDERS, f"UPDATE okno.orders SET body = body::jsonb - 'stage' WHERE order_key = '{KEY}'", "orders.body.stage"),
        (ORDERS, f"UPDATE okno.orders SET body = '[]' WHERE order_key = '{KEY}'", "orders.body"),
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
    """A value changed, a row missing, a row too many: each is the one difference, under its order and column. The live
    rows stay as they are."""
    await two_orders(pool, log)
    await pool.execute(change)
    before = [await live(pool, table) for table in projection.tables]
    (difference,) = await check(pool, projection)
    assert difference.order == KEY
    assert difference.column.startswith(found)
    assert difference.live != difference.rebuilt
    assert [await live(pool, table) for table in projection.tables] == before


async def test_differences_come_by_order_and_are_counted(pool: Pool, log: Log) -> None:
    """All tables' differences of one order stand together; values and orders are counted whatever is shown."""
    await two_orders(pool, log)
    await pool.execute("UPDATE okno.orders SET total = 1, stage = 'completed'")
    await pool.execute("DELETE FROM okno.order_deadlines")
    outcome = await checked(pool, ORDERS)
    assert outcome.found == Found(4, orders=2, values=6)
    found = await check(pool, ORDERS)
    assert [difference.order for difference in found] == sorted(difference.order for difference in found)
    assert {difference.order for difference in found} == {KEY, OTHER}


@pytest.mark.parametrize("key", ["ym-msk/stranger", "1c/doc-1"])
async def test_a_strangers_row_is_found(pool: Pool, log: Log, key: str) -> None:
    """A row of an order the log never heard of, and one of a document that is no order, are differences."""
    await two_orders(pool, log)
    await log.append([confirmed("1c/doc-1")])
    await follow(pool, log)
    await pool.execute("UPDATE okno.commands SET order_key = $1 WHERE id = $2", key, f"c{KEY}")
    assert sorted(d.order for d in await check(pool, COMMANDS)) == sorted([KEY, key])


async def test_what_a_check_filled_is_kept_for_the_rebuild(pool: Pool, log: Log) -> None:
    """Where something differs the rebuild only catches up and swaps."""
    await two_orders(pool, log)
    await pool.execute("UPDATE okno.orders SET stage = 'completed'")
    assert len(await check(pool, ORDERS)) == 2
    assert [s.rebuild and s.rebuild.done for s in await status(pool, [ORDERS], 4)] == [BUCKETS]
    await log.append([confirmed(KEY), placed("ym-msk/new")])
    report = Watched()
    outcome = await rebuild(pool, ORDERS, report=report)
    assert outcome.swapped
    assert report.done == [BUCKETS]
    assert {row[0]: row[3] for row in await live(pool, ORDERS.tables[0])} == {
        KEY: "confirmed", OTHER: "placed", "ym-msk/new": "placed",
    }  # fmt: skip
    assert await checked(pool, ORDERS) == await checked(pool, ORDERS)


async def test_what_other_code_filled_is_not_gone_on_with(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebuild begins anew where the code that makes the rows has changed since it began."""
    await two_orders(pool, log)
    await pool.execute("UPDATE okno.orders SET stage = 'completed'")
    monkeypatch.setattr("projections.rebuild.fingerprint", lambda _: "what it was before")
    await checked(pool, ORDERS)
    await pool.execute("UPDATE okno.orders_next SET stage = 'as wrong code made it'")
    monkeypatch.undo()
    report = Watched()
    await rebuild(pool, ORDERS, report=report)
    assert report.done[0] == 1
    assert {row[3] for row in await live(pool, ORDERS.tables[0])} == {"placed"}


async def test_an_order_touched_meanwhile_is_left_out(pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where live rows are ahead of those beside, or behind them, orders with events in between are no differences, and
    others still are."""
    await two_orders(pool, log)
    real = Beside.analyze

    async def ahead(self: Beside) -> None:
        await log.append([confirmed(KEY)])
        await follow(pool, log)
        await real(self)

    monkeypatch.setattr(Beside, "analyze", ahead)
    assert await check(pool, ORDERS) == []
    monkeypatch.undo()

    await log.append([confirmed(OTHER)])
    assert await check(pool, ORDERS) == []
    await pool.execute("UPDATE okno.orders SET total = 1")
    assert [difference.order for difference in await check(pool, ORDERS)] == [KEY]


async def test_a_check_overtaken_by_a_rebuild_says_so(pool: Pool, log: Log) -> None:
    """The new tables are live then, and nobody compares them with themselves."""
    await two_orders(pool, log)
    work = await prepare(pool, ORDERS)
    await filled(pool, work)
    await rebuild(pool, ORDERS)
    outcome = await finish(pool, work, Watched(), only_check=True)
    assert outcome is not None
    assert (outcome.found, outcome.swapped) == (None, True)


async def test_checks_and_rebuilds_at_once_end_well(pool: Pool, log: Log) -> None:
    """Whoever is first, all end, and the rows are right."""
    await two_orders(pool, log)
    await pool.execute("UPDATE okno.orders SET stage = 'completed'")
    ended = await asyncio.gather(checked(pool, ORDERS), rebuild(pool, ORDERS), checked(pool, ORDERS))
    assert [outcome.swapped for outcome in ended][1]
    assert {row[3] for row in await live(pool, ORDERS.tables[0])} == {"placed"}
    assert await check(pool, ORDERS) == []
    again = await asyncio.gather(checked(pool, ORDERS), rebuild(pool, ORDERS), checked(pool, ORDERS))
    assert all(outcome.found is None or outcome.found.values == 0 for outcome in again)
    assert set(await beside(pool, ORDERS)) == {False}


async def test_an_order_whose_rows_cannot_be_made_is_told_once(pool: Pool, log: Log) -> None:
    """The error stands in place of the rows."""
    await two_orders(pool, log)
    assert await check(pool, stumbling(KEY)) == [Difference(KEY, "", None, "ZeroDivisionError: no price")]
