"""Whether live tables say what the log says: folds everything and compares."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from projections.follow import begin, slice_of
from projections.projection import BUCKETS, Made, Projection, Table, make_all
from projections.rebuild import Progress, bucket_histories, silent
from projections.store import Connection, Pool

# How far the followers of a bucket's slice are.
POSITION = "SELECT position FROM okno.projection_progress WHERE projection = $1 AND slice = $2"


class Difference(msgspec.Struct, frozen=True):
    """One value that is not what the log says; `column` names the row as well where a table has several an order, and
    is empty for an order whose rows can't be made: `rebuilt` is then why."""

    order: str
    column: str
    live: Any
    rebuilt: Any


async def check(pool: Pool, projection: Projection, progress: Progress = silent) -> list[Difference]:
    """What live rows say differently from the log; orders with events that were not followed yet are left out."""
    await begin(pool, [projection])
    differences: list[Difference] = []
    tables = ", ".join(f"okno.{table.name}" for table in projection.tables)
    for bucket in range(BUCKETS):
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            # Before the snapshot is taken: else a swap in between shows new tables as they were before their last rows.
            await connection.execute(f"LOCK TABLE {tables} IN ACCESS SHARE MODE")
            position = await connection.fetchval(POSITION, projection.name, slice_of(bucket))
            histories = await bucket_histories(connection, bucket)
            settled = {order: h for order, h in histories.items() if h[-1].position <= position}
            live = [await _live(connection, table, list(settled)) for table in projection.tables]
        [made] = await make_all([projection], settled)
        differences += [Difference(order, "", None, one.error) for order, one in made.items() if one.error is not None]
        for table, rows in zip(projection.tables, live, strict=True):
            differences += _compare(table, rows, made)
        progress(bucket + 1, BUCKETS)
    return differences + await _strangers(pool, projection)


async def _live(connection: Connection, table: Table, orders: list[str]) -> list[tuple[Any, ...]]:
    columns = ", ".join(table.columns)
    query = f"SELECT {columns} FROM okno.{table.name} WHERE order_key = ANY($1)"  # noqa: S608
    return [tuple(row) for row in await connection.fetch(query, orders)]


async def _strangers(pool: Pool, projection: Projection) -> list[Difference]:
    """Rows of orders the log does not know."""
    found = []
    for table in projection.tables:
        query = f"""
            SELECT DISTINCT t.order_key FROM okno.{table.name} t WHERE left(t.order_key, 3) = '1c/'
            OR NOT EXISTS (SELECT FROM okno.events e WHERE e.order_key = t.order_key)"""  # noqa: S608  # our own names
        found += [Difference(row["order_key"], table.name, "a row", None) for row in await pool.fetch(query)]
    return found


def _compare(table: Table, live: Sequence[tuple[Any, ...]], made: Mapping[str, Made]) -> list[Difference]:
    there = {_key(table, row): row for row in live}
    right = {_key(table, row): row for one in made.values() if one.error is None for row in one.rows[table.name]}
    found: list[Difference] = []
    owner = table.columns.index("order_key")
    for key in sorted({**there, **right}, key=str):
        one, other = there.get(key), right.get(key)
        order = (one or other or ())[owner]
        if made[order].error is not None:
            continue
        if one is None or other is None:
            found.append(Difference(order, _named(table, key, ""), one and "a row", other and "a row"))
            continue
        for column, a, b in zip(table.columns, one, other, strict=True):
            if column in table.json:
                a, b = msgspec.json.decode(a), msgspec.json.decode(b)  # noqa: PLW2901  # the same value, spelt the same
            if a != b:
                found.append(Difference(order, _named(table, key, column), a, b))
    return found


def _key(table: Table, row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(row[table.columns.index(column)] for column in table.key)


def _named(table: Table, key: tuple[Any, ...], column: str) -> str:
    where = table.name if table.key == ("order_key",) else f"{table.name}[{', '.join(str(part) for part in key)}]"
    return f"{where}.{column}" if column else where
