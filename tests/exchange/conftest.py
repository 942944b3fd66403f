"""A hub that serves two channels and knows two bases, with a reactor stepped by hand."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest_asyncio

from events.order import facts as f
from service import tokens
from service.plans import plan_of
from service.reactor import Reactor
from tests.exchange.onec import OneC
from tests.onec.broker import Rabbit
from tests.web.served import CHANNEL, Served, served
from tests.web.shop import Shop as Facts

CONFIG: dict[str, Any] = {
    "timezone": "Europe/Samara",
    "onec": {
        "sources": {
            "ut11": {},
            "unf": {"timezone": "Asia/Yekaterinburg", "exchange": {"encoding": "windows-1251", "version": "2.09"}},
            "perm": {"tells": ["ym-spb"]},
        }
    },
    "channels": {"ym-msk": CHANNEL, "ym-spb": {**CHANNEL, "campaign_id": 3}},
}
PLACED = datetime.now(UTC) - timedelta(hours=2)
LINES = (
    f.Line(sku="BOSCH-WAN24260OE", quantity=1, name="Стиральная машина «Bosch» ❄", price=Decimal("38990.00")),
    f.Line(sku="CABLE-1M", quantity=2, name="Кабель", price=Decimal("290.00")),
)
PEOPLE = {
    "customer": {"name": "Тест Тестович", "phone": "+70000000001"},
    "address": "Москва, ул. Примерная, д. 1", "comment": "Домофон 12\x0bК",
}  # fmt: skip


class Shop(Facts):
    """Buyers place orders, the reactor decides what 1C is told, 1C asks for it."""

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        settings, storage = served.hub.settings, served.storage
        self.settings, self.door = settings, served.hub.door
        plans = {name: plan_of(channel) for name, channel in settings.channels.items()}
        applied = {name: channel.marketplace.applied_seconds for name, channel in settings.channels.items()}
        self.given: dict[str, str] = {}
        self.reactor = Reactor(storage.log, storage.pool, storage.work, plans, storage.leases, applied, {})

    async def order(self, key: str, **fields: Any) -> str:
        """A buyer's order, as the marketplace shows it and 1C is to be told of it."""
        told = {"lines": LINES, "total": Decimal("39570.00"), "currency": "RUB", "placed_at": PLACED, **fields}
        people = told.pop("people", PEOPLE)
        fact = f.Placed(number=key.partition("/")[2], **told)
        await self.say(key, "order.placed", fact, f"channel/{key.partition('/')[0]}", personal=people)
        await self.react()
        return key

    async def seen(self, key: str, type: str, fact: f.Fact) -> None:
        """Something else a marketplace says of an order."""
        await self.say(key, type, fact, f"channel/{key.partition('/')[0]}")
        await self.react()

    async def react(self) -> None:
        """The reactor looks at everything new."""
        while await self.reactor.step():
            pass

    async def base(self, name: str = "ut11", address: str = "/exchange/1c/ym-msk", version: str | None = None) -> OneC:
        """A base of 1C with a token of its own."""
        if name not in self.given:
            self.given[name] = await tokens.add(self.pool, f"exchange-{name}", "onec", name)
        return OneC(self.client, self.given[name], address, version)

    async def facts(self, order: str, source: str = "1c/ut11") -> list[str]:
        """The types of what a base said of an order, in turn."""
        return [e.type for e in (await self.log.histories([order]))[order] if e.source == source]


@pytest_asyncio.fixture
async def rabbit(amqp_url: str) -> AsyncIterator[Rabbit]:
    async with Rabbit.at(amqp_url) as rabbit:
        yield rabbit


@pytest_asyncio.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with served(database_url, tmp_path, CONFIG) as made:
        yield Shop(made)
