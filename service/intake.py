"""Intake: everything from outside becomes events here, whatever way it came.

    bytes ─ cloudevents.read ─▶ Message ─┬─ from 1C: marks ─▶ one event each ──────────────┐
                                         ├─ a notification ─▶ marketplace.notified ────────┼─▶ one append a batch
                                         ├─ what can't be understood ─▶ rejected ──────────┘
                                         └─ what a read saw ─▶ differences to the order's state ─▶ append at that version

A batch is appended whole in one call; `take` returns only after that, so whoever calls it may acknowledge. If the process
dies before, the messages come again and those appended already are duplicates. If Postgres refuses a batch for another
reason than being away, the batch is halved until the culprit stands alone, and it goes to `rejected`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import structlog

from events import codec
from events.log import Log, LogUnavailable
from events.order import facts as f
from events.order.state import OrderState, fold
from events.recorded import NewEvent, Rejected
from service import differences
from service.marketplaces.port import Notice, ReturnSeen, Seen
from service.onec import marks
from service.onec.cloudevents import Message, Unreadable, read
from service.settings import Settings

logger = structlog.get_logger()

CHANNEL = "channel/"
NOTICE, ORDER_SEEN, RETURN_SEEN = "marketplace.notified", "marketplace.order", "marketplace.return"
"""Message types with which the hub passes on to itself what marketplaces said."""

MAX_KEY = 200
"""Bytes of an order key; AMQP's routing key holds 255."""


class Raw(msgspec.Struct, frozen=True):
    """A message as it came: its body, what stood around it, and the way it came by."""

    body: bytes
    envelope: Mapping[str, str]
    via: str


class Read(msgspec.Struct, frozen=True):
    """What a read saw, and when it began."""

    began_at: datetime
    order: Seen | None = None
    returned: ReturnSeen | None = None


def notice_message(channel: str, notice: Notice, body: bytes) -> Message:
    """A notification as a message; its repeat is the same message."""
    fact = f.Notified(notice=notice.notice, status=notice.status, hint=notice.hint)
    return Message(
        type=NOTICE, source=CHANNEL + channel, subject=f"{channel}/{notice.number}", id=notice.key,
        time=notice.at.isoformat() if notice.at else None,
        data={"fact": msgspec.to_builtins(fact), "body": body.decode("utf-8", "replace")}, body=body,
    )  # fmt: skip


def read_message(channel: str, seen: Seen | ReturnSeen, began_at: datetime) -> Message:
    """What a read saw as a message."""
    order, returned = (seen, None) if isinstance(seen, Seen) else (None, seen)
    data = msgspec.to_builtins(Read(began_at, order, returned))
    id = hashlib.sha256(codec.canonical(data)).hexdigest()[:32]
    type = ORDER_SEEN if order is not None else RETURN_SEEN
    return Message(
        type=type, source=CHANNEL + channel, subject=f"{channel}/{seen.number}", data=data, body=seen.raw, id=id
    )


