"""JSON in and out of the log, and what counts as the same message."""

from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

import msgspec

from events.order.facts import FACTS, HUB, Fact
from events.recorded import NewEvent, Recorded

_ENCODER = msgspec.json.Encoder()
_CANONICAL = msgspec.json.Encoder(order="sorted", decimal_format="number")
_DECODERS = {tag: msgspec.json.Decoder(shape) for tag, shape in FACTS.items()}
_LOOSE = msgspec.json.Decoder(float_hook=Decimal)
_COMMANDS = UUID("6f6b6e6f-0000-4000-8000-636f6d6d616e")


def decode(event: Recorded) -> Fact | None:
    """The fact an event holds; None for a type or shape this version does not know, which is kept and skipped."""
    decoder = _DECODERS.get(event.type)
    if decoder is None:
        return None
    try:
        return decoder.decode(event.data)
    except msgspec.DecodeError:  # one event nobody here can read must not stop its order, nor the hub
        return None


def encode(value: Any) -> bytes:
    """Compact JSON; decimals as strings, so that no reader rounds money."""
    return _ENCODER.encode(value)


def loads(raw: bytes | str) -> Any:
    """Any JSON, numbers with a point as Decimal."""
    return _LOOSE.decode(raw)


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no spaces."""
    return _CANONICAL.encode(value)


def digest(source: str, id: str | None, type: str, subject: str, data: Any, time: str | None) -> bytes:
    """What makes two messages the same: source, id, type, subject and data; without an id the time counts too."""
    return sha256(canonical([source, id, type, subject, data, None if id else time])).digest()


def command_id(order: str, target: str, action: str, cause: int | str | None = None) -> str:
    """A command's id follows from what it is for; with `cause` for what may be wanted more than once per order."""
    return str(uuid5(_COMMANDS, "\n".join((order, target, action, "" if cause is None else str(cause)))))


def own_event(
    order: str, type: str, id: str, fact: Fact, cause: int | None, *, expected: int | None = None,
    actor: str = HUB, personal: Any = None, body: bytes | None = None, now: datetime | None = None,
) -> NewEvent:  # fmt: skip
    """An event of the hub's own: its id alone decides that it is recorded once."""
    return NewEvent(
        order=order, type=type, source=HUB, id=id, digest=sha256(f"{HUB}\n{type}\n{id}".encode()).digest(),
        data=encode(fact), actor=actor, cause=cause, expected=expected, occurred_at=now or datetime.now(UTC),
        personal=None if personal is None else encode(personal), body=body,
    )  # fmt: skip
