"""A sandbox over real HTTP."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from service.marketplaces.yandex.sandbox import Market, application
from tests.acceptance.spec import Spec
from tests.yandex.hub import Hub

DBS, FBS, EXPRESS = 101, 102, 103


@pytest.fixture
def market() -> Market:
    return Market({DBS: "dbs", FBS: "fbs", EXPRESS: "express"}, pace=timedelta(seconds=0.05))


@pytest.fixture
async def url(market: Market) -> AsyncIterator[str]:
    async with TestServer(application(market)) as server:
        yield str(server.make_url("")).rstrip("/")


class CutOffError(aiohttp.ClientError):
    """The connection was cut before the answer."""


async def once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from sending a PUT again by itself when the connection is cut, as it does with some methods."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise CutOffError(str(error)) from error


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(middlewares=[once]) as session:
        yield session


@pytest.fixture(scope="session")
def official() -> Spec | None:
    """The official OpenAPI, where it lies beside the checkout."""
    return Spec.load()


@pytest.fixture
def spec(official: Spec | None) -> Spec:
    """The same for tests that can't do without: they say so."""
    if official is None:
        pytest.skip("no official OpenAPI of Yandex Market in ../shared/specs: requests are NOT checked")
    return official


@pytest.fixture
def hub(
    market: Market, url: str, session: aiohttp.ClientSession, official: Spec | None
) -> Iterator[Callable[[int], Hub]]:
    """A hub for one order of a shop; every call and every good answer is held against the official OpenAPI."""
    made: list[Hub] = []

    def make(campaign: int) -> Hub:
        made.append(Hub(market, campaign, url, session, official))
        return made[-1]

    yield make
    assert [fault for one in made for fault in one.faults] == []
