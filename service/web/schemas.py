"""The shapes of answers that are not somebody else's, and how they are written."""

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from aiohttp import web

from projections.orders.project import OrderRow
from service.audit import Erasure, HistoryEvent, Mark

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder(decimal_format="string")


class Accepted(msgspec.Struct, frozen=True):
    """How many events are durable now; duplicates count."""

    accepted: int


class Done(msgspec.Struct, frozen=True):
    """What was asked for is under way or done."""

    done: str


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Part of a list; `next` is where to go on, null at the end."""

    items: list[T]
    next: str | None


class History(msgspec.Struct, frozen=True):
    """An order's events in order; with `at`, `known_at` or `version` its state then. `marks`: what was to be told to
    the marketplace, and who was late with it. `erased`: when personal data and raw messages were destroyed."""

    items: list[HistoryEvent]
    next: str | None
    state: OrderRow | msgspec.UnsetType | None = msgspec.UNSET
    marks: list[Mark] = []
    erased: Erasure | None = None
    order: str = ""


class OutboxPage(msgspec.Struct, frozen=True):
    """CloudEvents to 1C; `cursor` is where to go on."""

    items: list[dict[str, Any]]
    cursor: str


class HeadSeal(msgspec.Struct, frozen=True):
    """The seal that stands for all of the log up to a position; `links`: how many seals there are."""

    position: int
    seal: str
    links: int
    epoch: int
    recorded_at: datetime


class Health(msgspec.Struct, frozen=True):
    """The process runs."""

    alive: bool


class Readiness(msgspec.Struct, frozen=True):
    """What is within reach. `broker` is null where none is configured, `lag` in events, null while nobody can tell."""

    broker: bool | None
    log: bool
    lag: int | None


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457. `errors`: where a request is faulty, by JSON pointer."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = []


def json(value: Any, status: int = 200) -> web.Response:
    """A JSON answer; decimals are texts, so that no reader rounds money."""
    return web.Response(status=status, body=_ENCODER.encode(value), content_type="application/json")
