"""1C is told: at least once, in order per order, under an id that never changes."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import pytest

from events.codec import own_event
from events.log import Log
from events.order.reactions import ONEC, Plan, requests
from events.order.state import fold
from events.recorded import Appended, NewEvent, Rejected
from service import backoff
from service.database import Pool
from service.intake import Intake
from service.onec import teller
from service.onec.amqp import Publisher
from service.onec.teller import Teller
from service.work import Work
from tests.intake.test_reads import NEW, SHIPPED, passed
from tests.onec.broker import Rabbit, publishing, running, until
from tests.onec.gate import gated
from tests.onec.making import ORDER, body, raw
from tests.servers import BODY_KEY

PLAN = Plan("ym-msk", {}, {})


async def decide(log: Log, work: Work, pool: Pool) -> list[str]:
    """Appends the messages the order's history calls for, as the reactor does; their ids."""
    history = (await log.histories([ORDER]))[ORDER]
    wanted = requests(ORDER, history, 0, PLAN)
    events = [own_event(ORDER, "command.requested", w.fact.command, w.fact, w.cause) for w in wanted]
    await log.append(events)
    async with pool.acquire() as connection:
        await work.ask_in(connection, [(ORDER, ONEC)])
    return [w.fact.command for w in wanted]


@asynccontextmanager
async def telling(log: Log, work: Work, publisher: Publisher | None) -> AsyncIterator[None]:
    """A teller at work."""
    async with running(Teller(log, work, publisher).run(asyncio.Event())):
        yield


async def told(log: Log, count: int) -> list[str]:
    """The ids of messages whose outcome is in the log, once there are so many."""

    async def done() -> list[str]:
        state = fold(ORDER, (await log.histories([ORDER]))[ORDER])
        found = [c.id for c in state.commands.values() if c.state == "done"]
        return found if len(found) >= count else []

    found: list[str] = await until(done)
    return found


@pytest.fixture
def work(pool: Pool) -> Work:
    return Work(pool, "teller")


@pytest.fixture
async def placed(intake: Intake, log: Log, work: Work, pool: Pool) -> list[str]:
    """An order 1C must be told of, and that it moved on: two messages wait."""
    await intake.take_messages([passed(NEW), passed(SHIPPED, 1)], "read")
    return await decide(log, work, pool)


async def test_a_message(rabbit: Rabbit, log: Log, work: Work, placed: list[str], amqp_url: str) -> None:
    """It is a CloudEvent under the order's key, persistent, with flat integer headers, in every base's queue."""
    async with publishing(amqp_url) as publisher, telling(log, work, publisher):
        assert await told(log, 2) == placed
    for queue in ("okno.1c", "okno.1c.ut11"):
        first, second = await rabbit.take(queue, 2)
        assert [first.message_id, second.message_id] == placed
        assert (first.routing_key, first.type) == ("ym-msk.order.placed", "order.placed")
        assert first.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        assert set(first.headers) == {"version", "attempt"}
        assert (first.headers["attempt"], second.headers["attempt"]) == (1, 1)
        versions = [message.headers["version"] for message in (first, second)]
        assert versions == sorted({json.loads(message.body)["version"] for message in (first, second)})
        check(json.loads(first.body), placed[0])


def check(event: dict[str, Any], id: str) -> None:
    """What 1C reads of a new order."""
    assert (event["specversion"], event["id"], event["type"], event["subject"]) == (
        "1.0", id, "order.placed", ORDER,
    )  # fmt: skip
    assert event["data"]["customer"] == {"name": "Иван"}
    assert event["data"]["lines"] == [{"sku": "A-1", "quantity": 2, "price": "10.50"}]


async def test_without_a_broker(log: Log, work: Work, placed: list[str]) -> None:
    """A message counts as told once, when it stands in the log: there `GET /v1/outbox` reads it."""
    async with telling(log, work, None):
        assert await told(log, 2) == placed
    events = await log.read(0)
    assert len([e for e in events if e.type == "command.done"]) == 2
    assert await work.claim(ONEC, 10) == []


class Dying(Log):
    """A log of a process that dies between publishing and recording."""

    async def append(self, events: Sequence[NewEvent], rejected: Sequence[Rejected] = ()) -> list[Appended]:
        """Never comes to its end."""
        await asyncio.Event().wait()
        return []


