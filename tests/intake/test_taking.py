"""Batches into the log: all of a batch in one commit, once, and what can't be recorded is kept whole."""

import json
from typing import Any

import asyncpg
import msgspec
import pytest

from events.log import Log, LogUnavailable
from events.order.state import fold
from events.recorded import Recorded
from service.database import Pool
from service.intake import Intake
from service.onec.cloudevents import STRUCTURED
from tests.events.said import personal
from tests.onec.gate import gated
from tests.onec.making import ORDER, body, configured, one, raw
from tests.servers import BODY_KEY, opened


async def everything(log: Log) -> list[Recorded]:
    """The whole log."""
    return await log.read(0, 10_000)


async def rejected(pool: Pool) -> list[dict[str, Any]]:
    """What was rejected, in a stable order."""
    rows = await pool.fetch("SELECT via, reason, detail, body, envelope FROM okno.rejected ORDER BY reason, body")
    return [{**row, "envelope": msgspec.json.decode(row["envelope"])} for row in rows]


async def appends(pool: Pool) -> int:
    """How many calls have appended something: each leaves one seal."""
    count: int = await pool.fetchval("SELECT count(*) FROM okno.seals")
    return count


async def test_a_batch_is_one_append(intake: Intake, log: Log, pool: Pool) -> None:
    """Messages of many orders, arrays among them, are recorded in the order they came, in one commit."""
    batch = b"[" + body(id="b", subject="ym-msk/2") + b"," + body(id="c", subject="ym-spb/3") + b"]"
    await intake.take([raw(body(id="a", subject="ym-msk/1")), raw(batch), raw(body("order.shipped", id="d"))])
    assert [(e.order, e.id) for e in await everything(log)] == [
        ("ym-msk/1", "a"), ("ym-msk/2", "b"), ("ym-spb/3", "c"), (ORDER, "d"),
    ]  # fmt: skip
    assert await appends(pool) == 1


async def test_the_same_message_is_one_event(intake: Intake, log: Log) -> None:
    """Doubled, in another spelling, in the same batch or later: it is recorded once."""
    data = {"document": {"number": "Ц-1"}, "lines": []}
    again = b"\xef\xbb\xbf" + json.dumps({**json.loads(body(data=data)), "time": None}, sort_keys=True).encode()
    await intake.take([raw(body(data=data)), raw(again)])
    await intake.take([raw(again)])
    assert len(await everything(log)) == 1


async def test_an_id_used_again_is_another_event_and_wants_attention(intake: Intake, log: Log) -> None:
    """The add-in repeats the last message id when nobody sets it: nothing is lost, and somebody is told."""
    await intake.take([raw(body("order.confirmed")), raw(body("order.assembled")), raw(body("order.assembled"))])
    events = await everything(log)
    assert [(e.type, e.id_reused) for e in events] == [("order.confirmed", False), ("order.assembled", True)]
    assert "id_reused" in {a.code for a in fold(ORDER, events).attention}


async def test_marks_of_a_document_count_for_its_order(intake: Intake, log: Log) -> None:
    """A mark under `1c/DOCUMENT` belongs to the order once it is registered, whichever came first."""
    registered = body("order.registered", {"document": {"id": "6F9-A"}}, id="r")
    early, late = (body(t, id=t, subject="1c/6f9-a") for t in ("order.confirmed", "order.assembled"))
    await intake.take([raw(early)])
    await intake.take([raw(registered), raw(late)])
    history = (await log.histories([ORDER]))[ORDER]
    assert [e.type for e in history] == ["order.confirmed", "order.registered", "order.assembled"]


async def test_names_stay_out_of_the_events(intake: Intake, log: Log) -> None:
    """What can identify a person is in the side tables, and the raw body is kept as received."""
    sent = body("order.handed_over", {"courier": "Иван Петров", "телефон": "+7912"})
    await intake.take([raw(sent)])
    (event,) = await everything(log)
    assert event.data == b"{}"
    assert (await personal(log, ORDER))[1] == {"courier": "Иван Петров", "extra": {"телефон": "+7912"}}
    assert await log.body(1) == sent


