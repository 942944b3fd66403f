"""What a request to Megamarket must look like: envelope and shapes of the samples, closed."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

from .scenario import Scenario

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")
CODE = re.compile(r"[A-Za-z0-9_-]+")
STATUSES = {"NEW", "PENDING", "PENDING_CONFIRMATION", "CONFIRMED", "PENDING_PACKING", "PACKED", "PACKING_EXPIRED",
            "PENDING_SHIPPING", "SHIPPED", "SHIPPING_EXPIRED", "DELIVERED", "MERCHANT_CANCELED",
            "CUSTOMER_CANCELED"}  # fmt: skip
REJECT = {"OUT_OF_STOCK", "INCORRECT_PRICE", "INCORRECT_PRODUCT", "INCORRECT_SPEC", "TWICE_ORDER", "FRAUD_ORDER",
          "NOT_TIME_FOR_SHIPPING", "NOT_ACCEPTABLE"}  # fmt: skip
CLOSE = {"CANCEL_BY_CUSTOMER", "HANDOVER_IMPOSSIBLE"}
CHANGING = {"confirm", "reject", "packing", "shipping", "close", "cancelResult"}
MODELS = {"confirm": {"fbs", "dbs"}, "shipping": {"fbs"}, "close": {"dbs", "cnc"}, "cancelResult": {"dbs", "cnc"},
          "sticker": {"fbs"}}  # fmt: skip
# (needed, allowed besides) of data, of a shipment, of an item
DATA = {"search": ({"dateFrom", "dateTo"}, {"count", "statuses"}), "reject": ({"shipments"}, {"reason"})}
SHIPMENT = {"confirm": ({"shipmentId", "items"}, {"orderCode"}),
            "packing": ({"shipmentId", "orderCode", "items"}, set()),
            "shipping": ({"shipmentId", "boxes", "shipping"}, set()),
            "close": ({"shipmentId", "closeDate", "items"}, set())}  # fmt: skip
ITEM = {
    "reject": ({"itemIndex", "offerId"}, set()), "close": ({"itemIndex", "handoverResult"}, {"reason"}),
    "cancelResult": ({"itemIndex", "canceled"}, set()), "confirm": ({"itemIndex", "offerId"}, set()),
    "packing": ({"itemIndex", "quantity"}, {"offerId", "digitalMark"}),
    "fbs packing": ({"itemIndex", "boxes"}, {"quantity", "digitalMark"}),
    "dbs confirm": ({"itemIndex", "offerId", "shippingDate"}, set()),
}  # fmt: skip


def moment(value: Any) -> dt.datetime | None:
    """An ISO moment with its offset, or None."""
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        return None
    return dt.datetime.fromisoformat(value)


def _keys(where: str, value: Any, rule: tuple[set[str], set[str]]) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} is no object"
    else:
        yield from (f"{where}.{name} is missing" for name in sorted(rule[0] - set(value)))
        yield from (f"{where}.{name} is not known" for name in sorted(set(value) - rule[0] - rule[1]))


def envelope(op: str, body: Any) -> list[str]:
    """`meta` an object, `data` with what the method takes; the token is judged elsewhere."""
    faults = list(_keys("body", body, ({"meta", "data"}, set())))
    if faults or not isinstance(body["meta"], dict) or not isinstance(body["data"], dict):
        return faults or ["meta and data must be objects"]
    data = body["data"]
    if op == "sticker":
        return list(_keys("data", data, ({"token"}, {"shipments", "printAsPdf", "shipmentId", "boxCodes"})))
    needed, more = DATA.get(op, ({"shipments"}, set()))
    faults = list(_keys("data", data, (needed | {"token"}, more)))
    if not faults and op == "search":
        faults = list(_search(data))
    elif not faults:
        faults = list(_many(op, data))
    return faults


def _search(data: dict[str, Any]) -> Iterator[str]:
    first, last = moment(data["dateFrom"]), moment(data["dateTo"])
    if first is None or last is None or first >= last:
        yield f"dateFrom {data['dateFrom']!r}, dateTo {data['dateTo']!r}: no window"
    if (count := data.get("count")) is not None and (type(count) is not int or not 1 <= count <= 1000):
        yield f"count {count!r}"
    statuses = data.get("statuses", [])
    if not isinstance(statuses, list) or set(statuses) - STATUSES:
        yield f"statuses {statuses!r}"


def _many(op: str, data: dict[str, Any]) -> Iterator[str]:
    many, limit = data["shipments"], 400 if op == "get" else 20
    if not isinstance(many, list) or not 1 <= len(many) <= limit:
        yield f"shipments: 1 to {limit} are taken at once"
    elif op == "get":
        if not all(isinstance(one, str) and one.isdigit() for one in many) or len(set(many)) < len(many):
            yield "shipments are not distinct ids as strings"
    elif op == "reject" and (reason := data.get("reason")) is not None:
        yield from _keys("reason", reason, ({"type"}, {"comment"}))
        if isinstance(reason, dict) and reason.get("type") not in REJECT:
            yield f"reason {reason}"


def shipment(op: str, one: Any, scenario: Scenario) -> list[str]:
    """One shipment of a changing call against the order it is about."""
    if scenario.model not in MODELS.get(op, {"dbs", "cnc", "fbs"}):
        return [f"order/{op} does not exist for {scenario.model}"]
    faults = list(_keys("shipment", one, SHIPMENT.get(op, ({"shipmentId", "items"}, set()))))
    if faults:
        return faults
    code = one.get("orderCode")
    if code is not None and (not isinstance(code, str) or not CODE.fullmatch(code)):
        faults.append(f"orderCode {code!r}: only Latin letters, digits, _ and -")
    if op == "close":
        faults += _close_date(one["closeDate"], scenario)
    if op == "shipping":
        return faults + list(_shipping(one, scenario))
    items = one["items"]
    if not isinstance(items, list) or not items:
        return [*faults, "items is no list, or empty"]
    rule = ITEM.get(f"{scenario.model} {op}") or ITEM[op]
    for item in items:
        wrong = list(_keys("item", item, rule))
        faults += wrong or list(_item(op, item, scenario, str(code)))
    indices = [str(item.get("itemIndex")) for item in items if isinstance(item, dict)]
    if len(set(indices)) < len(indices):
        faults.append(f"itemIndex given twice: {indices}")
    marks = [item["digitalMark"] for item in items if isinstance(item, dict) and item.get("digitalMark")]
    return faults + (["one digitalMark for two lots"] if len(set(marks)) < len(marks) else [])


def _close_date(value: Any, scenario: Scenario) -> Iterator[str]:
    at = moment(value)
    if at is None or not scenario.placed <= at <= dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1):
        yield f"closeDate {value!r}: no moment between the order's and now"


def _shipping(one: dict[str, Any], scenario: Scenario) -> Iterator[str]:
    yield from _keys("shipping", one["shipping"], ({"shippingDate"}, {"shippingPoint"}))
    if not isinstance(one["shipping"], dict) or moment(one["shipping"].get("shippingDate")) is None:
        yield f"shipping {one['shipping']!r}"
    yield from _boxes(one["boxes"], scenario, "")


def _boxes(boxes: Any, scenario: Scenario, code: str) -> Iterator[str]:
    if not isinstance(boxes, list) or not boxes:
        yield "boxes is no list, or empty"
        return
    for box in boxes:
        if wrong := list(_keys("box", box, ({"boxIndex", "boxCode"}, set()))):
            yield from wrong
            continue
        form = rf"{scenario.merchant}\*{re.escape(code) or CODE.pattern}\*{box['boxIndex']}"
        if not re.fullmatch(form, str(box["boxCode"])):
            yield f"boxCode {box['boxCode']!r} is not merchantId*orderCode*boxIndex"


def _item(op: str, item: dict[str, Any], scenario: Scenario, code: str) -> Iterator[str]:
    lots = {str(lot.index): lot for lot in scenario.lots}
    lot = lots.get(str(item["itemIndex"])) if type(item["itemIndex"]) in (int, str) else None
    if lot is None:
        yield f"itemIndex {item['itemIndex']!r} is none of the order's"
        return
    if item.get("offerId", lot.sku) != lot.sku:
        yield f"offerId {item['offerId']!r} of lot {lot.index}, which is {lot.sku!r}"
    if "quantity" in item and (type(item["quantity"]) is not int or item["quantity"] != 1):
        yield f"quantity {item['quantity']!r} of a lot"
    if "boxes" in item:
        yield from _boxes(item["boxes"], scenario, code)
    marks = {one.mark for one in scenario.lots if one.mark and one.sku == lot.sku}
    if item.get("digitalMark") is not None and item["digitalMark"] not in marks:
        yield f"digitalMark {item['digitalMark']!r} of lot {lot.index}: 1C gave {sorted(marks)}"
    if "shippingDate" in item and moment(item["shippingDate"]) is None:
        yield f"shippingDate {item['shippingDate']!r}"
    yield from (f"{name} {item[name]!r} is no boolean" for name in ("handoverResult", "canceled")
                if name in item and type(item[name]) is not bool)  # fmt: skip
    if op == "close":
        reason = item.get("reason")
        if item["handoverResult"] is False and (not isinstance(reason, dict) or reason.get("type") not in CLOSE):
            yield f"handoverResult false with reason {reason!r}"
