"""What `okno doctor` looks at in RabbitMQ."""

import asyncio
from collections.abc import Sequence

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from service.onec import topology
from service.onec.amqp import BROKER_ERRORS, connect
from service.onec.config import Onec
from service.onec.topology import Told

MANY = Onec().queue_warning


async def checkup(url: str, partitions: int, told: Sequence[Told], many: int = MANY) -> list[tuple[bool, str]]:
    """Connects, declares what is missing, looks at the queues: whether it is good, and what to say of it.

    `many`: so many messages in a queue want somebody to read them.
    """
    try:
        connection = await connect(url, "okno doctor")
    except BROKER_ERRORS as error:
        return [(False, f"{type(error).__name__}: {error}: start it, or correct rabbitmq.url")]
    try:
        async with asyncio.timeout(20):
            return await _looked_at(connection, partitions, told, many)
    except BROKER_ERRORS as error:
        plugin = ", or enable rabbitmq_consistent_hash_exchange: partitions > 1 need it" if partitions > 1 else ""
        return [(False, f"{error}: delete what stands under that name once it is empty{plugin}")]
    finally:
        async with asyncio.timeout(3):
            await connection.close()


async def _looked_at(
    connection: AbstractConnection, partitions: int, told: Sequence[Told], many: int
) -> list[tuple[bool, str]]:
    channel = await connection.channel()
    await topology.declare(connection, partitions, told)
    found = [(True, "queues and exchanges are in place")]
    incoming = [topology.partition(number) for number in range(partitions)]
    queues = [one.queue for one in told if one.keys is not None]
    for name in (*incoming, *queues, topology.DEAD_IN, topology.DEAD_OUT, topology.UNROUTED):
        result = (await channel.declare_queue(name, passive=True)).declaration_result
        waiting, readers = result.message_count or 0, result.consumer_count or 0
        says = f"{name}: messages waiting: {waiting}, readers: {readers}"
        if name in (topology.DEAD_OUT, topology.UNROUTED) and waiting:
            found.append((False, f"{says}: look at them in RabbitMQ's management and move them where they belong"))
        elif waiting >= many and not readers:
            found.append((False, f"{says}: start its reader"))
        else:
            found.append((True, says))
    return found + [says for one in told if one.keys is None for says in await _unwanted(connection, one.queue)]


async def _unwanted(connection: AbstractConnection, name: str) -> list[tuple[bool, str]]:
    """What to do with a queue of 1C's that is not wanted any more; nothing where it is gone."""
    channel = await connection.channel()  # its own: a queue that is not there closes it
    try:
        waiting = (await channel.declare_queue(name, passive=True)).declaration_result.message_count or 0
    except ChannelNotFoundEntity:
        return []
    await channel.close()
    after = f"once the {waiting} messages in it are read" if waiting else "now: it is empty"
    return [(True, f"{name}: gets nothing any more, as configured; it can be deleted {after}")]
