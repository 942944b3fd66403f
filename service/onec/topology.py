"""What the hub declares at RabbitMQ, so that 1C declares nothing.

    okno.in (topic) ──#──▶ okno.in.0                            one partition
    okno.in (topic) ──#──▶ okno.in.hash ─▶ okno.in.0 … N-1      several, by order key; needs the consistent-hash plugin
       └ alternate ▶ okno.unrouted (fanout) ─▶ okno.unrouted    what no queue takes
    okno.in.N ─ dead letters ▶ okno.in.dead                     read by the hub into `rejected`
    okno.out (topic) ──#──▶ okno.1c                             1C reads these; what it rejects: okno.1c.dead
    okno.out (topic) ──#, or CHANNEL.# of each it is told of──▶ okno.1c.SOURCE

Incoming queues are quorum queues with a single active consumer. The delivery limit is as good as none: a hub that
restarts often must not lose a backlog to it. 1C's queue is classic: its add-in could not read quorum queues for long.

The number of partitions may change at any time: the new way is bound before the old one is cut, so that every message
finds a queue (one that finds two is a duplicate to the log). Queues there are too many of keep what is in them, and are
emptied by `leftovers`.

So may what a base is told of (`tells`). AMQP lists no bindings, so each key a queue may have been bound by before is
unbound, there or not. A queue that is not wanted any more (`shared_queue = false`; a base's `queue = false`) gets
nothing; where it stands, it stays with what is in it.
"""

from collections.abc import Iterable, Sequence

import msgspec
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractQueue, ExchangeType
from aio_pika.exceptions import ChannelNotFoundEntity

from service.onec.config import Onec

IN, HASH, UNROUTED, OUT = "okno.in", "okno.in.hash", "okno.unrouted", "okno.out"
DEAD_IN, DEAD_OUT = "okno.in.dead", "okno.1c.dead"
ONEC = "okno.1c"
ALL = "#"
DELIVERY_LIMIT = 2_000_000_000
MAX_PARTITIONS = 256


def partition(number: int) -> str:
    """The name of an incoming queue."""
    return f"{IN}.{number}"


class Told(msgspec.Struct, frozen=True):
    """A queue of 1C's: the keys it is bound by, and those it may have been bound by before. None: it is not wanted."""

    queue: str
    keys: frozenset[str] | None
    others: frozenset[str]


def told(onec: Onec, channels: Iterable[str]) -> list[Told]:
    """The queues of 1C's bases, the shared one first."""
    every = frozenset((ALL, *(f"{channel}.#" for channel in channels)))
    shared = frozenset((ALL,)) if onec.shared_queue else None
    queues = [Told(ONEC, shared, frozenset() if onec.shared_queue else every)]
    for name, base in onec.sources.items():
        keys = frozenset((ALL,)) if base.tells is None else frozenset(f"{channel}.#" for channel in base.tells)
        queues.append(Told(f"{ONEC}.{name}", keys, every - keys) if base.queue else Told(f"{ONEC}.{name}", None, every))
    return queues


def reaches(queues: Iterable[Told], channel: str) -> bool:
    """Whether what 1C is told of a channel finds a queue; else it is for the outbox alone."""
    return any(one.keys and not one.keys.isdisjoint((ALL, f"{channel}.#")) for one in queues)


async def declare(connection: AbstractConnection, partitions: int, queues: Sequence[Told]) -> None:
    """Declares all of it; harmless to repeat. Raises the broker's error where something else stands under a name."""
    extra = await standing(connection, partitions)
    async with connection.channel() as channel:
        unrouted = await channel.declare_exchange(UNROUTED, ExchangeType.FANOUT, durable=True)
        await (await channel.declare_queue(UNROUTED, durable=True)).bind(unrouted)
        await _dead(channel, DEAD_IN)
        incoming = await channel.declare_exchange(
            IN, ExchangeType.TOPIC, durable=True, arguments={"alternate-exchange": UNROUTED}
        )
        await _declare_partitions(channel, incoming, partitions, extra)
        await _dead(channel, DEAD_OUT)
        outgoing = await channel.declare_exchange(OUT, ExchangeType.TOPIC, durable=True)
        for one in queues:
            if one.keys is not None:
                await _bound(channel, outgoing, one.queue, one.keys)
        for one in queues:  # only now: what is told of a channel finds a queue at any moment
            queue = await channel.get_queue(one.queue, ensure=False)
            for key in one.others:
                await queue.unbind(outgoing, key)


async def _bound(channel: AbstractChannel, outgoing: AbstractExchange, name: str, keys: Iterable[str]) -> None:
    queue = await channel.declare_queue(name, durable=True, arguments={"x-dead-letter-exchange": DEAD_OUT})
    for key in keys:
        await queue.bind(outgoing, key)


async def standing(connection: AbstractConnection, first: int) -> list[str]:
    """The incoming queues from number `first` on that stand at the broker, left over from more partitions."""
    found: list[str] = []
    for number in range(first, MAX_PARTITIONS):
        channel = await connection.channel()  # one each: a queue that is not there closes it
        try:
            await channel.declare_queue(partition(number), passive=True)
        except ChannelNotFoundEntity:
            break
        await channel.close()
        found.append(partition(number))
    return found


async def _dead(channel: AbstractChannel, name: str) -> None:
    exchange = await channel.declare_exchange(name, ExchangeType.FANOUT, durable=True)
    await (await channel.declare_queue(name, durable=True)).bind(exchange)


async def _declare_partitions(
    channel: AbstractChannel, incoming: AbstractExchange, partitions: int, extra: list[str]
) -> None:
    queues = [await _declare_partition(channel, number) for number in range(partitions)]
    if partitions == 1:
        await queues[0].bind(incoming, "#")
        await (await channel.get_exchange(HASH, ensure=False)).unbind(incoming, "#")
        return
    hashing = await channel.declare_exchange(
        HASH, "x-consistent-hash", durable=True, arguments={"alternate-exchange": UNROUTED}
    )
    for queue in queues:
        await queue.bind(hashing, "1")
    await hashing.bind(incoming, "#")
    await queues[0].unbind(incoming, "#")
    for name in extra:
        await (await channel.get_queue(name, ensure=False)).unbind(hashing, "1")


async def _declare_partition(channel: AbstractChannel, number: int) -> AbstractQueue:
    return await channel.declare_queue(
        partition(number),
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD_IN,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )
