"""How the marketplace writes orders down: `order/new`, `order/cancel` and the answer of `order/get`.

Its messages differ from order to order; `Order.drift` names what differs in one from the plainest form: `fias` the
address's other name, `id_text` deliveryId as a string (a number in FBS), `flags` null or [], `source` in meta, `tax`
"NOT", `newer` the fields of 2023, `boxes` as a list in order/get.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from service.marketplaces.megamarket.sandbox.order import Lot, Order
from service.marketplaces.values import MOSCOW

DRIFTS: Final = ("fias", "id_text", "flags", "source", "tax", "newer", "boxes")
SCHEMES: Final = {"dbs": "DELIVERY_BY_MERCHANT", "cnc": "COLLECT_BY_CUSTOMER", "fbs": None}
_OUTLET: Final = "SHOP-7"
_POINT: Final = 132378


def order_new(order: Order, merchant_id: int) -> dict[str, Any]:
    """The callback that tells of a new order."""
    form: dict[str, Any] = {
        "shipmentId": order.number, "shipmentDate": iso(order.placed),
        "items": [_new_item(order, lot) for lot in order.lots],
    }  # fmt: skip
    if order.model == "fbs":
        form |= _fbs(order, merchant_id)
    else:
        empty: list[str] | None = [] if (order.model == "dbs") != ("flags" in order.drift) else None
        form |= {"handover": _handover(order), "customer": _customer(order), "flags": empty}
    return _callback(order, merchant_id, form)


def order_cancel(order: Order, merchant_id: int, lots: Sequence[Lot]) -> dict[str, Any]:
    """The callback that tells of lots the buyer has cancelled (FBS) or wishes to (DBS, C&C)."""
    items = [{"itemIndex": lot.index, "goodsId": lot.goods_id, "offerId": lot.sku} for lot in lots]
    form: dict[str, Any] = {"shipmentId": order.number, "items": items}
    if order.model == "fbs":
        form["fulfillmentMethod"] = "FULFILLMENT_BY_MERCHANT"
    return _callback(order, merchant_id, form)


def order_get(order: Order, merchant_id: int) -> dict[str, Any]:
    """One shipment in the answer of `order/get`."""
    fbs, at_shop = order.model == "fbs", order.model == "cnc"
    midnight = order.delivery_from.astimezone(MOSCOW).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "shipmentId": order.number, "orderCode": order.order_code, "status": order.status,
        "confirmedTimeLimit": iso(_confirm_by(order)) if fbs else None, "packingTimeLimit": iso(order.pack_by),
        "shippingTimeLimit": iso(order.ship_by),
        "shipmentDateFrom": iso(order.ship_by - timedelta(hours=7)), "shipmentDateTo": iso(order.ship_by),
        "packingDate": iso(order.pack_by), "reserveExpirationDate": None if fbs else iso(order.keep_until),
        "deliveryId": str(_delivery_id(order)), "shipmentDateShift": order.shifted,
        "shipmentIsChangeable": not order.ended,
        "customerFullName": _name(order), "customerAddress": _address(order),
        "shippingPoint": str(_POINT) if fbs else _OUTLET if at_shop else None, "creationDate": iso(order.placed),
        "deliveryDate": None if at_shop else iso(midnight),
        "deliveryDateFrom": None if at_shop else iso(order.delivery_from),
        "deliveryDateTo": None if at_shop else iso(order.delivery_to),
        "deliveryMethodId": "PICKUP" if at_shop else "COURIER", "serviceScheme": SCHEMES[order.model],
        "depositedAmount": _deposited(order),
        "customer": None if fbs else {"phone": order.buyer.phone.lstrip("+"), "email": "", "comment": None},
        "items": [_got_item(order, lot, merchant_id) for lot in order.lots],
    }  # fmt: skip


def box_code(merchant_id: int, order_code: str | None, index: int) -> str:
    """What stands on a box."""
    return f"{merchant_id}*{order_code}*{index}"


def money(value: Decimal) -> int | float:
    """Rubles, a JSON number."""
    return int(value) if value == value.to_integral() else float(value)


def iso(moment: datetime) -> str:
    """`2024-08-09T16:12:28+03:00`."""
    return moment.astimezone(MOSCOW).isoformat(timespec="seconds")


def _callback(order: Order, merchant_id: int, form: dict[str, Any]) -> dict[str, Any]:
    meta = {"source": "OMS"} if "source" in order.drift else {}
    return {"meta": meta, "data": {"merchantId": merchant_id, "shipments": [form]}}


def _item(lot: Lot) -> dict[str, Any]:
    return {
        "itemIndex": lot.index, "goodsId": lot.goods_id, "offerId": lot.sku, "price": money(lot.price),
        "finalPrice": money(lot.final_price), "quantity": 1,
        "discounts": [
            {"discountType": one.type, "discountDescription": one.text, "discountAmount": money(one.amount)}
            for one in lot.discounts
        ],
    }  # fmt: skip


def _new_item(order: Order, lot: Lot) -> dict[str, Any]:
    tax = None if lot.delivery else "NOT" if "tax" in order.drift else "20"
    form = {
        **_item(lot), "itemName": lot.name, "taxRate": tax, "reservationPerformed": True,
        "isDigitalMarkRequired": lot.marked,
    }  # fmt: skip
    if "newer" in order.drift:
        form |= {"itemId": f"{order.number}-{lot.index}", "priceAdjustments": []}
    return form


def _got_item(order: Order, lot: Lot, merchant_id: int) -> dict[str, Any]:
    data: dict[str, Any] = {"name": lot.name, "categoryName": "Услуги" if lot.delivery else "Бытовая техника"}
    if "newer" in order.drift:
        data |= {"isDelivery": lot.delivery, "isDigitalMarkRequired": lot.marked}
    form = {
        **_item(lot), "status": lot.status, "subStatus": lot.sub, "goodsData": data,
        "boxIndex": lot.boxes[0] if lot.boxes else None,
        "events": [{"eventDate": iso(e.at), "eventName": e.status, "eventValue": e.sub} for e in lot.events],
    }  # fmt: skip
    if lot.boxes and ("boxes" in order.drift or len(lot.boxes) > 1):
        codes = [(at, box_code(merchant_id, order.order_code, at)) for at in lot.boxes]
        form["boxes"] = [{"boxIndex": at, "boxCode": code} for at, code in codes]
    return form


def _handover(order: Order) -> dict[str, Any]:
    window = {"dateFrom": iso(order.delivery_from), "dateTo": iso(order.delivery_to)}
    return {
        "packingDate": iso(order.pack_by), "reserveExpirationDate": iso(order.keep_until),
        "outletId": _OUTLET if order.model == "cnc" else "", "serviceScheme": SCHEMES[order.model],
        "depositedAmount": _deposited(order), "deliveryInterval": window if order.model == "dbs" else None,
        "deliveryId": str(_delivery_id(order)) if "id_text" in order.drift else _delivery_id(order),
    }  # fmt: skip


def _customer(order: Order) -> dict[str, Any]:
    to, dbs = order.address, order.model == "dbs"
    kept = False if dbs else None
    address: dict[str, Any] = {
        "source": _address(order), "postalCode": to.postcode,
        "fias": {"regionId": "63", "destinationId" if dbs != ("fias" in order.drift) else "destination": ""},
        "geo": {"lat": "53.200000", "lon": "50.150000"},
        "access": {"detachedHouse": kept, "entrance": None, "floor": None, "intercom": None, "cargoElevator": kept,
                   "comment": "Позвонить за час" if dbs else None, "apartment": to.flat if dbs else None},
    }  # fmt: skip
    if dbs:
        address |= {
            "regionKladrId": "63", "house": to.house, "block": None, "flat": to.flat,
            "regionWithType": "Самарская обл", "cityWithType": f"г {to.city}", "cityArea": None,
            "streetWithType": to.street,
        }  # fmt: skip
    return {"customerFullName": _name(order), "phone": order.buyer.phone.lstrip("+"), "email": "", "address": address}


def _fbs(order: Order, merchant_id: int) -> dict[str, Any]:
    day, number = iso(order.ship_by), _delivery_id(order)
    shipping: dict[str, Any] = {"shippingDate": day, "shippingPoint": _POINT}
    label = {
        "deliveryId": number if "id_text" in order.drift else str(number), "region": "Самарская",
        "city": order.address.city, "address": _address(order), "fullName": _name(order),
        "merchantName": "Песочница", "merchantId": merchant_id, "shipmentId": order.number, "shippingDate": day,
        "deliveryType": "Доставка курьером", "labelText": f"<!DOCTYPE html><html><body>{order.number}</body></html>",
    }  # fmt: skip
    form = {"label": label, "shipping": shipping, "fulfillmentMethod": "FULFILLMENT_BY_MERCHANT"}
    if "newer" in order.drift:
        window = {"dateFrom": iso(order.delivery_from), "dateTo": iso(order.delivery_to)}
        shipping["shippingInterval"] = {"dateFrom": iso(order.ship_by - timedelta(hours=7)), "dateTo": day}
        form |= {
            "confirmationDate": iso(_confirm_by(order)), "packingDate": iso(order.pack_by),
            "customerOrderId": f"{number}1",
            "delivery": {"deliveryDate": iso(order.delivery_from), "deliveryInterval": window},
        }  # fmt: skip
    return form


def _confirm_by(order: Order) -> datetime:
    return order.placed + timedelta(hours=4)


def _deposited(order: Order) -> int | float:
    return money(sum((lot.final_price for lot in order.lots), Decimal(0))) if order.prepaid else 0


def _delivery_id(order: Order) -> int:
    return 9_000_000_000_000 + int(order.number)


def _name(order: Order) -> str:
    return f"{order.buyer.last} {order.buyer.first}"


def _address(order: Order) -> str:
    to = order.address
    return f"{to.city}, {to.street}, {to.house}, кв. {to.flat}"
