"""Fills one bucket's rows beside: its orders stream by, a few hundred at a time, however many there are."""

from collections.abc import AsyncIterator

from events.log import COLUMNS, recorded
from events.recorded import Recorded
from projections.projection import Projection, make_all
from projections.store import BESIDE, PATIENT, Connection, write

CHUNK = 1000
"""Events held at a time, besides those of the longest order."""

# A bucket's events, order by order; asked for a chunk at a time.
EVENTS = f"""
SELECT {COLUMNS} FROM okno.events WHERE bucket = $1 AND left(order_key, 3) <> '1c/' ORDER BY order_key, position
"""  # noqa: S608  # constants

# Marks sent under a document before it was linked: they count for the order, and lie in another bucket.
MARKS = f"""
SELECT d.order_key AS owner, {", ".join("e." + column for column in COLUMNS.split(", "))}
FROM okno.documents d JOIN okno.events e ON e.order_key = '1c/' || d.document_id WHERE d.order_key = ANY($1)
"""  # noqa: S608  # constants


async def fill_bucket(connection: Connection, projection: Projection, generation: int, bucket: int) -> None:
    """Writes the rows of a bucket's orders into empty tables beside, within the caller's transaction."""
    async for histories in streamed(connection, bucket):
        [made] = await make_all([projection], histories)
        await write(connection, projection, generation, made, BESIDE, fresh=True)


async def streamed(connection: Connection, bucket: int) -> AsyncIterator[dict[str, list[Recorded]]]:
    """The whole histories of a bucket's orders, some orders at a time."""
    cursor = await connection.cursor(EVENTS, bucket, timeout=PATIENT)
    orders: dict[str, list[Recorded]] = {}
    while rows := await cursor.fetch(CHUNK, timeout=PATIENT):
        for row in rows:
            event = recorded(row)
            orders.setdefault(event.order, []).append(event)
        last, history = orders.popitem()  # may go on in the next chunk
        if orders:
            yield await _with_marks(connection, orders)
        orders = {last: history}
    if orders:
        yield await _with_marks(connection, orders)


async def _with_marks(connection: Connection, orders: dict[str, list[Recorded]]) -> dict[str, list[Recorded]]:
    for owner, *values in await connection.fetch(MARKS, list(orders)):
        orders[owner].append(recorded(values))
        orders[owner].sort(key=lambda event: event.position)
    return orders