async def test_what_cant_be_understood_is_kept_whole(intake: Intake, log: Log, pool: Pool) -> None:
    """Broken messages end in `rejected` with body, envelope and reason, once each; good ones beside them are taken."""
    broken = [raw(b"{", subject=ORDER), raw(body(subject="ozon/5"), id="m", subject="ozon/5"), raw(b"\xff\x00", "http")]
    await intake.take([raw(body()), *broken])
    await intake.take(broken)
    assert [e.order for e in await everything(log)] == [ORDER]
    found = await rejected(pool)
    assert [(r["reason"], r["via"], bytes(r["body"]), r["envelope"]) for r in found] == [
        ("broken_json", "amqp", b"{", {"subject": ORDER}),
        ("not_utf8", "http", b"\xff\x00", {}),
        ("unknown_channel", "amqp", body(subject="ozon/5"), {"id": "m", "subject": "ozon/5"}),
    ]
    assert "ozon" in found[2]["detail"]


async def test_what_was_rejected_can_be_taken_later(intake: Intake, log: Log, pool: Pool) -> None:
    """With its cause gone, the kept message is recorded as it would have been the first time."""
    sent = raw(b'{"track": "RU1"}', type="order.shipped", id="m7", source="1c/ut11", subject="new-shop/5")
    await intake.take([sent])
    (kept,) = await rejected(pool)
    channels = {"new-shop": {"kind": "yandex", "model": "dbs", "business_id": 1, "campaign_id": 9, "api_key": "k"}}
    await Intake(log, configured(channels=channels)).take([raw(bytes(kept["body"]), kept["via"], **kept["envelope"])])
    assert [(e.order, e.type, e.id, e.source) for e in await everything(log)] == [
        ("new-shop/5", "order.shipped", "m7", "1c/ut11")
    ]


async def test_a_broken_element_is_rejected_alone(intake: Intake, log: Log, pool: Pool) -> None:
    """Of an array the good events are taken; what is kept of the others is theirs alone."""
    faulty = body("order.cancelled", {"by": "nobody"}, id="x")
    await intake.take([raw(b"[" + body(id="a") + b"," + faulty + b"]", subject=ORDER, id="whole")])
    assert [e.id for e in await everything(log)] == ["a"]
    assert [(bytes(r["body"]), r["envelope"]) for r in await rejected(pool)] == [(faulty, {"subject": ORDER})]


async def test_what_postgres_refuses_stands_alone_in_the_end(
    intake: Intake, log: Log, pool: Pool, database_url: str
) -> None:
    """One event Postgres will not have does not stop the other hundred: the batch is halved until it is found."""
    owner = await asyncpg.connect(database_url)
    await owner.execute("ALTER TABLE okno.events ADD CHECK (id <> 'culprit')")
    await owner.close()
    ids = [f"m{number}" for number in range(100)]
    ids[37] = "culprit"
    await intake.take([raw(body(id=id), subject="x", id=id) for id in ids] + [raw(b"{")])
    assert [e.id for e in await everything(log)] == [id for id in ids if id != "culprit"]
    found = await rejected(pool)
    assert [(r["reason"], bytes(r["body"])) for r in found] == [
        ("broken_json", b"{"), ("not_storable", body(id="culprit")),
    ]  # fmt: skip
    assert found[1]["envelope"] == {"subject": "x", "id": "culprit"}
    assert "23514" in found[1]["detail"]


