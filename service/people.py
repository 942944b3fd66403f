"""An order with the personal data that stand beside the log, for those who may see them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from events.log import Log
from projections.orders.project import OrderRow


async def with_people(log: Log, order: OrderRow) -> OrderRow:
    """The order with the buyer and the address as they were said last; null where nobody said or they were erased."""
    return joined(order, await log.personal(order.order))


def joined(order: OrderRow, personal: Mapping[int, Any]) -> OrderRow:
    """The same with personal data at hand, by position."""
    customer = address = None
    for _, said in sorted(personal.items()):
        customer = said.get("customer") or customer
        address = said.get("address") or address
    delivery = msgspec.structs.replace(order.delivery, address=address)
    return msgspec.structs.replace(order, customer=customer, delivery=delivery)
