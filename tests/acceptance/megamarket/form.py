"""Orders as Megamarket writes them: callbacks and `order/get`, with the drift the samples show."""

import datetime as dt
from random import Random
from typing import Any

from tests.acceptance.scenario import MOSCOW

from .scenario import Lot, Scenario
from .shipment import LotState, Shipment


def iso(moment: dt.datetime) -> str:
    return moment.astimezone(MOSCOW).isoformat(timespec="seconds")


def _days(scenario: Scenario, days: float) -> str:
    return iso(scenario.placed + dt.timedelta(days=days))


def _price(lot: Lot) -> dict[str, Any]:
    off = lot.price // 10 if lot.index % 3 == 0 and not lot.delivery else 0
    discounts = [{"discountType": "LOY", "discountDescription": "Скидка БР", "discountAmount": off}] if off else []
    return {"price": lot.price, "finalPrice": lot.price - off, "discounts": discounts}


def _new_item(lot: Lot, rng: Random) -> dict[str, Any]:
    item = {
        "itemIndex": str(lot.index), "goodsId": f"1000{sum(map(ord, lot.sku)):08d}", "offerId": lot.sku,
        "itemName": lot.name, **_price(lot), "quantity": 1,
        "taxRate": None if lot.delivery else rng.choice(["20", "NOT"]),
        "reservationPerformed": True, "isDigitalMarkRequired": bool(lot.mark),
    }  # fmt: skip
    return item | ({"itemId": str(rng.getrandbits(40)), "priceAdjustments": []} if rng.random() < 0.2 else {})


def _address(scenario: Scenario, rng: Random) -> dict[str, Any]:
    access = dict.fromkeys(("detachedHouse", "entrance", "floor", "intercom", "cargoElevator", "comment", "apartment"))
    out: dict[str, Any] = {
        "source": "Самара, улица Молодогвардейская, 104", "postalCode": "443010",
        "fias": {"regionId": "63", rng.choice(["destination", "destinationId"]): ""},
        "geo": {"lat": "53.1959", "lon": "50.1002"}, "access": access | {"comment": "позвоните за час"},
    }  # fmt: skip
    if scenario.model == "dbs":
        out |= {"regionKladrId": "63", "house": "104", "block": None, "flat": None, "cityArea": None,
                "regionWithType": "Самарская обл", "cityWithType": "г Самара",
                "streetWithType": "улица Примерная"}  # fmt: skip
    return out


def _handover(scenario: Scenario, rng: Random) -> dict[str, Any]:
    day, dbs = scenario.first_date.isoformat(), scenario.model == "dbs"
    window = {"dateFrom": f"{day}T10:00:00+03:00", "dateTo": f"{day}T20:00:00+03:00"}
    handover: dict[str, Any] = {
        "packingDate": _days(scenario, 0.2), "reserveExpirationDate": _days(scenario, 20 if dbs else 3),
        "outletId": "" if dbs else "SHOP-7", "deliveryInterval": window if dbs else None,
        "serviceScheme": "DELIVERY_BY_MERCHANT" if dbs else "COLLECT_BY_CUSTOMER",
        "depositedAmount": rng.choice([0, sum(_price(lot)["finalPrice"] for lot in scenario.lots)]),
        "deliveryId": rng.choice([scenario.number + 7, str(scenario.number + 7)]),
    }  # fmt: skip
    buyer = {"customerFullName": "Иванов Иван Иванович ", "phone": "79990000001", "email": ""}
    return {"handover": handover, "customer": buyer | {"address": _address(scenario, rng)},
            "flags": rng.choice([None, []])}  # fmt: skip


def _label(scenario: Scenario, rng: Random) -> dict[str, Any]:
    ship = _days(scenario, 1)
    label = {
        "deliveryId": str(scenario.number + 7), "region": "Самарская", "city": "Самара", "fullName": "Петров Пётр",
        "address": "Россия, Самарская обл., Самара", "merchantName": 'ООО "Ромашка"', "merchantId": scenario.merchant,
        "shipmentId": str(scenario.number + rng.randrange(2)), "shippingDate": ship, "labelText": "<!DOCTYPE html>...",
        "deliveryType": "Самовывоз из пункта выдачи",
    }  # fmt: skip
    out: dict[str, Any] = {"label": label, "shipping": {"shippingDate": ship, "shippingPoint": 132378},
                           "fulfillmentMethod": "FULFILLMENT_BY_MERCHANT"}  # fmt: skip
    if rng.random() < 0.5:
        out |= {"confirmationDate": _days(scenario, 0.1), "packingDate": _days(scenario, 0.5),
                "customerOrderId": str(scenario.number + 9)}  # fmt: skip
    return out


