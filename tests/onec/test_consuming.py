"""Messages from RabbitMQ into the log: acknowledged after the commit, so that nothing is lost and nothing doubled."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from pamqp import encode

from events.log import Log
from events.recorded import Recorded
from service.database import Pool
from service.intake import Intake
from service.leases import Leases
from service.onec import amqp
from service.onec.amqp import Consumer, dead_letters
from service.onec.cloudevents import Raw
from service.onec.topology import DEAD_IN
from tests.onec.broker import Rabbit, consuming, recorded, running, until
from tests.onec.gate import gated
from tests.onec.making import ORDER, SETTINGS, body
from tests.servers import BODY_KEY, Broker, opened

QUEUE = "okno.in.0"


def numbered(count: int, first: int = 0) -> list[bytes]:
    """So many marks, told apart by their ids."""
    return [body(id=f"m{number}") for number in range(first, first + count)]


def ids(events: Sequence[Recorded]) -> list[str]:
    """The events' ids."""
    return [event.id for event in events]


async def test_what_the_addin_sends(rabbit: Rabbit, log: Log, intake: Intake, amqp_url: str) -> None:
    """Properties and a body are enough; CloudEvents' own headers are read in each spelling."""
    await rabbit.declare()
    await rabbit.publish(ORDER, b'{"track": "1"}', type="order.shipped", message_id="a", app_id="1c/ut11")
    for prefix in ("cloudEvents:", "cloudEvents_", "ce-"):
        named = {"type": "order.shipped", "id": prefix, "source": "1c/ut11", "subject": ORDER, "specversion": "1.0"}
        await rabbit.publish("x", b'{"track": "1"}', headers={prefix + name: value for name, value in named.items()})
    await rabbit.publish(ORDER, body(id=None), message_id="c", content_type="text/plain", headers={"attempt": 1})
    async with consuming(amqp_url, log, intake.take):
        events = await recorded(log, 5)
    assert [(e.order, e.type, e.source, e.id) for e in events] == [
        (ORDER, "order.shipped", "1c/ut11", "a"),
        *((ORDER, "order.shipped", "1c/ut11", prefix) for prefix in ("cloudEvents:", "cloudEvents_", "ce-")),
        (ORDER, "order.confirmed", "1c/ut11", "c"),
    ]


async def test_a_death_between_commit_and_ack(rabbit: Rabbit, log: Log, intake: Intake, amqp_url: str) -> None:
    """What was committed and not acknowledged comes again, and the log knows it."""
    await rabbit.declare()
    await rabbit.publish(ORDER, *numbered(3))
    taken: list[bytes] = []
    committed = asyncio.Event()

    async def die_after_commit(raws: Sequence[Raw]) -> None:
        await intake.take(raws)
        taken.extend(raw.body for raw in raws)
        committed.set()
        await asyncio.Event().wait()

    async def live(raws: Sequence[Raw]) -> None:
        taken.extend(raw.body for raw in raws)
        await intake.take(raws)

    async with consuming(amqp_url, log, die_after_commit):
        await committed.wait()
    first = list(taken)
    await rabbit.publish(ORDER, *numbered(1, 3))
    async with consuming(amqp_url, log, live):
        events = await recorded(log, 4)
        await rabbit.emptied(QUEUE)
    assert first
    assert set(first) <= set(taken[len(first) :])
    assert sorted(ids(events)) == ["m0", "m1", "m2", "m3"]


async def test_a_death_before_the_commit(rabbit: Rabbit, log: Log, intake: Intake, amqp_url: str) -> None:
    """What was not committed was not acknowledged either."""
    await rabbit.declare()
    await rabbit.publish(ORDER, *numbered(3))
    begun = asyncio.Event()

    async def die(raws: Sequence[Raw]) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with consuming(amqp_url, log, die):
        await begun.wait()
    async with consuming(amqp_url, log, intake.take):
        assert sorted(ids(await recorded(log, 3))) == ["m0", "m1", "m2"]


