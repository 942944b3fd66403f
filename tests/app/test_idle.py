"""A hub with many channels and nothing to do asks Postgres no more than one with a single channel."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from asyncpg.connection import LoggedQuery

from events.log import Log
from service import due_reads, http_client, reader, settings
from service.door import Door
from service.http_client import ChannelClient
from service.leases import Leases
from service.reader import Reader
from service.work import Work
from tests.servers import BODY_KEY

CHANNELS = [f"ym-{number}" for number in range(5)]
LOOKS = 8


async def test_channels_look_for_their_reads_together(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One statement asks for all channels of a process, however they were begun."""
    monkeypatch.setattr(reader, "POLL_SECONDS", 0.1)
    table = {"kind": "yandex", "model": "dbs", "business_id": 1, "campaign_id": 1, "api_key": "key"}
    channels = settings.parse({"channels": dict.fromkeys(CHANNELS, table)}, Path()).channels
    looked: list[int] = []

    def note(query: LoggedQuery) -> None:
        if query.query == due_reads.DUE_READS:
            looked.append(len(query.args[0]))

    async def connected(connection: asyncpg.Connection) -> None:
        connection.add_query_logger(note)

    pools = asyncpg.create_pool(database_url, min_size=1, init=connected)
    async with pools as pool, http_client.sessions() as sessions:
        log, work, leases = Log(pool, BODY_KEY), Work(pool, "idle"), Leases(pool, "idle")
        readers = [
            Reader(one, log, work, ChannelClient(sessions, one.marketplace), Door(None), leases)
            for one in channels.values()
        ]
        running = []
        for one in readers:
            running.append(asyncio.create_task(one.run(asyncio.Event())))
            await asyncio.sleep(0.03)
        async with asyncio.timeout(30):
            while len(looked) < 2 * LOOKS:  # noqa: ASYNC110  # statements are told of in passing
                await asyncio.sleep(0.05)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    assert sum(count == len(CHANNELS) for count in looked[-LOOKS:]) >= LOOKS - 2, looked
