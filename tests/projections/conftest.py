"""The hub's own pool and log on a database of the test's own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from events.log import Log
from service.database import Pool, open_pool


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections with the hub's rights and no more."""
    opened = await open_pool(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def log(pool: Pool) -> Log:
    """The log."""
    return Log(pool, b"key of bodies")
