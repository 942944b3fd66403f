"""One posting as Ozon keeps it: where it stands, and what may be done with it now.

    awaiting_packaging --ship--> awaiting_deliver --delivering--> delivering/posting_on_way_to_city
      --last_mile--> delivering/posting_in_courier_service (or driver_pickup/posting_driver_pick_up)
      --delivered--> delivering/posting_conditionally_delivered --Ozon itself--> delivered/posting_received

So it goes in rFBS with own delivery; in FBS everything after `ship` is Ozon's own. Which action is offered in which
state is our reading of the documents, never seen on the wire. What is not offered is refused.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

OPEN: Final = ("awaiting_packaging", "awaiting_deliver", "delivering", "driver_pickup")
CONDITIONALLY: Final = "posting_conditionally_delivered"
TPL: Final = {"rfbs": "non_integrated", "fbs": "ozon"}
SLOT_MOVES: Final = 2

ENTERED: Final = {
    "delivering": ("delivering", "posting_on_way_to_city"),
    "last_mile": ("delivering", "posting_in_courier_service"),
    "delivered": ("delivering", CONDITIONALLY),
}
DRIVER: Final = ("driver_pickup", "posting_driver_pick_up")
"""The other form of the last mile: the documents don't say which of the two a seller's own courier gives."""


@dataclass
class Exemplar:
    """One piece that needs a marking code; `check`: nothing, processing, passed or failed."""

    id: int
    mark: str = ""
    check: str = ""


@dataclass
class Line:
    """One kind of goods; `price` is for a piece. `sku` is Ozon's number, `offer_id` the shop's."""

    sku: int
    offer_id: str
    name: str
    price: Decimal
    quantity: int
    marked: bool = False
    exemplars: list[Exemplar] = field(default_factory=list)


@dataclass
class Change:
    """What is accepted and not yet applied; `packages`: the pieces of each package by SKU, `numbers`: the postings'."""

    what: str
    due: datetime
    packages: list[dict[int, int]] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)


@dataclass
class Cancellation:
    """Who ended it and why."""

    reason_id: int
    reason: str
    type: str
    initiator: str
    after_ship: bool


@dataclass
class Posting:
    """Ozon's truth about one posting."""

    id: int
    number: str
    channel: str
    model: str
    lines: list[Line]
    buyer: dict[str, Any]
    placed: datetime
    shipment: datetime
    delivery: tuple[datetime, datetime] | None
    updated: datetime
    status: str = "awaiting_packaging"
    substatus: str = "posting_created"
    previous: str = "posting_split_pending"
    change: Change | None = None
    checking: datetime | None = None
    slot_moves: int = SLOT_MOVES
    track: str = ""
    handed_over: datetime | None = None
    received: datetime | None = None
    cancellation: Cancellation | None = None
    parent: str = ""
    related: list[str] = field(default_factory=list)

    @property
    def order_number(self) -> str:
        """The order it is a part of."""
        return self.number.rpartition("-")[0]

    @property
    def state(self) -> str:
        """`status/substatus`."""
        return f"{self.status}/{self.substatus}"

    @property
    def open(self) -> bool:
        """Not at its end."""
        return self.status in OPEN

    @property
    def filled(self) -> bool:
        """Every piece that needs a code has one that passed."""
        return self.checking is None and all(
            one.check == "passed" for line in self.lines if line.marked for one in line.exemplars
        )

    def enter(self, status: str, substatus: str, now: datetime) -> None:
        """A change nobody can refuse. Every one has a later time than the one before."""
        self.previous, self.status, self.substatus = self.substatus, status, substatus
        self.updated = max(now, self.updated + timedelta(milliseconds=1))
        if status in ("delivering", "driver_pickup") and self.handed_over is None:
            self.handed_over = self.updated
        if substatus == CONDITIONALLY or (status == "delivered" and self.received is None):
            self.received = self.updated
        if not self.open:
            self.change = None

    def actions(self, now: datetime) -> list[str]:
        """`available_actions`."""
        own = self.model == "rfbs"
        found = {"can_create_chat", "customer_phone_available"} if own and self.open else set()
        if self.status == "awaiting_packaging":
            found |= self._packing(now, own=own)
        elif self.status == "awaiting_deliver":
            found |= {"cancel"}
            found |= {"set_timeslot", "set_track_number"} if own else {"label_download", "label_download_small"}
            if own and self.change is None:
                found |= {"non_int_delivering", "product_cancel"}
        elif own and self.status in ("delivering", "driver_pickup") and self.substatus != CONDITIONALLY:
            found |= {"cancel", "set_timeslot", "set_track_number"}
            if self.change is None:
                first = self.substatus == "posting_on_way_to_city"
                found |= {"product_cancel", "non_int_last_mile" if first else "non_int_delivered"}
        if self.slot_moves == 0 or self.delivery is None:
            found.discard("set_timeslot")
        return sorted(found)

    def _packing(self, now: datetime, *, own: bool) -> set[str]:
        """After `shipment_date` an rFBS posting can be neither packed nor given another date."""
        found = {"cancel"}
        if self.change is not None:
            return found | {"ship_async_in_process"}
        found.add("product_cancel")
        if own and now > self.shipment:
            return found
        found |= {"set_cutoff"} if own else set()
        if not self.filled:
            return found | {"ship_with_additional_info"}
        retry = {"ship_async_retry"} if self.substatus == "ship_failed" else {"ship_async"}
        return found | {"ship"} | retry
