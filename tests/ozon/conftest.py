"""A hub for one posting of the sandbox, over real HTTP."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from service.marketplaces.ozon.sandbox import Posting
from tests.acceptance.spec import Spec
from tests.ozon.hub import Hub, official
from tests.ozon.sandboxed import Seller, sandboxed

MakeHub = Callable[[Seller, Posting], Hub]


@pytest.fixture
async def sellers() -> AsyncIterator[tuple[Seller, Seller]]:
    async with sandboxed() as made:
        yield made


@pytest.fixture
def rfbs(sellers: tuple[Seller, Seller]) -> Seller:
    return sellers[0]


@pytest.fixture
def fbs(sellers: tuple[Seller, Seller]) -> Seller:
    return sellers[1]


@pytest.fixture(scope="session")
def spec() -> Spec | None:
    """The official OpenAPI; without it calls are not held against it, and one test says so."""
    return official()


@pytest.fixture
def hub(spec: Spec | None) -> Iterator[MakeHub]:
    """Makes hubs; every call they make is held against the official OpenAPI."""
    made: list[Hub] = []

    def make(seller: Seller, posting: Posting) -> Hub:
        made.append(Hub(seller, posting, spec))
        return made[-1]

    yield make
    assert [fault for one in made for fault in one.faults] == []
