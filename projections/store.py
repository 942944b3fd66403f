"""Replaces the rows of some orders; an order whose rows Postgres does not take is set aside, and the rest goes on."""

from collections.abc import Mapping
from typing import TypeAlias

import asyncpg

from projections.projection import Made, Projection

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


async def write(
    connection: Connection, projection: Projection, generation: int, made: Mapping[str, Made], suffix: str = ""
) -> None:
    """Replaces orders' rows within the caller's transaction."""
    good = {order: m for order, m in made.items() if m.error is None}
    failed = {order: m for order, m in made.items() if m.error is not None}
    try:
        async with connection.transaction():
            await _replace(connection, projection, good, suffix)
    except Exception as error:
        if not _is_about_data(error):
            raise
        failed |= await _one_by_one(connection, projection, good, suffix)
    if good:
        await connection.execute(TAKE_BACK, projection.name, generation, [o for o in good if o not in failed])
    if failed:
        positions, errors = [m.position for m in failed.values()], [_text(m.error or "") for m in failed.values()]
        await connection.execute(SET_ASIDE, projection.name, generation, list(failed), positions, errors)


async def _replace(connection: Connection, projection: Projection, made: Mapping[str, Made], suffix: str) -> None:
    if not made:
        return
    for table in projection.tables:
        name = table.name + suffix
        await connection.execute(f"DELETE FROM okno.{name} WHERE order_key = ANY($1)", list(made))  # noqa: S608
        records = [row for m in made.values() for row in m.rows[table.name]]
        if records:
            await connection.copy_records_to_table(
                name, schema_name="okno", columns=list(table.columns), records=records
            )


async def _one_by_one(
    connection: Connection, projection: Projection, made: Mapping[str, Made], suffix: str
) -> dict[str, Made]:
    failed = {}
    for order, one in made.items():
        try:
            async with connection.transaction():
                await _replace(connection, projection, {order: one}, suffix)
        except Exception as error:
            if not _is_about_data(error):
                raise
            failed[order] = Made(one.position, {}, f"{type(error).__name__}: {error}")
    return failed


def _is_about_data(error: Exception) -> bool:
    """Whether Postgres, or the driver before it, refused a value."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in ("22", "23")
    return isinstance(error, ValueError | TypeError | OverflowError)


def _text(error: str) -> str:
    """An error as Postgres takes it: without U+0000, and no longer than a screen."""
    return error.replace("\0", "\\0")[:2000]
