"""Several bases of 1C: each with its own queue, zone and statuses, none in the way of another."""

import asyncio
import json
from typing import Any

import pytest

from events.codec import own_event
from events.log import Log
from events.order.reactions import ONEC, Plan, requests
from service.database import Pool
from service.intake import Intake
from service.marketplaces.port import Seen
from service.onec.amqp import Publisher
from service.onec.checkup import checkup
from service.onec.teller import Teller
from service.onec.topology import declare, told
from service.passing import read_message
from service.settings import ConfigError, Settings
from service.work import Work
from tests.intake.test_reads import NEW, T
from tests.onec.broker import Rabbit, consuming, queues, recorded, running, until
from tests.onec.making import configured, event

CHANNELS = ("ym-msk", "ym-spb")


Tells = dict[str, list[str] | None]


def bases(tells: Tells, *, shared: bool = False) -> Settings:
    """A configuration with these bases, told of these channels."""
    return configured(onec={
        "shared_queue": shared,
        "sources": {name: {} if some is None else {"tells": some} for name, some in tells.items()},
    })  # fmt: skip


TWO = configured(onec={"shared_queue": False, "sources": {
    "ut11": {"timezone": "Europe/Samara", "statuses": {"В работе": "order.confirmed"}, "tells": ["ym-msk"]},
    "perm": {"timezone": "Asia/Yekaterinburg", "statuses": {"В работе": "order.assembled"}, "tells": ["ym-spb"]},
}})  # fmt: skip


def test_a_queue_is_bound_to_what_its_base_is_told_of() -> None:
    """All of it, some channels, or none; every key it may have been bound by before is cut."""
    found = {
        one.queue: one for one in told(bases({"all": None, "some": ["ym-spb"], "none": []}, shared=True).onec, CHANNELS)
    }
    every = frozenset(("#", "ym-msk.#", "ym-spb.#"))
    assert {name: sorted(one.keys or ()) for name, one in found.items()} == {
        "okno.1c": ["#"], "okno.1c.all": ["#"], "okno.1c.some": ["ym-spb.#"], "okno.1c.none": [],
    }  # fmt: skip
    assert all((one.keys or frozenset()) | one.others == every for one in found.values() if one.queue != "okno.1c")
    shared, *_ = told(bases({"all": None}).onec, CHANNELS)
    assert (shared.keys, shared.others) == (None, every)


@pytest.mark.parametrize(
    ("onec", "says"),
    [
        ({"shared_queue": False}, "onec.shared_queue"),
        ({"shared_queue": False, "sources": {"ut": {"tells": ["ym-msk"]}}}, "onec.shared_queue.*'ym-spb'"),
        ({"sources": {"dead": {}}}, "onec.sources.dead"),
    ],
)
def test_what_would_be_told_nobody_is_refused(onec: dict[str, Any], says: str) -> None:
    """A message no queue takes would be tried for ever, and a base can't have the name of the dead letters' queue."""
    with pytest.raises(ConfigError, match=says):
        configured(onec=onec)


async def test_a_base_that_needs_no_queue(rabbit: Rabbit, log: Log, pool: Pool, amqp_url: str) -> None:
    """What only such bases are told of counts as told in the log: it is not tried at the broker for ever."""
    settings = configured(onec={"shared_queue": False, "sources": {
        "ut11": {"tells": ["ym-msk"]}, "unf": {"tells": ["ym-spb"], "queue": False},
    }})  # fmt: skip
    await rabbit.declare(1, ("ut11", "unf"))
    await rabbit.publish("ym-spb.order.placed", b"before", exchange="okno.out")
    await Intake(log, settings).take_messages([placed(channel) for channel in CHANNELS], "read")
    publisher = Publisher(amqp_url, 1, told(settings.onec, settings.channels))
    await publisher.open()
    await tell(log, Work(pool, "teller"), pool, publisher, 2)
    await publisher.close()
    waiting = [await rabbit.waiting(queue) for queue in ("okno.1c", "okno.1c.unf", "okno.1c.ut11")]
    assert waiting == [1, 1, 2]  # `before` in all three, and the one order


async def tell(log: Log, work: Work, pool: Pool, publisher: Publisher, count: int) -> None:
    """Tells 1C whatever there is to tell, until so many messages are out."""
    for channel in CHANNELS:
        order = f"{channel}/48123456"
        wanted = requests(order, (await log.histories([order]))[order], 0, Plan(channel, {}, {}))
        await log.append([own_event(order, "command.requested", w.fact.command, w.fact, w.cause) for w in wanted])
        async with pool.acquire() as connection:
            await work.ask_in(connection, [(order, ONEC)])

    async def done() -> bool:
        return sum(e.type == "command.done" for e in await log.read(0)) >= count

    async with running(Teller(log, work, publisher).run(asyncio.Event())):
        await until(done)


def placed(channel: str) -> Any:
    """A new order, as a read saw it."""
    seen: Seen = NEW
    return read_message(channel, seen, T)


