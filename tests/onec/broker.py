"""1C's hands at RabbitMQ, and eyes that look into its queues."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from events.log import Log
from events.recorded import Recorded
from service.onec import topology
from service.onec.amqp import Consumer, Publisher, Taker
from service.onec.config import Onec, OnecSource
from service.onec.topology import Told, told

SECONDS = 20.0
"""How long anything may take before a test gives up."""


async def until(what: Callable[[], Awaitable[Any]]) -> Any:
    """Waits until something is true."""
    async with asyncio.timeout(SECONDS):
        while True:
            found = await what()
            if found:
                return found
            await asyncio.sleep(0.02)


async def recorded(log: Log, count: int) -> list[Recorded]:
    """The whole log, once it holds so many events."""

    async def enough() -> list[Recorded]:
        events = await log.read(0, 100_000)
        return events if len(events) >= count else []

    found: list[Recorded] = await until(enough)
    return found


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator["asyncio.Task[None]"]:
    """Something that runs until cancelled; if it fails by itself, so does the test."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def consuming(url: str, log: Log, take: Taker, queue: str = "okno.in.0") -> AsyncIterator["asyncio.Task[None]"]:
    """A consumer of one queue at work."""
    async with running(Consumer(url, queue, log, take).run(asyncio.Event())) as task:
        yield task


@asynccontextmanager
async def publishing(url: str, partitions: int = 1) -> AsyncIterator[Publisher]:
    """A publisher whose connection stands."""
    publisher = Publisher(url, partitions, queues("ut11"))

    async def up() -> bool:
        return publisher.up

    async with running(publisher.run()):
        await until(up)
        yield publisher


def queues(*sources: str) -> list[Told]:
    """The shared queue of 1C's, and those of bases that are told everything."""
    return told(Onec(sources={source: OnecSource() for source in sources}), ())


@dataclass
class Rabbit:
    """A connection to look and publish with."""

    url: str
    connection: AbstractConnection

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str) -> AsyncIterator["Rabbit"]:
        """Connects."""
        connection = await aio_pika.connect(url)
        async with connection:
            yield cls(url, connection)

    async def declare(self, partitions: int = 1, sources: tuple[str, ...] = ()) -> None:
        """Declares the hub's topology."""
        await topology.declare(self.connection, partitions, queues(*sources))

    async def publish(
        self, key: str, *bodies: bytes, exchange: str = "okno.in", mandatory: bool = True, **properties: Any
    ) -> None:
        """Publishes as 1C does; with confirms, so that what is lost later was there."""
        async with self.connection.channel(on_return_raises=True) as channel:
            target = await channel.get_exchange(exchange, ensure=False)
            mode = aio_pika.DeliveryMode.PERSISTENT
            messages = [aio_pika.Message(body, delivery_mode=mode, **properties) for body in bodies]
            await asyncio.gather(*(target.publish(message, key, mandatory=mandatory) for message in messages))

    async def waiting(self, queue: str) -> int:
        """How many messages wait in a queue."""
        async with self.connection.channel() as channel:
            result = (await channel.declare_queue(queue, passive=True)).declaration_result
        return result.message_count or 0

    async def readers(self, queue: str) -> int:
        """How many consumers a queue has."""
        async with self.connection.channel() as channel:
            result = (await channel.declare_queue(queue, passive=True)).declaration_result
        return result.consumer_count or 0

    async def emptied(self, queue: str) -> None:
        """Waits until nobody has to take anything off a queue any more."""

        async def empty() -> bool:
            return await self.waiting(queue) == 0

        await until(empty)

    async def take(self, queue: str, count: int, *, reject: bool = False) -> list[AbstractIncomingMessage]:
        """Takes messages off a queue, as its reader would."""
        found: list[AbstractIncomingMessage] = []
        async with self.connection.channel() as channel:
            await channel.set_qos(prefetch_count=count)
            source = await channel.get_queue(queue, ensure=False)
            inbox: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
            tag = await source.consume(inbox.put)
            async with asyncio.timeout(SECONDS):
                while len(found) < count:
                    found.append(await inbox.get())
                    await (found[-1].reject() if reject else found[-1].ack())
            await source.cancel(tag)
        return found