class Intake:
    """The one door into the log."""

    def __init__(self, log: Log, settings: Settings) -> None:
        self._log = log
        self._settings = settings

    async def take(self, raws: Sequence[Raw]) -> None:
        """Records a batch of messages as they came; every one of them is in the log or in `rejected` afterwards."""
        events: list[NewEvent] = []
        rejected: list[Rejected] = []
        reads: list[_OrderRead] = []
        for raw in raws:
            for number, message in enumerate(read(raw.body, raw.envelope)):
                try:
                    if isinstance(message, Message) and own(message) and message.type in (ORDER_SEEN, RETURN_SEEN):
                        reads.append(_OrderRead(self._order(message), message, _read(message), raw))
                    else:
                        events.append(self.event(message))
                except Unreadable as error:
                    rejected.append(_rejected(raw, number, error))
        await self._append(events, rejected)
        while reads:
            reads = await self._take_reads(reads)

    async def take_messages(self, messages: Sequence[Message], via: str) -> None:
        """The same for messages that are apart already."""
        await self.take([Raw(m.wire(), {}, via) for m in messages])

    async def reject(self, raws: Sequence[Raw], reason: str, detail: str) -> None:
        """Keeps messages as rejected, for a reason outside of them."""
        await self._append([], [_rejected(raw, 0, Unreadable(reason, detail)) for raw in raws])

    def event(self, message: Message | Unreadable) -> NewEvent:
        """A message as the event it becomes; `Unreadable` where it can't be understood."""
        if isinstance(message, Unreadable):
            raise message
        order = self._order(message)
        if own(message):
            return _notified(order, message)
        if marks.reserved(message.type):
            raise Unreadable("reserved_type", f"{message.type} is for the hub and the marketplaces to say", "/type")
        zone = self._settings.zone(message.source)
        type = message.type
        if marks.known_type(type):
            if type == "order.status":
                type = self._mapped(message, zone)
            fact, personal = marks.understood(type, message.data, zone)
            data = codec.encode(fact)
        else:  # kept whole, but where erasing reaches it
            fact, personal, data = None, {"extra": message.data}, b"{}"
        digest = codec.digest(message.source, message.id, message.type, message.subject, message.data, message.time)
        document = (fact.document.id or "").casefold() or None if isinstance(fact, f.Registered) else None
        return NewEvent(
            order=order, type=type, source=message.source, id=message.id or digest.hex()[:32], digest=digest, data=data,
            actor=message.source, occurred_at=marks.moment(message.time, zone), document=document, body=message.body,
            personal=codec.encode(personal) if personal else None,
        )  # fmt: skip

    def _order(self, message: Message) -> str:
        """The order's key, its spelling checked; the channel must be one of ours."""
        channel, slash, number = message.subject.strip().partition("/")
        number = number.strip()
        if not slash or not number:
            raise Unreadable(
                "no_order", f"subject {message.subject!r} is no order key such as ym-msk/48123456", "/subject"
            )
        if len(message.subject.encode()) > MAX_KEY:
            raise Unreadable("no_order", f"subject is longer than {MAX_KEY} bytes", "/subject")
        if "\x00" in message.subject + message.type + message.source + (message.id or ""):
            raise Unreadable("bad_field", "an attribute holds the character U+0000", "")
        if channel == "1c":
            return f"1c/{number.casefold()}"
        if channel not in self._settings.channels:
            known = ", ".join(sorted(self._settings.channels)) or "none yet"
            raise Unreadable(
                "unknown_channel", f"channel {channel!r} is not in the configuration; there are: {known}", "/subject"
            )
        return f"{channel}/{number}"

    def _mapped(self, message: Message, zone: ZoneInfo) -> str:
        fact, _ = marks.understood("order.status", message.data, zone)
        assert isinstance(fact, f.Status)
        return self._settings.status_type(message.source, fact.status) or "order.status"

    async def _append(self, events: list[NewEvent], rejected: list[Rejected]) -> None:
        if not events and not rejected:
            return
        try:
            await self._log.append(events, rejected)
        except LogUnavailable:
            raise
        except Exception as error:
            if not events:
                raise
            logger.warning("batch refused by Postgres, halving it", size=len(events), error=str(error))
            if len(events) == 1:
                await self._append([], [*rejected, _refused(events[0], error)])
                return
            middle = len(events) // 2
            await self._append(events[:middle], rejected)
            await self._append(events[middle:], [])

    async def _take_reads(self, reads: list["_OrderRead"]) -> list["_OrderRead"]:
        """Takes the first read of each order; returns those to be taken after: further ones, and conflicts."""
        first: dict[str, _OrderRead] = {}
        later = [one for one in reads if first.setdefault(one.order, one) is not one]
        histories = await self._log.histories(first)
        events: list[NewEvent] = []
        for order, one in first.items():
            events += _news(one, fold(order, histories[order]))
        if not events:
            return later
        try:
            outcomes = await self._log.append(events)
        except LogUnavailable:
            raise
        except Exception as error:
            if len(first) > 1:
                for one in first.values():
                    later += await self._take_reads([one])
            else:
                (one,) = first.values()
                await self._append(
                    [], [_rejected(one.raw, 0, Unreadable("not_storable", f"Postgres refuses it: {error}"))]
                )
            return later
        conflicts = {e.order for e, o in zip(events, outcomes, strict=True) if o.outcome == "conflict"}
        return [first[order] for order in conflicts] + later


class _OrderRead(msgspec.Struct, frozen=True):
    order: str
    message: Message
    read: Read
    raw: Raw


def _read(message: Message) -> Read:
    try:
        return msgspec.convert(message.data, Read)
    except msgspec.ValidationError as error:
        raise Unreadable("bad_data", f"not a read the hub passed on: {error}", "/data") from error


def own(message: Message) -> bool:
    """Whether the hub passed this on to itself."""
    return message.source.startswith(CHANNEL)


def _notified(order: str, message: Message) -> NewEvent:
    try:
        fact = msgspec.convert(message.data["fact"], f.Notified)
        body = str(message.data["body"]).encode()
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise Unreadable("bad_data", f"not a notification the hub passed on: {error}", "/data") from error
    return NewEvent(
        order=order, type=NOTICE, source=message.source, id=message.id or "", actor=message.source, data=codec.encode(fact),
        digest=codec.digest(message.source, message.id, message.type, message.subject, None, None),
        occurred_at=marks.moment(message.time, ZoneInfo("UTC")), body=body,
    )  # fmt: skip


def _news(one: _OrderRead, state: OrderState) -> list[NewEvent]:
    """The events a read adds to its order, to be appended at exactly this version."""
    if one.read.order is not None:
        news, raw = differences.of_order(state, one.read.order, one.read.began_at), one.read.order.raw
    elif one.read.returned is not None:
        news, raw = differences.of_return(state, one.read.returned), one.read.returned.raw
    else:
        return []
    source = one.message.source
    return [
        NewEvent(
            order=one.order, type=new.type, source=source, id=f"{one.message.id}/{number}", actor=source,
            digest=codec.digest(source, f"{one.message.id}/{number}", new.type, one.order, None, None),
            data=codec.encode(new.fact), occurred_at=new.occurred_at, expected=state.version,
            body=raw if number == 0 else None, personal=codec.encode(new.personal) if new.personal else None,
        )
        for number, new in enumerate(news)
    ]  # fmt: skip


def _rejected(raw: Raw, number: int, error: Unreadable) -> Rejected:
    envelope = dict(raw.envelope)
    id = hashlib.sha256(codec.canonical([raw.via, envelope, raw.body.hex(), number])).hexdigest()[:32]
    return Rejected(id=id, via=raw.via, reason=error.reason, detail=error.detail, body=raw.body, envelope=envelope)


def _refused(event: NewEvent, error: Exception) -> Rejected:
    state = getattr(error, "sqlstate", None) or type(error).__name__
    return Rejected(
        id=event.digest.hex()[:32], via="intake", reason="not_storable", detail=f"Postgres refuses it ({state}): {error}",
        body=event.body or event.data, envelope={"type": event.type, "subject": event.order, "source": event.source},
    )  # fmt: skip
