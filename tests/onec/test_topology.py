"""What stands at RabbitMQ: queues that lose nothing, and partitions whose number may change."""

import asyncio
from collections import Counter
from typing import Any

import aio_pika
import pytest

from events.log import Log
from service.intake import Intake
from service.onec.leftovers import Leftovers
from service.onec.topology import DELIVERY_LIMIT
from tests.onec.broker import Rabbit, consuming, recorded, running
from tests.onec.making import body

ORDERS = [f"ym-msk/{number}" for number in range(60)]


async def held(rabbit: Rabbit, queues: int) -> list[int]:
    """How many messages each of the first incoming queues holds."""
    return [await rabbit.waiting(f"okno.in.{number}") for number in range(queues)]


async def test_declaring_again_changes_nothing(rabbit: Rabbit) -> None:
    """The hub declares at each start: what stands is found, its messages stay."""
    for _ in range(2):
        await rabbit.declare(1, ("ut11",))
    await rabbit.publish("ym-msk/1", b"{}")
    await rabbit.declare(1, ("ut11",))
    assert await held(rabbit, 1) == [1]


async def test_incoming_queues_are_what_they_should_be(rabbit: Rabbit) -> None:
    """Quorum, one active consumer, a limit nobody reaches, dead letters: RabbitMQ itself compares."""
    await rabbit.declare()
    arguments: dict[str, Any] = {
        "x-queue-type": "quorum", "x-single-active-consumer": True, "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": "okno.in.dead", "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }  # fmt: skip
    async with rabbit.connection.channel() as channel:
        await channel.declare_queue("okno.in.0", durable=True, arguments=arguments)
    channel = await rabbit.connection.channel()
    with pytest.raises(aio_pika.exceptions.ChannelPreconditionFailed):
        await channel.declare_queue("okno.in.0", durable=True, arguments={**arguments, "x-delivery-limit": 20})


async def test_what_no_queue_takes_is_caught(rabbit: Rabbit) -> None:
    """1C can't see that a message was not routed: it is kept in `okno.unrouted`, by one partition and by several."""
    for partitions, binding, source in ((1, "#", "okno.in"), (2, "#", "okno.in")):
        await rabbit.declare(partitions)
        async with rabbit.connection.channel() as channel:
            incoming = await channel.get_exchange(source, ensure=False)
            if partitions == 1:
                await (await channel.get_queue("okno.in.0")).unbind(incoming, binding)
            else:
                for number in range(2):
                    hashing = await channel.get_exchange("okno.in.hash", ensure=False)
                    await (await channel.get_queue(f"okno.in.{number}")).unbind(hashing, "1")
        await rabbit.publish("ym-msk/1", b"{}", mandatory=False)
        assert await rabbit.waiting("okno.unrouted") == partitions


async def test_what_1c_rejects_is_kept(rabbit: Rabbit) -> None:
    """The add-in's reject drops a message: both of 1C's queues have a place for that."""
    await rabbit.declare(1, ("ut11",))
    await rabbit.publish("ym-msk.order.placed", b"{}", exchange="okno.out")
    for queue in ("okno.1c", "okno.1c.ut11"):
        async with rabbit.connection.channel() as channel:
            message = await (await channel.get_queue(queue)).get()
            await message.reject(requeue=False)
    await rabbit.take("okno.1c.dead", 2)


async def test_one_order_one_queue(rabbit: Rabbit) -> None:
    """With several partitions orders are spread over them, and each order keeps to its own."""
    await rabbit.declare(3)
    for _ in range(2):
        for order in ORDERS:
            await rabbit.publish(order, order.encode())
    counts = await held(rabbit, 3)
    assert sum(counts) == 2 * len(ORDERS)
    assert all(counts)
    for number, count in enumerate(counts):
        seen = Counter(message.body for message in await rabbit.take(f"okno.in.{number}", count))
        assert set(seen.values()) == {2}


async def test_changing_the_number_of_partitions_loses_nothing(
    rabbit: Rabbit, log: Log, intake: Intake, amqp_url: str
) -> None:
    """1, 3, 2, 1: messages left in queues there are too many of are taken, new ones find the queues there are."""
    sent = 0
    for partitions in (1, 3, 2, 1):
        await rabbit.declare(partitions)
        for order in ORDERS[:20]:
            await rabbit.publish(order, body(id=f"m{sent}", subject=order))
            sent += 1
    assert await held(rabbit, 3) != [sent, 0, 0]
    async with (
        consuming(amqp_url, log, intake.take),
        running(Leftovers(amqp_url, 1, log, intake.take).run()),
        running(Leftovers(amqp_url, 1, log, intake.take).run()),  # another process does the same
    ):
        assert len(await recorded(log, sent)) == sent
        for number in range(3):
            await rabbit.emptied(f"okno.in.{number}")
    await rabbit.publish(ORDERS[0], b"{}")
    assert await held(rabbit, 3) == [1, 0, 0]


async def test_messages_find_a_queue_while_the_number_changes(rabbit: Rabbit) -> None:
    """The new way is bound before the old one is cut: a message meanwhile finds a queue, if not two."""
    await rabbit.declare(1)
    done = asyncio.Event()
    sent = 0

    async def publish() -> None:
        nonlocal sent
        while not done.is_set():
            await rabbit.publish(ORDERS[sent % 20], str(sent).encode())  # mandatory: one that finds none is returned
            sent += 1

    async with asyncio.TaskGroup() as group:
        group.create_task(publish())
        for partitions in (3, 1, 2, 1):
            await rabbit.declare(partitions)
        done.set()
    counts = await held(rabbit, 3)
    assert await rabbit.waiting("okno.unrouted") == 0
    found = {m.body for n, count in enumerate(counts) if count for m in await rabbit.take(f"okno.in.{n}", count)}
    assert found == {str(number).encode() for number in range(sent)}
