"""A log with everything that is hard to write out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from events.codec import encode
from events.log import Log
from events.order import facts as f
from events.recorded import NewEvent
from service.database import Pool
from service.exports import Asked, Export

PLACED_AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
KINDS = {"ym-msk": ("yandex", "dbs"), "oz": ("ozon", "rfbs")}
ANNA = {"customer": {"name": "Анна", "phone": "+79270000000"}, "address": "Самара, ул. Мира, 1"}
LINE = f.Line(sku="=HYPERLINK(1)", quantity=2, name='a "quoted", name', price=Decimal("38990.00"))

HARD = (
    'a "b", \\c',
    "two\nlines",
    "\r",
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@x",
    "\ttab",
    "\x01\x02\x1f\x7f",
    "Ж😀",
    "\\.",
)
"""Ids that quoting and spreadsheets stumble over."""


async def say(
    log: Log, order: str, type: str, fact: f.Fact, source: str = "1c/ut11", *, id: str | None = None, **more: Any
) -> int:
    """Appends one fact; its position."""
    said = encode([order, type, encode(fact).decode(), source, id])
    event = NewEvent(
        order=order, type=type, source=source, id=id or sha256(said).hexdigest()[:8], digest=sha256(said).digest(),
        data=encode(fact), actor=source, **more,
    )  # fmt: skip
    (appended,) = await log.append([event])
    return appended.position


async def plant(log: Log) -> None:
    """Two channels' orders, a document said before it is linked, and ids nobody should use."""
    market = {name: f"channel/{name}" for name in KINDS}
    placed = f.Placed(
        number="1", lines=(LINE,), total=Decimal("77980.00"), currency="RUB", placed_at=PLACED_AT,
        delivery=f.Delivery(type="courier", since=PLACED_AT, until=PLACED_AT + timedelta(hours=2)),
        deadlines=(f.Deadline("shipped", PLACED_AT + timedelta(days=1)),),
    )  # fmt: skip
    await say(log, "ym-msk/1", "order.placed", placed, market["ym-msk"], personal=encode(ANNA), occurred_at=PLACED_AT)
    await say(log, "1c/d1", "order.confirmed", f.Confirmed())
    document = f.Document(id="d1", number="ЦСУТ-1", date=PLACED_AT + timedelta(microseconds=204_000))
    await say(log, "ym-msk/1", "order.registered", f.Registered(document=document), document="d1", cause=1)
    later = PLACED_AT + timedelta(days=1)
    await say(log, "oz/2", "order.placed", f.Placed(number="2", placed_at=later), market["oz"], occurred_at=later)
    await say(log, "oz/2", "order.cancelled", f.Cancelled(by="customer", reason="other"), market["oz"])
    for id in HARD:
        await say(log, "ym-msk/3", "order.completed", f.Completed(), "1c", id=id)


async def exported(pool: Pool, **asked: Any) -> bytes:
    """The whole file."""
    return b"".join([piece async for piece in Export(pool, Asked(**asked), KINDS, abreast=2).pieces()])
