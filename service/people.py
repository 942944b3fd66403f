"""An order with the personal data that stand beside the log, for those who may see them."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from events.log import waits
from projections.asking import storable
from projections.orders.project import OrderRow
from service.database import Pool

# One order, and what was said of its buyer under its own key and its documents', oldest first: one trip to Postgres.
ONE = """
SELECT o.body, ARRAY(
    SELECT p.data FROM okno.personal p WHERE p.order_key = ANY(ARRAY(
        SELECT o.order_key UNION ALL SELECT '1c/' || d.document_id FROM okno.documents d WHERE d.order_key = o.order_key
    )) ORDER BY p.position
) AS said
FROM okno.orders o WHERE o.order_key = $1
"""

_BODY = msgspec.json.Decoder(OrderRow)


@waits
async def one(pool: Pool, order: str) -> OrderRow | None:
    """One order with the buyer and the address as they were said last, null where nobody said or they were erased;
    None where nobody ever heard of the order."""
    row = await pool.fetchrow(ONE, order) if storable(order) else None
    return None if row is None else _told(_BODY.decode(row["body"]), map(msgspec.json.decode, row["said"]))


def joined(order: OrderRow, personal: Mapping[int, Any]) -> OrderRow:
    """The same with both at hand, personal data by position."""
    return _told(order, (said for _, said in sorted(personal.items())))


def _told(order: OrderRow, personal: Iterable[Any]) -> OrderRow:
    customer = address = None
    for said in personal:
        customer = said.get("customer") or customer
        address = said.get("address") or address
    delivery = msgspec.structs.replace(order.delivery, address=address)
    return msgspec.structs.replace(order, customer=customer, delivery=delivery)
