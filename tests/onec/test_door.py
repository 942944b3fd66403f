"""One door: through the broker where it takes messages, else straight into the log, else the sender is told."""

import asyncio
import json
from pathlib import Path

import pytest

from events.log import Log
from service.door import CONFIRM_SECONDS, Door, Unavailable
from service.intake import Intake
from service.onec.cloudevents import STRUCTURED, Message
from tests.onec.broker import Rabbit, consuming, publishing, recorded
from tests.onec.gate import gated
from tests.onec.making import ORDER, SETTINGS, body, one
from tests.servers import BODY_KEY, opened


def messages(count: int, first: int = 0) -> list[Message]:
    """So many marks of one order, told apart by their ids."""
    return [one(body(id=f"m{number}")) for number in range(first, first + count)]


async def test_through_the_broker(rabbit: Rabbit, log: Log, intake: Intake, amqp_url: str) -> None:
    """With a broker the log is left to the consumers; an order's messages stay in turn, in the bytes received."""
    pretty = json.dumps(json.loads(body(id="pretty")), indent="\t").encode()
    async with publishing(amqp_url) as publisher:
        door = Door(publisher)
        door.intake = intake
        await door.submit([*messages(20), one(pretty, content_type=STRUCTURED)], "http")
        assert (await log.head()).position == 0
        async with consuming(amqp_url, log, intake.take):
            events = await recorded(log, 21)
    assert [e.id for e in events] == [*(f"m{number}" for number in range(20)), "pretty"]
    assert await log.body(21) == pretty


async def test_a_message_without_an_id_is_one_event_whichever_way_it_comes(
    rabbit: Rabbit, log: Log, intake: Intake, amqp_url: str
) -> None:
    """Twice through the broker and once past it: the same message; another time makes another one."""
    bare, later = one(body(id=None)), one(body(id=None, time="2022-11-28T11:00:00"))
    async with publishing(amqp_url) as publisher:
        door = Door(publisher)
        door.intake = intake
        for message in (bare, bare, later):
            await door.submit([message], "http")
        async with consuming(amqp_url, log, intake.take):
            first, second = await recorded(log, 2)
    past = Door(None)
    past.intake = intake
    await past.submit([bare], "http")
    assert [e.id for e in await log.read(0)] == [first.id, second.id]
    assert first.id != second.id


async def test_without_a_broker(log: Log, intake: Intake) -> None:
    """No broker is configured: messages go into the log at once."""
    door = Door(None)
    door.intake = intake
    await door.submit(messages(2), "http")
    assert [e.id for e in await log.read(0)] == ["m0", "m1"]


async def test_a_broker_that_says_nothing(
    rabbit: Rabbit, log: Log, intake: Intake, amqp_url: str, tmp_path: Path
) -> None:
    """Not confirmed within a second: the message goes into the log, and its copy from the broker is known there."""
    async with gated(amqp_url, tmp_path) as gate, publishing(gate.url) as publisher:
        door = Door(publisher)
        door.intake = intake
        gate.freeze()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await door.submit(messages(3), "http")
        assert loop.time() - began >= CONFIRM_SECONDS * 0.9
        assert [e.id for e in await log.read(0)] == ["m0", "m1", "m2"]
        gate.thaw()
        await door.submit(messages(1, 3), "http")
        async with consuming(amqp_url, log, intake.take):
            events = await recorded(log, 4)
            await rabbit.emptied("okno.in.0")
        assert [e.id for e in events] == ["m0", "m1", "m2", "m3"]


async def test_a_broker_that_is_away(rabbit: Rabbit, log: Log, intake: Intake, amqp_url: str, tmp_path: Path) -> None:
    """A lost connection is no reason to make the sender wait."""
    async with gated(amqp_url, tmp_path) as gate, publishing(gate.url) as publisher:
        door = Door(publisher)
        door.intake = intake
        await gate.shut()
        await door.submit(messages(1), "http")
        assert [e.id for e in await log.read(0)] == ["m0"]
        await gate.open()


async def test_a_queue_that_takes_no_more(rabbit: Rabbit, log: Log, intake: Intake, amqp_url: str) -> None:
    """What the broker returns as unroutable or refuses is not durable there: it goes into the log."""
    async with publishing(amqp_url) as publisher:
        async with rabbit.connection.channel() as channel:
            await channel.exchange_delete("okno.in")
        door = Door(publisher)
        door.intake = intake
        await door.submit(messages(2), "http")
    assert [e.id for e in await log.read(0)] == ["m0", "m1"]


async def test_neither(database_url: str, tmp_path: Path) -> None:
    """With neither broker nor log the sender is told to come again, and nothing was decided."""
    door = Door(None)
    with pytest.raises(Unavailable):
        await door.submit(messages(1), "http")
    async with gated(database_url, tmp_path) as gate, opened(gate.url) as pool:
        log = Log(pool, BODY_KEY)
        door.intake = Intake(log, SETTINGS)
        await gate.shut()
        with pytest.raises(Unavailable):
            await door.submit(messages(1), "http")
        await gate.open()
        await door.submit(messages(1), "http")
        assert [(e.order, e.id) for e in await log.read(0)] == [(ORDER, "m0")]
