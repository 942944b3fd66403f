"""A base of УТ 11 in memory and a hub for it to talk to over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from service import tokens
from tests.onec.kit.base import Base
from tests.onec.kit.making import made
from tests.web.served import CHANNEL, Served, served
from tests.web.shop import Shop


@pytest_asyncio.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    """A hub's web server, and facts to fill it with."""
    config = {"channels": {"ym-msk": CHANNEL}, "onec": {"sources": {"ut11": {}}}}
    async with served(database_url, tmp_path, config) as made:
        yield Shop(made)


class Talking:
    """A base set up to talk to a hub. 1C waits for answers, so it works in a thread."""

    def __init__(self, base: Base, served: Served) -> None:
        self.base, self.served = base, served

    async def send(self) -> None:
        """The job ОкноОтправка."""
        await asyncio.to_thread(self.base.call, "ОкноОтправка", "Отправить")

    async def receive(self) -> None:
        """The job ОкноПолучение."""
        await asyncio.to_thread(self.base.call, "ОкноПолучение", "Получить")

    def set(self, name: str, value: str) -> None:
        """Changes a setting."""
        self.base.call("ОкноПараметры", "Установить", name, value)


@pytest.fixture
async def talking(shop: Shop) -> Talking:
    """УТ 11 with an address and a token."""
    talking = Talking(made(), shop.served)
    talking.set("Адрес", str(shop.client.make_url("/")))
    talking.set("Токен", await tokens.add(shop.pool, "ut11", "onec", "ut11"))
    return talking
