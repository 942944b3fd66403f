"""The hub's connections to Postgres."""

import asyncio

import asyncpg
import pytest

from service.database import open_pool
from tests.servers import Databases


async def test_who_waits_for_postgres_says_so_and_nobody_else(
    databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that is lost and can't be made again fills no log by itself, least of all with traces."""
    url = await databases.create()
    pool = await open_pool(url)
    assert await pool.fetchval("SELECT 1") == 1
    await databases.drop(url)
    async with asyncio.timeout(10):
        while pool.get_size():  # noqa: ASYNC110  # it notices by itself
            await asyncio.sleep(0.01)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await pool.fetchval("SELECT 1")
    await asyncio.sleep(0.2)
    assert [record.message for record in caplog.records] == []
    await pool.close()
