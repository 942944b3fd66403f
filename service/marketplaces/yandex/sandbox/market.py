"""The sandbox's truth: shops, orders, what buyers and Market itself do, a journal of calls."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from service.marketplaces.trial import Entry, Faults
from service.marketplaces.yandex.sandbox import goods
from service.marketplaces.yandex.sandbox.forms import iso
from service.marketplaces.yandex.sandbox.order import ANSWER_WITHIN, OPEN, Order
from service.marketplaces.yandex.values import MOSCOW

__all__ = ["Entry", "Faults", "Market", "Notification"]

Notification = dict[str, Any]
_EVER = (("From", "2000-01-01T00:00:00Z"), ("To", "2999-01-01T00:00:00Z"))


class Market:
    """A Yandex Market of one cabinet.

    `shops` are campaigns and their models; `pace` is how long Market takes for each of its own moves, `patience` how
    long an unanswered wish to cancel waits. `notifications` are what it wants to tell, for `notify` to send. `changed`
    is called when orders have changed, before anybody is told: who keeps them keeps what others believe.
    """

    def __init__(
        self, shops: Mapping[int, str], *, business: int = 77001, api_key: str = "ACMA:sandbox:key", seed: int = 1,
        faults: Faults | None = None, pace: timedelta = timedelta(seconds=5), patience: timedelta = ANSWER_WITHIN,
        first: int = 52_700_000_001, changed: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.shops, self.business, self.api_key = dict(shops), business, api_key
        self.random = Random(seed)  # noqa: S311 - chance, not secrets
        self.faults = faults or Faults()
        self.pace, self.patience, self.changed = pace, patience, changed
        self.orders: dict[int, Order] = {}
        self.journal: list[Entry] = []
        self.notifications: list[tuple[int, Notification]] = []
        self.next_number, self.next_return = first, 710_001

    def options(self, campaign: int) -> dict[str, Any]:
        """What a channel of the hub needs to sell in this shop, besides `base_url`."""
        return {"business_id": self.business, "campaign_id": campaign, "api_key": self.api_key}

    def place(
        self, campaign: int, *, pickup: bool | None = None, marked: bool | None = None,
        status: str = "PROCESSING/STARTED", lines: list[goods.Line] | None = None,
    ) -> Order:  # fmt: skip
        """A buyer places an order; what is not said is left to chance."""
        number, model = self.next_number, self.shops[campaign]
        self.next_number += 1
        now = datetime.now(UTC)
        needs_marks = model != "dbs" and self.random.random() < 0.25 if marked is None else marked
        chosen = lines if lines is not None else goods.lines(number, self.random, marked=needs_marks)
        at_shop = model == "dbs" and (self.random.random() < 0.4 if pickup is None else pickup)
        if lines is None and self.random.random() < 0.2:
            chosen[0].points = Decimal(self.random.randrange(1, 5) * 100)
        first, _, second = status.partition("/")
        order = self.orders[number] = Order(
            number, campaign, model, chosen, goods.buyer(self.random), goods.address(self.random), now,
            to_date=(now + timedelta(days=self.random.choice([1, 2, 3]))).astimezone(MOSCOW).date(), pickup=at_shop,
            status=first, substatus=second, updated=now,
        )  # fmt: skip
        items = [{"offerId": line.sku, "count": line.count} for line in chosen]
        self._tell(order, "ORDER_CREATED", createdAt=iso(now), items=items)
        return order

    def move(self, order: Order, status: str, substatus: str) -> None:
        """Market's own change, told by a notification."""
        order.enter(status, substatus)
        self.status_told(order)

    def status_told(self, order: Order) -> None:
        """Puts the order's status among the notifications; a status set by the shop is notified too."""
        told = {"status": order.status, "substatus": order.substatus, "updatedAt": iso(order.updated)}
        self._tell(order, "ORDER_STATUS_UPDATED", **told)
        if order.status == "CANCELLED":
            items = [{"offerId": line.sku, "count": line.count} for line in order.lines]
            self._tell(order, "ORDER_CANCELLED", items=items, cancelledAt=iso(order.updated))

    def buyer_cancels(self, order: Order) -> None:
        """In processing the order is cancelled at once; later the shop is asked, where it delivers itself."""
        if order.status == "PROCESSING":
            self.move(order, "CANCELLED", "USER_CHANGED_MIND")
        elif order.model == "dbs" and order.status in OPEN and order.requested is None:
            order.requested = datetime.now(UTC)
            order.touch()
            self._tell(order, "ORDER_CANCELLATION_REQUEST", requestedAt=iso(order.requested))

    def buyer_returns(self, order: Order, kind: str = "RETURN") -> dict[str, Any]:
        """One piece of the first line comes back."""
        line, now = next(line for line in order.lines if line.count), datetime.now(UTC)
        record = {
            "id": self.next_return, "orderId": order.number, "creationDate": iso(now), "updateDate": iso(now),
            "refundStatus": "WAITING_FOR_DECISION", "returnType": kind, "items": [{"shopSku": line.sku, "count": 1}],
        }  # fmt: skip
        self.next_return += 1
        order.returns.append(record)
        order.touch()
        told = {"returnId": record["id"], "returnType": kind, "createdAt": iso(now)}
        self._tell(order, "ORDER_RETURN_CREATED", items=[{"offerId": line.sku, "count": 1}], **told)
        return record

    def refund(self, order: Order, record: dict[str, Any]) -> None:
        """A return is paid back."""
        now = datetime.now(UTC)
        record |= {"refundStatus": "REFUNDED", "updateDate": iso(now)}
        statuses = {"refundStatus": "REFUNDED"}
        self._tell(order, "ORDER_RETURN_STATUS_UPDATED", returnId=record["id"], statuses=statuses, updatedAt=iso(now))

    def work(self, now: datetime) -> None:
        """What Market does by itself once its time has come: delivery of FBS and Express, wishes never answered."""
        for order in self.orders.values():
            if order.requested is not None and now >= order.requested + self.patience:
                self.move(order, "CANCELLED", "USER_CHANGED_MIND")
            elif now >= order.updated + self.pace and (step := self._next_step(order)) is not None:
                if step == "COURIER_ARRIVED_TO_SENDER":
                    order.code = order.code or f"{self.random.randrange(10_000):04d}"
                self.move(order, *(("DELIVERED", step) if step == "DELIVERY_SERVICE_DELIVERED" else ("DELIVERY", step)))

    def forget(self, keep: int) -> None:
        """Lets go of calls and of ended orders, all but the newest so many of each."""
        del self.journal[:-keep]
        ended = [number for number, order in self.orders.items() if order.status not in OPEN]
        for number in ended[:-keep]:
            del self.orders[number]

    def matching(self, body: Mapping[str, Any]) -> Iterator[Order]:
        """The orders a read asks for, by number."""
        dates = body.get("dates") or {}
        numbers = self.orders.keys() if body.get("orderIds") is None else self.orders.keys() & set(body["orderIds"])
        for number in sorted(numbers):
            order = self.orders[number]
            wanted = {
                "orderIds": number, "externalOrderIds": order.external_id, "campaignIds": order.campaign,
                "programTypes": order.model.upper(), "statuses": order.status, "substatuses": order.substatus,
            }  # fmt: skip
            asked = all(body.get(name) is None or value in body[name] for name, value in wanted.items())
            waiting = not body.get("waitingForCancellationApprove") or order.requested is not None
            if asked and waiting and not body.get("fake") and _within(order, dates):
                yield order

    def _next_step(self, order: Order) -> str | None:
        if order.model == "dbs":
            return None
        if order.state == "PROCESSING/READY_TO_SHIP":
            return "COURIER_FOUND" if order.model == "express" else "DELIVERY_SERVICE_RECEIVED"
        if order.substatus == "COURIER_ARRIVED_TO_SENDER" and not order.code_taken:
            return None  # the courier waits until the shop has told the code
        following = ("COURIER_FOUND", "COURIER_ARRIVED_TO_SENDER", "COURIER_RECEIVED", "DELIVERY_SERVICE_DELIVERED")
        if order.status != "DELIVERY":
            return None
        return following[following.index(order.substatus) + 1] if order.substatus in following else following[-1]

    def _tell(self, order: Order, kind: str, **told: Any) -> None:
        head = {"notificationType": kind, "campaignId": order.campaign, "orderId": order.number}
        self.notifications.append((order.campaign, {**head, **told}))


def _within(order: Order, dates: Mapping[str, str]) -> bool:
    """`From` counts, `To` does not."""
    asked = {name: value for name, value in dates.items() if value}
    day = order.placed.astimezone(MOSCOW).date().isoformat()
    if not asked.get("creationDateFrom", "") <= day < asked.get("creationDateTo", "9999"):
        return False
    if not asked.get("shipmentDateFrom", "") <= order.to_date.isoformat() < asked.get("shipmentDateTo", "9999"):
        return False
    since, until = (datetime.fromisoformat(asked.get(f"updateDate{end}", edge)) for end, edge in _EVER)
    return since <= order.updated < until
