"""What each of Market's methods does, as functions of what was asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from service.marketplaces.yandex.sandbox.forms import order_v1, order_v2
from service.marketplaces.yandex.sandbox.market import Market
from service.marketplaces.yandex.sandbox.order import OPEN, Order, RefusalError
from service.marketplaces.yandex.values import MOSCOW

_WINDOW = timedelta(days=30)
_OK = {"status": "OK"}


@dataclass(frozen=True)
class Asked:
    """One call: the market, the order in its path, what else the path and the query say, the body."""

    market: Market
    order: Order | None
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    done: list[int]

    @property
    def its(self) -> Order:
        """The order in the path."""
        if self.order is None:
            raise RefusalError("NOT_FOUND", "Order not found", 404)
        return self.order


Act: TypeAlias = Callable[[Asked], Any]


def orders(asked: Asked) -> Any:
    body = asked.body or {}
    _check_dates(body.get("dates") or {})
    limit, after = min(50, int(asked.query.get("limit", 50))), asked.query.get("pageToken", "0")
    if not after.isdigit():
        raise RefusalError("BAD_REQUEST", "Bad page token")
    found = [order for order in asked.market.matching(body) if order.number > int(after)]
    paging = {"nextPageToken": str(found[limit - 1].number)} if len(found) > limit else {}
    return {"orders": [order_v1(order) for order in found[:limit]], "paging": paging}


def buyer(asked: Asked) -> Any:
    if asked.its.status not in OPEN:
        text = f"Order is not in shop-processing status (actual: '{asked.its.status}')."
        raise RefusalError("INVALID_ORDER_STATUS", text)
    return {**_OK, "result": asked.its.buyer}


def status(asked: Asked) -> Any:
    wanted = asked.body["order"]
    real = ((wanted.get("delivery") or {}).get("dates") or {}).get("realDeliveryDate")
    _set_status(asked, asked.its, wanted["status"], wanted.get("substatus"), real)
    return {"order": order_v2(asked.its)}


def statuses(asked: Asked) -> Any:
    wishes = asked.body["orders"]
    if not 1 <= len(wishes) <= 30:
        raise RefusalError("BAD_REQUEST", "orders: size must be between 1 and 30")
    return {**_OK, "result": {"orders": [_one_of(asked, wish) for wish in wishes]}}


def boxes(asked: Asked) -> Any:
    asked.its.set_boxes(asked.body["boxes"], bool(asked.body.get("allowRemove")))
    asked.done.append(asked.its.number)
    return {**_OK, "result": {"boxes": [{k: v for k, v in box.items() if k != "barcode"} for box in asked.its.boxes]}}


def _simply(act: Callable[[Order, Any], None]) -> Act:
    """A method that changes the order and answers OK."""

    def do(asked: Asked) -> Any:
        act(asked.its, asked.body)
        asked.done.append(asked.its.number)
        return _OK

    return do


items = _simply(lambda order, body: order.set_items(body["items"]))
identifiers = _simply(lambda order, body: order.set_identifiers(body["items"]))
external_id = _simply(lambda order, body: order.set_external_id(body["externalOrderId"]))
delivery_date = _simply(lambda order, body: order.set_date(body["dates"]["toDate"]))
track = _simply(lambda order, body: order.set_track(body["trackCode"], body["deliveryServiceId"]))
storage_limit = _simply(lambda order, body: order.set_storage_limit(body["newDate"]))


def cancellation(asked: Asked) -> Any:
    asked.its.answer_request(asked.body["accepted"], asked.body.get("reason"))
    asked.done.append(asked.its.number)
    if asked.its.status == "CANCELLED":
        asked.market.status_told(asked.its)
    return _OK


def verify(asked: Asked) -> Any:
    verdict = asked.its.verify_code(str(asked.body["code"]))
    asked.done.append(asked.its.number)
    return {**_OK, "result": {"verificationResult": verdict, "attemptsLeft": asked.its.attempts_left}}


def returns(asked: Asked) -> Any:
    first, last = asked.query.get("fromDate", ""), asked.query.get("toDate", "9999")
    found = [
        record for order in asked.market.orders.values() for record in order.returns
        if str(order.campaign) == asked.path["campaign"] and first <= record["updateDate"][:10] <= last
    ]  # fmt: skip
    return {**_OK, "result": {"returns": found, "paging": {}}}


def one_return(asked: Asked) -> Any:
    found = next((record for record in asked.its.returns if str(record["id"]) == asked.path["which"]), None)
    if found is None:
        raise RefusalError("NOT_FOUND", f"Return not found: {asked.path['which']}", 404)
    return {**_OK, "result": found}


def token(asked: Asked) -> Any:
    name = f"sandbox of cabinet {asked.market.business}"
    return {**_OK, "result": {"apiKey": {"name": name, "authScopes": ["INVENTORY_AND_ORDER_PROCESSING"]}}}


def campaigns(asked: Asked) -> Any:
    business = {"id": asked.market.business, "name": "Песочница"}
    return {
        "campaigns": [
            {
                "id": number, "domain": "Песочница", "business": business, "apiAvailability": "AVAILABLE",
                "placementType": "DBS" if model == "dbs" else "FBS",
            }
            for number, model in asked.market.shops.items()
        ],
        "paging": {},
    }  # fmt: skip


def _set_status(asked: Asked, order: Order, wanted: str, substatus: str | None, real: str | None) -> None:
    order.set_status(wanted, substatus, real)
    asked.done.append(order.number)
    asked.market.status_told(order)


def _one_of(asked: Asked, wish: dict[str, Any]) -> dict[str, Any]:
    order = asked.market.orders.get(wish["id"])
    if order is None or str(order.campaign) != asked.path["campaign"]:
        return {"id": wish["id"], "updateStatus": "ERROR", "errorDetails": f"Order not found: {wish['id']}"}
    try:
        _set_status(asked, order, wish["status"], wish.get("substatus"), None)
    except RefusalError as refusal:
        return {"id": wish["id"], "updateStatus": "ERROR", "errorDetails": refusal.message}
    return {"id": order.number, "updateStatus": "OK", "status": order.status, "substatus": order.substatus}


def _check_dates(dates: Mapping[str, str]) -> None:
    for name, words in (("creationDate", "creation"), ("shipmentDate", "shipment"), ("updateDate", "update")):
        first, last = dates.get(f"{name}From"), dates.get(f"{name}To")
        if not first or not last:
            continue
        start, end = (_moment(value) for value in (first, last))
        if end <= start:
            raise RefusalError("BAD_REQUEST", f"Invalid filters: Order {words} start should be less than end date")
        if end - start > _WINDOW:
            text = f"Invalid filters: interval between {words} dates is more than '30' days."
            raise RefusalError("BAD_REQUEST", text)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)  # a day alone is its midnight
    return found if found.tzinfo is not None else found.replace(tzinfo=MOSCOW)


_SHOP = "/v2/campaigns/{campaign:[0-9]+}"
_ORDER = _SHOP + "/orders/{order:[0-9]+}"

CALLS: tuple[tuple[str, str, str, Act], ...] = (
    ("POST", "/v1/businesses/{business}/orders", "orders", orders),
    ("GET", _ORDER + "/buyer", "buyer", buyer),
    ("PUT", _ORDER + "/status", "status", status),
    ("POST", _SHOP + "/orders/status-update", "status-update", statuses),
    ("PUT", _ORDER + "/boxes", "boxes", boxes),
    ("PUT", _ORDER + "/items", "items", items),
    ("PUT", _ORDER + "/identifiers", "identifiers", identifiers),
    ("POST", _ORDER + "/external-id", "external-id", external_id),
    ("PUT", _ORDER + "/delivery/date", "delivery/date", delivery_date),
    ("POST", _ORDER + "/delivery/track", "delivery/track", track),
    ("PUT", _ORDER + "/delivery/storage-limit", "delivery/storage-limit", storage_limit),
    ("PUT", _ORDER + "/cancellation/accept", "cancellation/accept", cancellation),
    ("PUT", _ORDER + "/verifyEac", "verifyEac", verify),
    ("GET", _SHOP + "/returns", "returns", returns),
    ("GET", _ORDER + "/returns/{which:[0-9]+}", "return", one_return),
    ("POST", "/v2/auth/token", "auth/token", token),
    ("GET", "/v2/campaigns", "campaigns", campaigns),
)
"""Method, path, the limit it counts against, what it does."""

READING = (orders, buyer, returns, one_return, token, campaigns)
CHANGING = tuple(act for *_, act in CALLS if act not in READING)
