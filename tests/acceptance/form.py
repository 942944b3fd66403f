"""An order in the form of `POST /v1/businesses/{b}/orders`, made to the schema BusinessOrderDTO."""

import datetime as dt
from typing import Any

from .order import Order
from .scenario import MOSCOW, Line

REGION = {"id": 51, "name": "Самара", "type": "CITY", "parent": {"id": 225, "name": "Россия", "type": "COUNTRY"}}
ADDRESS = {"country": "Россия", "postcode": "443010", "city": "Самара", "street": "Молодогвардейская", "house": "104",
           "entrance": "1", "entryphone": "12", "floor": "3", "apartment": "12"}  # fmt: skip


def iso(moment: dt.datetime) -> str:
    return moment.astimezone(MOSCOW).isoformat(timespec="milliseconds")


def money(value: int) -> dict[str, Any]:
    return {"value": value, "currencyId": "RUR"}


def _item(order: Order, line: Line) -> dict[str, Any]:
    count = order.counts[line.id]
    item: dict[str, Any] = {
        "id": line.id, "offerId": line.sku, "offerName": line.name, "count": count,
        "prices": {"payment": money(line.unit * count), "vat": "VAT_22"},
    }  # fmt: skip
    if line.marks:
        item["requiredInstanceTypes"] = ["CIS"]
    if instances := order.instances.get(line.id):
        item["instances"] = instances
    return item


def _delivery(order: Order) -> dict[str, Any]:
    scenario = order.scenario
    dbs = scenario.model == "dbs"
    dates: dict[str, Any] = {"fromDate": scenario.first_date.isoformat(), "toDate": order.to_date,
                             "fromTime": "10:00:00", "toTime": "18:00:00"}  # fmt: skip
    if order.real_date:
        dates["realDeliveryDate"] = order.real_date
    out: dict[str, Any] = {
        "type": "PICKUP" if scenario.pickup else "DELIVERY", "serviceName": "Собственная доставка" if dbs else "Маркет",
        "deliveryServiceId": 99 if dbs else 1005177, "deliveryPartnerType": "SHOP" if dbs else "YANDEX_MARKET",
        "dispatchType": "SHOP_OUTLET" if scenario.pickup else "BUYER", "dates": dates, "estimated": False,
        "shipment": {"id": None, "shipmentDate": scenario.first_date.isoformat(), "shipmentTime": None},
    }  # fmt: skip
    if scenario.pickup:
        out["pickup"] = {"address": ADDRESS, "region": REGION, "outletCode": "SHOP-7", "logisticPointId": 7007}
        if order.storage_limit:
            out["pickup"]["outletStorageLimitDate"] = order.storage_limit
    else:
        out["courier"] = {"address": ADDRESS, "region": REGION}
    if order.boxes:
        out["boxesLayout"] = [{**box, "barcode": f"B{box['boxId']}"} for box in order.boxes]
    if order.track:
        out["tracks"] = [{"trackCode": order.track, "deliveryServiceId": 99}]
    if order.eac_code:
        out["transfer"] = {"courier": {"fullName": "Курьер"}, "eac": {"eacType": "COURIER_TO_MERCHANT"}}
    return out


def business_order(order: Order) -> dict[str, Any]:
    scenario = order.scenario
    total = sum(line.unit * order.counts[line.id] for line in scenario.lines)
    out: dict[str, Any] = {
        "orderId": scenario.number, "campaignId": scenario.campaign, "programType": scenario.model.upper(),
        "status": order.status, "substatus": order.substatus, "creationDate": iso(scenario.placed),
        "updateDate": iso(order.updated), "paymentType": "PREPAID", "paymentMethod": "YANDEX", "fake": False,
        "items": [_item(order, line) for line in scenario.lines],
        "prices": {"payment": money(total), "delivery": {"payment": money(0), "vat": "VAT_22"}},
        "delivery": _delivery(order), "services": {"liftType": "NOT_NEEDED"}, "buyerType": "PERSON",
        "notes": "Позвонить за час", "sourcePlatform": "MARKET",
    }  # fmt: skip
    if scenario.model == "dbs":
        out["cancelRequested"] = order.cancel_requested
    if order.external_id:
        out["externalOrderId"] = order.external_id
    return out


def return_form(order: Order, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": record["id"], "orderId": order.scenario.number, "creationDate": iso(record["at"]),
        "updateDate": iso(record["at"]), "refundStatus": "REFUNDED", "returnType": record["type"],
        "amount": money(record["amount"]),
        "items": [{"shopSku": record["sku"], "count": record["count"]}],
    }  # fmt: skip