NUL = "\x00"
HOSTILE: list[tuple[bytes, dict[str, str]]] = [
    (body("order.shipped", {"track": "RU\x001", "x\x00y": "\x00"}), {}),
    (body("order.cancelled", {"by": "shop\x00pper", "comment": "a\x00b"}), {}),
    (body("order.rescheduled", {"date": "2022\x00"}), {}),
    (body("order\x00x"), {}),
    (body(id="a\x00"), {}),
    (body(source="a\x00"), {}),
    (body(subject="ym-msk/\x001"), {}),
    (body(subject="a\x00b/1"), {}),
    (body(time="2022\x00"), {}),
    (body("order.status", {"status": "a\x00b"}), {}),
    (body("order.new_kind", {"a\x00": ["\x00"]}), {}),
    (b'{"by": "\x00"}', {"type": "order.cancelled", "subject": ORDER}),
    (b"\x00", {"type": "a\x00", "subject": "\x00"}),
    (b'{"track": "1"}', {"type": "order.shipped", "subject": ORDER, "id": "\x00", "source": "\x00"}),
]


async def test_u0000_stops_nothing(intake: Intake, log: Log, pool: Pool) -> None:
    """Postgres takes no U+0000 in a text: wherever one stands, its message is recorded or rejected by itself."""
    await intake.take([raw(content, **envelope) for content, envelope in HOSTILE] + [raw(body(id="after"))])
    events, kept = await everything(log), await rejected(pool)
    assert len(events) + len(kept) == len(HOSTILE) + 1
    assert events[-1].id == "after"
    assert {r["reason"] for r in kept} == {"bad_field", "broken_json"}
    assert not [e for e in events if NUL in fold(e.order, [e]).attention.__repr__() or b"\\u0000" in e.data]


async def test_a_long_detail_is_cut(intake: Intake, pool: Pool) -> None:
    """A message of megabytes does not make a reason of megabytes."""
    await intake.take([raw(body(subject="x" * 1_000_000)), raw(body("order.cancelled", {"by": "y" * 1_000_000}))])
    assert max(len(r["detail"]) for r in await rejected(pool)) <= 1000


async def test_postgres_away_decides_nothing(database_url: str, tmp_path: Any) -> None:
    """While Postgres is away `take` says so, rejects nothing, and the same batch is taken once it is back."""
    async with gated(database_url, tmp_path) as gate, opened(gate.url) as pool:
        log = Log(pool, BODY_KEY)
        intake = Intake(log, configured())
        await gate.shut()
        with pytest.raises(LogUnavailable):
            await intake.take([raw(body()), raw(b"{")])
        await gate.open()
        assert await everything(log) == []
        await intake.take([raw(body()), raw(b"{")])
        assert len(await everything(log)) == 1
        assert [r["reason"] for r in await rejected(pool)] == ["broken_json"]


async def test_messages_passed_on_keep_what_was_received(intake: Intake, log: Log) -> None:
    """An event that came over HTTP and is taken directly keeps its bytes; one in binary mode becomes structured."""
    pretty = json.dumps(json.loads(body()), indent="\t").encode()
    await intake.take_messages([one(pretty, content_type=STRUCTURED)], "http")
    await intake.take_messages([one(b'{"track": "1"}', type="order.shipped", id="m2", subject=ORDER)], "http")
    assert await log.body(1) == pretty
    assert json.loads(await log.body(2) or b"")["data"] == {"track": "1"}


async def test_a_message_the_hub_itself_fails_on_stops_nothing(
    log: Log, pool: Pool, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug that one message brings out puts it among the rejected, whole; the next one is taken."""
    real = Intake.event

    def failing(self: Intake, message: Any) -> Any:
        if message.id == "bad":
            raise ZeroDivisionError
        return real(self, message)

    monkeypatch.setattr(Intake, "event", failing)
    await intake.take([raw(body(id="bad")), raw(body(id="good"))])
    assert [e.id for e in await log.read(0)] == ["good"]
    [row] = await pool.fetch("SELECT reason, body FROM okno.rejected")
    assert (row["reason"], row["body"]) == ("not_understood", body(id="bad"))
