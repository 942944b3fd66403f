"""An order whose buyer stands in every place the hub keeps anything, and a search for him in all of them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from events.codec import own_event
from events.log import Log
from events.order import facts as f
from service.database import Pool
from service.intake import Intake
from service.marketplaces.port import Notice, Seen
from service.onec.cloudevents import Message
from service.passing import notice_message, read_message
from service.work import Expected, Work
from tests.onec.making import ORDER, SETTINGS, body, raw

CHANNEL, NUMBER = ORDER.split("/")
OTHER = "ym-msk/48123457"
DOCUMENT, DOCUMENT_NUMBER = "6f9a-11b2", "ЦСУТ-004512"
KEYS = (ORDER, f"1c/{DOCUMENT}")
CHANNELS = tuple(SETTINGS.channels)
REASON = "по заявлению субъекта, вх. 17-2026"

NAME, PHONE, EMAIL = "Хризантемов Аристарх", "+79995550123", "aristarch@example.com"
ADDRESS, COMMENT, COURIER = "ул. Неопалимовская, д. 77, кв. 13", "злая собака во дворе", "Евграф Шнуров"
BUYER = (NAME, PHONE, EMAIL, ADDRESS, COMMENT, COURIER)
T = datetime(2022, 11, 28, 6, tzinfo=UTC)

PERSONAL = {
    "customer": {"name": NAME, "phone": PHONE, "email": EMAIL, "trusted": True}, "address": ADDRESS, "comment": COMMENT,
}  # fmt: skip


def seen(order: str = ORDER, personal: Any = None, hours: int = 0, quantity: int = 2) -> Message:
    """What a read of the marketplace saw."""
    number = order.partition("/")[2]
    told = PERSONAL if personal is None else personal
    goods = f.Placed(number=number, lines=(f.Line(sku="A-1", quantity=quantity, price=Decimal("10.50")),))
    shown = Seen(
        number, "PROCESSING/STARTED", "placed", True, goods, stamp=T + timedelta(hours=hours), personal=told,
        raw=json.dumps({"id": number, "buyer": told}).encode(),
    )  # fmt: skip
    return read_message(CHANNEL, replace(shown), T + timedelta(hours=hours))


def notified() -> Message:
    """A callback that holds more than its notice needs."""
    told = json.dumps({"orderId": 48123456, "buyer": NAME, "phone": PHONE}, ensure_ascii=False).encode()
    return notice_message(CHANNEL, Notice(NUMBER, "ORDER_UPDATED", "n1", T), told)


REJECTED = {
    "broken": b'{"subject": "ym-msk/48123456", "data": {"comment": "' + NAME.encode() + b'"',
    "escaped": json.dumps({"type": "order.shipped", "subject": "avito/1", "data": {"n": DOCUMENT_NUMBER, "who": NAME}})
    .encode(),
    "other": json.dumps({"type": "order.shipped", "subject": "avito/48123457", "data": {}}).encode(),
}  # fmt: skip
"""Messages nobody understands: two that name the order, one that does not."""


async def plant(intake: Intake, log: Log, pool: Pool) -> None:
    """Lets everybody speak of the order: the marketplace, 1C before and after it registered it, callbacks, answers."""
    await intake.take([raw(body("order.handed_over", {"courier": COURIER}, id="early", subject=KEYS[1]))])
    await intake.take_messages([seen(), notified(), seen(OTHER, {"customer": {"name": "Пётр Другой"}})], "read")
    document = {"id": DOCUMENT, "number": DOCUMENT_NUMBER}
    await intake.take([
        raw(body("order.registered", {"document": document}, id="r")),
        raw(body("order.cancelled", {"by": "shop", "comment": COMMENT, "телефон": PHONE}, id="c")),
        raw(body("order.gift_wrapped", {"для": NAME}, id="g", адрес=ADDRESS)),
        *(raw(message, routing_key="x") for message in REJECTED.values()),
    ])  # fmt: skip
    await pool.execute("UPDATE okno.rejected SET resubmitted_at = now() WHERE body = $1", REJECTED["escaped"])
    answer = json.dumps({"request": {}, "answer": {"buyer": {"phone": PHONE, "email": EMAIL}}}).encode()
    wanted, done = (f.CommandRequested(command=c, target=CHANNEL, action="cancel") for c in ("c1", "c2"))
    await log.append([
        own_event(ORDER, "command.requested", "c1", wanted, 1), own_event(ORDER, "command.requested", "c2", done, 1),
        own_event(ORDER, "command.done", "c2/0/done", f.CommandOutcome(command="c2"), 2, body=answer),
    ])  # fmt: skip
    work = Work(pool, "test")
    async with pool.acquire() as connection:
        await work.expect_in(connection, [Expected("c1", ORDER, CHANNEL)])
    await leave(work, answer)


async def leave(work: Work, exchange: bytes) -> None:
    """An attempt at the cancellation that brought nothing final."""
    await work.leave("c1", ORDER, CHANNEL, next_at=T, open=True, reason="timed out", exchange=exchange)


TABLES = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'okno' ORDER BY table_name"


async def places(owner: asyncpg.Connection, *needles: str) -> dict[str, set[str]]:
    """Which tables of the schema hold which of these texts, in whatever column and spelling."""
    found: dict[str, set[str]] = {}
    for (table,) in await owner.fetch(TABLES):
        rows = [str(row[0]) for row in await owner.fetch(f"SELECT t::text FROM okno.{table} t")]
        for needle in needles:
            spellings = (needle, json.dumps(needle)[1:-1])
            looked = [*spellings, *(text.encode().hex() for text in spellings)]
            if any(spelling in row for spelling in looked for row in rows):
                found.setdefault(table, set()).add(needle)
    return found


@asynccontextmanager
async def owning(url: str) -> AsyncIterator[asyncpg.Connection]:
    """The database's owner, who sees everything."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
