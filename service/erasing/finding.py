"""Finds the orders of a person by a phone, a name or an e-mail address. Reads only.

Who asks to be forgotten knows no order number. All that is kept is read through, raw messages included, since a person
may stand where no field of ours does: on a large log this takes its time.
"""

from collections.abc import Callable

import msgspec

from events.log import waits
from service.database import Pool
from service.erasing import holdings, traces

PAGE = 2000

# How much there is to read through.
TOTAL = "SELECT (SELECT count(*) FROM okno.personal) + (SELECT count(*) FROM okno.bodies)"

# Personal data and raw messages by position.
PERSONAL = "SELECT position, order_key, data FROM okno.personal WHERE position > $1 ORDER BY position LIMIT $2"
BODIES = "SELECT position, order_key, body AS data FROM okno.bodies WHERE position > $1 ORDER BY position LIMIT $2"

# Orders of documents of 1C.
OWNERS = "SELECT '1c/' || document_id AS key, order_key FROM okno.documents WHERE document_id = ANY($1)"


class Found(msgspec.Struct, frozen=True):
    """An order that names the person, and the positions where; without an order: rejected messages that do, by id."""

    order: str | None
    positions: tuple[int, ...] = ()
    rejected: tuple[str, ...] = ()


@waits
async def find(pool: Pool, wanted: str, progress: Callable[[int, int], None]) -> list[Found]:
    """Whatever names a person; `ValueError` for what could be anybody."""
    test = traces.of_person(wanted)
    total, done = await pool.fetchval(TOTAL), 0
    found: dict[str, set[int]] = {}
    for page in (PERSONAL, BODIES):
        after = 0
        while rows := await pool.fetch(page, after, PAGE):
            for row in rows:
                if test(traces.texts(row["data"])):
                    found.setdefault(row["order_key"], set()).add(row["position"])
            after, done = rows[-1]["position"], done + len(rows)
            progress(done, max(total, done))
    async with pool.acquire() as connection:
        rows_ = holdings.rejected_since(connection, holdings.BEGINNING)
        rejected = [row["id"] async for row in rows_ if holdings.is_trace(row, test)]
    orders = await _by_order(pool, found)
    return [*orders, Found(None, rejected=tuple(rejected))] if rejected else orders


async def _by_order(pool: Pool, found: dict[str, set[int]]) -> list[Found]:
    """Marks sent under a document count for the order it was linked to."""
    documents = [key.removeprefix("1c/") for key in found if key.startswith("1c/")]
    owners = {row["key"]: row["order_key"] for row in await pool.fetch(OWNERS, documents)}
    orders: dict[str, set[int]] = {}
    for key, positions in found.items():
        orders.setdefault(owners.get(key, key), set()).update(positions)
    return [Found(order, tuple(sorted(positions))) for order, positions in sorted(orders.items())]
