"""Intake: everything from outside becomes events here, whatever way it came.

    bytes ─ cloudevents.read ─▶ Message ─┬─ from 1C: understanding ─▶ one event each ──────┐
                                         ├─ a notification ─▶ marketplace.notified ────────┼─▶ one append a batch
                                         ├─ what can't be understood ─▶ rejected ──────────┘
                                         └─ what a read saw ─▶ differences to the order's state ─▶ append at its version

A batch is appended whole in one call; `take` returns only after that, so whoever calls it may acknowledge. If the
process dies before, the messages come again and those appended already are duplicates. If Postgres refuses a batch for
another reason than being away, the batch is halved until the culprit stands alone, and it goes to `rejected`.
"""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from events import codec
from events.log import Log, LogUnavailable
from events.order.state import OrderState, fold
from events.recorded import NewEvent, Rejected
from service import differences, passing
from service.onec.cloudevents import Message, Unreadable, read, shared
from service.settings import Settings
from service.understanding import order_key, understand

logger = structlog.get_logger()

MAX_DETAIL = 1000


class Raw(msgspec.Struct, frozen=True):
    """A message as it came: its body, what stood around it, and the way it came by."""

    body: bytes
    envelope: Mapping[str, str]
    via: str


class Intake:
    """The one door into the log."""

    def __init__(self, log: Log, settings: Settings) -> None:
        self._log = log
        self._settings = settings

    async def take(self, raws: Sequence[Raw]) -> None:
        """Records a batch of messages as they came; each of them is in the log or in `rejected` afterwards."""
        events: list[_Event] = []
        rejected: list[Rejected] = []
        reads: list[_Read] = []
        for raw in raws:
            for part, message in _apart(raw):
                try:
                    if isinstance(message, Message) and passing.is_read(message):
                        order = order_key(message, self._settings)
                        reads.append(_Read(order, message.source, message.id or "", passing.read_of(message), part))
                    else:
                        events.append(_Event(self.event(message), part))
                except Unreadable as error:
                    rejected.append(_rejected(part, error))
                except Exception as error:  # a bug one message brings out must not stop its queue
                    logger.exception("a message can't be understood")
                    rejected.append(_rejected(part, _bug(error)))
        await self._append(events, rejected)
        while reads:
            reads = await self._take_reads(reads)

    async def take_messages(self, messages: Sequence[Message], via: str) -> None:
        """The same for messages that are apart already."""
        await self.take([Raw(m.wire(), {}, via) for m in messages])

    async def reject(self, raws: Sequence[Raw], reason: str, detail: str) -> None:
        """Keeps messages as rejected, for a reason outside of them."""
        await self._append([], [_rejected(raw, Unreadable(reason, detail)) for raw in raws])

    def event(self, message: Message | Unreadable) -> NewEvent:
        """A message as the event it becomes; `Unreadable` where it can't be understood."""
        if isinstance(message, Message) and passing.own(message) and not passing.is_read(message):
            return passing.notified(order_key(message, self._settings), message)
        return understand(message, self._settings)

    async def _append(self, events: Sequence["_Event"], rejected: list[Rejected]) -> None:
        if not events and not rejected:
            return
        try:
            await self._log.append([one.event for one in events], rejected)
        except LogUnavailable:
            raise
        except Exception as error:
            if not events:
                raise
            logger.warning("batch refused by Postgres, halving it", size=len(events), error=str(error))
            if len(events) == 1:
                await self._append([], [*rejected, _refused(events[0].part, error)])
                return
            middle = len(events) // 2
            await self._append(events[:middle], rejected)
            await self._append(events[middle:], [])

    async def _take_reads(self, reads: list["_Read"]) -> list["_Read"]:
        """Takes the first read of each order; returns those to be taken after: further ones, and conflicts."""
        first: dict[str, _Read] = {}
        later = [one for one in reads if first.setdefault(one.order, one) is not one]
        histories = await self._log.histories(first)
        events: list[NewEvent] = []
        for order, one in first.items():
            try:
                events += _news(one, fold(order, histories[order]))
            except Exception as error:  # as above
                logger.exception("what a read saw can't be compared", order=order)
                await self._append([], [_rejected(one.part, _bug(error))])
        if not events:
            return later
        try:
            outcomes = await self._log.append(events)
        except LogUnavailable:
            raise
        except Exception as error:
            logger.warning("what reads saw refused by Postgres, taking one by one", size=len(first), error=str(error))
            if len(first) == 1:
                await self._append([], [_refused(one.part, error) for one in first.values()])
                return later
            alone = [await self._take_reads([one]) for one in first.values()]
            return [one for left in alone for one in left] + later
        conflicts = {e.order for e, o in zip(events, outcomes, strict=True) if o.outcome == "conflict"}
        return [first[order] for order in conflicts] + later


class _Event(msgspec.Struct, frozen=True):
    """An event, and the message to keep whole should Postgres refuse it."""

    event: NewEvent
    part: Raw


class _Read(msgspec.Struct, frozen=True):
    """What a read saw, on its way to be compared with the log."""

    order: str
    source: str
    id: str
    seen: passing.Read
    part: Raw


def _apart(raw: Raw) -> list[tuple[Raw, Message | Unreadable]]:
    """The messages in what came, each with the part of it that would be kept if it were rejected."""
    messages = read(raw.body, raw.envelope)
    if len(messages) == 1:
        return [(raw, messages[0])]
    envelope = shared(raw.envelope)
    return [(Raw(raw.body if m.body is None else m.body, envelope, raw.via), m) for m in messages]


def _news(one: _Read, state: OrderState) -> list[NewEvent]:
    """The events a read adds to its order, to be appended at exactly this version."""
    if one.seen.order is not None:
        news, raw = differences.of_order(state, one.seen.order, one.seen.began_at), one.seen.order.raw
    elif one.seen.returned is not None:
        news, raw = differences.of_return(state, one.seen.returned), one.seen.returned.raw
    else:
        return []
    ids = [f"{one.id}/{new.type}" for new in news]  # by type: the same read taken again adds no second of its kind
    return [
        NewEvent(
            order=one.order, type=new.type, source=one.source, id=id, actor=one.source,
            digest=codec.digest(one.source, id, new.type, one.order, None, None), data=codec.encode(new.fact),
            occurred_at=new.occurred_at, expected=state.version, body=raw if new is news[0] else None,
            personal=codec.encode(new.personal) if new.personal else None,
        )
        for id, new in zip(ids, news, strict=True)
    ]  # fmt: skip


def _rejected(part: Raw, error: Unreadable) -> Rejected:
    """A message to keep; its id follows from what it is, so that its repeat is kept once."""
    envelope = dict(part.envelope)
    id = hashlib.sha256(codec.canonical([part.via, envelope, part.body.hex()])).hexdigest()[:32]
    # Postgres takes no U+0000 in a text, and details quote what came.
    detail = error.detail.replace("\x00", "\\u0000")[:MAX_DETAIL]
    return Rejected(id=id, via=part.via, reason=error.reason, detail=detail, body=part.body, envelope=envelope)


def _bug(error: Exception) -> Unreadable:
    return Unreadable("not_understood", f"the hub failed on it ({error!r}): resubmit it once that is mended")


def _refused(part: Raw, error: Exception) -> Rejected:
    state = getattr(error, "sqlstate", None) or type(error).__name__
    return _rejected(part, Unreadable("not_storable", f"Postgres refuses it ({state}): {error}"))
