"""What 1C needs to book and do an order, besides its goods and delivery: only what stays as the order goes its way.

What order/get tells comes first; the callback of a new order tells the rest, under the same names.
"""

from collections.abc import Sequence
from typing import Any

from service.marketplaces import values
from service.marketplaces.megamarket import wire
from service.marketplaces.megamarket.lines import Goods, paid


def of(
    got: wire.Shipment, told: wire.NewShipment, lines: Sequence[Goods], paid_for: Sequence[tuple[str, wire.Item]]
) -> dict[str, str]:
    """The details of an order; `paid_for`: the lot of the paid delivery."""
    found = {**_told(told, lines), **_shown(got)}
    for index, item in paid_for:
        found |= {"delivery_price": paid(item), "delivery_lot": index}
    for line in lines:
        full, needs = values.money(line.items[0].price), _marked(line.items)
        found |= {f"full_price.{line.id}": full} if full != line.price else {}
        found |= {f"marking.{line.id}": "CIS"} if needs else {}
    return {key: str(value) for key, value in found.items() if value is not None}


def _shown(got: wire.Shipment) -> dict[str, Any]:
    found = {
        **_payment(got.deposited_amount),
        "service_scheme": values.text(got.service_scheme),
        "shipping_point": values.text(got.shipping_point),
        "delivery_id": values.text(got.delivery_id),
        "delivery_method": values.text(got.delivery_method_id),
        "reserve_until": values.text(got.reserve_expiration_date),
    }
    return {key: value for key, value in found.items() if value is not None}


def _told(told: wire.NewShipment, lines: Sequence[Goods]) -> dict[str, Any]:
    """What the callback says, where order/get may be silent. [OBS] which of it get repeats is not known; facts 6, 8"""
    handover, label = told.handover or wire.Handover(), told.label or wire.Label()
    delivery, shipping = told.delivery or wire.NewDelivery(), told.shipping or wire.Shipping()
    window = handover.delivery_interval or delivery.delivery_interval or wire.Window()
    address = told.customer.address if told.customer is not None else None
    access = address.access if address is not None else None
    found: dict[str, Any] = {
        **_payment(handover.deposited_amount),
        "service_scheme": values.text(handover.service_scheme),
        "shipping_point": values.text(handover.outlet_id) or values.text(shipping.shipping_point),
        "delivery_id": values.text(handover.delivery_id) or values.text(label.delivery_id),
        "reserve_until": values.text(handover.reserve_expiration_date),
        "packing_until": values.text(handover.packing_date) or values.text(told.packing_date),
        "confirmation_until": values.text(told.confirmation_date),
        "shipping_date": values.text(shipping.shipping_date),
        "delivery_from": values.text(window.date_from) or values.text(delivery.delivery_date),
        "delivery_to": values.text(window.date_to),
        "delivery_type": values.text(label.delivery_type),
        "customer_order_id": values.text(told.customer_order_id),
        "fulfillment": values.text(told.fulfillment_method),
        "lift": "cargo" if access is not None and access.cargo_elevator else None,
    }
    said = {values.text(item.item_index): item for item in told.items or () if item is not None}
    for line in lines:
        mine = [said[lot] for lot in line.id.split(",") if lot in said]
        if mine:
            found[f"vat.{line.id}"] = values.text(mine[0].tax_rate)
            found[f"name.{line.id}"] = mine[0].item_name if line.name is None else None
            found[f"marking.{line.id}"] = "CIS" if _marked(mine) else None
    return found


def _payment(deposited: Any) -> dict[str, Any]:
    """What was paid in advance, goods and delivery. [OBS S2, S4b] 0: the buyer pays on receipt; facts 6"""
    found = values.money(deposited)
    return {"payment_type": "PREPAID" if found else "ON_RECEIPT", "prepaid": found} if found is not None else {}


def _marked(items: Sequence[wire.Item]) -> bool:
    """Whether the goods need a code of Chestny Znak for each piece."""
    return any(
        item.is_digital_mark_required or (item.goods_data is not None and item.goods_data.is_digital_mark_required)
        for item in items
    )
