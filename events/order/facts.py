"""The facts an order's history is made of.

Stored names are a contract: the tag in `FACTS` and each field's name are what the log holds for ever. A new field gets
a default; a changed meaning gets a new tag, and the old one stays here to be read (tests/events/samples holds one of
every shape ever shipped). Fields are the allow-list of what the log keeps: names, phones, addresses, comments, codes
and fields we don't know go to the erasable side table.

Who says what: 1C its marks (`order.*`), a marketplace what was seen there, the hub its decisions and their outcomes
(`command.*`). `order.cancelled` and `order.returned` come from both sides; `source` tells which.
"""

from datetime import date, datetime
from decimal import Decimal

import msgspec

from events.order.commands import (
    AttentionCleared,
    CommandOutcome,
    CommandRequested,
    CommandRetried,
    DeadlineNear,
    Erased,
)
from events.order.documents import Agreed, Posted, Snapshot, Uncancelled, Unposted
from events.order.values import Deadline, Delivery, Document, Fact, Interval, Line, Receipt
from events.recorded import Recorded

__all__ = [
    "FACTS", "HUB", "IMPORT", "ONEC_STAGES", "ONEC_TYPES", "OUTCOMES", "Agreed", "Arrived", "Assembled",
    "AttentionCleared", "CancellationAccepted", "CancellationDeclined", "CancellationRequested", "Cancelled",
    "Changed", "CommandOutcome", "CommandRequested", "CommandRetried", "Completed", "Confirmed", "Deadline",
    "DeadlineNear", "Delivered", "Delivery", "Document", "Erased", "Fact", "HandedOver", "Interval", "Line",
    "Notified", "Placed", "Posted", "Receipt", "Registered", "Rescheduled", "Returned", "Seen", "Shipped", "Snapshot",
    "Status", "Uncancelled", "Unposted", "from_onec", "imported",
]  # fmt: skip


# What 1C says -------------------------------------------------------------------------------------------------------


class Registered(Fact, frozen=True, kw_only=True):
    document: Document


class Confirmed(Fact, frozen=True, kw_only=True):
    document: Document | None = None
    lines: tuple[Line, ...] | None = None


class Assembled(Fact, frozen=True, kw_only=True):
    lines: tuple[Line, ...] | None = None
    boxes: int | None = None


class Shipped(Fact, frozen=True, kw_only=True):
    track: str | None = None
    to: str | None = None


class Arrived(Fact, frozen=True, kw_only=True):
    store: str | None = None
    keep_until: date | None = None


class HandedOver(Fact, frozen=True, kw_only=True):
    """`coded`: the courier's code came with it; the code itself lies where it can be erased."""

    coded: bool = False


class Delivered(Fact, frozen=True, kw_only=True):
    receipt: Receipt | None = None
    lines: tuple[Line, ...] | None = None


class Completed(Fact, frozen=True, kw_only=True):
    pass


class Rescheduled(Fact, frozen=True, kw_only=True):
    date: date
    interval: Interval | None = None
    by: str = "shop"


class Cancelled(Fact, frozen=True, kw_only=True):
    """`by` shop, customer or marketplace."""

    by: str
    reason: str | None = None
    status: str | None = None


class CancellationAccepted(Fact, frozen=True, kw_only=True):
    pass


class CancellationDeclined(Fact, frozen=True, kw_only=True):
    reason: str | None = None


class Returned(Fact, frozen=True, kw_only=True):
    """`asked`: the buyer only asks for it yet, or it came to nothing."""

    lines: tuple[Line, ...] | None = None
    id: str | None = None
    status: str | None = None
    asked: bool = False


class Status(Fact, frozen=True, kw_only=True):
    """A status of 1C that `[onec.statuses]` does not map."""

    status: str


# What a marketplace says --------------------------------------------------------------------------------------------


class Placed(Fact, frozen=True, kw_only=True):
    """A buyer placed the order. Prices are the marketplace's, `total` is for all lines."""

    number: str
    lines: tuple[Line, ...] = ()
    total: Decimal | None = None
    currency: str | None = None
    delivery: Delivery | None = None
    deadlines: tuple[Deadline, ...] = ()
    placed_at: datetime | None = None
    details: dict[str, str] = msgspec.field(default_factory=dict)


