"""One order as Megamarket keeps it: lots, each with its own strict graph, changed some time after a call is taken.

    dbs, cnc   NEW -packing-> PENDING_PACKING -> PACKED -close-> DELIVERED or cancelled; NEW, PACKED may be rejected
    fbs        NEW -confirm-> .. CONFIRMED -packing-> .. PACKED -shipping-> .. SHIPPED -> DELIVERED; NEW, CONFIRMED too

What the documents leave open is decided here as mildly as can be, and says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.acceptance.journal import UNKNOWN, Call

from .scenario import CANCELED, FINAL, Lot, Scenario

PATIENCE = 5  # tries of a packing that is refused for good, each after a look
LEARNED = 2.0  # seconds a hub may take from reading a cancellation to not sending any more
FROM = {
    ("dbs", "packing"): {"NEW"}, ("dbs", "reject"): {"NEW", "PACKED"}, ("dbs", "close"): {"PACKED"},
    ("fbs", "confirm"): {"NEW"}, ("fbs", "packing"): {"CONFIRMED"}, ("fbs", "shipping"): {"PACKED"},
    ("fbs", "reject"): {"NEW", "CONFIRMED"}, ("dbs", "cancelResult"): {"NEW", "PACKED"},
}  # fmt: skip
PENDING = {"confirm": "PENDING_CONFIRMATION", "packing": "PENDING_PACKING", "shipping": "PENDING_SHIPPING"}
TO = {"confirm": "CONFIRMED", "packing": "PACKED", "shipping": "SHIPPED"}


class RefusalError(Exception):
    """`success: 0` for one shipment; `fault` says whether the caller is to blame for it."""

    def __init__(self, code: str, text: str, index: int | None = None, fault: str = "") -> None:
        super().__init__(text)
        self.code, self.text, self.index, self.fault = code, text, index, fault


@dataclass
class LotState:
    """A lot and what is on its way with it."""

    lot: Lot
    status: str = "NEW"
    sub: str | None = None
    shown: str = ""
    next: tuple[float, str, str | None] | None = None
    done: dict[str, tuple[Call, str]] = field(default_factory=dict)
    read: list[tuple[float, str]] = field(default_factory=list)
    boxes: list[dict[str, Any]] = field(default_factory=list)
    mark: str = ""
    reason: str = ""
    by_buyer: bool = False

    @property
    def visible(self) -> str:
        return self.shown or self.status

    def settle(self, clock: float) -> None:
        if self.next and self.next[0] <= clock:
            _, self.status, self.sub = self.next
            self.next, self.shown = None, ""


@dataclass
class Shipment:
    """The marketplace's truth about one order."""

    scenario: Scenario
    seed: int
    born: float
    delay: float = 3.0
    lots: dict[int, LotState] = field(default_factory=dict)
    order_code: str = ""
    codes: list[str] = field(default_factory=list)
    date: str = ""
    next_date: tuple[float, str] | None = None
    dates: dict[str, Call] = field(default_factory=dict)
    dates_read: list[tuple[float, str]] = field(default_factory=list)
    requested: list[int] = field(default_factory=list)
    answered: Call | None = None
    accepted: bool | None = None
    known: bool = False  # to the hub
    told_gone: float = float("inf")
    blocked: int = 0
    excused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lots = {lot.index: LotState(lot) for lot in self.scenario.lots}
        self.date = f"{self.scenario.first_date}T20:00:00+03:00"
        self._rng = Random(f"shipment:{self.seed}:{self.scenario.number}")

    def _soon(self) -> float:
        return self._rng.uniform(self.delay / 15, self.delay)

    @property
    def graph(self) -> str:
        return "fbs" if self.scenario.model == "fbs" else "dbs"

    @property
    def goods(self) -> list[LotState]:
        return [state for state in self.lots.values() if not state.lot.delivery]

    @property
    def status(self) -> str:
        """Of the whole shipment: its least advanced living lot; where none lives, the buyer's cancellation first."""
        order = ["NEW", "PENDING_CONFIRMATION", "CONFIRMED", "PENDING_PACKING", "PENDING", "PACKED",
                 "PENDING_SHIPPING", "SHIPPED", "DELIVERED", "CUSTOMER_CANCELED", "MERCHANT_CANCELED"]  # fmt: skip
        return min((state.visible for state in self.goods), key=order.index)

    @property
    def moving(self) -> bool:
        return self.next_date is not None or any(state.next for state in self.lots.values())

    def settle(self, clock: float) -> None:
        """What was taken and is due now has happened."""
        for state in self.lots.values():
            state.settle(clock)
        if self.next_date and self.next_date[0] <= clock:
            self.date, self.next_date = self.next_date[1], None
        if all(state.status in CANCELED for state in self.goods):  # mild: the paid delivery falls with the last goods
            for state in self.lots.values():
                if state.lot.delivery and state.status not in FINAL:
                    state.status, state.next, state.shown = self.goods[0].status, None, ""

    def cancel(self, indices: list[int]) -> None:
        """By the buyer, at once."""
        for index in indices:
            state = self.lots[index]
            if state.status not in FINAL:
                state.status, state.sub, state.next, state.shown = "CUSTOMER_CANCELED", None, None, ""
                state.by_buyer = True

    # what the shop may do

    def plan(self, op: str, body: dict[str, Any], call: Call) -> Callable[[bool], None]:
        """Checks one shipment of a call; the answer does it, at once (True) or after a while."""
        items = {int(item["itemIndex"]): item for item in body.get("items", [])}
        if op == "shipping":
            packed = {state.lot.index for state in self.goods if state.status == "PACKED" or "shipping" in state.done}
            if packed:
                self._same_boxes(body, packed)
            here = {state.lot.index for state in self.goods if state.status != "MERCHANT_CANCELED"}
            items = {index: {} for index in packed or here}
        if op == "confirm" and self.graph == "dbs":
            return self._move(items, call)
        if op == "cancelResult":
            self._answers(items)
        self._whole(op, items)
        for index, item in items.items():
            self._may(op, self.lots[index], item, call)
        if (code := body.get("orderCode")) is not None:
            self.codes.append(code)

        def do(at_once: bool) -> None:
            if op == "cancelResult":
                self.answered, self.accepted = call, any(item["canceled"] for item in items.values())
            for index, item in items.items():
                self._take(op, self.lots[index], item, call, at_once)

        return do

    def _may(self, op: str, state: LotState, item: dict[str, Any], call: Call) -> None:
        index, status = state.lot.index, state.status
        if op == "cancelResult" and not item["canceled"]:
            return
        if op in state.done:
            earlier, before = state.done[op]
            seen = any(at >= earlier.at and status not in (before, "") for at, status in state.read)
            fault = self._again(f"{op} of lot {index}", earlier, seen)
            raise RefusalError("ALREADY_DONE", f"Лот {index} уже в статусе {state.visible}", index, fault)
        if state.next:
            raise RefusalError("IN_PROGRESS", f"Лот {index} обрабатывается: {state.visible}", index,
                               f"{op} of lot {index} while it is {state.visible}")  # fmt: skip
        if state.by_buyer:
            read = min([self.told_gone, *(at for at, seen in state.read if seen in CANCELED)])
            known = call.at > read + LEARNED
            fault = f"{op} of lot {index}, known to be cancelled for {call.at - read:.1f} s" if known else ""
            raise RefusalError("WRONG_STATUS", f"Лот {index} отменён покупателем", index, fault)
        allowed = FROM.get((self.graph, op), set[str]())
        if state.lot.delivery and op == "close":
            allowed = {"NEW", "PACKED"}
        if status not in allowed and self.scenario.ending == "too_late" and op == "reject":
            raise RefusalError("WRONG_STATUS", f"Лот {index} уже отгружен", index)
        if status not in allowed:
            raise RefusalError("WRONG_STATUS", f"Лот {index} в статусе {status}: {op} невозможен", index,
                               f"{op} of lot {index} in {status}")  # fmt: skip
        if op == "packing" and self.graph == "fbs" and state.lot.mark and item.get("digitalMark") is None:
            raise RefusalError("DIGITAL_MARK_REQUIRED", f"Лот {index}: не передан код маркировки", index)

    def _again(self, what: str, earlier: Call, seen: bool) -> str:
        """Why the same thing once more is the caller's fault; "" where the first outcome could not be known yet."""
        if earlier.fault in UNKNOWN | {"lie"} and not seen:
            self.excused.append(f"{what} again after an unknown outcome")
            return ""
        return f"{what} again, done by a call of {earlier.at:.2f}"

    def _whole(self, op: str, items: dict[int, dict[str, Any]]) -> None:
        """What must hold for all lots of a call together."""
        delivery = [state for state in self.lots.values() if state.lot.delivery and state.status not in FINAL]
        living = {state.lot.index for state in self.goods if state.status not in FINAL and not state.next}
        if op == "packing" and self.scenario.ending == "stuck":
            self.blocked += 1
            fault = "packing again and again, though it is refused for good" if self.blocked > PATIENCE else ""
            raise RefusalError("SHIPMENT_BLOCKED", "Отправление заблокировано службой контроля", None, fault)
        with_delivery = any(self.lots[index].lot.delivery for index in items)
        if with_delivery and (op == "packing" or (op == "reject" and not living <= set(items))):
            raise RefusalError("DELIVERY_LOT", f"Лот доставки нельзя передать в {op}", fault=f"delivery lot in {op}")
        if op == "close" and delivery and delivery[0].lot.index not in items:
            raise RefusalError("DELIVERY_LOT", "Лот доставки не закрыт", fault="delivery lot left out of close")
        if op == "close" and delivery and delivery[0].lot.index in items:
            goods = any(item["handoverResult"] for index, item in items.items() if not self.lots[index].lot.delivery)
            if items[delivery[0].lot.index]["handoverResult"] is not goods:
                raise RefusalError(
                    "DELIVERY_LOT", "Лот доставки закрыт не так, как товары", fault="delivery lot's result"
                )

    def _same_boxes(self, body: dict[str, Any], indices: set[int]) -> None:
        packed = {box["boxCode"] for index in indices for box in self.lots[index].boxes}
        given = [box["boxCode"] for box in body["boxes"]]
        if sorted(given) != sorted(packed):
            raise RefusalError("WRONG_BOXES", f"Коробки {given} не те, что собраны: {sorted(packed)}",
                               fault=f"shipping with boxes {given}, packed {sorted(packed)}")  # fmt: skip

    def _answers(self, items: dict[int, dict[str, Any]]) -> None:
        if not self.requested or set(items) != set(self.requested):
            raise RefusalError("NO_REQUEST", f"Запрос отмены: лоты {self.requested}, ответ: {sorted(items)}",
                               fault=f"cancelResult for lots {sorted(items)}, asked for {self.requested}")  # fmt: skip
        if self.answered is not None:
            seen = any(at >= self.answered.at and status in CANCELED | {"PENDING"}
                       for index in items for at, status in self.lots[index].read)  # fmt: skip
            fault = self._again("cancelResult", self.answered, seen)
            raise RefusalError("ALREADY_DONE", "Ответ на запрос отмены уже получен", fault=fault)

    def _move(self, items: dict[int, dict[str, Any]], call: Call) -> Callable[[bool], None]:
        """order/confirm in DBS moves the delivery date, of all living goods to one day."""
        living = {state.lot.index for state in self.goods if state.status not in FINAL and not state.next}
        dates = {item["shippingDate"] for item in items.values()}
        if not living or not living <= set(items) or len(dates) != 1:
            raise RefusalError("WRONG_STATUS", "Перенос даты невозможен", fault=f"date moved for lots {sorted(items)}")
        date = dates.pop()
        if date in self.dates:
            earlier = self.dates[date]
            fault = self._again(
                f"date {date}", earlier, any(at >= earlier.at and d == date for at, d in self.dates_read)
            )
            raise RefusalError("ALREADY_DONE", f"Дата уже {date}", fault=fault)

        def do(at_once: bool) -> None:
            self.dates[date] = call
            self.next_date = (0.0 if at_once else call.at + self._soon(), date)

        return do

    def _take(self, op: str, state: LotState, item: dict[str, Any], call: Call, at_once: bool) -> None:
        due = 0.0 if at_once else call.at + self._soon()
        status, sub = TO.get(op, ""), None
        if op == "reject":
            status = "MERCHANT_CANCELED"
            if self.graph == "fbs":
                sub = "CONFIRMATION_REJECT" if state.status == "NEW" else "LATE_REJECT"
        elif op == "cancelResult":
            if not item["canceled"]:
                return
            status = "CUSTOMER_CANCELED"
        elif op == "close":
            state.reason = str((item.get("reason") or {}).get("type", ""))
            # the exact status is not known; whose fault it was decides here
            canceled = "MERCHANT_CANCELED" if state.reason == "HANDOVER_IMPOSSIBLE" else "CUSTOMER_CANCELED"
            status = "DELIVERED" if item["handoverResult"] else canceled
        state.boxes, state.mark = item.get("boxes") or state.boxes, item.get("digitalMark") or state.mark
        state.done[op], state.next = (call, state.status), (due, status, sub)
        state.shown = PENDING.get(op) or self._rng.choice(["PENDING", ""])
