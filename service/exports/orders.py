"""Orders as they are exported: rows of the projection, by key in pages, a connection held for one page at a time.

So a long export keeps no rebuild waiting. All orders are there as they stood at the position the projection had come to
or later: each says its own position.
"""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from events.log import waits
from projections.orders.project import OrderRow, present
from service.database import Pool
from service.exports.asked import Asked, NothingThere
from service.exports.formats import BOM, Plain, Writer, cells, parquet
from service.people import joined

PAGE = 1000
"""Orders read at a time."""

# Orders behind a key, each filter left out where it is null. By when they were placed, or else last heard of.
PAGE_OF = """
SELECT o.order_key, o.body FROM okno.orders o
WHERE o.order_key > $1 AND ($2::text IS NULL OR o.order_key = $2) AND ($3::text IS NULL OR o.channel = $3)
  AND ($4::timestamptz IS NULL OR coalesce(o.placed_at, o.updated_at) >= $4)
  AND ($5::timestamptz IS NULL OR coalesce(o.placed_at, o.updated_at) < $5)
ORDER BY o.order_key LIMIT $6
"""

# How many there are.
COUNT = """
SELECT count(*) FROM okno.orders o
WHERE ($1::text IS NULL OR o.order_key = $1) AND ($2::text IS NULL OR o.channel = $2)
  AND ($3::timestamptz IS NULL OR coalesce(o.placed_at, o.updated_at) >= $3)
  AND ($4::timestamptz IS NULL OR coalesce(o.placed_at, o.updated_at) < $4)
"""

# What the rows are true to, and how many orders are not: set aside by a failing projection.
TRUE_TO = """
SELECT min(p.position) AS position, (SELECT count(*) FROM okno.projection_failures f
                                     WHERE f.projection = 'orders' AND f.generation = max(p.generation)) AS aside
FROM okno.projection_progress p WHERE p.projection = 'orders'
"""

# Personal data of some orders, their documents' included, in the order they were said.
PEOPLE = """
WITH keys AS (
    SELECT k AS owner, k AS order_key FROM unnest($1::text[]) AS k
    UNION ALL
    SELECT d.order_key, '1c/' || d.document_id FROM okno.documents d WHERE d.order_key = ANY($1)
)
SELECT keys.owner, p.position, p.data FROM keys JOIN okno.personal p ON p.order_key = keys.order_key
"""

KINDS = {
    "order": "text", "channel": "text", "kind": "text", "model": "text", "number": "text", "stage": "text",
    "version": "whole", "position": "whole", "document_id": "text", "document_number": "text", "document_date": "time",
    "total": "money", "currency": "text", "lines": "text", "placed_at": "time", "updated_at": "time",
    "cancelled_by": "text", "cancelled_reason": "text", "cancelled_at": "time", "marketplace_status": "text",
    "marketplace_stage": "text", "marketplace_seen_at": "time", "delivery_type": "text", "delivery_from": "time",
    "delivery_to": "time", "delivery_outlet": "text", "delivery_service": "text", "track": "text", "keep_until": "date",
    "deadlines": "text", "attention": "text", "returns": "text", "details": "text",
}  # fmt: skip
"""The flat columns; lists and tables within are JSON, attention the codes."""

PEOPLE_KINDS = {"customer": "text", "address": "text"}
"""With personal data: JSON."""

_BODY = msgspec.json.Decoder(OrderRow)
_LINE = msgspec.json.Encoder(decimal_format="string")


class Orders:
    """The orders asked for, in the form their writer takes. `kinds`: kind and model by channel."""

    def __init__(self, pool: Pool, asked: Asked, kinds: Mapping[str, tuple[str, str]]) -> None:
        self._pool, self._asked, self._kinds = pool, asked, kinds
        self._position: int | None = None
        self._aside = self.total = 0

    @waits
    async def begin(self) -> None:
        """Finds out what the rows are true to, and how many there are."""
        asked = self._asked
        row = await self._pool.fetchrow(TRUE_TO)
        assert row is not None
        self._position, self._aside = row["position"], row["aside"]
        self.total = await self._pool.fetchval(COUNT, asked.order, asked.channel, asked.since, asked.until)
        if asked.order is not None and not self.total and not (asked.since or asked.until):
            raise NothingThere(f"no order {asked.order}: an order is named as CHANNEL/NUMBER")

    def writer(self) -> Writer:
        """What makes a file of the blocks."""
        if self._asked.format == "parquet":
            return parquet(self._columns(), of_csv=False)
        if self._asked.format == "csv":
            return Plain((BOM if self._asked.bom else b"") + cells([list(self._columns())]))
        return Plain()

    async def blocks(self) -> AsyncIterator[tuple[Any, int, int]]:
        """Blocks, each with its rows and how much of `total` is done."""
        last, done = "", 0
        while found := await self._page(last):
            last, done = found[-1].order, done + len(found)
            yield self._formed(found), len(found), min(done, self.total)

    def summary(self, rows: int) -> str:
        """What was exported, and what it is true to."""
        if self._position is None:
            return f"exported {rows} orders: no event was made into orders yet, `okno run` does"
        text = f"exported {rows} orders as of position {self._position} or later: each says its own"
        return text + (f"; {self._aside} are set aside and older: `okno doctor`" if self._aside else "")

    @waits
    async def _page(self, last: str) -> list[OrderRow]:
        asked = self._asked
        rows = await self._pool.fetch(PAGE_OF, last, asked.order, asked.channel, asked.since, asked.until, PAGE)
        found = [present(_BODY.decode(row["body"]), self._kinds) for row in rows]
        if not asked.personal or not found:
            return found
        said: dict[str, dict[int, Any]] = {}
        for row in await self._pool.fetch(PEOPLE, [order.order for order in found]):
            said.setdefault(row["owner"], {})[row["position"]] = msgspec.json.decode(row["data"])
        return [joined(order, said.get(order.order, {})) for order in found]

    def _columns(self) -> dict[str, str]:
        return KINDS | (PEOPLE_KINDS if self._asked.personal else {})

    def _formed(self, found: list[OrderRow]) -> Any:
        if self._asked.format == "jsonl":
            return b"".join(_LINE.encode(order) + b"\n" for order in found)
        rows = [_flat(order, personal=self._asked.personal) for order in found]
        return cells(map(_told, rows)) if self._asked.format == "csv" else rows


def _flat(order: OrderRow, *, personal: bool) -> list[Any]:
    """An order's columns, in the order of `KINDS`."""
    document, cancelled, delivery, market = order.document, order.cancelled, order.delivery, order.marketplace
    people = [_json(order.customer), _json(delivery.address)] if personal else []
    attention = " ".join(dict.fromkeys(one.code for one in order.attention))
    return [
        order.order, order.channel, order.kind, order.model, order.number, order.stage, order.version, order.position,
        document and document.id, document and document.number, document and document.date, order.total,
        order.currency, _json(order.lines), order.placed_at, order.updated_at, cancelled and cancelled.by,
        cancelled and cancelled.reason, cancelled and cancelled.at, market.status, market.stage, market.seen_at,
        delivery.type, delivery.since, delivery.until, delivery.outlet, delivery.service, delivery.track,
        delivery.keep_until, _json(order.deadlines), attention, _json(order.returns), _json(order.details), *people,
    ]  # fmt: skip


def _json(value: Any) -> str | None:
    return None if value is None else _LINE.encode(value).decode()


def _told(row: list[Any]) -> list[Any]:
    """A row as CSV holds it: times as the API writes them."""
    return [msgspec.to_builtins(cell) if not isinstance(cell, str | Decimal | None) else cell for cell in row]
