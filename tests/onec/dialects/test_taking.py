"""Dialects through the real doors: intake, `POST /v1/events`, RabbitMQ."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.log import Log
from events.recorded import Recorded
from service.door import Door
from service.intake import Intake
from service.onec.cloudevents import Raw
from service.onec.dialects import xdto as xdto_dialect
from service.settings import Settings
from tests.onec.broker import Rabbit, consuming, publishing, recorded
from tests.onec.dialects.making import GUID, NUMBER, OTHER, WASHER, base, messages, odata, rdv, written, xdto, xdto_tree
from tests.onec.dialects.test_flat import MAPPING, MESSAGE
from tests.onec.making import ORDER
from tests.web.served import CHANNEL, served

LINE = {"Номенклатура": WASHER, "Артикул": "A-1", "Количество": 2, "Цена": 660}
FOLLOWS = [(ORDER, "order.snapshot"), (ORDER, "order.registered"), (ORDER, "order.confirmed")]
"""What a posted order that is not known yet adds."""

RDV = rdv({"Номер": "Ц-1", "Проведен": True, "НомерПоДаннымКлиента": NUMBER, "Товары": [LINE]})
BODIES = [
    (RDV, base()),
    (xdto({"СостояниеЗаказа": "В работе", "НомерВходящегоДокумента": NUMBER, "Запасы": [LINE]}), base()),
    (odata({"Статус": "КОтгрузке", "НомерПоДаннымКлиента": NUMBER, "Товары": [LINE]}), base()),
    (written(MESSAGE), base("flat", mapping=MAPPING)),
]
NAMES = ("rdv-mi", "xdto", "odata", "flat")


async def log_of(log: Log) -> list[Recorded]:
    """The whole log."""
    return await log.read(0, 10_000)


@pytest.mark.parametrize(("body", "settings"), BODIES, ids=NAMES)
async def test_through_intake(log: Log, body: bytes, settings: Settings) -> None:
    """The snapshot as it was received and what follows from it, once, whatever spaces and BOM come with it."""
    intake = Intake(log, settings)
    envelope = {"source": "trade", "subject": "order.trade.zakaz", "id": "m1"}
    await intake.take([Raw(body, envelope, "amqp")])
    events = await log_of(log)
    assert [(e.order, e.type) for e in events] == FOLLOWS
    assert {e.source for e in events} == {"1c/trade"}
    assert await log.body(1) == body
    again = b"\xef\xbb\xbf" + json.dumps(json.loads(body), sort_keys=True, indent="\t").encode()
    await intake.take([Raw(body, envelope, "amqp"), Raw(again, {**envelope, "id": "m2"}, "amqp")])
    assert len(await log_of(log)) == len(FOLLOWS)


async def test_a_batch_of_dialects_for_one_order(log: Log) -> None:
    """Messages of one order in different dialects are taken in turn, each against what came of those before."""
    intake = Intake(log, base())
    first, second = (
        BODIES[0][0],
        rdv({"Номер": "Ц-1", "НомерПоДаннымКлиента": NUMBER}, id="m2", timestamp=1669629600001),
    )
    await intake.take([Raw(first, {}, "amqp"), Raw(second, {}, "amqp")])
    types = [e.type for e in await log_of(log)]
    assert types == [type for _, type in FOLLOWS] + ["order.snapshot", "order.unposted"]


async def test_a_shipment_finds_its_order(log: Log) -> None:
    """It names 1C's document of the order, which is linked once the order is registered."""
    intake = Intake(log, base())
    shipment = {"_GUID": OTHER, "Номер": "Р-1", "Проведен": True, "ЗаказКлиента": {"_GUID": GUID}, "Товары": [LINE]}
    await intake.take([Raw(RDV, {}, "amqp")])
    await intake.take([Raw(rdv(shipment, "РеализацияТоваровУслуг", id="m2"), {}, "amqp")])
    events = await log_of(log)
    assert [(e.order, e.type) for e in events[3:]] == [(ORDER, "order.snapshot"), (ORDER, "order.shipped")]


async def test_a_shipment_of_several_orders_is_recorded_under_each(log: Log) -> None:
    """None of them is taken for a repeat of the other, nor its id for one used again."""
    intake = Intake(log, base())
    lines = [{**LINE, "ЗаказКлиента": {"_GUID": id}} for id in (GUID, OTHER)]
    body = rdv({"Номер": "Р-1", "Проведен": True, "Товары": lines}, "РеализацияТоваровУслуг")
    for _ in range(2):
        await intake.take([Raw(body, {"id": "m1"}, "amqp")])
    events = await log_of(log)
    assert sorted((e.order, e.type) for e in events) == [
        (f"1c/{id}", type) for id in (GUID, OTHER) for type in ("order.shipped", "order.snapshot")
    ]
    assert not any(e.id_reused for e in events)


