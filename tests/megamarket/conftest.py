"""A sandbox over real HTTP, and hubs for its orders."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from tests.megamarket.hub import Hub
from tests.megamarket.sandbox_shop import Seller, quiet, serving

Hubs: TypeAlias = Callable[..., Awaitable[Hub]]


@pytest.fixture
async def shop() -> AsyncIterator[Seller]:
    """Whoever sells on the sandbox."""
    async with serving(quiet()) as found:
        yield found


@pytest.fixture
def hub(shop: Seller) -> Hubs:
    """A hub that has seen a new order of some tyres: `await hub("dbs", 3, delivery=True)`."""

    async def make(model: str, count: int = 1, **more: Any) -> Hub:
        found = Hub(shop, shop.place(model, count, **more))
        await found.see()
        return found

    return make
