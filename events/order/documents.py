"""1C's documents as facts: how one stood at a moment, and what only a document can say."""

from datetime import date, datetime

import msgspec

from events.order.values import Document, Fact, Interval, Line, Receipt


class Agreed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The day the goods are to be handed over, as the document has it."""

    date: date
    interval: Interval | None = None
    by: str = "shop"


class Snapshot(Fact, frozen=True, kw_only=True):
    """A document as it stood at a moment; what is None was not said. What follows from it are events of their own.

    `kind`: order, shipment, receipt or return. `means`: the type its status stood for when it came. `lines`: one that
    was cancelled has quantity 0. `arrived`: at the shop that issues it. `returned`: what came back, empty for all of
    it. `answer`: accepted or declined, to the buyer's wish to cancel. `at`: the sender's time, where it said one.
    `content`: a hash of all that was said, by which an equal snapshot is known. `stale`: older than what was known,
    changes nothing. `missing`: keys that its format always has, and it had not.
    """

    document: Document | None = None
    status: str | None = None
    posted: bool | None = None
    deleted: bool | None = None
    cancelled: bool | None = None
    lines: tuple[Line, ...] | None = None
    version: str | None = None
    kind: str = "order"
    means: str | None = None
    shipment: Document | None = None
    arrived: bool = False
    receipt: Receipt | None = None
    returned: tuple[Line, ...] | None = None
    delivery: Agreed | None = None
    answer: str | None = None
    at: datetime | None = None
    content: str | None = None
    stale: bool = False
    missing: tuple[str, ...] = ()


class Uncancelled(Fact, frozen=True, kw_only=True):
    """1C takes its cancellation back."""


class Unposted(Fact, frozen=True, kw_only=True):
    """A document of the order does not count any more, until it is posted again."""

    document: Document | None = None
    kind: str = "order"


class Posted(Fact, frozen=True, kw_only=True):
    """A document that was unposted counts again."""

    document: Document | None = None
    kind: str = "order"
