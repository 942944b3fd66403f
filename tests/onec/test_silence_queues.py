"""Queues of 1C's nobody reads, that grow, and letters that lie dead are said by the hub: through a real RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aio_pika.abc import AbstractIncomingMessage

from events.log import Log
from service.database import Pool
from service.onec.silence_warnings import OnecWarning
from service.onec.topology import declare, told
from tests.onec.broker import Rabbit, running, until
from tests.onec.gate import gated
from tests.onec.watching import Bench, watching

OURS = "okno.1c.ut11"


@pytest.fixture
async def bench(pool: Pool, log: Log, amqp_url: str) -> AsyncIterator[Bench]:
    """A watch over the queues of one base, `ut11`."""
    async with benched(pool, log, amqp_url) as made:
        yield made


@asynccontextmanager
async def benched(pool: Pool, log: Log, url: str) -> AsyncIterator[Bench]:
    onec = {"sources": {"ut11": {}}, "shared_queue": False, "queue_warning": 20}
    made = Bench(pool, log, watching(onec, rabbitmq={"url": url}))
    async with Rabbit.at(url) as rabbit:
        await declare(rabbit.connection, 1, told(made.settings.onec, made.settings.channels))
    try:
        yield made
    finally:
        await made.watch.close()


async def tell(rabbit: Rabbit, count: int) -> None:
    """The hub tells 1C so many things."""
    await rabbit.publish("ym-msk.order.placed", *[b"{}"] * count, exchange="okno.out")


@asynccontextmanager
async def reader(rabbit: Rabbit, prefetch: int = 10) -> AsyncIterator[None]:
    """A reader that is connected and acknowledges nothing."""
    async with rabbit.connection.channel() as channel:
        await channel.set_qos(prefetch_count=prefetch)
        queue = await channel.get_queue(OURS, ensure=False)
        await queue.consume(asyncio.Queue[AbstractIncomingMessage]().put)
        yield


async def depth(rabbit: Rabbit, messages: int, readers: int) -> None:
    """Waits until the broker says so itself."""

    async def so() -> bool:
        return (await rabbit.waiting(OURS), await rabbit.readers(OURS)) == (messages, readers)

    await until(so)


async def looks(bench: Bench, *minutes: float) -> list[OnecWarning]:
    """Looks one after another; what the last one found."""
    found: list[OnecWarning] = []
    for minute in minutes:
        found = await bench.look(minute)
    return found


async def test_a_reader_that_died_is_missed(bench: Bench, rabbit: Rabbit) -> None:
    """It read for weeks and its connection is gone: messages wait, and after minutes the hub says what to start."""
    await bench.past(OURS, "read", every=1)
    async with reader(rabbit):
        await depth(rabbit, 0, 1)
        assert await bench.look() == []
    await tell(rabbit, 3)
    await depth(rabbit, 3, 0)
    assert await bench.look(5) == []
    found = await bench.look(12)
    assert found == [OnecWarning("unread", OURS, bench.now, timedelta(minutes=2), 3, 0)]
    (line,) = bench.lines
    assert "okno.1c.ut11 holds 3 messages and nobody has taken any since" in line["says"]
    assert "it has no reader: start 1C's reading job again" in line["says"]
    await rabbit.take(OURS, 3)
    await depth(rabbit, 0, 0)
    assert await bench.look(13) == []
    assert bench.lines[0]["event"] == "1C is well again"


async def test_a_reader_that_is_connected_and_takes_nothing_is_missed(bench: Bench, rabbit: Rabbit) -> None:
    """It holds what it never acknowledges; what waits behind it tells, and that it is there is said."""
    await bench.past(OURS, "read", every=1)
    async with reader(rabbit, prefetch=10):
        await depth(rabbit, 0, 1)
        assert await bench.look() == []
        await tell(rabbit, 15)
        await depth(rabbit, 5, 1)
        found = await looks(bench, 1, 6, 12)
        assert [(one.code, one.messages, one.readers) for one in found] == [("unread", 5, 1)]
        assert "its readers (1) take nothing" in bench.lines[0]["says"]


async def test_a_reader_that_comes_by_now_and_then_is_not_missed(bench: Bench, rabbit: Rabbit) -> None:
    """1C's job reads every half hour and goes: while messages wait for it and nobody is there, nothing is amiss."""
    await bench.past(OURS, "read", every=30)
    await tell(rabbit, 2)
    await rabbit.take(OURS, 1)
    await bench.look()
    await tell(rabbit, 5)
    assert await looks(bench, 1, 10, 29) == []
    assert [one.code for one in await looks(bench, 120, 150)] == ["unread"]


