"""A database whose owner is no superuser and may not create roles, as hosted ones are."""

import secrets
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from events.log import Log
from service.database import open_pool
from tests.events.said import new
from tests.servers import BODY_KEY, Databases


@pytest_asyncio.fixture
async def hosted_url(postgres_url: str) -> AsyncIterator[str]:
    """An empty database of an ordinary user's own."""
    name, password = f"okno_owner_{secrets.token_hex(4)}", secrets.token_hex(8)
    admin = await asyncpg.connect(postgres_url)
    try:
        await admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        await admin.execute(f"CREATE DATABASE {name} OWNER {name}")
        parts = urlsplit(postgres_url)
        place = parts.netloc.rpartition("@")[2]
        query = f"?{parts.query}" if parts.query else ""
        yield f"{parts.scheme}://{name}:{password}@{place}/{name}{query}"
        await Databases(postgres_url).drop(urlunsplit(parts._replace(path=f"/{name}")))
        await admin.execute(f"DROP ROLE {name}")
    finally:
        await admin.close()


async def test_an_ordinary_owner_can_keep_a_log(hosted_url: str) -> None:
    """The schema is made, appends work, and the trigger refuses everything else, even to the owner."""
    pool = await open_pool(hosted_url, size=2)
    try:
        log = Log(pool, BODY_KEY)
        assert [one.position for one in await log.append([new(1), new(2)])] == [1, 2]
        for statement in ("DELETE FROM okno.events", "UPDATE okno.events SET data = ''", "TRUNCATE okno.events"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pool.execute(statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute("INSERT INTO okno.events SELECT * FROM okno.events")
    finally:
        await pool.close()
