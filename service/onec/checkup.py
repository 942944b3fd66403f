"""What `okno doctor` looks at in RabbitMQ."""

import asyncio
from collections.abc import Sequence

from aio_pika.abc import AbstractConnection

from service.onec import topology
from service.onec.amqp import BROKER_ERRORS, connect

MANY = 1000
"""So many messages in a queue want somebody to read them."""


async def checkup(url: str, partitions: int, sources: Sequence[str]) -> list[tuple[bool, str]]:
    """Connects, declares what is missing, looks at the queues: whether it is good, and what to say of it."""
    try:
        connection = await connect(url, "okno doctor")
    except BROKER_ERRORS as error:
        return [(False, f"{type(error).__name__}: {error}: start it, or correct rabbitmq.url")]
    try:
        async with asyncio.timeout(20):
            return await _looked_at(connection, partitions, sources)
    except BROKER_ERRORS as error:
        plugin = ", or enable rabbitmq_consistent_hash_exchange: partitions > 1 need it" if partitions > 1 else ""
        return [(False, f"{error}: delete what stands under that name once it is empty{plugin}")]
    finally:
        async with asyncio.timeout(3):
            await connection.close()


async def _looked_at(connection: AbstractConnection, partitions: int, sources: Sequence[str]) -> list[tuple[bool, str]]:
    channel = await connection.channel()
    await topology.declare(connection, partitions, sources)
    found = [(True, "queues and exchanges are in place")]
    incoming = [topology.partition(number) for number in range(partitions)]
    told = [topology.ONEC, *(f"{topology.ONEC}.{source}" for source in sources)]
    for name in (*incoming, *told, topology.DEAD_IN, topology.DEAD_OUT, topology.UNROUTED):
        result = (await channel.declare_queue(name, passive=True)).declaration_result
        waiting, readers = result.message_count or 0, result.consumer_count or 0
        says = f"{name}: {waiting} messages wait, {readers} readers"
        if name in (topology.DEAD_OUT, topology.UNROUTED) and waiting:
            found.append((False, f"{says}: look at them in RabbitMQ's management and move them where they belong"))
        elif waiting > MANY and not readers:
            found.append((False, f"{says}: start its reader"))
        else:
            found.append((True, says))
    return found
