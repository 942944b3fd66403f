"""What live rows say differently from those a rebuild filled beside: streamed in one snapshot, order by order.

Orders touched behind what the live rows or those beside have seen are left out: they differ by their age only. JSON
whose text differs is compared as jsonb, so neither spelling nor the order of keys makes a difference.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from projections.projection import Projection, Table
from projections.store import BESIDE, PATIENT, Connection

CHUNK = 500
"""Rows held at a time."""

# Up to where both the live rows and those beside have seen the log.
SEEN = """
SELECT least((SELECT min(position) FROM okno.projection_progress WHERE projection = $1),
             (SELECT min(position) FROM okno.projection_rebuilds WHERE projection = $1))
"""

# Orders whose rows can't be made, and why.
FAILED = """
SELECT order_key, error FROM okno.projection_failures WHERE projection = $1 AND generation = $2
ORDER BY order_key COLLATE "C"
"""


class Difference(msgspec.Struct, frozen=True):
    """One value that is not what the log says; `column` names the row as well where a table has several an order, and
    is empty for an order whose rows can't be made: `rebuilt` is then why."""

    order: str
    column: str
    live: Any
    rebuilt: Any


class Found(msgspec.Struct, frozen=True):
    """How much differs, compared as of a position."""

    position: int
    orders: int = 0
    values: int = 0


async def seen(connection: Connection, projection: Projection) -> int:
    """Up to where the two are compared. Taken in the transaction of `differences`, whose snapshot it begins."""
    tables = ", ".join(f"okno.{table.name}{suffix}" for table in projection.tables for suffix in ("", BESIDE))
    # Before the snapshot is taken: else a swap in between shows new tables as they were before their last rows.
    await connection.execute(f"LOCK TABLE {tables} IN ACCESS SHARE MODE")
    return int(await connection.fetchval(SEEN, projection.name))


async def differences(
    connection: Connection, projection: Projection, generation: int, position: int
) -> AsyncIterator[Difference]:
    """Every difference, by order; within a transaction of one snapshot."""
    streams = [_failed(connection, projection, generation)]
    streams += [_of(connection, projection, table, generation, position) for table in projection.tables]
    heads = [await anext(stream, None) for stream in streams]
    while waiting := [(head.order, number) for number, head in enumerate(heads) if head is not None]:
        _, number = min(waiting)
        head = heads[number]
        assert head is not None
        yield head
        heads[number] = await anext(streams[number], None)


async def _failed(connection: Connection, projection: Projection, generation: int) -> AsyncIterator[Difference]:
    async for order, error in connection.cursor(FAILED, projection.name, generation, prefetch=CHUNK):
        yield Difference(order, "", None, error)


async def _of(
    connection: Connection, projection: Projection, table: Table, generation: int, position: int
) -> AsyncIterator[Difference]:
    arguments = (projection.name, generation, position)
    async for row in connection.cursor(_query(table), *arguments, prefetch=CHUNK, timeout=PATIENT):
        values = tuple(row)
        half = len(table.columns)
        for difference in compared(table, values[:half], values[half:]):
            yield difference


def _query(table: Table) -> str:
    """Rows of a table that are not the same in both, a side after the other."""
    live, beside = [", ".join(f"{side}.{c}" for c in table.columns) for side in "lb"]
    said, made = [", ".join(_compared(side, c, table) for c in table.columns) for side in "lb"]
    key = list(dict.fromkeys(("order_key", *table.key)))
    return f"""
        SELECT {live}, {beside} FROM okno.{table.name} l FULL JOIN okno.{table.name}{BESIDE} b
            ON {" AND ".join(f"l.{c} = b.{c}" for c in key)}
        WHERE ({said}) IS DISTINCT FROM ({made})
          AND NOT EXISTS (SELECT FROM okno.projection_failures f WHERE f.projection = $1 AND f.generation = $2
                          AND f.order_key = coalesce(l.order_key, b.order_key))
          AND NOT EXISTS (SELECT FROM okno.events e
                          WHERE e.order_key = coalesce(l.order_key, b.order_key) AND e.position > $3)
        ORDER BY coalesce(l.order_key, b.order_key) COLLATE "C", {", ".join(f"coalesce(l.{c}, b.{c})" for c in key)}
    """  # noqa: S608  # our own names


def _compared(side: str, column: str, table: Table) -> str:
    """A column's value on one side as Postgres compares it; JSON of one text need not be understood to be equal."""
    value = f"{side}.{column}"
    return (
        f"CASE WHEN l.{column}::text = b.{column}::text THEN NULL ELSE {value}::jsonb END"
        if column in table.json
        else value
    )


def compared(table: Table, live: Sequence[Any], rebuilt: Sequence[Any]) -> list[Difference]:
    """What two rows of one key say differently; a row that is not there has no order."""
    owner = table.columns.index("order_key")
    there = live if live[owner] is not None else rebuilt
    order, key = there[owner], [there[table.columns.index(column)] for column in table.key]
    where = table.name if table.key == ("order_key",) else f"{table.name}[{', '.join(map(str, key))}]"
    if live[owner] is None:
        return [Difference(order, where, None, "a row")]
    if rebuilt[owner] is None:
        return [Difference(order, where, "a row", None)]
    found = []
    for column, one, other in zip(table.columns, live, rebuilt, strict=True):
        if column in table.json:
            found += _within(order, f"{where}.{column}", *(text and msgspec.json.decode(text) for text in (one, other)))
        elif one != other:
            found.append(Difference(order, f"{where}.{column}", one, other))
    return found


def _within(order: str, where: str, live: Any, rebuilt: Any) -> list[Difference]:
    """What two JSON values say differently; by key where both are objects."""
    if live == rebuilt:
        return []
    if not isinstance(live, dict) or not isinstance(rebuilt, dict):
        return [Difference(order, where, live, rebuilt)]
    keys = sorted(live.keys() | rebuilt.keys())
    both = [(key, live.get(key, msgspec.UNSET), rebuilt.get(key, msgspec.UNSET)) for key in keys]
    return [
        Difference(order, f"{where}.{key}", *(None if value is msgspec.UNSET else value for value in (one, other)))
        for key, one, other in both
        if one != other
    ]