async def test_two_bases_at_one_broker(rabbit: Rabbit, log: Log, pool: Pool, amqp_url: str) -> None:
    """Each speaks by its own clock and statuses, reads of its own channels alone; what one rejects is the other's."""
    intake = Intake(log, TWO)
    publisher = Publisher(amqp_url, 1, told(TWO.onec, TWO.channels))
    await publisher.open()
    await intake.take_messages([placed(channel) for channel in CHANNELS], "read")
    await tell(log, Work(pool, "teller"), pool, publisher, 2)
    await publisher.close()

    [rejected] = await rabbit.take("okno.1c.perm", 1, reject=True)
    [read] = await rabbit.take("okno.1c.ut11", 1)
    assert (rejected.routing_key, read.routing_key) == ("ym-spb.order.placed", "ym-msk.order.placed")
    assert await rabbit.waiting("okno.1c.dead") == 1
    assert (await rabbit.waiting("okno.1c.ut11"), await rabbit.waiting("okno.1c.perm")) == (0, 0)

    before = (await log.head()).position
    async with consuming(amqp_url, log, intake.take):
        for base, channel in (("ut11", "ym-msk"), ("perm", "ym-spb"), ("unknown", "ym-msk")):
            status = event("order.status", {"status": "в  работе"}, source=None, subject=f"{channel}/48123456")
            del status["subject"]
            await rabbit.publish(f"{channel}/48123456", json.dumps(status).encode(), app_id=f"1c/{base}")
        said = (await recorded(log, before + 3))[before:]
    assert [(e.source, e.type, e.occurred_at.hour) for e in said] == [
        ("1c/ut11", "order.confirmed", 6), ("1c/perm", "order.assembled", 5), ("1c/unknown", "order.status", 6),
    ]  # fmt: skip


async def test_what_a_base_is_told_of_may_change_under_traffic(rabbit: Rabbit) -> None:
    """Bound anew before the old way is cut: no message is without a queue, and each base gets what is its own."""
    steps: list[Tells] = [
        {"a": None, "b": None}, {"a": ["ym-msk"], "b": ["ym-spb"]}, {"a": ["ym-spb"], "b": ["ym-msk"]},
        {"a": None, "b": ["ym-msk"]}, {"a": ["ym-msk", "ym-spb"], "b": []},
    ]  # fmt: skip
    done, sent = asyncio.Event(), list[bytes]()
    await declare(rabbit.connection, 1, told(bases(steps[0]).onec, CHANNELS))

    async def publish() -> None:
        while not done.is_set():
            body = str(len(sent)).encode()
            await rabbit.publish(f"{CHANNELS[len(sent) % 2]}.order.placed", body, exchange="okno.out")
            sent.append(body)  # mandatory: one that finds no queue is returned, and raises

    async with asyncio.TaskGroup() as group:
        group.create_task(publish())
        for step in steps:
            await declare(rabbit.connection, 1, told(bases(step).onec, CHANNELS))
        done.set()
    counts = [(queue, await rabbit.waiting(queue)) for queue in ("okno.1c.a", "okno.1c.b")]
    assert {m.body for queue, n in counts for m in await rabbit.take(queue, n)} == set(sent)
    for channel in CHANNELS:
        await rabbit.publish(f"{channel}.order.placed", b"last", exchange="okno.out")
    assert (await rabbit.waiting("okno.1c.a"), await rabbit.waiting("okno.1c.b")) == (2, 0)


async def test_the_shared_queue_is_left_with_what_is_in_it(rabbit: Rabbit, amqp_url: str) -> None:
    """Without it nothing more comes in, nothing in it is lost, and the doctor says when it can go."""
    await rabbit.declare(1, ("ut11",))
    await rabbit.publish("ym-msk.order.placed", b"before", exchange="okno.out")
    own = told(bases({"ut11": None}).onec, CHANNELS)
    await declare(rabbit.connection, 1, own)
    await rabbit.publish("ym-msk.order.placed", b"after", exchange="okno.out")
    assert [m.body for m in await rabbit.take("okno.1c.ut11", 2)] == [b"before", b"after"]
    assert await rabbit.waiting("okno.1c") == 1

    def of_shared(found: list[tuple[bool, str]]) -> list[str]:
        return [says for _, says in found if says.startswith("okno.1c:")]

    [says] = of_shared(await checkup(amqp_url, 1, own))
    assert "can be deleted once the 1 messages" in says
    await rabbit.take("okno.1c", 1)
    [says] = of_shared(await checkup(amqp_url, 1, own))
    assert "can be deleted now" in says
    async with rabbit.connection.channel() as channel:
        await channel.queue_delete("okno.1c")
    assert of_shared(await checkup(amqp_url, 1, own)) == []
    await declare(rabbit.connection, 1, queues("ut11"))  # wanted again: it is there again
    await rabbit.publish("ym-msk.order.placed", b"again", exchange="okno.out")
    assert await rabbit.waiting("okno.1c") == 1