async def test_what_cant_be_understood_is_kept(log: Log, pool: Any) -> None:
    """Broken, of another document, of no order: each with its reason, beside what is understood."""
    intake = Intake(log, base())
    bodies = (RDV[:-9], xdto_tree({}), {"#type": "jcfg:CatalogObject.Номенклатура", "#value": {"Ref": GUID}}, RDV)
    raws = [Raw(body if isinstance(body, bytes) else written(body), {}, "amqp") for body in bodies]
    await intake.take([*raws, Raw(RDV.decode().encode("cp1251"), {}, "amqp")])
    rows = await pool.fetch("SELECT reason, body FROM okno.rejected ORDER BY reason")
    assert [row["reason"] for row in rows] == ["broken_json", "not_an_order", "not_utf8"]
    assert (f"1c/{GUID}", "order.snapshot") in [(e.order, e.type) for e in await log_of(log)]


async def test_a_bug_of_a_dialects_stops_no_queue(log: Log, pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message the reading itself fails on is kept whole, and those beside it are taken."""

    def broken(tree: Any, around: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(xdto_dialect, "parts", broken)
    await Intake(log, base()).take([Raw(BODIES[1][0], {}, "amqp"), Raw(RDV, {}, "amqp")])
    (row,) = await pool.fetch("SELECT reason, body FROM okno.rejected")
    assert (row["reason"], row["body"]) == ("not_understood", BODIES[1][0])
    assert [(e.order, e.type) for e in await log_of(log)] == FOLLOWS


async def test_over_http(database_url: str, tmp_path: Path) -> None:
    """A dialect's body is taken as a CloudEvent's is; a fault refuses it with what is wrong."""
    async with served(database_url, tmp_path, {"channels": {"ym-msk": CHANNEL}}) as web:
        status, answer = await web.post("/v1/events", RDV, role="onec")
        assert (status, answer) == (202, {"accepted": 1})
        events = await web.storage.log.read(0)
        assert [(e.order, e.type, e.source) for e in events] == [(*one, "1c/trade") for one in FOLLOWS]
        assert "missing" not in msgspec.json.decode(events[0].data)  # the token's name is no base's
        assert await web.storage.log.body(1) == RDV
        status, answer = await web.post("/v1/events", xdto({"Запасы": 5}), role="onec")
        assert (status, "Запасы is not an array" in answer["errors"][0]["detail"]) == (400, True)


@pytest.mark.parametrize(("body", "settings"), BODIES, ids=NAMES)
async def test_passed_on_over_the_broker(
    rabbit: Rabbit, log: Log, amqp_url: str, body: bytes, settings: Settings
) -> None:
    """What the hub passes on to itself is in the bytes received, and read again it says the same."""
    intake = Intake(log, settings)
    (message,) = messages(body, settings, source="trade", subject="order.trade.zakaz", id="m1")
    async with publishing(amqp_url) as publisher:
        door = Door(publisher)
        await door.submit([message], "http")
        async with consuming(amqp_url, log, intake.take):
            events = await recorded(log, len(FOLLOWS))
    assert [(e.order, e.type, e.source) for e in events] == [(*one, "1c/trade") for one in FOLLOWS]
    assert (events[0].id, await log.body(1)) == (message.id, body)


async def test_a_mark_of_a_dialect_passed_on(rabbit: Rabbit, log: Log, amqp_url: str) -> None:
    """Its type stands beside it then, and it is still read by its base's mapping."""
    settings = base("flat", mapping={"event": "type", "number": "order", "track": "shipment.track"})
    body = written({"event": "order.shipped", "number": NUMBER, "track": "RU1"})
    (message,) = messages(body, settings)
    async with publishing(amqp_url) as publisher:
        door = Door(publisher)
        await door.submit([message], "http")
        async with consuming(amqp_url, log, Intake(log, settings).take):
            (event,) = await recorded(log, 1)
    assert (event.order, event.type, msgspec.json.decode(event.data)) == (ORDER, "order.shipped", {"track": "RU1"})


async def test_from_1c_over_the_broker(rabbit: Rabbit, log: Log, amqp_url: str) -> None:
    """As RDV-MI publishes: its object's name is the routing key, its event's id the app_id; nothing else is said."""
    await rabbit.declare()
    await rabbit.publish("ЗаказКлиента", RDV, message_id="m1", app_id="ev1")
    async with consuming(amqp_url, log, Intake(log, base()).take):
        events = await recorded(log, len(FOLLOWS))
    assert [(e.order, e.type, e.source) for e in events] == [(*one, "1c/trade") for one in FOLLOWS]