async def test_poison_does_not_stop_a_partition(
    rabbit: Rabbit, log: Log, intake: Intake, pool: Pool, amqp_url: str
) -> None:
    """Broken messages among good ones are kept as rejected; U+0000 is no obstacle; nothing is left in the queue."""
    await rabbit.declare()
    broken = [b"", b"{", b"\xff", b"[1,", body(subject="ozon/1"), b"[" * 50_000]
    hostile = [body(id="nul", data={"x\x00": "\x00"}), body("order.new", ["\x00"], id="new")]
    await rabbit.publish("nonsense", *broken, *hostile, body(id="last"))
    async with consuming(amqp_url, log, intake.take):
        assert sorted(ids(await recorded(log, 3))) == ["last", "new", "nul"]
        await rabbit.emptied(QUEUE)
    kept = await pool.fetch("SELECT body, envelope FROM okno.rejected")
    assert sorted(bytes(row["body"]) for row in kept) == sorted(broken)
    assert all(b'"subject":"nonsense"' in row["envelope"] for row in kept)
    assert await rabbit.waiting(DEAD_IN) == 0


async def test_batches_grow_under_load(rabbit: Rabbit, log: Log, intake: Intake, pool: Pool, amqp_url: str) -> None:
    """Many waiting messages take few commits: ten or more a commit, however slowly a busy broker hands them out."""
    await rabbit.declare()
    for first in range(0, 2000, 500):
        await rabbit.publish(ORDER, *numbered(500, first))
    async with consuming(amqp_url, log, intake.take):
        events = await recorded(log, 2000)
    assert len(set(ids(events))) == 2000
    assert await pool.fetchval("SELECT count(*) FROM okno.seals") <= 200


async def test_postgres_away(rabbit: Rabbit, amqp_url: str, database_url: str, tmp_path: Path) -> None:
    """The consumer leaves once and comes back once Postgres answers: nothing is rejected, lost or sent in circles."""
    await rabbit.declare()
    async with (
        gated(database_url, tmp_path) as postgres,
        gated(amqp_url, tmp_path) as broker,
        opened(postgres.url) as pool,
    ):
        log = Log(pool, BODY_KEY)
        async with consuming(broker.url, log, Intake(log, SETTINGS).take):
            await rabbit.publish(ORDER, *numbered(2))
            await recorded(log, 2)
            await postgres.shut()
            await rabbit.publish(ORDER, *numbered(3, 2))

            async def left() -> bool:
                return not await rabbit.readers(QUEUE)

            await until(left)
            entered = broker.entered
            await asyncio.sleep(1)
            assert (broker.entered, await rabbit.waiting(QUEUE)) == (entered, 3)
            await postgres.open()
            events = await recorded(log, 5)
            assert broker.entered == entered + 1
        assert sorted(ids(events)) == ["m0", "m1", "m2", "m3", "m4"]
        assert await pool.fetchval("SELECT count(*) FROM okno.rejected") == 0


async def test_the_broker_cuts_the_line(
    rabbit: Rabbit, log: Log, intake: Intake, amqp_url: str, tmp_path: Path
) -> None:
    """A lost connection is made anew, and what was under way is taken once."""
    await rabbit.declare()
    async with gated(amqp_url, tmp_path) as broker, consuming(broker.url, log, intake.take):
        await rabbit.publish(ORDER, *numbered(2))
        await recorded(log, 2)
        await broker.shut()
        await rabbit.publish(ORDER, *numbered(2, 2))
        await broker.open()
        assert sorted(ids(await recorded(log, 4))) == ["m0", "m1", "m2", "m3"]


