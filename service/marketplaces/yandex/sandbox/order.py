"""One order as Market keeps it: what the shop may do with it, and how Market refuses the rest.

The texts of refusals are those of Market's pages of error codes. What those pages leave open is refused: a status that
is set already, a step out of order.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from service.marketplaces.yandex.sandbox.goods import Line
from service.marketplaces.yandex.values import MOSCOW

EDITS = 3
STORAGE = timedelta(days=30)
ANSWER_WITHIN = timedelta(hours=48)

_MAY_SET = ("PROCESSING", "CANCELLED", "DELIVERY", "PICKUP", "DELIVERED")
_CANCELS = {
    "PROCESSING": ("SHOP_FAILED", "USER_CHANGED_MIND", "USER_UNREACHABLE", "INCORRECT_PERSONAL_DATA"),
    "DELIVERY": ("SHOP_FAILED", "USER_CHANGED_MIND", "USER_UNREACHABLE"),
    "PICKUP": ("SHOP_FAILED", "USER_CHANGED_MIND", "USER_UNREACHABLE", "PICKUP_EXPIRED"),
}
_ENTERED = {
    "DELIVERY": "DELIVERY_SERVICE_RECEIVED",
    "PICKUP": "PICKUP_SERVICE_RECEIVED",
    "DELIVERED": "DELIVERY_SERVICE_DELIVERED",
}
OPEN = ("PROCESSING", "DELIVERY", "PICKUP")


class RefusalError(Exception):
    """Market will not: a 4xx with a code and words."""

    def __init__(self, code: str, message: str, http: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.http = code, message, http


@dataclass
class Order:
    """Market's truth about one order. Every method either changes it or raises RefusalError."""

    number: int
    campaign: int
    model: str
    lines: list[Line]
    buyer: dict[str, Any]
    address: dict[str, Any]
    placed: datetime
    to_date: date
    pickup: bool = False
    status: str = "PROCESSING"
    substatus: str = "STARTED"
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    external_id: str | None = None
    tracks: list[dict[str, Any]] = field(default_factory=list)
    boxes: list[dict[str, Any]] = field(default_factory=list)
    instances: dict[int, list[dict[str, str]]] = field(default_factory=dict)
    storage_limit: date | None = None
    storage_moved: bool = False
    edits: int = 0
    real_date: date | None = None
    requested: datetime | None = None
    code: str | None = None
    code_taken: bool = False
    attempts_left: int = 3
    returns: list[dict[str, Any]] = field(default_factory=list)

    @property
    def state(self) -> str:
        """`STATUS/SUBSTATUS`."""
        return f"{self.status}/{self.substatus}"

    def enter(self, status: str, substatus: str) -> None:
        """A change nobody can refuse: Market's own, and the end of the shop's."""
        self.status, self.substatus = status, substatus
        if status == "PICKUP" and self.storage_limit is None:
            self.storage_limit = _today() + timedelta(days=7)
        if status == "CANCELLED":
            self.requested = None
        self.touch()

    def touch(self) -> None:
        """Every change has a later time than the one before."""
        self.updated = max(datetime.now(UTC), self.updated + timedelta(milliseconds=1))

    def set_status(self, status: str, substatus: str | None, real: str | None = None) -> None:
        """`PUT …/status`."""
        if status not in _MAY_SET:
            raise RefusalError("STATUS_NOT_ALLOWED", f"Status not allowed: '{status}'")
        if status == "CANCELLED":
            self._cancel(substatus)
        elif self.model == "dbs":
            self._advance(status, substatus, real)
        else:
            self._pack(status, substatus)

    def set_items(self, items: list[dict[str, Any]]) -> None:
        """`PUT …/items`: the counts that stay."""
        if self.model != "dbs" or self.state != "PROCESSING/STARTED":
            raise self._forbidden()
        wanted = {item["id"]: item["count"] for item in items}
        if len(wanted) != len(items):
            raise RefusalError("ITEM_DUPLICATE", "Items are duplicated")
        self._keep(wanted)

    def set_boxes(self, boxes: list[dict[str, Any]], allow_remove: bool) -> None:
        """`PUT …/boxes`: replaces the layout as often as wanted, until READY_TO_SHIP."""
        if self.substatus == "READY_TO_SHIP":
            raise RefusalError("ACTION_FORBIDDEN", "Attempt to change order items or instances after READY_TO_SHIP")
        if self.state != "PROCESSING/STARTED":
            raise self._forbidden()
        packed, marks = _packed(boxes)
        there = {line.id: line.count for line in self.lines if line.count}
        if packed != there and not (allow_remove and all(packed[i] <= there.get(i, 0) for i in packed)):
            raise RefusalError("BAD_REQUEST", "Invalid order boxes layout request. Violations: goods differ")
        self._keep(packed)
        self.instances = marks
        ids = [{"boxId": self.number * 100 + n, "barcode": f"{self.number}-{n}"} for n in range(1, len(boxes) + 1)]
        self.boxes = [{**box, **own} for box, own in zip(boxes, ids, strict=True)]

    def set_identifiers(self, items: list[dict[str, Any]]) -> None:
        """`PUT …/identifiers`: marking codes of a DBS order."""
        if self.model != "dbs" or self.status not in OPEN:
            raise self._forbidden()
        known = {line.id for line in self.lines}
        for item in items:
            if item["id"] not in known:
                raise RefusalError("ITEM_NOT_FOUND", f"Item not found: {item['id']}")
        self.instances |= {item["id"]: item["instances"] for item in items}
        self.touch()

    def set_external_id(self, value: str) -> None:
        """`POST …/external-id`: once."""
        if self.external_id is not None:
            about = f"(partnerId = {self.campaign}, orderId = {self.number}, externalId = {self.external_id})"
            text = f"Cannot do operation, external ID already set for order {about}"
            raise RefusalError("EXTERNAL_ORDER_ID_UPDATE_ERROR", text)
        if self.status not in OPEN or self.substatus == "READY_TO_SHIP":
            raise self._forbidden()
        self.external_id = value
        self.touch()

    def set_date(self, text: str) -> None:
        """`PUT …/delivery/date`."""
        if self.model != "dbs" or self.status not in ("PROCESSING", "DELIVERY"):
            raise self._forbidden()
        wanted = date.fromisoformat(text)
        if wanted == self.to_date:
            raise RefusalError("SAME_DELIVERY_DATES", "New delivery dates are the same as the current!")
        if self.edits >= EDITS:
            raise RefusalError(
                "EDIT_COUNT_EXCEEDED", f"Exceeded the number of edits of delivery dates! limit is: '{EDITS}'"
            )
        if not _today() <= wanted <= self.to_date + STORAGE:
            raise RefusalError(
                "DAYS_COUNT_EXCEEDED",
                f"Exceeded the number of days to edit delivery dates! limit is: '{STORAGE.days}' days",
            )
        self.to_date, self.edits = wanted, self.edits + 1
        self.touch()

    def set_track(self, code: str, service: int) -> None:
        """`POST …/delivery/track`."""
        if self.model != "dbs" or self.status not in OPEN:
            raise self._forbidden()
        if any(track["trackCode"] == code for track in self.tracks):
            raise RefusalError("TRACK_CODE_ALREADY_USED", f"Track code is already used: '{code}'")
        self.tracks.append({"trackCode": code, "deliveryServiceId": service})
        self.touch()

    def set_storage_limit(self, text: str) -> None:
        """`PUT …/delivery/storage-limit`: once, 30 days at most."""
        wanted = date.fromisoformat(text)
        if self.model != "dbs" or self.status != "PICKUP" or self.storage_moved:
            raise self._forbidden()
        if self.storage_limit is not None and not self.storage_limit <= wanted <= self.storage_limit + STORAGE:
            raise RefusalError("DAYS_COUNT_EXCEEDED", "Storage limit can be extended by 30 days at most")
        self.storage_limit, self.storage_moved = wanted, True
        self.touch()

    def answer_request(self, accepted: bool, reason: str | None) -> None:
        """`PUT …/cancellation/accept`."""
        if self.requested is None:
            raise self._forbidden()
        if not accepted and reason not in ("ORDER_DELIVERED", "ORDER_IN_DELIVERY"):
            raise RefusalError("BAD_REQUEST", "Reason must be ORDER_DELIVERED or ORDER_IN_DELIVERY")
        self.requested = None
        if accepted:
            self.enter("CANCELLED", "USER_CHANGED_MIND")
        self.touch()

    def verify_code(self, code: str) -> str:
        """`PUT …/verifyEac`: the courier's code; the verdict."""
        if self.code_taken:
            raise RefusalError("CODE_ALREADY_ACCEPTED", "Code is already accepted")
        if self.code is None:
            raise self._forbidden()
        if code == self.code:
            self.code_taken = True
            self.touch()
            return "ACCEPTED"
        self.attempts_left = max(0, self.attempts_left - 1)
        return "REJECTED" if self.attempts_left else "NEED_UPDATE"

    def _cancel(self, substatus: str | None) -> None:
        allowed: tuple[str, ...] = _CANCELS.get(self.status, ())
        if self.model != "dbs":
            allowed = ("SHOP_FAILED",) if self.state in ("PROCESSING/STARTED", "PROCESSING/READY_TO_SHIP") else ()
        if substatus not in allowed:
            text = f"Cancellation request substatus '{substatus}' is not available for status '{self.status}'"
            raise RefusalError("SUBSTATUS_NOT_ALLOWED", f"{text} and role 'SHOP' for order '{self.number}'")
        if substatus == "USER_UNREACHABLE":
            text = "USER_UNREACHABLE is not allowed: fewer than 3 calls to the buyer"
            raise RefusalError("USER_UNREACHABLE_NOT_ALLOWED", text)
        self.enter("CANCELLED", substatus)

    def _advance(self, status: str, substatus: str | None, real: str | None) -> None:
        ways = {
            "PROCESSING/STARTED": "DELIVERY",
            "DELIVERY/DELIVERY_SERVICE_RECEIVED": "PICKUP" if self.pickup else "DELIVERED",
            "PICKUP/PICKUP_SERVICE_RECEIVED": "DELIVERED",
        }
        entered = _ENTERED.get(status)
        if ways.get(self.state) != status or substatus not in (None, entered) or entered is None:
            wanted = f"{status}/{substatus}" if substatus else status
            raise RefusalError("STATUS_NOT_ALLOWED", f"No transition found: '{self.state}' -> '{wanted}'")
        if real is not None:
            self._set_real(status, date.fromisoformat(real))
        self.enter(status, entered)

    def _set_real(self, status: str, real: date) -> None:
        if status not in ("PICKUP", "DELIVERED"):
            raise RefusalError("BAD_REQUEST", f"Real delivery date is not allowed with status '{status}'")
        if real > _today():
            raise RefusalError("BAD_REQUEST", f"Delivery date {real} can't be in the future")
        if real < self.placed.astimezone(MOSCOW).date():
            text = "Real delivery date should be from order creation date to current date inclusively"
            raise RefusalError("BAD_REQUEST", text)
        self.real_date = real

    def _pack(self, status: str, substatus: str | None) -> None:
        if (status, substatus) != ("PROCESSING", "READY_TO_SHIP") or self.state != "PROCESSING/STARTED":
            raise RefusalError("STATUS_NOT_ALLOWED", f"No transition found: '{self.state}' -> '{status}/{substatus}'")
        if not self.boxes:
            raise RefusalError("NO_BOXES", f"No boxes found for order {self.number}")
        for line in self.lines:
            if line.marked and len(self.instances.get(line.id, ())) != line.count:
                raise RefusalError("TOO_FEW_CISES_FOR_ITEM", f"Too few CIS for item {line.id}")
        self.enter("PROCESSING", "READY_TO_SHIP")

    def _keep(self, wanted: dict[int, int]) -> None:
        counts = {line.id: line.count for line in self.lines}
        if unknown := set(wanted) - set(counts):
            raise RefusalError("ITEM_NOT_FOUND", f"Items not found: {sorted(unknown)}")
        if any(not 0 <= count <= counts[id] for id, count in wanted.items()):
            raise RefusalError("ITEMS_ADDITION_NOT_SUPPORTED", "Items addition is not supported")
        if not any(wanted.values()):
            raise RefusalError("CANNOT_REMOVE_LAST_ITEM", "Cannot remove the last item")
        before = sum(line.price * line.count for line in self.lines)
        after = sum(line.price * wanted.get(line.id, 0) for line in self.lines)
        if before - after >= before * 99 / 100 > 0:
            raise RefusalError("DELETED_ITEMS_EXCEEDS_THRESHOLD", "Deleted items exceed the threshold of 99%")
        for line in self.lines:
            line.count = wanted.get(line.id, 0)
        self.touch()

    def _forbidden(self) -> RefusalError:
        about = f"order '{self.number}' with status '{self.status}' and substatus '{self.substatus}'"
        return RefusalError("ACTION_FORBIDDEN", f"Action is not allowed for {about}")


def _packed(boxes: list[dict[str, Any]]) -> tuple[dict[int, int], dict[int, list[dict[str, str]]]]:
    """Pieces and codes of each line in a layout; a piece in parts counts once."""
    counts: dict[int, int] = {}
    marks: dict[int, list[dict[str, str]]] = {}
    for box in boxes:
        for item in box["items"]:
            part = item.get("partialCount")
            if (part is None) == (item.get("fullCount") is None) or (part is not None and len(box["items"]) > 1):
                text = "a box holds whole goods or one part of one"
                raise RefusalError("BAD_REQUEST", f"Invalid order boxes layout request. Violations: {text}")
            pieces = item["fullCount"] if part is None else int(part["current"] == 1)
            counts[item["id"]] = counts.get(item["id"], 0) + pieces
            codes = item.get("instances") or []
            if any(not re.search(r"\S", str(next(iter(code.values()), ""))) for code in codes):
                raise RefusalError("BAD_REQUEST", "Invalid order boxes layout request. Violations: empty code")
            marks.setdefault(item["id"], []).extend(codes)
    return counts, {line: codes for line, codes in marks.items() if codes}


def _today() -> date:
    return datetime.now(MOSCOW).date()
