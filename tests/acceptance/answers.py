"""What each method does to the orders and answers: the marketplace's method pages as functions."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from .form import business_order, return_form
from .journal import Call
from .order import Order, RefusalError
from .scenario import BUSINESS, CAMPAIGNS, MOSCOW

PAGE = 50


@dataclass(frozen=True)
class ChangingCall:
    """A call that changes orders: the step it means for each of them, and the deed itself."""

    steps: dict[int, str]
    deed: Callable[[Call], tuple[int, Any]]

    def apply(self, call: Call) -> tuple[int, Any]:
        return self.deed(call)


def status_step(status: str, substatus: str | None) -> str:
    return f"status {substatus}" if substatus in ("READY_TO_SHIP", "SHIPPED") else f"status {status}"


def changing_call(op: str, path: dict[str, str], body: Any, orders: dict[int, Order]) -> ChangingCall:
    if op == "updateOrderStatuses":
        return _batch(int(path["campaignId"]), body["orders"], orders)
    order = orders[int(path["orderId"])]
    step, change, answer = _single(op, body, order)

    def deed(call: Call) -> tuple[int, Any]:
        number = order.scenario.number
        try:
            change()
        except RefusalError as refusal:
            call.refused[number] = refusal.message
            return refusal.http, {"status": "ERROR", "errors": [{"code": refusal.code, "message": refusal.message}]}
        call.applied.add(number)
        return 200, answer()

    return ChangingCall({order.scenario.number: step}, deed)


def _single(op: str, body: Any, order: Order) -> tuple[str, Callable[[], object], Callable[[], Any]]:
    """The name of the step, the change, and the body of 200 after it."""
    ok = {"status": "OK"}
    match op:
        case "updateOrderStatus":
            wish = body["order"]
            status, substatus = wish["status"], wish.get("substatus")
            real = wish.get("delivery", {}).get("dates", {}).get("realDeliveryDate")
            change = partial(order.set_status, status, substatus, real)
            return status_step(status, substatus), change, lambda: {"order": order.v2()}
        case "updateOrderItems":
            return "items", partial(order.set_items, body["items"]), lambda: None
        case "setOrderBoxLayout":
            change_boxes = partial(order.set_boxes, body["boxes"], body.get("allowRemove", False))
            return "boxes", change_boxes, lambda: ok | {"result": {"boxes": order.boxes}}
        case "provideOrderItemIdentifiers":
            items = [{"id": item["id"], "instances": item["instances"]} for item in body["items"]]
            return "identifiers", partial(order.set_identifiers, items), lambda: ok | {"result": {"items": items}}
        case "updateExternalOrderId":
            return "external-id", partial(order.set_external_id, body["externalOrderId"]), lambda: ok
        case "setOrderDeliveryDate":
            to_date = body["dates"]["toDate"]
            return f"date {to_date}", partial(order.set_date, to_date), lambda: ok
        case "setOrderDeliveryTrackCode":
            return "track", partial(order.set_track, body["trackCode"]), lambda: ok
        case "updateOrderStorageLimit":
            return "storage-limit", partial(order.set_storage_limit, body["newDate"]), lambda: ok
        case "acceptOrderCancellation":
            return "cancellation", partial(order.answer_request, body["accepted"], body.get("reason")), lambda: ok
        case _:
            result = {"verificationResult": "ACCEPTED" if body["code"] == order.eac_code else "REJECTED"}
            return "eac", partial(order.verify_eac, body["code"]), lambda: ok | {"result": result | {"attemptsLeft": 2}}


def _batch(campaign: int, wishes: list[dict[str, Any]], orders: dict[int, Order]) -> ChangingCall:
    def one(wish: dict[str, Any], call: Call) -> dict[str, Any]:
        number = wish["id"]
        order = orders.get(number)
        if order is None or order.scenario.campaign != campaign:
            return {"id": number, "updateStatus": "ERROR", "errorDetails": f"Order not found: {number}"}
        try:
            order.set_status(wish["status"], wish.get("substatus"))
        except RefusalError as refusal:
            call.refused[number] = refusal.message
            return {"id": number, "updateStatus": "ERROR", "errorDetails": refusal.message}
        call.applied.add(number)
        return {"id": number, "updateStatus": "OK", "status": order.status, "substatus": order.substatus}

    def deed(call: Call) -> tuple[int, Any]:
        return 200, {"status": "OK", "result": {"orders": [one(wish, call) for wish in wishes]}}

    return ChangingCall({w["id"]: status_step(w["status"], w.get("substatus")) for w in wishes}, deed)


Orders = dict[int, Order]


def read_call(op: str, path: dict[str, str], query: dict[str, str], body: Any, orders: Orders) -> tuple[Any, list[int]]:
    """The answer, and the orders it shows."""
    match op:
        case "getBusinessOrders":
            return _orders(query, body or {}, orders)
        case "getOrderBuyerInfo":
            return _buyer(orders[int(path["orderId"])]), []
        case "getAuthTokenInfo":
            scopes = ["INVENTORY_AND_ORDER_PROCESSING"]
            return {"status": "OK", "result": {"apiKey": {"name": "okno", "authScopes": scopes}}}, []
        case "getCampaigns":
            shops = [{"id": number, "domain": model, "business": {"id": BUSINESS, "name": "Магазин"},
                      "placementType": "DBS" if model == "dbs" else "FBS", "apiAvailability": "AVAILABLE"}
                     for model, number in CAMPAIGNS.items()]  # fmt: skip
            return {"campaigns": shops, "paging": {}}, []
        case "getReturns":
            found = [return_form(o, r) for o in orders.values() for r in o.returns
                     if str(o.scenario.campaign) == path["campaignId"] and _return_wanted(o, r, query)]  # fmt: skip
            return {"status": "OK", "result": {"returns": found, "paging": {}}}, []
        case "getReturn":
            order = orders[int(path["orderId"])]
            record = next((r for r in order.returns if str(r["id"]) == path["returnId"]), None)
            if record is None:
                raise RefusalError("NOT_FOUND", f"Return not found: {path['returnId']}", 404)
            return {"status": "OK", "result": return_form(order, record)}, []
        case "getDeliveryServices":
            return {"result": {"deliveryService": [{"id": 99, "name": "Собственная служба"}]}}, []
        case _:
            raise RefusalError("BAD_REQUEST", "Not a business buyer.")


def _return_wanted(order: Order, record: dict[str, Any], query: dict[str, str]) -> bool:
    if query.get("orderIds") and str(order.scenario.number) not in query["orderIds"].split(","):
        return False
    day: str = record["at"].astimezone(MOSCOW).date().isoformat()
    if query.get("type") not in (None, record["type"]):
        return False
    return query.get("fromDate", "") <= day <= query.get("toDate", "9999")


def _buyer(order: Order) -> Any:
    if order.status not in ("PROCESSING", "DELIVERY", "PICKUP"):
        text = f"Order is not in shop-processing status (actual: '{order.status}')."
        raise RefusalError("INVALID_ORDER_STATUS", text)
    person = {"id": f"b{order.scenario.number}", "firstName": "Покупатель", "lastName": f"Номер{order.scenario.number}",
              "type": "PERSON", "phone": "+70000000000", "trusted": False}  # fmt: skip
    return {"status": "OK", "result": person}


def _orders(query: dict[str, str], body: dict[str, Any], orders: dict[int, Order]) -> tuple[Any, list[int]]:
    limit = max(1, min(PAGE, int(query.get("limit", PAGE))))
    token = query.get("pageToken", "")
    if token and not token.startswith("after-"):
        raise RefusalError("BAD_REQUEST", f"Bad page token: {token}")
    start = int(token.removeprefix("after-")) if token else 0
    wanted = sorted(number for number, order in orders.items() if _wanted(order, body) and number > start)
    page = wanted[:limit]
    paging = {"nextPageToken": f"after-{page[-1]}"} if len(wanted) > limit else {}
    return {"orders": [business_order(orders[number]) for number in page], "paging": paging}, page


def _wanted(order: Order, body: dict[str, Any]) -> bool:
    scenario = order.scenario
    if body.get("fake") is True:
        return False
    choices = {"orderIds": scenario.number, "externalOrderIds": order.external_id, "campaignIds": scenario.campaign,
               "programTypes": scenario.model.upper(), "statuses": order.status, "substatuses": order.substatus,
               "sourcePlatforms": "MARKET"}  # fmt: skip
    if any(name in body and value not in body[name] for name, value in choices.items()):
        return False
    if body.get("waitingForCancellationApprove") and not order.cancel_requested:
        return False
    return _in_dates(order, body.get("dates") or {}, by_id="orderIds" in body)


def _in_dates(order: Order, dates: dict[str, str], by_id: bool) -> bool:
    """Each range: from included, to excluded, 30 days at most; asked by nothing else, the last 30 days of creation."""
    moments = {"creationDate": order.scenario.placed, "updateDate": order.updated,
               "shipmentDate": dt.datetime.combine(order.scenario.first_date, dt.time(), MOSCOW)}  # fmt: skip
    for name, moment in moments.items():
        start, end = _moment(dates.get(f"{name}From")), _moment(dates.get(f"{name}To"))
        if start and end and end - start > dt.timedelta(days=30):
            raise RefusalError("BAD_REQUEST", f"Invalid filters: interval between '{name}' is more than '30' days.")
        if start and end and end < start:
            raise RefusalError("BAD_REQUEST", f"Invalid filters: {name} start date is not less than end date")
        if (start and moment < start) or (end and moment >= end):
            return False
    return by_id or bool(dates) or order.scenario.placed > dt.datetime.now(dt.UTC) - dt.timedelta(days=30)


def _moment(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    value = dt.datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=MOSCOW)
