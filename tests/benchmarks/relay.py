"""The reference of latency: `python -m tests.benchmarks.relay AMQP QUEUE URL` consumes, and tells the marketplace.

Bare aio-pika and a bare aiohttp client: one request for each message, whose body is the number of an order, at once and
in any order; acknowledged when it was answered.
"""

import asyncio
import sys

import aio_pika
import aiohttp
from aio_pika.abc import AbstractIncomingMessage

from tests.benchmarks import market


async def relay(amqp: str, name: str, url: str) -> None:
    """Relays until killed; says `ready` when it consumes."""
    headers = {"Content-Type": "application/json", "Api-Key": market.KEY}
    async with await aio_pika.connect(amqp) as connection, aiohttp.ClientSession(headers=headers) as session:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1000)
        queue = await channel.get_queue(name, ensure=False)

        async def tell(message: AbstractIncomingMessage) -> None:
            path = f"{url}{message.body.decode()}/status"
            async with session.put(path, data=b'{"order":{"status":"DELIVERY"}}') as answer:
                await answer.read()
            await message.ack()

        await queue.consume(tell)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(relay(*sys.argv[1:]))
