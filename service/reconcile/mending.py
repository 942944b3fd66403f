"""What mends differences, without ever making up a mark.

    send   1C's own document goes in at the door like any message of that base: the hub derives what follows, and where
           it was taken meanwhile nothing does
    read   the marketplace is asked for the order, as after a notification
    tell   1C is told again everything it was told of the order, in that order

Telling again is no new effect: 1C is told at least once, and knows a message by its id. Each goes out with the id and
version it always had, to that base's queue alone (over the broker's default exchange), `attempt` one higher. A base
that has lost its order, because it was restored or the message was rejected or deleted on the way, has lost the note
of that id too, and makes the order now; one that still has the note ignores it: somebody deleted the order there on
purpose. A base that asks over CommerceML has its cursor set back to before the order. One that reads `GET /v1/outbox`
keeps its cursor itself: the one to read from is said.

If the process dies: documents sent twice are equal, so nothing follows from the second; a read that is due twice is due
once; a message told twice has one id; a cursor set back again is where it is. What was not reached differs still, and
the next run finds it.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, cast

import msgspec

from events.codec import encode
from events.log import Log
from events.order import facts as f
from events.order.reactions import ONEC
from events.order.state import Command, OrderState, fold
from service.database import Pool
from service.door import Door
from service.due_reads import Reads
from service.exchange.sessions import Sessions
from service.intake import Intake
from service.onec import outbox, topology
from service.onec.amqp import BROKER_ERRORS, BrokerUnavailable, Publisher
from service.onec.cloudevents import Message
from service.onec.reading import read
from service.reconcile.compared import READ, SEND, TELL
from service.reconcile.running import Found
from service.settings import Settings

AT_ONCE = 100
TIMEOUT = 10.0
"""Seconds the broker has to confirm a message."""

VIA = "reconcile"
TO_A_QUEUE = ""
"""The broker's default exchange: a routing key there is one queue's name."""


class _Kept(msgspec.Struct):
    """A message as the hub passes it on to itself."""

    body: bytes
    envelope: dict[str, str]


def _unnamed() -> BinaryIO:
    return cast("BinaryIO", tempfile.TemporaryFile())  # the plan closes it


@dataclass
class Plan:
    """What there is to do. Documents wait in a file without a name, so that memory holds none of them.

    `left`: differences that nothing here mends.
    """

    sends: int = 0
    reads: set[str] = field(default_factory=set)
    tells: list[str] = field(default_factory=list)
    left: int = 0
    _last: Message | None = None
    _file: BinaryIO = field(default_factory=_unnamed)

    def add(self, found: Found) -> None:
        """Notes what mends a difference."""
        order, fix = found.difference.order, found.difference.fix
        self.left += fix is None
        if fix == SEND and found.message is not None and found.message is not self._last:
            self._last = found.message
            message = found.message.named()
            around = {**message.outside, "id": message.id or ""} if message.outside is not None else {}
            line = msgspec.msgpack.encode(_Kept(message.wire(), around))
            self._file.write(len(line).to_bytes(4, "big") + line)
            self.sends += 1
        if fix == READ or found.difference.kind == "missing_here":
            self.reads.add(order)
        if fix == TELL:
            self.tells.append(order)

    def messages(self, settings: Settings) -> Iterator[Message]:
        """The documents, in the order they came."""
        self._file.seek(0)
        while size := self._file.read(4):
            kept = msgspec.msgpack.decode(self._file.read(int.from_bytes(size, "big")), type=_Kept)
            yield from (one for one in read(kept.body, kept.envelope, settings) if isinstance(one, Message))

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()


@dataclass
class Mended:
    """What was done. `messages`: told again over the broker; `set_back`: of CommerceML's cursors; `cursor`: from which
    a base that reads the outbox finds what it lacks."""

    sent: int = 0
    asked: int = 0
    told: int = 0
    messages: int = 0
    set_back: int = 0
    cursor: str | None = None


async def mend(plan: Plan, settings: Settings, pool: Pool, log: Log, source: str) -> Mended:
    """Does it all; `BrokerUnavailable` where a message to 1C was not taken, `Unavailable` where one of 1C's was not."""
    publisher = await _opened(settings)
    try:
        door, done = Door(publisher), Mended()
        door.intake = Intake(log, settings)
        batch: list[Message] = []
        for message in plan.messages(settings):
            batch.append(message)
            if len(batch) == AT_ONCE:
                await door.submit(batch, VIA)
                batch = []
        if batch:
            await door.submit(batch, VIA)
        await Reads(pool).ask_reads((order, 0.0, "") for order in sorted(plan.reads))
        done.sent, done.asked = plan.sends, len(plan.reads)
        if plan.tells:
            await _Telling(settings, pool, log, publisher, source, done).tell(plan.tells)
        return done
    finally:
        if publisher is not None:
            await publisher.close()


async def _opened(settings: Settings) -> Publisher | None:
    broker = settings.rabbitmq
    if broker.url is None:
        return None
    publisher = Publisher(broker.url, broker.partitions, topology.told(settings.onec, settings.channels))
    try:
        await publisher.open()
    except BROKER_ERRORS as error:
        raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
    return publisher


class _Telling:
    """Tells one base again."""

    def __init__(
        self, settings: Settings, pool: Pool, log: Log, publisher: Publisher | None, source: str, done: Mended
    ) -> None:
        self._pool, self._log, self._publisher, self._source, self._done = pool, log, publisher, source, done
        name = source.partition("/")[2]
        wanted = f"{topology.ONEC}.{name}" if name in settings.onec.sources else topology.ONEC
        queues = [one.queue for one in topology.told(settings.onec, settings.channels) if one.keys is not None]
        self._queue = wanted if wanted in queues else None

    async def tell(self, orders: Sequence[str]) -> None:
        """Tells everything these orders were told."""
        restores = await self._log.restores()
        first: int | None = None
        for begin in range(0, len(orders), AT_ONCE):
            histories = await self._log.histories(orders[begin : begin + AT_ONCE])
            for order, history in histories.items():
                positions = (command.position for command in _told(fold(order, history)))
                first = min(positions if first is None else (first, *positions), default=None)
        if first is None:  # nothing was told yet: what waits will be
            return
        self._done.told, self._done.cursor = len(orders), f"{(await self._log.head()).epoch}-{first - 1}"
        self._done.set_back = await Sessions(self._pool).set_back(self._source, first - 1)
        if self._done.set_back or self._publisher is None or self._queue is None:
            return
        for order in orders:
            await self._publish(order, restores)

    async def _publish(self, order: str, restores: Sequence[tuple[int, int]]) -> None:
        assert self._publisher is not None
        assert self._queue is not None
        story = (await self._log.stories([order]))[order]
        by_position, state = {event.position: event for event in story.events}, fold(order, story.events)
        for command in _told(state):
            request = by_position[command.position]
            wanted = msgspec.json.decode(request.data, type=f.CommandRequested)
            told = outbox.message(request, wanted, by_position[command.cause], state, story.personal, restores)
            await self._publisher.publish(
                TO_A_QUEUE, self._queue, encode(told), id=command.id, type=command.action, timeout=TIMEOUT,
                headers={"version": told["version"], "attempt": command.attempts + 1},
            )  # fmt: skip
            self._done.messages += 1


def _told(state: OrderState) -> list[Command]:
    """The messages that 1C was told, in that order."""
    return [c for c in state.commands.values() if c.target == ONEC and c.state == "done"]
