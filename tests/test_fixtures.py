"""What every test stands on holds: databases and virtual hosts are empty, and answers come without a network."""

import aio_pika
import aiohttp
import asyncpg
import pytest
from aioresponses import aioresponses


@pytest.mark.parametrize("turn", [1, 2])
async def test_a_database_is_migrated_and_empty(database_url: str, turn: int) -> None:
    """What one test wrote, the next does not see."""
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM okno.migrations") > 0
    await connection.execute("CREATE TABLE left_behind ()")
    await connection.close()


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
