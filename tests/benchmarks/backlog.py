"""What waits for the hub after an outage: 1C's marks of orders in the middle of their lives, published to RabbitMQ.

Orders were placed before; 1C registers, confirms, assembles, ships and issues each. Three thousand are under way at a
time, so an order's next mark comes thousands of messages behind its last, as in a shop's day.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

import aio_pika
import msgspec
from aio_pika.abc import AbstractConnection

from events.codec import encode
from events.log import Log
from events.recorded import NewEvent
from service.onec import topology
from tests.benchmarks.histories import BODIES, CHANNEL, MARKET, NUMBER, PERSONAL, PLACED

ABREAST = 3000
BEGAN = datetime(2026, 11, 2, 6, tzinfo=UTC)
SOURCE = "1c/ut11"
LINES = [
    {"sku": "BOSCH-WAN24260OE", "quantity": 1, "name": "Стиральная машина Bosch", "price": 38990},
    {"sku": "BORK-K711", "quantity": 1, "name": "Чайник Bork K711", "price": 12900},
]
MARKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("order.registered", {"document": {"id": "%s", "number": "ЦСУТ-%s", "date": "2026-11-02T10:00:00"}}),
    ("order.confirmed", {"lines": LINES}),
    ("order.assembled", {"boxes": 1, "lines": LINES}),
    ("order.shipped", {"to": "0042", "track": "RR%sRU"}),
    ("order.delivered", {"receipt": {"number": "77", "total": "51890,00"}}),
)
PARALLEL = 1000
"""Messages whose confirms are waited for together."""


def placed(first: int, orders: int) -> Iterator[NewEvent]:
    """The orders, as the marketplace gave them."""
    data = encode(PLACED)
    for number in range(first, first + orders):
        digits, key = b"%d" % number, f"{CHANNEL}/{number}"
        yield NewEvent(
            order=key, type="order.placed", source=MARKET, id=f"{number}/order.placed", actor=MARKET,
            digest=number.to_bytes(32, "big"), data=data.replace(NUMBER, digits), occurred_at=BEGAN,
            body=BODIES[MARKET], personal=PERSONAL.replace(NUMBER, digits),
        )  # fmt: skip


async def place(log: Log, first: int, orders: int) -> None:
    """Records the orders that the marks are about."""
    made = placed(first, orders)
    while batch := list(islice(made, 500)):
        await log.append(batch)


class Mark(NamedTuple):
    """A mark of 1C's: its id, the order's key, and the CloudEvent."""

    id: str
    order: str
    body: bytes


def marks(first: int, orders: int) -> Iterator[Mark]:
    """Each mark of these orders, in the order 1C sends them."""
    under_way = deque((number, 0) for number in range(first, first + min(ABREAST, orders)))
    coming = iter(range(first + len(under_way), first + orders))
    while under_way:
        number, step = under_way.popleft()
        yield _mark(number, step)
        if step + 1 < len(MARKS):
            under_way.append((number, step + 1))
        elif (new := next(coming, None)) is not None:
            under_way.append((new, 0))


def _mark(number: int, step: int) -> Mark:
    type, data = MARKS[step]
    id, order = f"{number:08x}-{step}", f"{CHANNEL}/{number}"
    event = {
        "specversion": "1.0", "id": id, "source": SOURCE, "type": type,
        "subject": order, "time": (BEGAN + timedelta(seconds=number * 5 + step * 7200)).isoformat(),
        "data": data,
    }  # fmt: skip
    return Mark(id, order, msgspec.json.encode(event).replace(b"%s", b"%d" % number))


def messages(said: Sequence[Mark], size: int) -> list[tuple[str, bytes]]:
    """Routing keys and bodies: a mark a message, or arrays of so many, as an exchange job of 1C's gathers them."""
    if size == 1:
        return [(mark.order, mark.body) for mark in said]
    chunks = [said[at : at + size] for at in range(0, len(said), size)]
    return [(chunk[0].order, b"[" + b",".join(mark.body for mark in chunk) + b"]") for chunk in chunks]


async def publish(connection: AbstractConnection, wanted: Sequence[tuple[str, bytes]]) -> None:
    """Publishes as 1C does: persistent, to `okno.in`; returns when the broker has them all."""
    async with connection.channel(publisher_confirms=True) as channel:
        exchange = await channel.get_exchange(topology.IN, ensure=False)
        for at in range(0, len(wanted), PARALLEL):
            await asyncio.gather(*(
                exchange.publish(
                    aio_pika.Message(body, content_type="application/cloudevents+json", delivery_mode=2), key
                )
                for key, body in wanted[at : at + PARALLEL]
            ))  # fmt: skip
