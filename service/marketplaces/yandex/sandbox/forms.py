"""How Market writes orders, buyers and returns down: v1 in ISO 8601, the answer to a status in the old v2 form."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from service.marketplaces.yandex.sandbox.order import Order
from service.marketplaces.yandex.values import MOSCOW

_REGION = {"id": 51, "name": "Самара", "type": "CITY", "parent": {"id": 225, "name": "Россия", "type": "COUNTRY"}}


def order_v1(order: Order) -> dict[str, Any]:
    """An order in the form of `POST /v1/businesses/{businessId}/orders`."""
    total = sum((line.price * line.count for line in order.lines), Decimal(0))
    points = sum((line.points * line.count for line in order.lines), Decimal(0))
    form: dict[str, Any] = {
        "orderId": order.number, "campaignId": order.campaign, "programType": order.model.upper(),
        "status": order.status, "substatus": order.substatus, "creationDate": iso(order.placed),
        "updateDate": iso(order.updated), "paymentType": "PREPAID", "paymentMethod": "YANDEX", "fake": False,
        "items": [_item(order, n) for n in range(len(order.lines))], "delivery": _delivery(order),
        "prices": {"payment": money(total - points), **({"cashback": money(points)} if points else {}),
                   "delivery": {"payment": money(Decimal(0)), "vat": "VAT_22"}},
        "services": {"liftType": "ELEVATOR" if order.model == "dbs" else "NOT_NEEDED"},
        "notes": "Позвонить за час", "sourcePlatform": "MARKET",
    }  # fmt: skip
    if order.model == "dbs":
        form["cancelRequested"] = order.requested is not None
    if order.external_id is not None:
        form["externalOrderId"] = order.external_id
    return form


def _item(order: Order, n: int) -> dict[str, Any]:
    line = order.lines[n]
    prices = {"payment": money((line.price - line.points) * line.count), "vat": "VAT_22"}
    if line.points:
        prices["cashback"] = money(line.points * line.count)
    form = {"id": line.id, "offerId": line.sku, "offerName": line.name, "count": line.count, "prices": prices}
    if line.marked:
        form["requiredInstanceTypes"] = ["CIS"]
    if order.instances.get(line.id):
        form["instances"] = order.instances[line.id]
    return form


def _delivery(order: Order) -> dict[str, Any]:
    dbs = order.model == "dbs"
    dates: dict[str, Any] = {"fromDate": order.to_date.isoformat(), "toDate": order.to_date.isoformat()}
    if not order.pickup:
        dates |= {"fromTime": "10:00:00", "toTime": "18:00:00"}
    if order.real_date is not None:
        dates["realDeliveryDate"] = order.real_date.isoformat()
    form: dict[str, Any] = {
        "type": "PICKUP" if order.pickup else "DELIVERY", "deliveryServiceId": 99 if dbs else 1005177,
        "serviceName": "Собственная служба доставки" if dbs else "Яндекс Доставка",
        "deliveryPartnerType": "SHOP" if dbs else "YANDEX_MARKET",
        "dispatchType": "SHOP_OUTLET" if order.pickup else "BUYER", "dates": dates, "estimated": False,
        "shipment": {"id": None, "shipmentDate": order.to_date.isoformat(), "shipmentTime": None if dbs else "18:00"},
    }  # fmt: skip
    if order.pickup:
        form["pickup"] = {"address": order.address, "region": _REGION, "outletCode": "SHOP-7", "logisticPointId": 7007}
        if order.storage_limit is not None:
            form["pickup"]["outletStorageLimitDate"] = order.storage_limit.isoformat()
    else:
        form["courier"] = {"address": order.address, "region": _REGION}
    if order.boxes:
        form["boxesLayout"] = order.boxes
    if order.tracks:
        form["tracks"] = order.tracks
    if order.code is not None and not order.code_taken:
        form["transfer"] = {"eac": {"eacType": "COURIER_TO_MERCHANT"}}
    return form


def order_v2(order: Order) -> dict[str, Any]:
    """The old form that `PUT …/status` still answers: `id`, DD-MM-YYYY, Moscow's time without an offset."""
    total = float(sum((line.price * line.count for line in order.lines), Decimal(0)))
    day = order.to_date.strftime("%d-%m-%Y")
    return {
        "id": order.number, "status": order.status, "substatus": order.substatus, "creationDate": _old(order.placed),
        "updatedAt": _old(order.updated), "currency": "RUR", "itemsTotal": total, "deliveryTotal": 0, "fake": False,
        "buyerItemsTotalBeforeDiscount": total, "paymentType": "PREPAID", "paymentMethod": "YANDEX", "taxSystem": "OSN",
        "items": [{"id": line.id, "offerId": line.sku, "offerName": line.name, "count": line.count,
                   "price": float(line.price), "buyerPrice": float(line.price),
                   "buyerPriceBeforeDiscount": float(line.price)} for line in order.lines],
        "delivery": {"type": "PICKUP" if order.pickup else "DELIVERY", "serviceName": "Доставка",
                     "deliveryServiceId": 99,
                     "deliveryPartnerType": "SHOP" if order.model == "dbs" else "YANDEX_MARKET",
                     "dates": {"fromDate": day, "toDate": day}},
        "buyer": {"type": "PERSON"}, "cancelRequested": order.requested is not None,
    }  # fmt: skip


def money(value: Decimal) -> dict[str, Any]:
    """A sum as Market writes it: a JSON number, roubles under their old code."""
    return {"value": int(value) if value == value.to_integral() else float(value), "currencyId": "RUR"}


def iso(moment: datetime) -> str:
    """`2026-09-14T10:21:07.123+03:00`."""
    return moment.astimezone(MOSCOW).isoformat(timespec="milliseconds")


def _old(moment: datetime) -> str:
    return moment.astimezone(MOSCOW).strftime("%d-%m-%Y %H:%M:%S")
