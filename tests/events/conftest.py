"""A migrated, empty log in a real Postgres, as the hub has it and as its owner does."""

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from events.log import Log
from service.database import Pool, open_pool
from tests.events.said import BODY_KEY


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections with the hub's rights."""
    opened = await open_pool(database_url, size=12)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def log(pool: Pool) -> Log:
    """The log as the hub uses it."""
    return Log(pool, BODY_KEY)


@pytest_asyncio.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the database's owner, who is a superuser here."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()
