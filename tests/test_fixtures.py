"""What every test stands on holds: databases and virtual hosts are empty, and answers come without a network."""

import aio_pika
import aiohttp
import asyncpg
import pytest
from aioresponses import aioresponses

from events.log import Log
from tests.projections.shop import orders, placed
from tests.servers import BODY_KEY, Databases, opened, project


@pytest.mark.parametrize("turn", [1, 2])
async def test_a_database_is_migrated_and_empty(database_url: str, turn: int) -> None:
    """What one test wrote, the next does not see."""
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM okno.migrations") > 0
    await connection.execute("CREATE TABLE left_behind ()")
    await connection.close()


async def contents(url: str) -> dict[str, list[str]]:
    """The rows of every table."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch("SELECT format('okno.%I', tablename) FROM pg_tables WHERE schemaname = 'okno'")
        return {
            name: [row[0] for row in await connection.fetch(f"SELECT to_jsonb(t)::text FROM {name} t ORDER BY 1")]
            for (name,) in tables
        }
    finally:
        await connection.close()


@pytest.mark.parametrize("written", [3, 300])
async def test_a_database_handed_back_is_as_new(databases: Databases, written: int) -> None:
    """Few rows or many, the log's own included, are gone, and the log begins anew; who was still connected is not."""
    url = await databases.lend()
    left = await asyncpg.connect(url)
    async with opened(url) as pool:
        log = Log(pool, BODY_KEY)
        await log.append([placed(key) for key in orders(written)])
        await project(pool, log)
    await databases.take_back(url)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await left.fetch("SELECT 1")
    again, new = await databases.lend(), await databases.create()
    assert await contents(again) == await contents(new)
    async with opened(again) as pool:
        (appended,) = await Log(pool, BODY_KEY).append([placed("shop/1")])
        assert (appended.position, appended.version) == (1, 1)
    await databases.take_back(again)
    await databases.drop(new)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE okno.orders ADD COLUMN colour text",
        "ALTER TABLE okno.events DISABLE TRIGGER ALL",
        "ALTER TABLE okno.orders ALTER COLUMN stage DROP NOT NULL",
        "DROP INDEX okno.events_commands",
        "ALTER FUNCTION okno.add_part() SET work_mem = '8MB'",
        "REVOKE SELECT ON okno.orders FROM okno_hub",
        "ALTER TABLE okno.orders RENAME TO old_orders; CREATE TABLE okno.orders (LIKE okno.old_orders INCLUDING ALL)",
        "CREATE SCHEMA left_behind",
        "ANALYZE okno.orders",
    ],
)
async def test_a_database_of_another_shape_is_not_lent_again(databases: Databases, change: str) -> None:
    """What a test did to the schema, or to what Postgres knows of it, no other test meets."""
    url = await databases.lend()
    connection = await asyncpg.connect(url)
    await connection.execute(change)
    await connection.close()
    await databases.take_back(url)
    other = await databases.lend()
    assert other != url
    await databases.take_back(other)


@pytest.mark.parametrize("turn", [1, 2])
async def test_a_virtual_host_is_empty(amqp_url: str, turn: int) -> None:
    """A queue declared by one test is not there in the next."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await channel.declare_queue("okno.in.0", passive=True)
        channel = await connection.channel()
        await channel.declare_queue("okno.in.0", durable=True)


async def test_answers_come_without_a_network(http_mock: aioresponses) -> None:
    """A request is answered with what the test said."""
    http_mock.post("https://market.example/v2/orders", payload={"status": "OK"}, headers={"x-left": "9"})
    async with (
        aiohttp.ClientSession() as session,
        session.post("https://market.example/v2/orders", json={}) as response,
    ):
        assert (response.status, response.headers["x-left"]) == (200, "9")
        assert await response.json() == {"status": "OK"}