async def test_a_new_reader_that_died_is_missed_later(bench: Bench, rabbit: Rabbit) -> None:
    """On its first day nobody knows how often it reads: an hour is waited."""
    async with reader(rabbit):
        await depth(rabbit, 0, 1)
        await bench.look()
    await tell(rabbit, 1)
    await depth(rabbit, 1, 0)
    assert await bench.look(30) == []
    assert [one.code for one in await bench.look(61)] == ["unread"]


async def test_the_loop_looks_at_once_and_leaves_nothing_behind(bench: Bench, rabbit: Rabbit, pool: Pool) -> None:
    """Under its lease, which the next process gets at once; what a queue holds is kept."""
    await tell(rabbit, 2)
    await depth(rabbit, 2, 0)
    async with running(bench.watch.run()):
        await until(lambda: pool.fetchval("SELECT messages = 2 FROM okno.queues WHERE queue = $1", OURS))
        assert await pool.fetchval("SELECT count(*) FROM okno.leases WHERE name = 'silence/0'") == 1
    assert await pool.fetchval("SELECT count(*) FROM okno.leases") == 0


async def test_a_queue_that_grows_is_said(bench: Bench, rabbit: Rabbit) -> None:
    """Nobody ever read it: it stands at `queue_warning` or more over some looks, and is said until it is short."""
    await tell(rabbit, 25)
    assert await looks(bench, 0, 1, 2, 3) == []
    await tell(rabbit, 5)
    (found,) = await bench.look(4)
    assert (found.code, found.about, found.messages) == ("grows", OURS, 30)
    assert "onec.shared_queue = false" in bench.lines[0]["says"]
    await rabbit.take(OURS, 8)
    assert [one.messages for one in await bench.look(5)] == [22]
    await rabbit.take(OURS, 3)
    assert await bench.look(6) == []


async def test_a_queue_that_is_worked_off_is_well(bench: Bench, rabbit: Rabbit) -> None:
    """Many messages at once, and a reader that makes them fewer from look to look."""
    await tell(rabbit, 60)
    for minute in range(7):
        assert await bench.look(minute) == []
        await rabbit.take(OURS, 3)


async def test_what_1c_rejects_is_said(bench: Bench, rabbit: Rabbit) -> None:
    """The add-in's reject drops a message: where it went, how many there are, and what to do."""
    await tell(rabbit, 2)
    await rabbit.take(OURS, 2, reject=True)

    async def dead() -> bool:
        return await rabbit.waiting("okno.1c.dead") == 2

    await until(dead)
    (found,) = await bench.look()
    assert (found.code, found.messages) == ("rejected_by_1c", 2)
    assert "1C has rejected" in bench.lines[0]["says"]
    await rabbit.take("okno.1c.dead", 2)
    assert await bench.look(1) == []


async def test_letters_of_the_hubs_own_are_given_time(bench: Bench, rabbit: Rabbit) -> None:
    """The hub itself empties `okno.in.dead`; what lies there for some looks, and what no queue took, is said."""
    await rabbit.publish("x", b"{}", exchange="okno.in.dead")
    await rabbit.publish("x", b"{}", exchange="okno.unrouted")
    assert [one.code for one in await looks(bench, 0, 1, 2, 3)] == ["unrouted"]
    assert {one.code for one in await bench.look(4)} == {"unrouted", "given_up"}


async def test_a_broker_that_is_away_is_nobodys_silence(pool: Pool, log: Log, amqp_url: str, tmp_path: Path) -> None:
    """What was amiss stays, nothing is added: neither bases nor readers are missed for the time it was away."""
    async with gated(amqp_url, tmp_path) as gate, benched(pool, log, gate.url) as bench, Rabbit.at(amqp_url) as rabbit:
        await rabbit.publish("x", b"{}", exchange="okno.unrouted")
        await bench.past()
        await bench.past(OURS, "read", every=1)
        assert [one.code for one in await bench.look()] == ["unrouted"]
        await gate.shut()
        for minute in range(1, 60):
            assert [one.code for one in await bench.look(minute)] == ["unrouted"]
        await gate.open()
        await tell(rabbit, 1)
        assert [one.code for one in await bench.look(60)] == ["unrouted"]
        assert {one.code for one in await bench.look(120)} == {"unrouted", "quiet", "unread"}
