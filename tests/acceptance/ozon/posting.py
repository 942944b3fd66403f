"""One posting as Ozon keeps it: strict order of statuses, changes that take effect a moment after the answer."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.acceptance.order import RefusalError, now

from .life import BAD, OzonLife

SELLER_REASONS = {352, 400, 402}
DELIVERY_REASONS = SELLER_REASONS | {665, 666, 667}
PATH = ("posting_created", "posting_transferring_to_delivery", "posting_on_way_to_city", "posting_in_courier_service",
        "posting_conditionally_delivered", "posting_delivered")  # fmt: skip


@dataclass
class Request:
    """A buyer's wish to cancel, which the shop must answer before `until`."""

    id: int
    until: dt.datetime
    state: str = "ON_APPROVAL"


@dataclass
class Posting:
    """Every setter takes the change (now or within `delay` seconds of `clock`) or raises RefusalError."""

    life: OzonLife
    clock: Callable[[], float]
    rng: Random
    delay: float = 3.0
    status: str = "awaiting_packaging"
    substatus: str = "posting_created"
    previous: str = ""
    changed: dt.datetime = field(default_factory=now)
    goods: dict[int, int] = field(default_factory=dict)
    marks: dict[int, list[str]] = field(default_factory=dict)
    marks_state: str = ""
    track: str = ""
    interval: tuple[dt.datetime, dt.datetime] = field(default_factory=lambda: (now(), now()))
    moves_left: int = 2
    cancellation: dict[str, Any] = field(default_factory=dict)
    request: Request | None = None
    returned_at: dt.datetime | None = None
    cancelled_at: float | None = None
    soon: list[tuple[float, str, Callable[[], None]]] = field(default_factory=list)
    ship_failures: int = 0
    path: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.goods = {line.id: line.count for line in (*self.life.lines, *self.life.moved_away)}
        start = self.life.placed + dt.timedelta(days=3)
        self.interval = (start, start + dt.timedelta(hours=8))
        self.path = [self.substatus]

    @property
    def state(self) -> str:
        return f"{self.status}/{self.substatus}"

    @property
    def own(self) -> bool:
        return self.life.model == "rfbs"

    @property
    def movable(self) -> tuple[dt.datetime, dt.datetime]:
        """The days to which the delivery may be moved."""
        return self.life.placed + dt.timedelta(days=1), self.life.placed + dt.timedelta(days=10)

    @property
    def marked(self) -> set[int]:
        return {line.id for line in self.life.lines if line.marks and self.goods.get(line.id)}

    def exemplars(self, sku: int) -> list[int]:
        return [self.life.digits % 10**10 * 1000 + sku % 10 * 100 + n for n in range(self.goods[sku])]

    # time

    def later(self, what: str, effect: Callable[[], None]) -> None:
        self.soon.append((self.clock() + self.rng.uniform(self.delay / 15, self.delay), what, effect))

    def tick(self) -> None:
        """Lets everything that is due take effect."""
        due = sorted((one for one in self.soon if one[0] <= self.clock()), key=lambda one: one[0])
        self.soon = [one for one in self.soon if one not in due]
        for _, _, effect in due:
            if self.status != "cancelled":
                effect()

    def pending(self, what: str = "") -> bool:
        return any(name.startswith(what) for _, name, _ in self.soon)

    def go(self, status: str, substatus: str) -> None:
        self.previous, self.status, self.substatus = self.substatus, status, substatus
        self.path.append(substatus)
        self.changed = max(now(), self.changed + dt.timedelta(milliseconds=1))

    # what the shop may do

    def ship(self, packages: list[dict[str, Any]]) -> None:
        self._not_cancelled()
        if self.status != "awaiting_packaging":
            early = self.status == "awaiting_verification"
            raise RefusalError("STATUS", "HAS_INCORRECT_STATUS" if early else "POSTING_ALREADY_SHIPPED")
        if self.pending("ship"):
            raise RefusalError("POSTING_ALREADY_SHIPPED", "POSTING_ALREADY_SHIPPED")
        packed: dict[int, int] = {}
        for product in (product for package in packages for product in package["products"]):
            packed[product["product_id"]] = packed.get(product["product_id"], 0) + product["quantity"]
        if set(packed) - set(self.goods):
            raise RefusalError("UNKNOW_PRODUCT", f"UNKNOW_PRODUCT {sorted(set(packed) - set(self.goods))}")
        if packed != {sku: count for sku, count in self.goods.items() if count}:
            raise RefusalError("HAS_INCORRECT_PRODUCT_QUANTITY", f"HAS_INCORRECT_PRODUCT_QUANTITY {packed}")
        if self.marked and self.marks_state != "ship_available":
            raise RefusalError("EXEMPLAR_INFO_NOT_FILLED_COMPLETELY", "EXEMPLAR_INFO_NOT_FILLED_COMPLETELY")
        if self.life.ship_fails and not self.ship_failures:
            self.later("ship", self._ship_fails)
        else:
            self.later("ship", lambda: self.go("awaiting_deliver", "posting_transferring_to_delivery"))

    def _ship_fails(self) -> None:
        self.ship_failures += 1
        self.go("awaiting_packaging", "ship_failed")

    def move_on(self, to: str) -> None:
        """delivering, last-mile, delivered: own delivery only, one after another."""
        if not self.own:
            raise RefusalError("HAS_INCORRECT_TPL_INTEGRATION_TYPE", "HAS_INCORRECT_TPL_INTEGRATION_TYPE")
        self._not_cancelled()
        at = {"posting_driver_pick_up": "posting_in_courier_service"}.get(self.substatus, self.substatus)
        wanted = {"delivering": PATH[1], "last-mile": PATH[2], "delivered": PATH[3]}[to]
        if at != wanted or self.pending("status"):
            raise RefusalError("TRANSITION_IS_NOT_POSSIBLE", "TRANSITION_IS_NOT_POSSIBLE")
        target = ("delivering", {"delivering": PATH[2], "last-mile": PATH[3], "delivered": PATH[4]}[to])
        if to == "last-mile" and self.life.digits % 3 == 0:
            target = ("driver_pickup", "posting_driver_pick_up")
        self.later(f"status {to}", lambda: self.go(*target))

    def set_track(self, code: str) -> None:
        self._own_and_on_the_way("set_track_number")
        self.track = code
        self.go(self.status, self.substatus)

    def set_timeslot(self, start: str, end: str) -> None:
        self._own_and_on_the_way("set_timeslot")
        slot = (dt.datetime.fromisoformat(start), dt.datetime.fromisoformat(end))
        if not self.moves_left:
            raise RefusalError("TIMESLOT_CHANGES_EXHAUSTED", "no changes of the timeslot are left")
        first, last = self.movable
        if not first <= slot[0] < slot[1] <= last:
            raise RefusalError("INVALID_TIMESLOT", f"invalid timeslot {start} - {end}")
        self.interval, self.moves_left = slot, self.moves_left - 1
        self.go(self.status, self.substatus)

    def _own_and_on_the_way(self, action: str) -> None:
        self._not_cancelled()
        if not self.own:
            raise RefusalError("HAS_INCORRECT_TPL_INTEGRATION_TYPE", "HAS_INCORRECT_TPL_INTEGRATION_TYPE")
        if action not in self.actions():
            raise RefusalError("HAS_INCORRECT_STATUS", f"HAS_INCORRECT_STATUS {self.state}")

    def cancel_products(self, reason: int, items: list[dict[str, Any]]) -> None:
        self._not_cancelled()
        self._reason(reason, "-", SELLER_REASONS)
        if self.status != "awaiting_packaging" or self.pending("ship"):
            raise RefusalError("HAS_INCORRECT_STATUS", f"HAS_INCORRECT_STATUS {self.state}")
        left = dict(self.goods)
        for item in items:
            if not 0 < item["quantity"] <= left.get(item["sku"], 0):
                raise RefusalError("HAS_INCORRECT_PRODUCT_QUANTITY", f"HAS_INCORRECT_PRODUCT_QUANTITY {item}")
            left[item["sku"]] -= item["quantity"]
        if not any(left.values()):
            raise RefusalError("HAS_INCORRECT_PRODUCT_QUANTITY", "nothing would be left: cancel the posting")
        self.goods = left
        self.go(self.status, self.substatus)

    def cancel(self, reason: int, message: str) -> None:
        self._not_cancelled()
        self._reason(
            reason, message, DELIVERY_REASONS if self.status in ("delivering", "driver_pickup") else SELLER_REASONS
        )
        if "cancel" not in self.actions() or self.pending("cancel"):
            raise RefusalError("HAS_INCORRECT_STATUS", f"HAS_INCORRECT_STATUS {self.state}")
        self.later("cancel", lambda: self.cancelled_by("seller", reason))

    def _reason(self, reason: int, message: str, allowed: set[int]) -> None:
        if reason not in allowed or (reason == 402 and not message):
            raise RefusalError("HAS_INCORRECT_CANCEL_REASON", f"HAS_INCORRECT_CANCEL_REASON {reason} {message!r}")

    def cancelled_by(self, who: str, reason: int) -> None:
        self.cancellation = {"cancel_reason_id": reason, "cancellation_type": who,
                             "cancelled_after_ship": len(self.path) > 1}  # fmt: skip
        self.cancelled_at = self.clock()
        self.soon = []
        self.go("cancelled", "posting_canceled")

    def answer(self, accepted: bool) -> None:
        if self.request is None or self.request.state != "ON_APPROVAL" or self.pending("answer"):
            raise RefusalError("CANCELLATION_ALREADY_PROCESSED", "cancellation is already processed")
        self.later("answer", lambda: self.answered(accepted))

    def answered(self, accepted: bool) -> None:
        assert self.request is not None
        self.request.state = "APPROVED" if accepted else "REJECTED"
        if accepted:
            self.cancelled_by("client", 501)
        else:
            self.go(self.status, self.substatus)

    def set_marks(self, given: dict[int, list[str]]) -> None:
        """A task: whether the codes are good is known later. Always the whole set."""
        self._not_cancelled()
        if self.status != "awaiting_packaging" or self.pending("ship"):
            raise RefusalError("HAS_INCORRECT_STATUS", f"HAS_INCORRECT_STATUS {self.state}")
        self.marks, self.marks_state = given, "validation_in_process"
        self.soon = [one for one in self.soon if one[1] != "marks"]
        self.later("marks", self._check_marks)

    def _check_marks(self) -> None:
        full = all(len(self.marks.get(sku, [])) == self.goods[sku] for sku in self.marked)
        good = not any(BAD in mark for marks in self.marks.values() for mark in marks)
        self.marks_state = "ship_available" if full and good else "ship_not_available"

    def _not_cancelled(self) -> None:
        if self.status == "cancelled":
            raise RefusalError("POSTING_ALREADY_CANCELLED", "POSTING_ALREADY_CANCELLED")

    def actions(self) -> list[str]:
        """What may be done now."""
        if self.pending("ship"):
            return ["ship_async_in_process"]
        match self.state if self.own else self.status:
            case "awaiting_packaging" | "awaiting_packaging/posting_created" | "awaiting_packaging/ship_failed":
                exemplars = self.marked and self.marks_state != "ship_available"
                return ["cancel", "product_cancel", "ship_with_additional_info" if exemplars else "ship", "ship_async"]
            case "awaiting_deliver" if self.substatus == PATH[1]:
                return ["cancel", "label_download"]
            case "awaiting_deliver/posting_transferring_to_delivery":
                return ["cancel", "non_int_delivering", "set_timeslot", "set_track_number", "customer_phone_available"]
            case "delivering/posting_on_way_to_city":
                return ["cancel", "non_int_last_mile", "set_timeslot", "set_track_number"]
            case "delivering/posting_in_courier_service" | "driver_pickup/posting_driver_pick_up":
                return ["cancel", "non_int_delivered", "set_timeslot", "set_track_number"]
        return []
