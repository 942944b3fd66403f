"""With a broker documents go through it, and mean the same when they come out."""

from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from events.log import Log
from service import tokens
from service.hub import Hub, Storage
from service.intake import Intake
from service.leases import Leases
from service.settings import parse
from service.web.server import application
from service.work import Work
from tests.exchange.conftest import CONFIG, Shop
from tests.exchange.onec import OneC
from tests.onec.broker import Rabbit, consuming, publishing, until
from tests.onec.commerceml.making import document, file

ORDER = "ym-msk/48123456"
SHIPPED = {"Проведен": "true", "Номер отгрузки по 1С": "О-1"}


@pytest.mark.parametrize("formed", ["2026-11-21T10:00:00", "2026-11-21"])
async def test_through_the_broker(shop: Shop, rabbit: Rabbit, amqp_url: str, tmp_path: Path, formed: str) -> None:
    """A number alone is the order's that was found for it; a repeat is the same message; a shipment within is one."""
    await shop.order(ORDER)
    within = document("s-1", {"Проведен": "true"}, operation="Отпуск товара", tag="ПодчиненныйДокумент")
    order = document("48123456", {"Проведен": "true"}, more=f"<ПодчиненныеДокументы>{within}</ПодчиненныеДокументы>")
    settings = parse(CONFIG, tmp_path)
    log = Log(shop.pool, b"key")
    async with publishing(amqp_url) as publisher:
        hub = Hub(settings, publisher=publisher)
        hub.storage = Storage(shop.pool, log, Work(shop.pool, hub.owner), Leases(shop.pool, hub.owner))
        hub.door.intake = Intake(log, settings)
        async with TestClient(TestServer(application(hub))) as client:
            base = OneC(client, await tokens.add(shop.pool, "ut", "onec", "ut11"))
            await base.begin()
            for _ in range(2):
                assert await base.send(file(order, formed=formed)) == ["success"]
        async with consuming(amqp_url, log, hub.door.intake.take):

            async def shipped() -> bool:
                return "order.shipped" in await shop.facts(ORDER)

            await until(shipped)
            await rabbit.emptied("okno.in.0")
    assert await shop.facts(ORDER) == ["order.snapshot", "order.confirmed", "order.snapshot", "order.shipped"]
    assert not [e for e in await log.read(0) if e.id_reused]