async def test_a_queue_deleted_under_the_consumer(
    rabbit: Rabbit, log: Log, intake: Intake, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker only cancels the consumer then; it is noticed, and the queue, once declared again, is consumed."""
    monkeypatch.setattr(amqp, "IDLE_CHECK", 0.2)
    await rabbit.declare()
    async with consuming(amqp_url, log, intake.take):
        await rabbit.publish(ORDER, *numbered(1))
        await recorded(log, 1)
        async with rabbit.connection.channel() as channel:
            await channel.queue_delete(QUEUE)
        await asyncio.sleep(1)  # the consumer looks for it meanwhile, in vain
        await rabbit.declare()
        await rabbit.publish(ORDER, *numbered(1, 1))
        assert ids(await recorded(log, 2)) == ["m0", "m1"]


async def test_the_broker_restarts(restartable_rabbitmq: Broker, log: Log, intake: Intake, amqp_url: str) -> None:
    """A killed broker that comes back has every confirmed message, and the consumer finds it by itself."""
    node = restartable_rabbitmq.node
    assert node is not None
    async with Rabbit.at(amqp_url) as rabbit:
        await rabbit.declare()
        async with consuming(amqp_url, log, intake.take):
            await rabbit.publish(ORDER, *numbered(1))
            await recorded(log, 1)
        await rabbit.publish(ORDER, *numbered(2, 1))
        await asyncio.sleep(1.2)  # RabbitMQ 3.10 forgets a quorum queue younger than that when it is killed
    async with consuming(amqp_url, log, intake.take):
        await node.kill()
        await node.start()
        async with Rabbit.at(amqp_url) as rabbit:
            await rabbit.publish(ORDER, *numbered(1, 3))
        assert sorted(ids(await recorded(log, 4))) == ["m0", "m1", "m2", "m3"]


async def test_dead_letters_are_kept(rabbit: Rabbit, log: Log, intake: Intake, pool: Pool, amqp_url: str) -> None:
    """What the broker gives up on ends in `rejected`, whole, and can be taken from there."""
    await rabbit.declare()
    await rabbit.publish(ORDER, b'{"track": "1"}', type="order.shipped", message_id="m1", app_id="1c/ut11")
    await rabbit.take(QUEUE, 1, reject=True)

    async def kept() -> list[Raw]:
        rows = await pool.fetch("SELECT via, reason, body FROM okno.rejected")
        return [Raw(bytes(row["body"]), {"reason": row["reason"]}, row["via"]) for row in rows]

    async with consuming(amqp_url, log, dead_letters(intake), DEAD_IN):
        assert await until(kept) == [Raw(b'{"track": "1"}', {"reason": "dead_lettered"}, "amqp")]
        await rabbit.emptied(DEAD_IN)


async def test_a_routing_key_that_is_no_text_stops_nothing(
    rabbit: Rabbit, log: Log, intake: Intake, pool: Pool, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are no UTF-8 where AMQP has texts: the message is rejected whole, and the next one is taken."""
    await rabbit.declare()
    in_cp1251 = "ЦСУТ-1"

    def encoded(value: str) -> bytes:
        raw = value.encode("cp1251" if value == in_cp1251 else "utf-8")
        return bytes([len(raw)]) + raw

    monkeypatch.setitem(encode.METHODS, "shortstr", encoded)
    await rabbit.publish(in_cp1251, b"{}", type="order.confirmed", message_id=in_cp1251)
    await rabbit.publish(ORDER, body(id="after"))
    async with consuming(amqp_url, log, intake.take):
        assert ids(await recorded(log, 1)) == ["after"]
    [row] = await pool.fetch("SELECT reason, body FROM okno.rejected")
    assert (row["reason"], row["body"]) == ("no_order", b"{}")


async def test_two_processes_share_partitions(
    rabbit: Rabbit, log: Log, intake: Intake, pool: Pool, amqp_url: str
) -> None:
    """Each takes its share by lease; when one leaves, the other takes over, and nothing is taken twice or never."""
    await rabbit.declare(2)
    orders = [f"ym-msk/{number}" for number in range(20)]
    holds: dict[str, set[int]] = {"a": set(), "b": set()}

    async def process(owner: str) -> None:
        leases = Leases(pool, owner)

        async def partition(number: int) -> None:
            async with leases.held(f"partition/{number}", share_of=2) as lost:
                holds[owner].add(number)
                try:
                    await Consumer(amqp_url, f"okno.in.{number}", log, intake.take).run(lost)
                finally:
                    holds[owner].discard(number)

        async with asyncio.TaskGroup() as group:
            for number in range(2):
                group.create_task(partition(number))

    async def shared() -> bool:
        return sorted(map(len, holds.values())) == [1, 1]

    for owner in holds:
        await Leases(pool, owner).take(f"process/{owner}")
    async with running(process("b")):
        async with running(process("a")):
            await until(shared)
            for order in orders:
                await rabbit.publish(order, body(subject=order, id=f"{order}-1"))
            await recorded(log, len(orders))
        for order in orders:
            await rabbit.publish(order, body(subject=order, id=f"{order}-2"))
        await Leases(pool, "a").release("process/a")  # as if its time had run out
        assert len(await recorded(log, 2 * len(orders))) == 2 * len(orders)
