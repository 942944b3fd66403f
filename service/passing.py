"""What the hub passes on to itself through the one door: notifications of marketplaces, and what reads saw.

These messages have the source `channel/NAME`; nobody outside may send under such a source.
"""

import hashlib
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from events import codec
from events.order import facts as f
from events.recorded import NewEvent
from service.marketplaces.port import Notice, ReturnSeen, Seen
from service.onec import marks
from service.onec.cloudevents import Message, Unreadable

CHANNEL = "channel/"
NOTICE, ORDER_SEEN, RETURN_SEEN = "marketplace.notified", "marketplace.order", "marketplace.return"
"""The types of these messages."""

UTC = ZoneInfo("UTC")


class Read(msgspec.Struct, frozen=True):
    """What a read saw, and when it began."""

    began_at: datetime
    order: Seen | None = None
    returned: ReturnSeen | None = None


def own(message: Message) -> bool:
    """Whether the hub passed this on to itself."""
    return message.source.startswith(CHANNEL)


def is_read(message: Message) -> bool:
    """Whether this is what a read saw: which facts it adds depends on what the log knows."""
    return own(message) and message.type in (ORDER_SEEN, RETURN_SEEN)


def notice_message(channel: str, notice: Notice, body: bytes) -> Message:
    """A notification as a message; its repeat is the same message."""
    fact = f.Notified(notice=notice.notice, status=notice.status, hint=notice.hint)
    body = notice.body if notice.body is not None else body
    return Message(
        type=NOTICE, source=CHANNEL + channel, subject=f"{channel}/{notice.number}", id=notice.key,
        time=notice.at.isoformat() if notice.at else None,
        data={"fact": msgspec.to_builtins(fact), "body": body.decode("utf-8", "replace")}, body=body,
    )  # fmt: skip


def read_message(channel: str, seen: Seen | ReturnSeen, began_at: datetime) -> Message:
    """What a read saw as a message."""
    order, returned = (seen, None) if isinstance(seen, Seen) else (None, seen)
    data = msgspec.to_builtins(Read(began_at, order, returned))
    return Message(
        type=ORDER_SEEN if order is not None else RETURN_SEEN, source=CHANNEL + channel,
        subject=f"{channel}/{seen.number}", data=data, body=seen.raw,
        id=hashlib.sha256(codec.canonical(data)).hexdigest()[:32],
    )  # fmt: skip


def read_of(message: Message) -> Read:
    """What a read saw, out of its message."""
    try:
        return msgspec.convert(_data(message), Read)
    except msgspec.ValidationError as error:
        raise Unreadable("bad_data", f"not a read the hub passed on: {error}", "/data") from error


def notified(order: str, message: Message) -> NewEvent:
    """The event a notification becomes; it is the notice's key that tells a repeat, not the body."""
    try:
        data = _data(message)
        fact, body = msgspec.convert(data["fact"], f.Notified), str(data["body"]).encode()
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise Unreadable("bad_data", f"not a notification the hub passed on: {error}", "/data") from error
    return NewEvent(
        order=order, type=NOTICE, source=message.source, id=message.id or "", actor=message.source,
        digest=codec.digest(message.source, message.id, message.type, message.subject, None, None),
        data=codec.encode(fact), occurred_at=marks.moment(message.time, UTC), body=body,
    )  # fmt: skip


def _data(message: Message) -> Any:
    """A message's data without U+0000, which no column of text takes; what marketplaces say ends in such columns."""
    return _without_nul(message.data) if b"\\u0000" in message.body else message.data


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    return {key: _without_nul(item) for key, item in value.items()} if isinstance(value, dict) else value