class Changed(Fact, frozen=True, kw_only=True):
    """What differs from before; a field left out is as it was."""

    lines: tuple[Line, ...] | None = None
    total: Decimal | None = None
    delivery: Delivery | None = None
    deadlines: tuple[Deadline, ...] | None = None
    details: dict[str, str] | None = None


class Seen(Fact, frozen=True, kw_only=True):
    """The marketplace's own status, seen in a read begun at `began_at`.

    `stale`: older than what was known, changes nothing. `request`: the buyer's wish to cancel was open.
    """

    status: str
    began_at: datetime
    stage: str | None = None
    stamp: datetime | None = None
    request: bool = False
    stale: bool = False


class Notified(Fact, frozen=True, kw_only=True):
    """The marketplace called: a hint that the order should be read, never the truth itself."""

    notice: str
    status: str | None = None
    hint: str | None = None


class CancellationRequested(Fact, frozen=True, kw_only=True):
    """The buyer asks to cancel; unanswered by `due`, the marketplace does. No `lines`, or `whole`: all the goods."""

    due: datetime | None = None
    lines: tuple[Line, ...] | None = None
    whole: bool = False


FACTS: dict[str, type[Fact]] = {
    "order.registered": Registered,
    "order.confirmed": Confirmed,
    "order.assembled": Assembled,
    "order.shipped": Shipped,
    "order.arrived": Arrived,
    "order.handed_over": HandedOver,
    "order.delivered": Delivered,
    "order.completed": Completed,
    "order.rescheduled": Rescheduled,
    "order.cancelled": Cancelled,
    "order.cancellation_accepted": CancellationAccepted,
    "order.cancellation_declined": CancellationDeclined,
    "order.returned": Returned,
    "order.status": Status,
    "order.snapshot": Snapshot,
    "order.uncancelled": Uncancelled,
    "order.unposted": Unposted,
    "order.posted": Posted,
    "order.placed": Placed,
    "order.changed": Changed,
    "order.cancellation_requested": CancellationRequested,
    "marketplace.seen": Seen,
    "marketplace.notified": Notified,
    "command.requested": CommandRequested,
    "command.done": CommandOutcome,
    "command.refused": CommandOutcome,
    "command.given_up": CommandOutcome,
    "command.withdrawn": CommandOutcome,
    "command.withheld": CommandOutcome,
    "command.retried": CommandRetried,
    "deadline.near": DeadlineNear,
    "attention.cleared": AttentionCleared,
    "order.erased": Erased,
}
"""Every stored type and its shape."""

OUTCOMES = {
    "command.done": "done",
    "command.refused": "refused",
    "command.given_up": "given_up",
    "command.withdrawn": "withdrawn",
    "command.withheld": "withheld",
}
"""Facts that end a command, and the state it then has."""

ONEC_STAGES = {
    "order.registered": "placed",
    "order.confirmed": "confirmed",
    "order.assembled": "assembled",
    "order.shipped": "shipped",
    "order.arrived": "arrived",
    "order.handed_over": "handed_over",
    "order.delivered": "delivered",
    "order.completed": "completed",
}
"""1C's marks that move an order along the path."""

ONEC_TYPES = (
    *ONEC_STAGES,
    "order.rescheduled",
    "order.cancelled",
    "order.cancellation_accepted",
    "order.cancellation_declined",
    "order.returned",
    "order.status",
    "order.snapshot",
    "order.uncancelled",
    "order.unposted",
    "order.posted",
)
"""What 1C may say."""


def from_onec(source: str) -> bool:
    """Whether the shop's own 1C is the sender; marketplaces are `channel/NAME`, the hub is `okno`."""
    return not source.startswith("channel/") and source != HUB


HUB = "okno"
"""The source of the hub's own decisions."""


def imported(event: Recorded) -> bool:
    """Whether `okno import` brought the event: past that counts as had, of which nobody is told anything."""
    return event.actor.startswith(IMPORT)


IMPORT = "import/"
"""How the actor of imported events begins; who imported them follows."""
