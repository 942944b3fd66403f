"""Makes single orders' rows anew in the live tables: one by hand, and those set aside once the code may be mended.

Correct beside any number of followers: the slice's progress row is locked, histories are read behind that lock, and
`mended` rises with the rows, so that a follower who read before loses his compare-and-set and reads again. No row goes
back.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

from projections.differences import Difference, compared
from projections.projection import Made, Projection, Table, belongs, bucket_of, make_all
from projections.slices import slice_of
from projections.store import Connection, Pool, histories, write

SOME = 100
"""Orders mended in one transaction: followers of the slice wait for it."""

# Stops a slice's followers.
LOCK = """
SELECT generation, position FROM okno.projection_progress WHERE projection = $1 AND slice = $2 FOR UPDATE
"""

# By which version the rows were made; asked behind the lock, because a swap changes it together with the generation.
VERSION = "SELECT version FROM okno.projections WHERE name = $1"

# Throws away what others read before.
MENDED = "UPDATE okno.projection_progress SET mended = mended + 1 WHERE projection = $1 AND slice = $2"

# Which of some orders are set aside, and why.
FAILED = """
SELECT order_key, error FROM okno.projection_failures WHERE projection = $1 AND generation = $2 AND order_key = ANY($3)
"""

# Orders set aside in the live tables, a page at a time.
SET_ASIDE = """
SELECT f.order_key FROM okno.projection_failures f
WHERE f.projection = $1 AND f.order_key > $2
  AND f.generation = (SELECT max(generation) FROM okno.projection_progress WHERE projection = $1)
ORDER BY f.order_key LIMIT 1000
"""


async def mend(
    pool: Pool, projection: Projection, orders: Iterable[str], *, write_down: bool = True
) -> list[Difference]:
    """Makes orders' live rows anew and says what was different; without `write_down` it only says so.

    Rows of another version are left alone, and so are orders the log does not know. An order with events that were not
    followed yet is no difference where it is only looked at.
    """
    found: list[Difference] = []
    for number, keys in _by_slice(orders).items():
        for start in range(0, len(keys), SOME):
            found += await _mend(pool, projection, number, keys[start : start + SOME], write_down)
    return found


async def try_again(pool: Pool, projection: Projection, slices: Collection[int]) -> int:
    """Makes the rows of all orders of some slices that were set aside; how many there were."""
    tried, last = 0, ""
    while rows := await pool.fetch(SET_ASIDE, projection.name, last):
        mine = [row["order_key"] for row in rows if slice_of(bucket_of(row["order_key"])) in slices]
        await mend(pool, projection, mine)
        tried, last = tried + len(mine), rows[-1]["order_key"]
    return tried


def _by_slice(orders: Iterable[str]) -> dict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for order in orders:
        if belongs(order):
            found[slice_of(bucket_of(order))].append(order)
    return dict(found)


class _OnlyLooked(Exception):
    """Rolls back."""


async def _mend(
    pool: Pool, projection: Projection, number: int, orders: list[str], write_down: bool
) -> list[Difference]:
    found: list[Difference] = []
    with suppress(_OnlyLooked):
        async with pool.acquire() as connection, connection.transaction():
            at = await connection.fetchrow(LOCK, projection.name, number)
            if at is None or await connection.fetchval(VERSION, projection.name) != projection.version:
                return found
            known = {order: h for order, h in (await histories(connection, orders)).items() if h}
            if not write_down:
                known = {order: h for order, h in known.items() if h[-1].position <= at["position"]}
            [made] = await make_all([projection], known)
            found = await _replace(connection, projection, at["generation"], made)
            await connection.execute(MENDED, projection.name, number)
            if not write_down:
                raise _OnlyLooked
    return found


async def _replace(
    connection: Connection, projection: Projection, generation: int, made: Mapping[str, Made]
) -> list[Difference]:
    orders = list(made)
    before = [await _rows(connection, table, orders) for table in projection.tables]
    await write(connection, projection, generation, made)
    failed = {row[0]: row[1] for row in await connection.fetch(FAILED, projection.name, generation, orders)}
    found = [Difference(order, "", None, error) for order, error in failed.items()]
    for table, there in zip(projection.tables, before, strict=True):
        now, nothing = await _rows(connection, table, orders), (None,) * len(table.columns)
        for key in sorted(there.keys() | now.keys(), key=str):
            found += compared(table, there.get(key, nothing), now.get(key, nothing))
    return sorted(found, key=lambda difference: difference.order)


async def _rows(connection: Connection, table: Table, orders: list[str]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Live rows by key."""
    query = f"SELECT {', '.join(table.columns)} FROM okno.{table.name} WHERE order_key = ANY($1)"  # noqa: S608  # our own names
    places = [table.columns.index(column) for column in table.key]
    rows = [tuple(row) for row in await connection.fetch(query, orders)]
    return {tuple(row[place] for place in places): row for row in rows}
