"""The server under test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.web.served import CHANNEL, Served, served


@pytest_asyncio.fixture
async def web(database_url: str, tmp_path: Path) -> AsyncIterator[Served]:
    """A hub's web server with one channel, `ym-msk`, and no broker."""
    async with served(database_url, tmp_path, {"channels": {"ym-msk": CHANNEL}}) as made:
        yield made
