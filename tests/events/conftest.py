"""The database as its owner has it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio


@pytest_asyncio.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the database's owner, who is a superuser here."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()
