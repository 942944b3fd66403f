"""What facts are made of. Their fields' names are stored, and kept like those of `facts`."""

from datetime import date, datetime
from decimal import Decimal

import msgspec


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened, without who said it and when: those stand beside it, in `Recorded`."""


class Document(msgspec.Struct, frozen=True, omit_defaults=True):
    """1C's own document for the order. `date` as 1C wrote it, made aware."""

    id: str | None = None
    number: str | None = None
    date: datetime | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Goods of one kind in an order. `id` is the marketplace's own, `price` is for one piece."""

    sku: str
    quantity: int
    id: str | None = None
    name: str | None = None
    price: Decimal | None = None
    marks: tuple[str, ...] = ()
    serials: tuple[str, ...] = ()


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fiscal receipt the goods were handed over with."""

    number: str | None = None
    total: Decimal | None = None


class Interval(msgspec.Struct, frozen=True, rename={"since": "from", "until": "to"}, omit_defaults=True):
    """Hours of a day, as `HH:MM`."""

    since: str | None = None
    until: str | None = None


class Deadline(msgspec.Struct, frozen=True):
    """Until when a stage must be reached."""

    stage: str
    due: datetime


class Delivery(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from", "until": "to"}, omit_defaults=True):
    """How the goods get to the buyer, without the address.

    `type`: courier, pickup, post, digital or as the marketplace says.
    """

    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    outlet: str | None = None
    service: str | None = None
    keep_until: date | None = None
