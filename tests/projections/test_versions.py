"""A changed projection: old rows stay and are shown until a rebuild, and it is said which command makes it."""

from dataclasses import replace
from typing import Any

import pytest

from events.log import Log
from events.order.state import OrderState
from projections.commands.project import COMMANDS
from projections.orders import queries
from projections.orders.project import ORDERS
from projections.projection import Projection, Rows, Table
from projections.rebuild import rebuild
from projections.shape import OtherShape
from projections.status import status
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

    await rebuild(pool, NEWER)
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
    await rebuild(pool, NEWER)
    await log.append([confirmed(key)])
    await follow(pool, log, [ORDERS])
    assert await pool.fetchval("SELECT colour FROM okno.orders") == "red"
    assert await pool.fetchval("SELECT stage FROM okno.orders") == "placed"
    assert "stands still" in caplog.text
    assert "okno rebuild" not in caplog.text


async def test_a_column_without_its_migration_is_said(pool: Pool, log: Log, caplog: pytest.LogCaptureFixture) -> None:
    """A developer who forgot both the version and the migration reads what is missing, instead of a loop of crashes;
    a rebuild refuses with the same words, and nothing was written."""
    forgot = replace(NEWER, version=ORDERS.version)
    one, two = orders(2)
    await log.append([placed(one)])
    await follow(pool, log)
    await log.append([placed(two)])
    await follow(pool, log, [forgot])
    (line,) = [record.getMessage() for record in caplog.records]
    assert "the database has no orders.colour" in line
    assert "okno rebuild orders" in line
    (stands,) = await status(pool, [forgot], 2)
    assert (stands.outdated, stands.lag) == (True, 1)
    assert "the database has no orders.colour" in str(stands.wants)
    with pytest.raises(OtherShape, match="the database has no orders"):
        await rebuild(pool, forgot)
    assert [row[0] for row in await live(pool, ORDERS.tables[0])] == [one]
    assert await pool.fetchval("SELECT to_regclass('okno.orders_next')") is None


async def test_a_column_added_without_a_new_version_is_noticed(
    pool: Pool, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    """With the migration in place and the version forgotten, the rows stand still until the rebuild that is named."""
    forgot = replace(NEWER, version=ORDERS.version)
    (key,) = orders(1)
    await log.append([placed(key)])
    await follow(pool, log)
    await pool.execute(ADD_COLUMN)
    await log.append([confirmed(key)])
    await follow(pool, log, [forgot])
    assert "made with other columns (+orders.colour): run `okno rebuild orders`" in caplog.text
    assert [s.outdated for s in await status(pool, [forgot], 2)] == [True]
    await rebuild(pool, forgot)
    await follow(pool, log, [forgot])
    assert [(s.outdated, s.wants, s.lag) for s in await status(pool, [forgot], 2)] == [(False, None, 0)]
    assert await pool.fetchval("SELECT colour || stage FROM okno.orders") == "redconfirmed"


async def test_a_column_this_program_does_not_fill_is_said(pool: Pool, log: Log) -> None:
    """One that may be null harms nobody; one that may not would set every order aside, so the rows stand still."""
    (key,) = orders(1)
    await log.append([placed(key)])
    await pool.execute("ALTER TABLE okno.orders ADD COLUMN shade text")
    await follow(pool, log)
    assert [s.outdated for s in await status(pool, [ORDERS], 1)] == [False]
    await pool.execute("UPDATE okno.orders SET shade = 'red'")
    await pool.execute("ALTER TABLE okno.orders ALTER COLUMN shade SET NOT NULL")
    await log.append([confirmed(key)])
    await follow(pool, log)
    assert await pool.fetchval("SELECT count(*) FROM okno.projection_failures") == 0
    (stands,) = await status(pool, [ORDERS], 2)
    assert stands.lag == 1
    assert "orders.shade" in str(stands.wants)


async def test_columns_are_noted_where_they_were_not(pool: Pool, log: Log) -> None:
    """Rows made before columns were noted count as made with this program's, if they are of its version."""
    await follow(pool, log)
    await pool.execute(
        "UPDATE okno.projections SET columns = NULL, version = CASE name WHEN 'orders' THEN 7 ELSE 1 END"
    )
    await follow(pool, log)
    noted = {row[0]: row[1] for row in await pool.fetch("SELECT name, columns IS NOT NULL FROM okno.projections")}
    assert noted == {"orders": False, "commands": True}


async def test_a_table_that_is_missing_is_said(pool: Pool) -> None:
    """A new table without its migration stands still too, and is counted as empty."""
    strange = replace(ORDERS, tables=(Table("shades", ("order_key",), ("order_key",)), *ORDERS.tables))
    (stands,) = await status(pool, [strange], 0)
    assert stands.rows == 0
    assert "shades.order_key" in str(stands.wants)


async def test_a_column_of_another_type_breaks_no_reader(pool: Pool, log: Log) -> None:
    """Statements cached before a column changed its type are prepared anew, unseen by who asks."""
    (key,) = orders(1)
    await log.append([placed(key)])
    await follow(pool, log)
    reads: list[Any] = []
    async with pool.acquire() as connection:
        for change in (
            "SELECT 1",
            "ALTER TABLE okno.orders ALTER body TYPE jsonb",
            "ALTER TABLE okno.orders ALTER body TYPE json",
        ):
            await pool.execute(change)
            reads.append(await connection.fetchval(queries.ONE, key))
    assert len(reads) == 3
    assert all(reads)
