"""A changed projection: old rows stay and are shown until a rebuild, and it is said which command makes it."""

from dataclasses import replace
from typing import Any

import pytest

from events.log import Log
from events.order.state import OrderState
from projections.commands.project import COMMANDS
from projections.follow import status
from projections.orders import queries
from projections.orders.project import ORDERS
from projections.projection import Projection, Rows
from projections.rebuild import rebuild
from service.database import Pool
from tests.projections.shop import ALL_SLICES, EVERY, confirmed, follow, follower, live, orders, placed, requested


def _with_colour(state: OrderState) -> Rows:
    rows = ORDERS.project(state)
    return {**rows, "orders": [(*row, "red") for row in rows["orders"]]}


first, *others = ORDERS.tables
NEWER = replace(
    ORDERS, version=ORDERS.version + 1, project=_with_colour,
    tables=(replace(first, columns=(*first.columns, "colour")), *others),
)  # fmt: skip
# A migration; the hub owns the tables of projections.
ADD_COLUMN = "ALTER TABLE okno.orders ADD COLUMN colour text"


@pytest.mark.parametrize("projection", EVERY, ids=lambda projection: projection.name)
async def test_tables_have_the_columns_that_are_written(pool: Pool, projection: Projection) -> None:
    """What `project` makes and what the migrations make are of one shape."""
    for table in projection.tables:
        rows = await pool.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'okno' AND table_name = $1",
            table.name,
        )
        assert sorted(row[0] for row in rows) == sorted(table.columns)
        assert {"order_key", *table.key, *table.json} <= set(table.columns)


async def test_old_tables_are_left_alone_until_a_rebuild(
    pool: Pool, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    """With and without the new column in place: nothing is written, other projections go on, the log line names the
    command, `status` says outdated, old rows are still read; after the rebuild the new rows are followed."""
    one, two = orders(2)
    await log.append([placed(one), requested(one, "c1")])
    await follow(pool, log)
    await log.append([placed(two), requested(two, "c2"), confirmed(one)])
    for _ in range(2):
        changed = follower(pool, log, [NEWER, COMMANDS])
        while await changed.step(ALL_SLICES):
            pass
        await changed.step(ALL_SLICES)
        assert [row[0] for row in await live(pool, ORDERS.tables[0])] == [one]
        assert len(await live(pool, COMMANDS.tables[0])) == 2
        assert [(s.outdated, s.lag) for s in await status(pool, [NEWER, COMMANDS], 5)] == [(True, 3), (False, 0)]
        assert len((await queries.listed(pool))[0]) == 1
        if not await pool.fetchval("SELECT count(*) FROM information_schema.columns WHERE column_name = 'colour'"):
            await pool.execute(ADD_COLUMN)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert all("okno rebuild orders" in line for line in said)

    await rebuild(pool, log, NEWER)
    await log.append([confirmed(two)])
    await follow(pool, log, [NEWER])
    assert [(s.outdated, s.lag) for s in await status(pool, [NEWER], 6)] == [(False, 0)]
    assert {row["stage"]: row["colour"] for row in await pool.fetch("SELECT stage, colour FROM okno.orders")} == {
        "confirmed": "red"
    }


async def test_an_older_program_leaves_newer_tables_alone(
    pool: Pool, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    """One that still runs after its successor rebuilt the tables stops writing and does not ask for a rebuild."""
    (key,) = orders(1)
    await pool.execute(ADD_COLUMN)
    await log.append([placed(key)])
    await rebuild(pool, log, NEWER)
    await log.append([confirmed(key)])
    await follow(pool, log, [ORDERS])
    assert await pool.fetchval("SELECT colour FROM okno.orders") == "red"
    assert await pool.fetchval("SELECT stage FROM okno.orders") == "placed"
    assert "stands still" in caplog.text
    assert "okno rebuild" not in caplog.text


async def test_a_column_of_another_type_breaks_no_reader(pool: Pool, log: Log) -> None:
    """Statements cached before a column changed its type are prepared anew, unseen by who asks."""
    (key,) = orders(1)
    await log.append([placed(key)])
    await follow(pool, log)
    reads: list[Any] = []
    async with pool.acquire() as connection:
        for change in (
            "SELECT 1",
            "ALTER TABLE okno.orders ALTER body TYPE json",
            "ALTER TABLE okno.orders ALTER body TYPE jsonb",
        ):
            await pool.execute(change)
            reads.append(await connection.fetchval(queries.ONE, key))
    assert len(reads) == 3
    assert all(reads)
