"""Replaces the rows of some orders; an order whose rows Postgres does not take is set aside, and the rest goes on."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import TypeAlias

import asyncpg

from events.log import HISTORIES, is_about_data, recorded
from events.recorded import Recorded
from projections.projection import Made, Projection, Table, described

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

# Keeps since when an order has been failing.
SET_ASIDE = """
INSERT INTO okno.projection_failures AS f (projection, generation, order_key, position, error)
SELECT $1, $2, i.order_key, i.position, i.error FROM unnest($3::text[], $4::bigint[], $5::text[])
    AS i(order_key, position, error)
ON CONFLICT (projection, generation, order_key) DO UPDATE SET position = excluded.position, error = excluded.error
"""

# An order that works again is no failure.
TAKE_BACK = "DELETE FROM okno.projection_failures WHERE projection = $1 AND generation = $2 AND order_key = ANY($3)"

BESIDE = "_next"
"""What a rebuild's tables are called, behind the live ones' names."""

PATIENT = 86_400.0
"""Seconds a statement may take that reads or writes a whole table, or waits for another process's turn to end."""


async def histories(connection: Connection, orders: Collection[str]) -> dict[str, list[Recorded]]:
    """Whole histories of orders, in the caller's transaction and on his connection."""
    found: defaultdict[str, list[Recorded]] = defaultdict(list)
    for owner, *row in await connection.fetch(HISTORIES, list(orders)):
        found[owner].append(recorded(row))
    return found


async def write(
    connection: Connection, projection: Projection, generation: int, made: Mapping[str, Made], suffix: str = "", *,
    fresh: bool = False,
) -> Collection[str]:  # fmt: skip
    """Replaces orders' rows within the caller's transaction; `fresh`: there are none yet, and no failures. Returns the
    orders set aside."""
    good = {order: one for order, one in made.items() if one.error is None}
    failed = {order: one for order, one in made.items() if one.error is not None}
    failed |= await _replace(connection, projection, good, suffix, fresh)
    doubtful = [] if fresh else [order for order, one in good.items() if one.before is None and order not in failed]
    if doubtful:
        await connection.execute(TAKE_BACK, projection.name, generation, doubtful)
    if failed:
        positions, errors = [m.position for m in failed.values()], [_text(m.error or "") for m in failed.values()]
        await connection.execute(SET_ASIDE, projection.name, generation, list(failed), positions, errors)
    return failed.keys()


async def _replace(
    connection: Connection, projection: Projection, made: Mapping[str, Made], suffix: str, fresh: bool
) -> dict[str, Made]:
    """Replaces orders' rows, halving them until one that Postgres refuses stands alone; the refused ones."""
    try:
        async with connection.transaction():
            await _put(connection, projection, made, suffix, fresh)
    except Exception as error:
        if not is_about_data(error):
            raise
        refused = described(error)
    else:
        return {}
    orders = list(made)
    if len(orders) == 1:
        return {orders[0]: Made(made[orders[0]].position, {}, refused)}
    halves = orders[: len(orders) // 2], orders[len(orders) // 2 :]
    one, other = [
        await _replace(connection, projection, {order: made[order] for order in half}, suffix, fresh) for half in halves
    ]
    return one | other


async def _put(
    connection: Connection, projection: Projection, made: Mapping[str, Made], suffix: str, fresh: bool
) -> None:
    if not made:
        return
    for table in projection.tables:
        name, changed = table.name + suffix, [order for order, one in made.items() if _differs(table, one)]
        if changed and not fresh:
            await connection.execute(f"DELETE FROM okno.{name} WHERE order_key = ANY($1)", changed)  # noqa: S608  # our own names
        records = [row for order in changed for row in made[order].rows[table.name]]
        if records:
            await connection.copy_records_to_table(
                name, schema_name="okno", columns=list(table.columns), records=records
            )


def _differs(table: Table, one: Made) -> bool:
    """Whether an order's rows in a table are others than those that stand there, as far as anybody knows."""
    return not table.steady or one.before is None or one.before[table.name] != one.rows[table.name]


def _text(error: str) -> str:
    """An error as Postgres takes it: without U+0000 and half characters, and no longer than a screen."""
    return error.replace("\0", "\\0").encode(errors="backslashreplace").decode()[:2000]
