"""The sandbox's truth: shops, orders, what buyers and the marketplace itself do, faults and a journal of calls."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from service.marketplaces import invented
from service.marketplaces.megamarket.sandbox import forms, goods
from service.marketplaces.megamarket.sandbox.order import ENDED, EXPIRED, Lot, Order
from service.marketplaces.trial import Entry, Faults
from service.marketplaces.values import MOSCOW

JOURNAL: Final = 20_000
"""Calls remembered by a sandbox that goes on for days."""

_FORGOTTEN: Final = {
    ("fbs", "NEW"): ("MERCHANT_CANCELED", "CONFIRMATION_EXPIRED"),
    ("fbs", "CONFIRMED"): ("PACKING_EXPIRED", "PACKING_EXPIRED"),
    ("fbs", "PACKED"): ("SHIPPING_EXPIRED", None),
    ("dbs", "NEW"): ("PACKING_EXPIRED", "PACKING_EXPIRED"),
    ("dbs", "PACKED"): ("CUSTOMER_CANCELED", None),
    ("cnc", "NEW"): ("PACKING_EXPIRED", "PACKING_EXPIRED"),
    ("cnc", "PACKED"): ("CUSTOMER_CANCELED", None),
}
"""How lots end that nobody moves: a status and a substatus."""


@dataclass(frozen=True)
class Shop:
    """One shop: its model, its number as a merchant, its token, and what the marketplace says who it is with."""

    model: str
    merchant_id: int
    token: str
    hook_login: str = "megamarket"
    hook_password: str = "sandbox-hook"  # noqa: S105 - the sandbox's, known to everybody


@dataclass(frozen=True)
class Callback:
    """What the marketplace wants to tell a shop."""

    channel: str
    path: str
    body: Any


@dataclass
class Telling:
    """How callbacks go: the shares of those that come twice and of new orders never told; how often tried again."""

    twice: float = 0.05
    unsaid: float = 0.05
    tries: int = 30
    retry_seconds: float = 2.0


class Market:
    """A marketplace with some shops, by channel.

    `pace`: how long it takes, about, for each of its own moves; `left_lying`: after how long it ends what nobody moves.
    `callbacks` wait for `notify` to send them. `changed` is called when orders have changed (`stirred`), before anybody
    is told or reads them.
    """

    def __init__(
        self, shops: dict[str, Shop], *, seed: int = 1, faults: Faults | None = None,
        pace: timedelta = timedelta(seconds=5), left_lying: timedelta = timedelta(days=1), first: int = 1,
        telling: Telling | None = None, changed: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.shops, self.pace, self.left_lying, self.changed = shops, pace, left_lying, changed
        self.random = Random(seed)  # noqa: S311 - chance, not secrets
        self.faults, self.telling = faults or Faults(), telling or Telling()
        self.orders: dict[str, Order] = {}
        self.journal: list[Entry] = []
        self.callbacks: list[Callback] = []
        self.next_number, self.stirred = first, False

    def place(
        self, channel: str, *, lots: list[Lot] | None = None, marked: bool | None = None, delivery: bool | None = None,
        blank: bool | None = None, drift: Iterable[str] | None = None,
    ) -> Order:  # fmt: skip
        """A buyer places an order; what is not said is left to chance. `blank`: its status shows a moment later."""
        now, random, model = datetime.now(UTC), self.random, self.shops[channel].model
        with_marks = random.random() < 0.25 if marked is None else marked
        paid = model == "dbs" and (random.random() < 0.4 if delivery is None else delivery)
        found = lots if lots is not None else goods.chance(random, now, marked=with_marks, delivery=paid)
        order = Order(
            str(self.next_number), channel, model, now, now, found, invented.person(random), invented.place(random),
            **_deadlines(model, now, random), prepaid=random.random() < 0.7,
            drift=[name for name in forms.DRIFTS if random.random() < 0.3] if drift is None else list(drift),
        )  # fmt: skip
        self.next_number += 1
        self.orders[order.number] = order
        hidden = random.random() < 0.3 if blank is None else blank
        for lot in order.lots:
            if hidden:
                lot.pend("", "NEW", now, now + self.pace / 2)
            else:
                lot.enter("NEW", now)
        self.stirred = True
        if random.random() >= self.telling.unsaid:
            merchant = self.shops[channel].merchant_id
            self.callbacks.append(Callback(channel, "/order/new", forms.order_new(order, merchant)))
        return order

    def settles(self, now: datetime) -> datetime:
        """When a call made now takes effect."""
        return now + self.pace * self.random.uniform(0.5, 1.5)

    def buyer_cancels(self, order: Order, lots: Sequence[Lot] | None = None) -> list[Lot]:
        """Of these lots (None: all) the ones still possible: FBS cancels them at once, DBS and C&C ask the shop."""
        now, wanted = datetime.now(UTC), order.lots if lots is None else lots
        if order.model == "fbs":
            found = [lot for lot in wanted if lot.status not in ("SHIPPED", *ENDED)]
            for lot in found:
                lot.enter("CUSTOMER_CANCELED", now)
        else:
            found = [lot for lot in wanted if lot.status not in ENDED and not lot.asked]
            for lot in found:
                lot.asked = True
        if found:
            order.tidy(now)
            self.stirred = True
            self._tell_cancel(order, found)
        return found

    def ask_again(self) -> None:
        """Tells the shops of all wishes to cancel that wait: a marketplace started anew does not know what it said."""
        for order in self.orders.values():
            if not order.ended and (asked := [lot for lot in order.lots if lot.asked]):
                self._tell_cancel(order, asked)

    def work(self, now: datetime) -> None:
        """What the marketplace does by itself once its time has come."""
        moved = [order for order in self.orders.values() if self._moved(order, now)]
        for order in moved:
            order.tidy(now)
        self.stirred |= bool(moved)

    def end_forgotten(self, now: datetime) -> None:
        """Ends what nobody has moved for long. A wish never answered is granted."""
        late = [one for one in self.orders.values() if not one.ended and now >= one.touched + self.left_lying]
        for order in late:
            for lot in order.goods:
                ending = _FORGOTTEN.get((order.model, lot.becoming or lot.status))
                if ending is not None:
                    lot.enter(*(("CUSTOMER_CANCELED", now) if lot.asked else (ending[0], now, ending[1])))
                    lot.asked = False
            order.tidy(now)
        self.stirred |= bool(late)

    def forget(self, keep: int) -> None:
        """Lets go of ended orders, all but the newest so many, and of calls of long ago."""
        del self.journal[:-JOURNAL]
        ended = [number for number, order in self.orders.items() if order.ended]
        for number in ended[:-keep]:
            del self.orders[number]
        self.stirred |= len(ended) > keep

    def keep(self) -> None:
        """Lets who keeps the orders know that they have changed, before anybody else sees them."""
        if self.stirred:
            self.stirred = False
            self.changed()

    def _moved(self, order: Order, now: datetime) -> bool:
        moves = [self._moves(lot, now) for lot in order.lots]  # every one of them, not up to the first that does
        return any(moves)

    def _moves(self, lot: Lot, now: datetime) -> bool:
        if lot.settles is not None:
            return lot.settle(now)
        if now < lot.moved + self.pace:
            return False
        if lot.status == "SHIPPED":
            lot.enter("DELIVERED", now)
        elif lot.status in EXPIRED:
            lot.enter("MERCHANT_CANCELED", now, lot.status)
        else:
            return False
        return True

    def _tell_cancel(self, order: Order, lots: Sequence[Lot]) -> None:
        body = forms.order_cancel(order, self.shops[order.channel].merchant_id, lots)
        self.callbacks.append(Callback(order.channel, "/order/cancel", body))


def _deadlines(model: str, now: datetime, random: Random) -> dict[str, Any]:
    """The marketplace's times of an order: FBS is packed tomorrow, DBS and C&C within hours."""
    start = (now + timedelta(days=random.choice([2, 3, 4]))).astimezone(MOSCOW).replace(hour=10, minute=0, second=0)
    start = start.replace(microsecond=0)
    end, keep_until = start + timedelta(hours=10), now + timedelta(days=20)
    pack_by = now + (timedelta(hours=28) if model == "fbs" else timedelta(hours=3))
    ship_by = {"fbs": pack_by + timedelta(hours=20), "dbs": end, "cnc": keep_until}[model]
    return {
        "pack_by": pack_by, "ship_by": ship_by, "keep_until": keep_until, "delivery_from": start, "delivery_to": end
    }  # fmt: skip
