"""What the pages show of an order besides what is written in it. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from events.order.stages import ASIDE, PATH, rank
from projections.orders.project import Deadline, Line, OrderRow

CLOSED = ("met", "void")
"""Tones of deadlines nobody need look at any more."""

WARNING = timedelta(hours=1)
"""How near a deadline counts as near where the channel does not say."""


class Due(msgspec.Struct, frozen=True):
    """A deadline and how urgent it is: `over`, `near`, `far`; `met`, or `void` once the order left its path."""

    stage: str
    due: datetime
    tone: str


class Step(msgspec.Struct, frozen=True):
    """A stage of an order's path. `mark`: `done`, `here` or `ahead`."""

    stage: str
    mark: str


class Person(msgspec.Struct, frozen=True):
    """The buyer, as far as anybody told and nobody erased."""

    name: str | None = None
    phone: str | None = None
    trusted: bool = False
    address: str | None = None
    comment: str | None = None


def path(order: OrderRow) -> list[Step]:
    """The stages of an order's way; a pickup order never is with a courier. Aside, as far as it came is not told."""
    way = [s for s in PATH if not (s == "handed_over" and order.delivery.type == "pickup" and order.stage != s)]
    reached = rank(order.stage)
    return [
        Step(stage, "here" if stage == order.stage else "done" if rank(stage) < reached else "ahead") for stage in way
    ]


def dues(order: OrderRow, now: datetime, warning: timedelta) -> list[Due]:
    """An order's deadlines, the open ones first, each with its urgency."""
    found = [Due(d.stage, d.due, _tone(order, d, now, warning)) for d in order.deadlines]
    return sorted(found, key=lambda due: (due.tone in CLOSED, due.due))


def _tone(order: OrderRow, deadline: Deadline, now: datetime, warning: timedelta) -> str:
    if order.stage in ASIDE:
        return "void"
    if deadline.stage != "cancelled" and rank(order.stage) >= rank(deadline.stage):
        return "met"
    return "over" if deadline.due <= now else "near" if deadline.due - now <= warning else "far"


def nearest(order: OrderRow, now: datetime, warning: timedelta) -> Due | None:
    """The open deadline that comes first."""
    return next((due for due in dues(order, now, warning) if due.tone not in CLOSED), None)


def goods_total(lines: Iterable[Line]) -> Decimal:
    """What the lines cost together, as far as prices are known."""
    return sum((line.price * line.quantity for line in lines if line.price is not None), Decimal(0))


def person(personal: Mapping[int, Any]) -> Person:
    """The newest of each thing that is told about the buyer."""
    found: dict[str, Any] = {}
    for position in sorted(personal):
        told = personal[position]
        if not isinstance(told, dict):
            continue
        customer = told.get("customer")
        for source in (customer if isinstance(customer, dict) else {}, told):
            found |= {key: source[key] for key in ("name", "phone", "trusted", "address", "comment") if source.get(key)}
    texts = {key: str(value) for key, value in found.items() if key != "trusted"}
    return Person(**texts, trusted=found.get("trusted") is True)