async def test_a_death_between_publishing_and_recording(
    rabbit: Rabbit, log: Log, pool: Pool, placed: list[str], amqp_url: str
) -> None:
    """The message goes out again under the same id, and its headers say that it is another attempt."""
    async with publishing(amqp_url) as publisher:
        async with telling(Dying(pool, BODY_KEY), Work(pool, "dying"), publisher):
            first = await rabbit.take("okno.1c", 2)
        await pool.execute("UPDATE okno.dispatch SET leased_until = now() - interval '1 s'")  # its time has run out
        async with telling(log, Work(pool, "heir"), publisher):
            await told(log, 2)
        again = await rabbit.take("okno.1c", 2)
    assert [m.message_id for m in first] == [m.message_id for m in again] == placed
    assert [m.body for m in first] == [m.body for m in again]
    assert [m.headers["attempt"] for m in again] == [2, 2]
    assert [m.headers["version"] for m in first] == [m.headers["version"] for m in again]


async def test_a_lane_taken_by_another_is_left(
    rabbit: Rabbit, log: Log, pool: Pool, placed: list[str], amqp_url: str
) -> None:
    """Whoever lost an order's lease sends nothing for it: two tellers would mix up its messages."""
    late = Work(pool, "late")
    lanes = await late.claim(ONEC, 10)
    await pool.execute("UPDATE okno.dispatch SET owner = 'other', leased_until = now() + interval '1 min'")
    async with publishing(amqp_url) as publisher:
        await Teller(log, late, publisher)._tell(lanes)
        assert await rabbit.waiting("okno.1c") == 0
    assert "command.done" not in {e.type for e in await log.read(0)}


async def test_a_broker_that_says_nothing(
    rabbit: Rabbit, log: Log, work: Work, placed: list[str], amqp_url: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """An unconfirmed message holds the order's later ones back, and is sent again until it is confirmed."""
    monkeypatch.setattr(teller, "TIMEOUT", 0.3)
    monkeypatch.setattr(backoff, "delay", lambda *_: 0.1)
    async with gated(amqp_url, tmp_path) as gate, publishing(gate.url) as publisher:
        gate.freeze()
        async with telling(log, work, publisher):

            async def tried() -> bool:
                attempts = await work.attempts(ONEC, [ORDER])
                return placed[0] in attempts and attempts[placed[0]].attempts >= 2

            await until(tried)
            assert placed[1] not in await work.attempts(ONEC, [ORDER])
            assert "command.done" not in {e.type for e in await log.read(0)}
            gate.thaw()
            assert await told(log, 2) == placed
    waiting = await rabbit.waiting("okno.1c")
    order = [m.message_id or "" for m in await rabbit.take("okno.1c", waiting)]
    assert order == sorted(order, key=placed.index)
    assert set(order) == set(placed)


async def test_a_message_no_queue_takes_waits(
    rabbit: Rabbit, log: Log, work: Work, placed: list[str], amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 1C's queues gone the broker returns it; it is told once they are back."""
    monkeypatch.setattr(backoff, "delay", lambda *_: 0.1)
    async with publishing(amqp_url) as publisher:
        async with rabbit.connection.channel() as channel:
            for queue in ("okno.1c", "okno.1c.ut11"):
                await channel.queue_delete(queue)
        async with telling(log, work, publisher):

            async def tried() -> Any:
                return await work.attempts(ONEC, [ORDER])

            await until(tried)
            assert "command.done" not in {e.type for e in await log.read(0)}
            await rabbit.declare()
            assert await told(log, 2) == placed
    assert await rabbit.waiting("okno.1c") == 2


async def test_after_erasing(rabbit: Rabbit, log: Log, work: Work, placed: list[str], amqp_url: str,
                             database_url: str) -> None:  # fmt: skip
    """What was erased before it was told is not told: the message goes out without it."""
    owner = await asyncpg.connect(database_url)
    await owner.execute("DELETE FROM okno.personal")
    await owner.close()
    async with publishing(amqp_url) as publisher, telling(log, work, publisher):
        await told(log, 2)
    first, _ = await rabbit.take("okno.1c", 2)
    assert "customer" not in json.loads(first.body)["data"]
    assert "Иван" not in first.body.decode()


async def test_a_cancellation_of_1cs_own_is_not_echoed(intake: Intake, log: Log, work: Work, pool: Pool) -> None:
    """1C knows what it said; what the marketplace says then is no news to it."""
    await intake.take_messages([passed(NEW)], "read")
    await intake.take([raw(body("order.cancelled", {"by": "shop"}))])
    state = fold(ORDER, (await log.histories([ORDER]))[ORDER])
    assert state.shop_cancelled == state.cancelled
    await decide(log, work, pool)
    asked = [e for e in await log.read(0) if e.type == "command.requested"]
    assert [json.loads(e.data)["action"] for e in asked] == ["order.placed"]