def order_new(scenario: Scenario) -> dict[str, Any]:
    """The body of the callback order/new."""
    rng = Random(f"form:{scenario.number}")
    shipment: dict[str, Any] = {"shipmentId": str(scenario.number), "shipmentDate": iso(scenario.placed),
                                "items": [_new_item(lot, rng) for lot in scenario.lots]}  # fmt: skip
    shipment |= _label(scenario, rng) if scenario.model == "fbs" else _handover(scenario, rng)
    return _callback(scenario, shipment, rng)


def order_cancel(scenario: Scenario, indices: list[int]) -> dict[str, Any]:
    """The body of the callback order/cancel for these lots."""
    items = [{"itemIndex": str(lot.index), "goodsId": f"1000{sum(map(ord, lot.sku)):08d}", "offerId": lot.sku}
             for lot in scenario.lots if lot.index in indices]  # fmt: skip
    shipment: dict[str, Any] = {"shipmentId": str(scenario.number), "items": items}
    if scenario.model == "fbs":
        shipment["fulfillmentMethod"] = "FULFILLMENT_BY_MERCHANT"
    return _callback(scenario, shipment, Random(f"cancel:{scenario.number}"))


def _callback(scenario: Scenario, shipment: dict[str, Any], rng: Random) -> dict[str, Any]:
    data = {"merchantId": scenario.merchant, "shipments": [shipment]}
    return {"meta": rng.choice([{}, {"source": "OMS"}]), "data": data}


def _item(state: LotState, empty: bool, scenario: Scenario) -> dict[str, Any]:
    lot = state.lot
    goods: dict[str, Any] = {"name": lot.name, "categoryName": "Товары"}
    if scenario.number % 2:
        goods |= {"isDelivery": lot.delivery, "isDigitalMarkRequired": bool(lot.mark)}
    event = {"eventDate": iso(scenario.placed), "eventName": "CREATED", "eventValue": None}
    box = {"boxes": state.boxes} if state.boxes else {"boxIndex": None}
    return {"itemIndex": str(lot.index), "status": "" if empty else state.visible, "subStatus": state.sub,
            **_price(lot), "quantity": 1, "offerId": lot.sku, "goodsData": goods,
            "goodsId": f"1000{sum(map(ord, lot.sku)):08d}", "events": [event], **box}  # fmt: skip


def order_get(shipment: Shipment, clock: float) -> dict[str, Any]:
    """One shipment of the answer to order/get; soon after order/new its status may be empty, its lots in any order."""
    scenario, fbs = shipment.scenario, shipment.scenario.model == "fbs"
    empty = scenario.slow_status and clock < shipment.born + shipment.delay / 2 and shipment.status == "NEW"
    items = [_item(state, empty, scenario) for state in shipment.lots.values()]
    Random(f"get:{scenario.number}").shuffle(items)
    day = shipment.date[:10]
    return {
        "shipmentId": str(scenario.number), "orderCode": shipment.order_code or (None if scenario.number % 2 else ""),
        "status": "" if empty else shipment.status, "confirmedTimeLimit": _days(scenario, 0.1),
        "packingTimeLimit": _days(scenario, 0.2), "shippingTimeLimit": shipment.date,
        "shipmentDateFrom": f"{day}T10:00:00+03:00", "shipmentDateTo": shipment.date,
        "packingDate": _days(scenario, 0.2), "reserveExpirationDate": None if fbs else _days(scenario, 20),
        "deliveryId": str(scenario.number + 7), "shipmentDateShift": bool(shipment.dates),
        "shipmentIsChangeable": True, "customerFullName": "Иванов Иван", "customerAddress": "Россия, Самара",
        "shippingPoint": "SHOP-7" if scenario.model == "cnc" else "132378", "creationDate": iso(scenario.placed),
        "deliveryDate": shipment.date, "deliveryDateFrom": f"{day}T10:00:00+03:00",
        "deliveryDateTo": f"{day}T20:00:00+03:00", "deliveryMethodId": "1",
        "serviceScheme": {"dbs": "DELIVERY_BY_MERCHANT", "cnc": "COLLECT_BY_CUSTOMER", "fbs": None}[scenario.model],
        "depositedAmount": 0, "items": items,
        "customer": None if fbs else {"phone": "79990000001", "email": "", "comment": None},
    }  # fmt: skip
