"""One order as the marketplace keeps it: lots of one piece each, every one with a status of its own.

Calls are answered before they are carried out: until its `settles` a lot is PENDING_*; a new one may show no status.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from service.marketplaces.invented import Person, Place

DELIVERY: Final = "delivery"
"""The `offerId` of the lot that stands for paid delivery."""

CANCELLED: Final = ("MERCHANT_CANCELED", "CUSTOMER_CANCELED")
EXPIRED: Final = ("PACKING_EXPIRED", "SHIPPING_EXPIRED")
ENDED: Final = ("DELIVERED", *CANCELLED, *EXPIRED)

_PROGRESS: Final = (
    "", "NEW", "PENDING_CONFIRMATION", "CONFIRMED", "PENDING_PACKING", "PACKED", "PENDING_SHIPPING", "SHIPPED",
    "DELIVERED",
)  # fmt: skip


@dataclass
class Discount:
    """A part of the price that somebody else pays."""

    type: str
    text: str
    amount: Decimal


@dataclass
class Happened:
    """A status a lot once took."""

    at: datetime
    status: str
    sub: str | None


@dataclass
class Lot:
    """One piece of goods; `asked`: the buyer wishes to cancel it and waits for the shop's answer."""

    index: str
    goods_id: str
    sku: str
    name: str
    price: Decimal
    moved: datetime
    discounts: list[Discount] = field(default_factory=list)
    marked: bool = False
    status: str = "NEW"
    sub: str | None = None
    becoming: str | None = None
    settles: datetime | None = None
    boxes: list[int] = field(default_factory=list)
    mark: str | None = None
    asked: bool = False
    events: list[Happened] = field(default_factory=list)

    @property
    def delivery(self) -> bool:
        """Whether it is no piece of goods but their delivery."""
        return self.sku == DELIVERY

    @property
    def final_price(self) -> Decimal:
        """What the buyer pays."""
        return self.price - sum((one.amount for one in self.discounts), Decimal(0))

    def enter(self, status: str, now: datetime, sub: str | None = None) -> None:
        """A status at once."""
        self.status, self.sub, self.moved = status, sub, now
        self.becoming = self.settles = None
        if status:
            self.events.append(Happened(now, status, sub))

    def pend(self, pending: str, becoming: str, now: datetime, settles: datetime) -> None:
        """A status that is on its way."""
        self.enter(pending, now)
        self.becoming, self.settles = becoming, settles

    def settle(self, now: datetime) -> bool:
        """Takes the status that was on its way, once its time has come."""
        if self.becoming is None or self.settles is None or now < self.settles:
            return False
        self.enter(self.becoming, now)
        return True


@dataclass
class Order:
    """One shipment. `touched`: its last change; `drift`: how its messages differ from the plainest (see `forms`)."""

    number: str
    channel: str
    model: str
    placed: datetime
    touched: datetime
    lots: list[Lot]
    buyer: Person
    address: Place
    pack_by: datetime
    ship_by: datetime
    keep_until: datetime
    delivery_from: datetime
    delivery_to: datetime
    prepaid: bool = True
    shifted: bool = False
    order_code: str | None = None
    drift: list[str] = field(default_factory=list)

    @property
    def goods(self) -> list[Lot]:
        """All lots but that of the delivery."""
        return [lot for lot in self.lots if not lot.delivery]

    @property
    def status(self) -> str:
        """The shipment's: that of the lot least far; cancelled and expired lots count where there is no other."""
        goods = self.goods
        going = [lot.status for lot in goods if lot.status in _PROGRESS]
        if going:
            return min(going, key=_PROGRESS.index)
        return next((lot.status for lot in goods if lot.status == "CUSTOMER_CANCELED"), goods[0].status)

    @property
    def ended(self) -> bool:
        """Whether nothing can be done with any of its lots any more."""
        return all(lot.status in ENDED for lot in self.lots)

    def tidy(self, now: datetime) -> None:
        """After a change: where no goods are left, there is nothing to deliver."""
        self.touched = now
        if all(lot.status in (*CANCELLED, *EXPIRED) for lot in self.goods):
            for lot in self.lots:
                if lot.status not in ENDED:
                    lot.enter(self.status, now)
