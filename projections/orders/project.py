"""One order as the API gives it, and as rows."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from events.codec import encode
from events.order.stages import rank
from events.order.state import OrderState
from projections.projection import Projection, Rows, Table


class Document(msgspec.Struct, frozen=True):
    """1C's document."""

    id: str | None
    number: str | None
    date: datetime | None = None


class Cancelled(msgspec.Struct, frozen=True):
    """Who cancelled first, and why."""

    by: str
    reason: str | None
    at: datetime


class Line(msgspec.Struct, frozen=True):
    """Goods of one kind; `price` is for one piece."""

    sku: str
    name: str | None
    quantity: int
    price: Decimal | None


class Delivery(msgspec.Struct, frozen=True, rename={"since": "from", "until": "to"}):
    """How the goods get to the buyer; the address is personal and only there where it was asked for."""

    type: str | None
    since: datetime | None
    until: datetime | None
    outlet: str | None = None
    service: str | None = None
    track: str | None = None
    keep_until: date | None = None
    address: Any = msgspec.UNSET


class Marketplace(msgspec.Struct, frozen=True):
    """What the marketplace says itself."""

    status: str | None
    stage: str | None
    seen_at: datetime | None


class Deadline(msgspec.Struct, frozen=True):
    """Until when a stage must be reached; stage `cancelled`: until when the buyer's request must be answered."""

    stage: str
    due: datetime


class Attention(msgspec.Struct, frozen=True):
    """Something a person should look at."""

    code: str
    message: str
    since: datetime
    position: int


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """One order's current state, as it is stored and as the API gives it.

    `kind` and `model` are settings, not history: no row holds them, `present` fills them in. `customer` and the
    delivery's address are personal: no row holds them either, who may show them joins them. A new field gets a default,
    so that rows of the version before can be read until they are rebuilt.
    """

    order: str
    channel: str
    kind: str | msgspec.UnsetType = msgspec.UNSET
    model: str | msgspec.UnsetType = msgspec.UNSET
    number: str
    stage: str
    version: int
    position: int
    document: Document | None
    cancelled: Cancelled | None
    total: Decimal | None
    currency: str | None
    lines: list[Line]
    customer: Any = msgspec.UNSET
    delivery: Delivery
    marketplace: Marketplace
    deadlines: list[Deadline]
    attention: list[Attention]
    returns: dict[str, str]
    details: dict[str, str]
    placed_at: datetime | None
    updated_at: datetime | None


class Row(NamedTuple):
    """A row of okno.orders."""

    order_key: str
    channel: str
    number: str
    stage: str
    version: int
    position: int
    document_number: str | None
    total: Decimal | None
    currency: str | None
    status: str | None
    attention: list[str]
    skus: list[str]
    placed_at: datetime | None
    updated_at: datetime | None
    body: str


class SearchRow(NamedTuple):
    """A row of okno.order_search."""

    order_key: str
    search: str
    grams: list[str]


class DeadlineRow(NamedTuple):
    """A row of okno.order_deadlines."""

    order_key: str
    stage: str
    due: datetime


def order_row(state: OrderState) -> OrderRow:
    """An order's state as the API gives it."""
    document, cancelled, delivery = state.document, state.cancelled, state.delivery
    return OrderRow(
        order=state.order, channel=state.channel, number=state.number or state.order.partition("/")[2],
        stage=state.stage, version=state.version, position=state.position,
        document=None if document is None else Document(document.id, document.number, document.date),
        cancelled=None if cancelled is None else Cancelled(cancelled.by, cancelled.reason, cancelled.at),
        total=state.total, currency=state.currency,
        lines=[Line(line.sku, line.name, line.quantity, line.price) for line in state.lines],
        delivery=Delivery(
            delivery.type, delivery.since, delivery.until, delivery.outlet, delivery.service, state.track,
            state.keep_until or delivery.keep_until,
        ),
        marketplace=Marketplace(state.status, state.market_stage, state.seen_at),
        deadlines=[Deadline(d.stage, d.due) for d in state.deadlines] + _answer_due(state),
        attention=[Attention(a.code, a.message, a.since, a.position) for a in state.attention],
        returns=state.returns, details=state.details, placed_at=state.placed_at, updated_at=state.updated_at,
    )  # fmt: skip


def present(row: OrderRow, kinds: Mapping[str, tuple[str, str]]) -> OrderRow:
    """The order with its channel's kind and model; empty for a channel that is not configured any more."""
    kind, model = kinds.get(row.channel, ("", ""))
    return msgspec.structs.replace(row, kind=kind, model=model)


def project(state: OrderState) -> Rows:
    """An order's rows."""
    order = order_row(state)
    number = order.document.number if order.document is not None else None
    skus = sorted({line.sku for line in order.lines})
    search = searchable("\n".join((order.number, number or "", *skus)))
    row = Row(
        order_key=order.order, channel=order.channel, number=order.number, stage=order.stage, version=order.version,
        position=order.position, document_number=number, total=order.total, currency=order.currency,
        status=order.marketplace.status, attention=sorted({a.code for a in order.attention}), skus=skus,
        placed_at=order.placed_at, updated_at=order.updated_at, body=encode(order).decode(),
    )  # fmt: skip
    deadlines = sorted({DeadlineRow(order.order, d.stage, d.due) for d in _open(state, order.stage)})
    found_by = SearchRow(order.order, search, grams(search))
    return {"orders": [row], "order_deadlines": deadlines, "order_search": [found_by]}


def searchable(text: str) -> str:
    """A text as it is searched: capital or small does not matter, in any alphabet and whatever locale Postgres has."""
    return text.casefold()


@lru_cache(5000)  # an order's next event mostly leaves its numbers and articles as they are
def grams(text: str) -> list[str]:
    """Every run of three letters within a line; a text holds another only if it holds all of that one's."""
    return sorted({line[n : n + 3] for line in text.split("\n") for n in range(len(line) - 2)})


def _answer_due(state: OrderState) -> list[Deadline]:
    """The deadline of the buyer's request to cancel, while it stands unanswered."""
    due = state.request.due if state.request is not None else None
    if due is None or not any(a.code == "cancellation_requested" for a in state.attention):
        return []
    return [Deadline("cancelled", due)]


def _open(state: OrderState, stage: str) -> list[Deadline]:
    if stage in ("cancelled", "returned"):
        return []
    reached = rank(stage)
    ahead = [Deadline(d.stage, d.due) for d in state.deadlines if rank(d.stage) > reached]
    return ahead + _answer_due(state)


ORDERS = Projection(
    name="orders",
    version=1,
    tables=(
        Table("orders", Row._fields, ("order_key",), frozenset({"body"})),
        Table("order_deadlines", DeadlineRow._fields, ("order_key", "stage", "due"), steady=True),
        Table("order_search", SearchRow._fields, ("order_key",), steady=True),
    ),
    project=project,
)
