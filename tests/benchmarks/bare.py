"""The reference of intake: `python -m tests.benchmarks.bare URL QUEUE COUNT` consumes and does nothing.

aio-pika as its users know it: prefetch and batches as the hub has them, one `ack(multiple=True)` a batch. Prints the
times of the first delivery and of the last ack.
"""

import asyncio
import sys
import time

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from service.onec.amqp import BATCH, PREFETCH


async def consume(url: str, name: str, count: int) -> tuple[float, float]:
    """Takes so many messages; when the first came, and when the last was acknowledged."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        inbox: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        queue = await channel.get_queue(name, ensure=False)
        await queue.consume(inbox.put)
        message, began, taken = await inbox.get(), time.time(), 1
        while True:
            batch = 1
            while batch < BATCH and not inbox.empty():
                message, batch, taken = inbox.get_nowait(), batch + 1, taken + 1
            await message.ack(multiple=True)
            if taken >= count:
                return began, time.time()
            message, taken = await inbox.get(), taken + 1


def main() -> None:
    """From the command line; several queues are consumed by a process each, started by whoever asks."""
    url, queue, count = sys.argv[1:]
    began, ended = asyncio.run(consume(url, queue, int(count)))
    sys.stdout.write(f"{began} {ended}\n")


if __name__ == "__main__":
    main()
