"""An order's history whole: effects, changes, raw messages, what was destroyed, and documents that stand for orders."""

import base64
from datetime import timedelta

import pytest

from events import codec
from events.log import Log
from events.order import facts as f
from events.recorded import NewEvent
from service.audit import Change, Replay, replay
from service.database import Pool
from tests.events.said import AT, new

HOUR = timedelta(hours=1)
ORDER = "shop/1"
STEP = "11111111-0000-5000-8000-000000000000"


def market(id: str, type: str, fact: f.Fact, hours: float = 0) -> NewEvent:
    """The marketplace's order says something."""
    return NewEvent(
        order=ORDER, type=type, source="channel/shop", id=id, digest=id.encode(), data=codec.encode(fact),
        actor="channel/shop", occurred_at=AT + hours * HOUR,
    )  # fmt: skip


@pytest.fixture
async def told(log: Log) -> Log:
    """Placed; shipped at 3 h, assembled at 2 h, recorded in that order; shipping is told and taken."""
    placed = f.Placed(
        number="1", lines=(f.Line(sku="A", quantity=1),), deadlines=(f.Deadline("shipped", AT + 9 * HOUR),)
    )
    await log.append([market("p", "order.placed", placed)])
    await log.append(
        [new(2, type="order.shipped", fact=f.Shipped(track="T"), occurred_at=AT + 3 * HOUR, body=b'{"n":"\xd0\x96"}')]
    )
    await log.append([new(3, type="order.assembled", fact=f.Assembled(), occurred_at=AT + 2 * HOUR, body=b"\xff\xfe")])
    asked = f.CommandRequested(command=STEP, target="shop", action="ship", stage="shipped")
    await log.append([codec.own_event(ORDER, "command.requested", STEP, asked, 2)])
    done = f.CommandOutcome(command=STEP, attempts=1)
    exchange = codec.encode({"request": {"path": "/x"}, "response": {"status": 200}})
    await log.append([codec.own_event(ORDER, "command.done", "d", done, 4, body=exchange)])
    message = f.CommandRequested(command="m", target="1c", action="marketplace.accepted", stage="shipped")
    await log.append([codec.own_event(ORDER, "command.requested", "m", message, 5)])
    return log


def changed(found: Replay, position: int) -> dict[str, tuple[object, object]]:
    (event,) = [event for event in found.events if event.position == position]
    return {change.field: (change.before, change.after) for change in event.changed}


async def test_effects_lead_from_the_mark_to_the_message_back(told: Log) -> None:
    """1C's mark, the decision, the answer, the message back: each names what follows from it."""
    effects = {event.position: event.effects for event in (await replay(told, ORDER)).events}
    assert effects == {1: [], 2: [4], 3: [], 4: [5], 5: [6], 6: []}


async def test_each_event_tells_what_it_changed(told: Log) -> None:
    """Against the state before it, in the order the history is given: by record shipped came first."""
    found = await replay(told, ORDER)
    assert changed(found, 2) == {"stage": ("placed", "shipped"), "delivery.track": (None, "T")}
    assert changed(found, 3) == {}
    by_occurred = await replay(told, ORDER, at=AT + 4 * HOUR)
    assert [event.position for event in by_occurred.events][:3] == [1, 3, 2]
    assert changed(by_occurred, 3) == {"stage": ("placed", "assembled")}
    assert changed(by_occurred, 2)["stage"] == ("assembled", "shipped")
    assert "deadlines" in changed(found, 1)


async def test_what_calls_for_attention_is_a_change(told: Log) -> None:
    """A mark after the cancellation contradicts it."""
    await told.append([market("c", "order.cancelled", f.Cancelled(by="customer"))])
    await told.append([new(9, type="order.delivered", fact=f.Delivered())])
    last = (await replay(told, ORDER)).events[-1]
    assert [change.field for change in last.changed] == ["attention"]
    assert isinstance(last.changed[0], Change)


async def test_raw_messages_come_only_when_asked_for(told: Log) -> None:
    """As received; base64 where it is no text; the exchange with the marketplace stands at the outcome."""
    plain = await replay(told, ORDER)
    assert b'"body' not in codec.encode(plain.events)
    found = {event.position: event for event in (await replay(told, ORDER, raw=True)).events}
    assert found[2].body == '{"n":"Ж"}'
    assert isinstance(found[3].body_base64, str)
    assert base64.b64decode(found[3].body_base64) == b"\xff\xfe"
    assert found[5].body == '{"request":{"path":"/x"},"response":{"status":200}}'
    assert b'"body' not in codec.encode(found[1])


async def test_what_was_destroyed_is_said(told: Log, pool: Pool) -> None:
    """By whom, when and why; raw messages that are gone are null, also for a moment before."""
    erased = f.Erased(reason="asked for", bodies=3)
    await told.append([codec.own_event(ORDER, "order.erased", "e", erased, None, actor="cli/anna")])
    await pool.execute("SELECT okno.erase($1, 7, $2)", [ORDER], [])
    found = await replay(told, ORDER, raw=True)
    assert found.erased is not None
    assert (found.erased.by, found.erased.reason, found.erased.position) == ("cli/anna", "asked for", 7)
    assert found.events[1].body is None
    before = await replay(told, ORDER, version=2, raw=True)
    assert before.erased == found.erased
    assert [event.body for event in before.events][1] is None


async def test_a_document_stands_for_its_order(told: Log) -> None:
    """Once it is registered; capital or small. Before that it has a history of its own."""
    await told.append([new(20, order="1c/d-7", type="order.delivered", fact=f.Delivered(), body=b"under the document")])
    alone = await replay(told, "1c/d-7")
    assert (alone.order, [event.type for event in alone.events]) == ("1c/d-7", ["order.delivered"])
    registered = f.Registered(document=f.Document("D-7", "УТ-7"))
    await told.append([new(21, type="order.registered", fact=registered, document="d-7")])
    found = await replay(told, "1c/D-7", raw=True)
    assert (found.order, len(found.events)) == (ORDER, 8)
    assert found.events[6].body == "under the document"
    assert (await replay(told, "1c/nobody")).events == []


async def test_what_was_known_then_of_what_was_then(told: Log) -> None:
    """`known_at` narrows `at` and `version`: before the mark was recorded nobody knew of it."""
    moments = {event.position: event.recorded_at for event in await told.read(0)}
    later = AT + 4 * HOUR
    assert [e.position for e in (await replay(told, ORDER, at=later, known_at=moments[2])).events] == [1, 2]
    assert [e.position for e in (await replay(told, ORDER, version=3, known_at=moments[1])).events] == [1]


async def test_a_report_is_of_what_was_known(told: Log) -> None:
    """With the moment asked about the same command waits still, and a deadline that lies ahead is not missed."""
    moments = {event.position: event.recorded_at for event in await told.read(0)}
    then = (await replay(told, ORDER, known_at=moments[4])).marks
    assert [(mark.step, mark.state, mark.answered_at) for mark in then] == [("ship", "waiting", None)]
    now = (await replay(told, ORDER)).marks
    assert [(mark.step, mark.state) for mark in now] == [("ship", "done")]
    early = (await replay(told, ORDER, at=AT + HOUR)).marks
    assert [(mark.stage, mark.verdict, mark.late_seconds) for mark in early] == [
        ("shipped", "not_marked_yet", -8 * 3600.0),
    ]  # fmt: skip
