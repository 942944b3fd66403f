"""A shop on the sandbox's Market over real HTTP and a real Postgres, with life's pauses made short."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import TypeAlias

import pytest
from aiohttp.test_utils import TestServer

from service import backoff, decisions, dispatcher, http_client, sending
from service.marketplaces.yandex.sandbox import Faults, Market, application
from tests.dispatch.shop import Shop, opened

DBS = 101


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of the same shape, a hundred times shorter."""
    monkeypatch.setattr(backoff, "SCHEDULE", (0.05, 0.1, 0.2))
    monkeypatch.setattr(backoff, "BREAKER_SECONDS", (0.3, 0.5))
    monkeypatch.setattr(decisions, "UNSEEN", timedelta(seconds=0.4))
    monkeypatch.setattr(decisions, "UNSEEN_LOOK", timedelta(seconds=0.05))
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(http_client, "LIMIT_PAUSE", 0.1)
    monkeypatch.setattr(sending, "LIMIT_PAUSE", timedelta(seconds=0.1))


@pytest.fixture
def market() -> Market:
    return Market({DBS: "dbs"}, pace=timedelta(hours=1), faults=Faults(hang=1.0))


@pytest.fixture
async def url(market: Market) -> AsyncIterator[str]:
    async with TestServer(application(market)) as server:
        yield str(server.make_url("")).rstrip("/")


Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Shop]]


@pytest.fixture
def open_shop(database_url: str, market: Market, url: str) -> Open:
    """Opens the shop with settings of the test's own."""
    return lambda **settings: opened(database_url, market, DBS, settings.pop("url", url), **settings)


@pytest.fixture
async def shop(open_shop: Open) -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop
