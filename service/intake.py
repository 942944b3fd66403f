"""Intake: everything from outside becomes events here, whatever way it came.

    bytes ─── reading.read ───▶ Message ─┬─ from 1C: understanding ─▶ one event each ──────┐
                                         ├─ a notification ─▶ marketplace.notified ────────┼─▶ one append a batch
                                         ├─ what can't be understood ─▶ rejected ──────────┘
                                         └─ what a read saw, a document of 1C's
                                                  ─▶ comparing: news against the order's state ─▶ append at its version

A batch is appended in one call, or where messages hold many events each, in one after another; `take` returns only
after that, so whoever calls it may acknowledge. If the process dies before, the messages come again and those appended
already are duplicates, or no news. If Postgres refuses a batch for another reason than being away, the batch is halved
until the culprit stands alone, and it goes to `rejected`.
"""

import hashlib
from collections.abc import Callable, Sequence
from itertools import islice

import msgspec
import structlog

from events import codec
from events.log import Log, LogUnavailable
from events.recorded import NewEvent, Rejected
from service import comparing, passing
from service.comparing import Compared
from service.onec.cloudevents import Message, Raw, Unreadable, shared
from service.onec.reading import read
from service.settings import Settings
from service.understanding import order_key, understand

logger = structlog.get_logger()

BATCH = 500
"""Events appended at once: more of them gain nothing, and keep others waiting for the lock. A message may hold many."""

MAX_DETAIL = 1000


class Intake:
    """The one door into the log. `said` is called with the sources of messages, whatever becomes of them."""

    def __init__(self, log: Log, settings: Settings, said: Callable[[str], None] = lambda _: None) -> None:
        self._log = log
        self.settings = settings
        self._said = said

    async def take(self, raws: Sequence[Raw]) -> None:
        """Records a batch of messages as they came; each of them is in the log or in `rejected` afterwards."""
        parts = (part for raw in raws for part in self._apart(raw))
        while left := list(islice(parts, BATCH)):
            for source in {message.source for _, message in left if isinstance(message, Message)}:
                self._said(source)
            while left:
                left = await self._take(left)

    async def _take(self, parts: Sequence["_Part"]) -> list["_Part"]:
        """Takes what depends on nothing else here; returns the rest."""
        events: list[_Event] = []
        rejected: list[Rejected] = []
        compared: list[Compared] = []
        after: list[_Part] = []  # what is said of an order after something that is to be compared with it
        waiting: set[str] = set()
        for part, message in parts:
            try:
                if isinstance(message, Message) and message.subject in waiting:
                    after.append((part, message))
                elif isinstance(message, Message) and (one := comparing.compared(message, part, self.settings)):
                    compared.append(one)
                    waiting.add(message.subject)
                else:
                    events.append(_Event(self.event(message), part))
            except Unreadable as error:
                rejected.append(_rejected(part, error))
            except Exception as error:  # a bug one message brings out must not stop its queue
                logger.exception("a message can't be understood")
                rejected.append(_rejected(part, _bug(error)))
        await self._append(events, rejected)
        while compared:
            compared = await self._compare(compared)
        return after

    async def take_messages(self, messages: Sequence[Message], via: str) -> None:
        """The same for messages that are apart already."""
        await self.take([Raw(m.wire(), _around(m), via) for m in messages])

    async def reject(self, raws: Sequence[Raw], reason: str, detail: str) -> None:
        """Keeps messages as rejected, for a reason outside of them."""
        await self._append([], [_rejected(raw, Unreadable(reason, detail)) for raw in raws])

    def event(self, message: Message | Unreadable) -> NewEvent:
        """A message as the event it becomes; `Unreadable` where it can't be understood."""
        if isinstance(message, Message) and passing.own(message) and not passing.is_read(message):
            return passing.notified(order_key(message, self.settings), message)
        return understand(message, self.settings)

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

    async def _linked(self, one: Compared) -> Compared:
        """The same, for the order its document is linked to."""
        order = await self._log.order_of(one.order)
        return one if order == one.order else msgspec.structs.replace(one, order=order)

    async def _compare(self, compared: list[Compared]) -> list[Compared]:
        """Takes the first one of each order; returns those to be taken after: further ones, and conflicts.

        Two that name the same document may be one order's by then: the first of them may link it.
        """
        first: dict[str, Compared] = {}
        later: list[Compared] = []
        named: set[str] = set()
        for unlinked in compared:
            free = named.isdisjoint(unlinked.keys)
            one = await self._linked(unlinked) if free else unlinked
            if not free or first.setdefault(one.order, one) is not one:
                later.append(one)
            named |= unlinked.keys | one.keys
        histories = await self._log.histories(first)
        events: list[NewEvent] = []
        for order, one in first.items():
            try:
                events += one.news(order, histories[order])
            except Exception as error:  # as above
                logger.exception("what came can't be compared with its order", order=order)
                await self._append([], [_rejected(one.part, _bug(error))])
        if not events:
            return later
        try:
            outcomes = await self._log.append(events)
        except LogUnavailable:
            raise
        except Exception as error:
            logger.warning("news of orders refused by Postgres, taking one by one", size=len(first), error=str(error))
            if len(first) == 1:
                await self._append([], [_refused(one.part, error) for one in first.values()])
                return later
            alone = [await self._compare([one]) for one in first.values()]
            return [one for left in alone for one in left] + later
        conflicts = {e.order for e, o in zip(events, outcomes, strict=True) if o.outcome == "conflict"}
        return [first[order] for order in conflicts] + later

    def _apart(self, raw: Raw) -> list["_Part"]:
        """The messages in what came, each with the part of it that would be kept if it were rejected."""
        try:
            messages = read(raw.body, raw.envelope, self.settings)
        except Exception as error:  # as above
            logger.exception("a message can't be read")
            messages = [_bug(error)]
        if len(messages) == 1:
            return [(raw, messages[0])]
        envelope = shared(raw.envelope)
        return [(Raw(raw.body if m.body is None else m.body, envelope, raw.via), m) for m in messages]


def _around(message: Message) -> dict[str, str]:
    """What must stand around a message's wire form to be read again as the same."""
    outside = dict(message.outside or {})
    return {**outside, "id": message.id} if outside and message.id else outside


_Part = tuple[Raw, Message | Unreadable]


class _Event(msgspec.Struct, frozen=True):
    """An event, and the message to keep whole should Postgres refuse it."""

    event: NewEvent
    part: Raw


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
