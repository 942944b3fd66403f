"""Events on their way into the log, in a line each."""

from datetime import UTC, datetime
from typing import Any

from events import codec
from events.log import Log
from events.order import facts as f
from events.recorded import NewEvent, Rejected

AT = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)


def new(
    number: int | str = 1, *, order: str = "shop/1", type: str = "order.shipped", fact: f.Fact | None = None,
    said: Any = None, **more: Any,
) -> NewEvent:  # fmt: skip
    """A message of 1C's with this id; `said` is its data as sent, and decides whether it is the same as another."""
    source, id = "1c/ut", str(number)
    digest = codec.digest(source, id, type, order, said, None)
    event = {"actor": source, "occurred_at": AT, "data": codec.encode(fact or f.Shipped()), **more}
    return NewEvent(order=order, type=type, source=source, id=id, digest=digest, **event)


async def personal(log: Log, order: str) -> dict[int, Any]:
    """An order's personal data by the position they came with."""
    return (await log.stories([order]))[order].personal


def rejected(id: str) -> Rejected:
    """A message nobody understood."""
    return Rejected(id=id, via="amqp", reason="bad_json", detail="broken", body=b"{", envelope={"type": "x"})
