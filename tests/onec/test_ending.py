"""The publisher's end is nobody else's, one order's bug is not all orders', and a batch has a size Postgres takes."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from aio_pika.abc import AbstractChannel
from aiormq.base import FutureStore

from events.codec import own_event
from events.log import Log
from events.order import facts as f
from events.order.reactions import ONEC
from events.order.state import fold
from service.database import Pool
from service.intake import Intake
from service.onec import amqp
from service.onec.amqp import BrokerUnavailable, Publisher
from service.onec.cloudevents import Raw
from service.onec.teller import Teller
from service.work import Work
from tests.intake.test_reads import NEW, passed
from tests.onec.broker import Rabbit, consuming, publishing, recorded, running, until
from tests.onec.gate import gated
from tests.onec.making import ORDER, body
from tests.onec.test_teller import decide

OTHER = "ym-msk/1"


async def test_closing_the_connection_cancels_nobody(rabbit: Rabbit, amqp_url: str, tmp_path: Path) -> None:
    """A message under way when the publisher closes was not taken, and whoever sends it goes on."""
    await rabbit.declare()
    async with gated(amqp_url, tmp_path) as gate, publishing(gate.url) as publisher:
        gate.freeze()
        sending = asyncio.create_task(
            publisher.publish("okno.out", "a.b", b"{}", id="1", type="t", headers={}, timeout=20)
        )
        await asyncio.sleep(0.2)
        await publisher.close()
        with pytest.raises(BrokerUnavailable):
            await sending


class Closing:
    """A channel that is just being closed: aiormq has rejected all who wait on it, and who waits from then on."""

    is_closed = False

    async def get_exchange(self, *_: object, **__: object) -> object:
        """What waits, ends so."""
        store = FutureStore(asyncio.get_running_loop())
        await store.reject_all(None)
        return await store.create_future()


async def test_a_message_that_meets_the_closing_is_to_be_sent_again() -> None:
    """aiormq's word for it is an exception of no kind, which says nothing of a fault of ours."""
    publisher = Publisher("amqp://nowhere", 1, ())
    publisher._channel = cast("AbstractChannel", Closing())
    with pytest.raises(BrokerUnavailable, match="was closed"):
        await publisher.publish("okno.out", "a.b", b"{}", id="1", type="t", headers={}, timeout=20)


async def test_a_batch_ends_at_so_many_bytes(
    rabbit: Rabbit, log: Log, intake: Intake, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large messages make small batches: one statement holds no more than a message above the limit."""
    await rabbit.declare()
    monkeypatch.setattr(amqp, "BATCH_BYTES", 100_000)
    large = [body(id=f"m{number}", note="x" * 40_000) for number in range(12)]
    await rabbit.publish(ORDER, *large)
    sizes: list[int] = []

    async def take(raws: Sequence[Raw]) -> None:
        await asyncio.sleep(0.2)  # the rest comes meanwhile
        sizes.append(len(raws))
        await intake.take(raws)

    async with consuming(amqp_url, log, take):
        await recorded(log, 12)
    assert max(sizes) == 3


async def test_one_order_that_can_not_be_told_holds_up_no_other(
    rabbit: Rabbit, log: Log, intake: Intake, pool: Pool, amqp_url: str
) -> None:
    """A request whose cause is not in its order's history stays waiting; the other order's message is told, once."""
    await rabbit.declare()
    work = Work(pool, "teller")
    await intake.take_messages([passed(NEW)], "read")
    fact = f.CommandRequested(command="poison", target=ONEC, action="order.placed")
    await log.append([own_event(OTHER, "command.requested", "poison", fact, 999)])
    [message] = await decide(log, work, pool)
    async with pool.acquire() as connection:
        await work.ask_in(connection, [(OTHER, ONEC)])

    async def told() -> bool:
        return fold(ORDER, (await log.histories([ORDER]))[ORDER]).commands[message].state == "done"

    async with publishing(amqp_url) as publisher, running(Teller(log, work, publisher).run(asyncio.Event())):
        await until(told)
    assert await rabbit.waiting("okno.1c") == 1
    assert fold(OTHER, (await log.histories([OTHER]))[OTHER]).commands["poison"].state == "waiting"
