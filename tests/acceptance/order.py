"""One order as Yandex Market keeps it: its status graph, held strictly, and its v1 and v2 forms."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from .scenario import MOSCOW, Scenario

SHOP_CANCELS = {
    "PROCESSING": {"SHOP_FAILED", "USER_CHANGED_MIND", "USER_UNREACHABLE", "INCORRECT_PERSONAL_DATA"},
    "DELIVERY": {"SHOP_FAILED", "USER_CHANGED_MIND", "USER_UNREACHABLE"},
    "PICKUP": {"SHOP_FAILED", "USER_CHANGED_MIND", "USER_UNREACHABLE", "PICKUP_EXPIRED"},
}
SHOP_MAY_SET = {"PROCESSING", "CANCELLED", "DELIVERY", "PICKUP", "DELIVERED"}


class RefusalError(Exception):
    """A 4xx of the marketplace."""

    def __init__(self, code: str, message: str, http: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.http = code, message, http


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _v2(moment: dt.datetime) -> str:
    return moment.astimezone(MOSCOW).strftime("%d-%m-%Y %H:%M:%S")


@dataclass
class Order:
    """The marketplace's truth about one order; every setter either changes it or raises RefusalError."""

    scenario: Scenario
    status: str = "PROCESSING"
    substatus: str = "STARTED"
    updated: dt.datetime = field(default_factory=now)
    external_id: str = ""
    track: str = ""
    storage_limit: str = ""
    real_date: str = ""
    boxes: list[dict[str, Any]] = field(default_factory=list)
    instances: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    cancel_requested: bool = False
    accepted: bool | None = None
    eac_code: str = ""
    eac_done: bool = False
    market_moves: list[tuple[float, str]] = field(default_factory=list)
    returns: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)
    to_date: str = ""
    moves: int = 0

    def __post_init__(self) -> None:
        self.counts = {line.id: line.count for line in self.scenario.lines}
        self.to_date = self.scenario.first_date.isoformat()

    @property
    def state(self) -> str:
        return f"{self.status}/{self.substatus}"

    def touch(self) -> None:
        self.updated = max(now(), self.updated + dt.timedelta(milliseconds=1))

    # what the shop may do

    def set_status(self, status: str, substatus: str | None = None, real_date: str | None = None) -> None:
        if status not in SHOP_MAY_SET:
            raise RefusalError("STATUS_NOT_ALLOWED", f"Status not allowed: '{status}'")
        if status == "CANCELLED":
            self._cancel(substatus)
        elif self.scenario.model == "dbs":
            self._advance_dbs(status, substatus, real_date)
        else:
            self._ready(status, substatus)
        self.touch()

    def _cancel(self, substatus: str | None) -> None:
        allowed = SHOP_CANCELS.get(self.status, set())
        if self.scenario.model != "dbs":
            allowed = {"SHOP_FAILED"} if self.state in ("PROCESSING/STARTED", "PROCESSING/READY_TO_SHIP") else set()
        if substatus not in allowed:
            text = f"Cancellation request substatus '{substatus}' is not available for status '{self.status}' and role"
            raise RefusalError("SUBSTATUS_NOT_ALLOWED", f"{text} 'SHOP' for order '{self.scenario.number}'")
        self.status, self.substatus = "CANCELLED", str(substatus)

    def _advance_dbs(self, status: str, substatus: str | None, real_date: str | None) -> None:
        to_buyer = {"PICKUP": "PICKUP_SERVICE_RECEIVED"} if self.scenario.pickup else {
            "DELIVERED": "DELIVERY_SERVICE_DELIVERED"}  # fmt: skip
        graph = {
            "PROCESSING/STARTED": {"DELIVERY": "DELIVERY_SERVICE_RECEIVED"},
            "DELIVERY/DELIVERY_SERVICE_RECEIVED": to_buyer,
            "PICKUP/PICKUP_SERVICE_RECEIVED": {"DELIVERED": "DELIVERY_SERVICE_DELIVERED"},
        }
        target = graph.get(self.state, {}).get(status)
        if target is None or substatus not in (None, target):
            raise RefusalError("STATUS_NOT_ALLOWED", f"No transition found: '{self.state}' -> '{status}/{substatus}'")
        if real_date:
            self._set_real_date(status, real_date)
        self.status, self.substatus = status, target

    def _set_real_date(self, status: str, real_date: str) -> None:
        first, last = self.scenario.placed.astimezone(MOSCOW).date(), now().astimezone(MOSCOW).date()
        if status not in ("PICKUP", "DELIVERED") or not first <= dt.date.fromisoformat(real_date) <= last:
            raise RefusalError("BAD_REQUEST", "Real delivery date should be from order creation date to current date")
        self.real_date = real_date

    def _ready(self, status: str, substatus: str | None) -> None:
        if (self.state, status, substatus) != ("PROCESSING/STARTED", "PROCESSING", "READY_TO_SHIP"):
            raise RefusalError("STATUS_NOT_ALLOWED", f"No transition found: '{self.state}' -> '{status}/{substatus}'")
        if not self.boxes:
            raise RefusalError("NO_BOXES", f"No boxes found for order {self.scenario.number}")
        for line in self.scenario.lines:
            if line.marks and len(self.instances.get(line.id, [])) != self.counts[line.id]:
                raise RefusalError("TOO_FEW_CISES_FOR_ITEM", "Order requires valid CIS for every unit")
        self.substatus = "READY_TO_SHIP"

    def set_items(self, items: list[dict[str, Any]]) -> None:
        if self.state != "PROCESSING/STARTED" or self.scenario.model != "dbs":
            raise self._forbidden()
        wanted = {item["id"]: item["count"] for item in items}
        if len(wanted) != len(items):
            raise RefusalError("ITEM_DUPLICATE", "Items are repeated")
        if unknown := set(wanted) - set(self.counts):
            raise RefusalError("ITEM_NOT_FOUND", f"Items not found: {sorted(unknown)}")
        if any(count > self.counts[item] or count < 0 for item, count in wanted.items()):
            raise RefusalError("ITEMS_ADDITION_NOT_SUPPORTED", "Items can't be added")
        if not any(wanted.values()):
            raise RefusalError("CANNOT_REMOVE_LAST_ITEM", "The only item can't be removed")
        self.counts = {item: wanted.get(item, 0) for item in self.counts}
        self.touch()

    def set_boxes(self, boxes: list[dict[str, Any]], allow_remove: bool) -> list[dict[str, Any]]:
        if self.substatus == "READY_TO_SHIP":
            raise RefusalError("ACTION_FORBIDDEN", "Attempt to change order items or instances after READY_TO_SHIP")
        if self.state != "PROCESSING/STARTED":
            raise self._forbidden()
        packed: dict[int, int] = {}
        instances: dict[int, list[dict[str, Any]]] = {}
        for item in (item for box in boxes for item in box["items"]):
            part = item.get("partialCount")
            if (item.get("fullCount") is None) == (part is None):
                raise RefusalError("BAD_REQUEST", "Invalid order boxes layout request. Violations: fullCount")
            packed[item["id"]] = packed.get(item["id"], 0) + (item.get("fullCount") or 0)
            if part and part["current"] == part["total"]:
                packed[item["id"]] += 1
            instances.setdefault(item["id"], []).extend(item.get("instances", []))
        full = {item: count for item, count in self.counts.items() if count}
        if set(packed) - set(full) or any(packed[item] > full[item] for item in packed):
            raise RefusalError("BAD_REQUEST", "Invalid order boxes layout request. Violations: too many items")
        if packed != full and not allow_remove:
            raise RefusalError("BAD_REQUEST", "Invalid order boxes layout request. Violations: items are missing")
        self.counts = {item: packed.get(item, 0) for item in self.counts}
        self.boxes = [{**box, "boxId": self.scenario.number * 10 + at} for at, box in enumerate(boxes, 1)]
        self.instances = instances
        self.touch()
        return self.boxes

    def set_identifiers(self, items: list[dict[str, Any]]) -> None:
        if self.scenario.model != "dbs" or self.status in ("CANCELLED", "DELIVERED"):
            raise self._forbidden()
        for item in items:
            if item["id"] not in self.counts:
                raise RefusalError("ITEM_NOT_FOUND", f"Items not found: [{item['id']}]")
            self.instances[item["id"]] = item["instances"]
        self.touch()

    def set_external_id(self, value: str) -> None:
        if self.external_id:
            ids = f"partnerId = {self.scenario.campaign}, orderId = {self.scenario.number}, "
            ids += f"externalId = {self.external_id}"
            raise RefusalError("EXTERNAL_ORDER_ID_UPDATE_ERROR",
                               f"Cannot do operation, external ID already set for order ({ids})")  # fmt: skip
        if self.status == "CANCELLED" or (self.scenario.model != "dbs" and self.state != "PROCESSING/STARTED"):
            raise self._forbidden()
        self.external_id = value
        self.touch()

    def set_date(self, to_date: str) -> None:
        if self.scenario.model != "dbs" or self.status not in ("PROCESSING", "DELIVERY"):
            raise self._forbidden()
        if to_date == self.to_date:
            raise RefusalError("SAME_DELIVERY_DATES", "New delivery dates are the same as the current!")
        self.moves += 1
        if self.moves > 3:
            raise RefusalError("EDIT_COUNT_EXCEEDED", "Exceeded the number of edits of delivery dates! limit is: '3'")
        self.to_date = to_date
        self.touch()

    def set_track(self, code: str) -> None:
        if self.scenario.model != "dbs" or self.status not in ("PROCESSING", "DELIVERY", "PICKUP"):
            raise self._forbidden()
        if self.track:
            raise RefusalError("TRACK_CODE_ALREADY_USED", f"Track code already set: '{self.track}'")
        self.track = code
        self.touch()

    def set_storage_limit(self, date: str) -> None:
        last = (now() + dt.timedelta(days=31)).date()
        if self.scenario.model != "dbs" or self.status != "PICKUP" or self.storage_limit:
            raise self._forbidden()
        if dt.date.fromisoformat(date) > last:
            raise RefusalError("DAYS_COUNT_EXCEEDED", "Storage limit can be moved by 30 days at most")
        self.storage_limit = date
        self.touch()

    def answer_request(self, accepted: bool, reason: str | None) -> None:
        if not self.cancel_requested:
            raise RefusalError("ACTION_FORBIDDEN", f"No cancellation request for order '{self.scenario.number}'")
        if not accepted and reason is None:
            raise RefusalError("BAD_REQUEST", "reason is needed")
        self.cancel_requested, self.accepted = False, accepted
        if accepted:
            self.status, self.substatus = "CANCELLED", "USER_CHANGED_MIND"
        self.touch()

    def verify_eac(self, code: str) -> str:
        if self.eac_done:
            raise RefusalError("CODE_ALREADY_ACCEPTED", "Code already accepted")
        if not self.eac_code:
            raise self._forbidden()
        self.eac_done = code == self.eac_code
        self.touch()
        return "ACCEPTED" if self.eac_done else "REJECTED"

    def _forbidden(self) -> RefusalError:
        return RefusalError("ACTION_FORBIDDEN", f"Action is not allowed for order '{self.scenario.number}' with status "
                       f"'{self.status}' and substatus '{self.substatus}'")  # fmt: skip

    def market_moves_to(self, at: float, status: str, substatus: str) -> None:
        """The marketplace's own doing: the buyer, the courier, Market itself."""
        self.status, self.substatus = status, substatus
        self.market_moves.append((at, self.state))
        self.touch()

    def v2(self) -> dict[str, Any]:
        """The old form, as PUT status still answers: `id`, DD-MM-YYYY, Moscow time without an offset."""
        items = [{"id": line.id, "offerId": line.sku, "offerName": line.name, "count": self.counts[line.id],
                  "price": line.unit, "buyerPrice": line.unit, "buyerPriceBeforeDiscount": line.unit}
                 for line in self.scenario.lines]  # fmt: skip
        total = sum(line.unit * self.counts[line.id] for line in self.scenario.lines)
        day = self.scenario.first_date.strftime("%d-%m-%Y")
        return {
            "id": self.scenario.number, "status": self.status, "substatus": self.substatus,
            "creationDate": _v2(self.scenario.placed), "updatedAt": _v2(self.updated), "currency": "RUR",
            "itemsTotal": total, "deliveryTotal": 0, "buyerItemsTotalBeforeDiscount": total, "paymentType": "PREPAID",
            "paymentMethod": "YANDEX", "fake": False, "items": items, "taxSystem": "OSN",
            "delivery": {"type": "PICKUP" if self.scenario.pickup else "DELIVERY", "serviceName": "Доставка",
                         "deliveryPartnerType": "SHOP" if self.scenario.model == "dbs" else "YANDEX_MARKET",
                         "dates": {"fromDate": day, "toDate": day}, "deliveryServiceId": 99},
            "buyer": {"type": "PERSON"}, "cancelRequested": self.cancel_requested,
        }  # fmt: skip
