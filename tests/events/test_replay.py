"""An order's history as of any moment: what had occurred, what was known, what followed and what was answered."""

from datetime import timedelta

import asyncpg
import pytest_asyncio

from events import codec
from events.log import Log
from events.order import facts as f
from service.audit import replay
from tests.events.said import AT, new

HOUR = timedelta(hours=1)
PACK, SHIP = "11111111-0000-5000-8000-000000000000", "22222222-0000-5000-8000-000000000000"


def asked(command: str, action: str, cause: int) -> f.CommandRequested:
    return f.CommandRequested(command=command, target="shop", action=action, stage=action)


@pytest_asyncio.fixture
async def told(log: Log) -> Log:
    """An order whose marks came late and in the wrong order: shipped at 3 h, assembled at 2 h, refused, then done."""
    placed = f.Placed(number="1", lines=(f.Line(sku="A", quantity=1),))
    await log.append([new(1, type="order.placed", fact=placed, occurred_at=AT, order="shop/1")])
    await log.append([new(2, type="order.shipped", occurred_at=AT + 3 * HOUR)])
    await log.append([new(3, type="order.assembled", fact=f.Assembled(boxes=2), occurred_at=AT + 2 * HOUR)])
    for type, fact, cause in (
        ("command.requested", asked(SHIP, "shipped", 2), 2),
        ("command.requested", asked(PACK, "assembled", 3), 3),
        ("command.refused", f.CommandOutcome(command=SHIP, code="NO", message="not packed"), 4),
        ("command.done", f.CommandOutcome(command=PACK, status="PACKED"), 5),
        ("command.done", f.CommandOutcome(command=SHIP), 4),
        ("command.refused", f.CommandOutcome(command=SHIP, code="LATE"), 4),
    ):
        id = f"{cause}{type}{getattr(fact, 'code', None)}"
        await log.append([codec.own_event("shop/1", type, id, fact, cause, now=AT + 4 * HOUR)])
    return log


async def test_each_event_tells_its_cause_and_its_answers(told: Log) -> None:
    """A mark shows what was asked because of it and what came of that; a request what it followed from."""
    found = await replay(told, "shop/1")
    events = {event.position: event for event in found.events}
    assert [event.version for event in found.events] == list(range(1, 10))
    assert events[4].because == "order.shipped from 1c/ut"
    assert events[6].because == "command.requested from okno"
    assert events[1].because is None
    (shipped,) = events[2].answers
    assert (shipped.action, shipped.state, shipped.position) == ("shipped", "done", 8), "what was done stays done"
    assert events[4].answers == [shipped]
    assert [(a.state, a.position) for a in events[3].answers] == [("done", 7)]
    assert bytes(events[3].data) == b'{"boxes":2}'
    assert found.state is not None
    assert (found.state.stage, found.state.version) == ("shipped", 9)


async def test_at_goes_by_when_things_occurred(told: Log) -> None:
    """What had occurred by then, in the order it occurred, whenever it was recorded."""
    found = await replay(told, "shop/1", at=AT + 2 * HOUR)
    assert [event.position for event in found.events] == [1, 3]
    assert found.state is not None
    assert found.state.stage == "assembled"
    later = await replay(told, "shop/1", at=AT + 4 * HOUR)
    assert [event.position for event in later.events] == [1, 3, 2, 4, 5, 6, 7, 8, 9]
    assert later.state is not None
    assert (later.state.stage, later.state.version, later.state.position) == ("shipped", 9, 9)
    assert (await replay(told, "shop/1", at=AT - HOUR)).state is None


async def test_known_at_goes_by_when_it_was_recorded(told: Log) -> None:
    """What the hub knew then: later outcomes are not there yet, and a command still waits."""
    moments = [event.recorded_at for event in await told.read(0)]
    found = await replay(told, "shop/1", known_at=moments[5])
    assert [event.position for event in found.events] == [1, 2, 3, 4, 5, 6]
    (shipped,) = found.events[1].answers
    assert (shipped.state, shipped.code, shipped.position) == ("refused", "NO", 6)
    (packed,) = found.events[2].answers
    assert (packed.state, packed.position, packed.at) == ("waiting", None, None)
    assert found.state is not None
    assert [attention.code for attention in found.state.attention] == ["refused"]


async def test_version_goes_up_to_that_one(told: Log) -> None:
    """Up to a version, all that had come before it; both times together narrow it further."""
    assert [event.version for event in (await replay(told, "shop/1", version=2)).events] == [1, 2]
    both = await replay(told, "shop/1", version=3, at=AT + 2 * HOUR)
    assert [event.version for event in both.events] == [1, 3]
    assert (await replay(told, "shop/1", version=0)).state is None


async def test_a_cause_is_told_even_where_it_lies_outside(told: Log) -> None:
    """By the sender's clock a consequence may come before its cause: it is still named."""
    moments = [event.recorded_at for event in await told.read(0)]
    early = codec.own_event("shop/1", "deadline.near", "x", f.DeadlineNear(stage="shipped", due=AT), 2, now=AT + HOUR)
    await told.append([early])
    found = await replay(told, "shop/1", at=AT + HOUR)
    assert [(event.position, event.because) for event in found.events] == [(1, None), (10, "order.shipped from 1c/ut")]
    assert len(moments) == 9


async def test_marks_under_a_document_are_part_of_the_history(told: Log, owner: asyncpg.Connection) -> None:
    """What 1C said under its document counts from its own place in the log, and a version does not cut it off."""
    await told.append([new(20, order="1c/d-7", type="order.delivered", fact=f.Delivered())])
    registered = f.Registered(document=f.Document("D-7", "УТ-7"))
    await told.append([new(21, type="order.registered", fact=registered, document="d-7")])
    found = await replay(told, "shop/1", version=10)
    assert [(event.order, event.version) for event in found.events][-2:] == [("1c/d-7", 1), ("shop/1", 10)]
    assert found.state is not None
    assert (found.state.stage, found.state.version) == ("delivered", 10)
    assert (await replay(told, "shop/2")).events == []


async def test_a_retried_command_waits_again(log: Log) -> None:
    """Once an operator brought it back, its refusal is history, not its answer."""
    await log.append([new(1)])
    for type, fact, cause in (
        ("command.requested", asked(SHIP, "shipped", 1), 1),
        ("command.refused", f.CommandOutcome(command=SHIP, code="NO"), 2),
        ("command.retried", f.CommandRetried(command=SHIP), 2),
    ):
        await log.append([codec.own_event("shop/1", type, type, fact, cause)])
    (shipped,) = (await replay(log, "shop/1")).events[0].answers
    assert (shipped.state, shipped.code, shipped.position) == ("waiting", None, None)
