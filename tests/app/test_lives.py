"""Hubs note when they are at work, and while a marketplace lets nothing be told to it; reports read it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from service import http_client, lives, settings
from service.audit.around import around, gaps
from service.database import Pool, open_reader
from service.http_client import ChannelClient
from service.lives import Lives
from service.marketplaces.port import Call, CallFailed
from tests.dispatch.shop import until

ALL = frozenset(("intake", "react", "dispatch", "poll", "web"))
CALL = Call("PUT", "/v2/campaigns/1/orders/5/status", resource="orders/status", body={"order": {}}, changes=True)
LONG = timedelta(days=1)


async def aged(url: str, minutes: float) -> None:
    """All that was noted is so much older now."""
    owner = await asyncpg.connect(url)
    for table in ("runs", "outages"):
        shift = f"started_at = started_at - $1::interval, seen_at = seen_at - $1::interval"  # noqa: F541  # one text
        await owner.execute(f"UPDATE okno.{table} SET {shift}", timedelta(minutes=minutes))  # ours
    await owner.close()


async def test_a_process_that_beats_is_one_life(pool: Pool) -> None:
    """Beats renew one row; two processes have one each."""
    now = datetime.now(UTC)
    one, other = Lives(pool, "one", ALL, {}), Lives(pool, "other", frozenset(["web"]), {})
    for _ in range(3):
        await one.note()
    await other.note()
    rows = await pool.fetch("SELECT owner, roles, started_at < seen_at AS beaten FROM okno.runs ORDER BY owner")
    assert [tuple(row) for row in rows] == [("one", sorted(ALL), True), ("other", ["web"], False)]
    found = await around(pool, "ym/1", now - LONG, now + LONG, trying=False)
    assert gaps(found, ["dispatch"], datetime.now(UTC)) == []


async def test_between_two_lives_no_hub_was_at_work(pool: Pool, database_url: str) -> None:
    """A process that died half an hour ago, and one that began now: the gap between them, as the auditor reads it."""
    await Lives(pool, "dead", ALL, {}).note()
    await aged(database_url, 30)
    await Lives(pool, "heir", ALL, {}).note()
    now = datetime.now(UTC)
    reader = await open_reader(database_url)
    found = await around(reader, "ym/1", now - LONG, now, trying=True)
    await reader.close()
    ((since, back),) = gaps(found, ["dispatch"], now)
    assert timedelta(minutes=29) < back - since < timedelta(minutes=31)
    assert now - back < timedelta(minutes=1)


async def test_a_process_that_could_not_note_itself_was_not_there(pool: Pool, database_url: str) -> None:
    """One that slept, or could not reach Postgres, begins a new row: its gap shows as that of a dead one."""
    sleeper = Lives(pool, "sleeper", ALL, {})
    await sleeper.note()
    await aged(database_url, 20)
    await sleeper.note()
    now = datetime.now(UTC)
    assert len(gaps(await around(pool, "ym/1", now - LONG, now, trying=False), ["react"], now)) == 1


async def test_the_last_word_is_noted_at_the_end(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that is stopped notes its end to the second, however seldom it beats."""
    monkeypatch.setattr(lives, "BEAT_SECONDS", 3600.0)
    running = asyncio.create_task(Lives(pool, "one", ALL, {}).run())
    await until(lambda: pool.fetchval("SELECT count(*) FROM okno.runs"))
    await asyncio.sleep(0.3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await pool.fetchval("SELECT seen_at - started_at FROM okno.runs") > timedelta(seconds=0.25)


async def test_an_outage_is_noted_from_its_first_failure(pool: Pool) -> None:
    """Nobody listens: the circuit opens, and the channel is out since the first call that failed."""
    table = {"kind": "yandex", "model": "dbs", "base_url": "http://127.0.0.1:9", "business_id": 1, "campaign_id": 1,
             "api_key": "key"}  # fmt: skip
    marketplace = settings.parse({"channels": {"ym": table}}, Path()).channels["ym"].marketplace
    async with http_client.sessions() as sessions:
        client = ChannelClient(sessions, marketplace)
        noted = Lives(pool, "one", ALL, {"ym": client})
        assert client.outage() is None
        began = datetime.now(UTC)
        while client.circuit.until is None:
            with pytest.raises(CallFailed):
                await client.send(CALL)
            await noted.note()
            await asyncio.sleep(0.05)
        await noted.note()
        await asyncio.sleep(0.2)
        await noted.note()
    now = datetime.now(UTC)
    (outage,) = (await around(pool, "ym/1", began - LONG, now, trying=False)).outages
    assert abs(outage.since - began) < timedelta(seconds=0.5)
    assert outage.until - outage.since > timedelta(seconds=0.2)
    assert "127.0.0.1" in outage.reason
    assert (await around(pool, "ozon/1", began - LONG, now, trying=False)).outages == ()


async def test_before_lives_were_noted_nothing_is_said(pool: Pool) -> None:
    """An older history has no gaps."""
    now = datetime.now(UTC)
    assert gaps(await around(pool, "ym/1", now - LONG, now, trying=False), ["web"], now) == []


async def test_a_hub_that_stands_still_now_shows(pool: Pool, database_url: str) -> None:
    """The last life ended ten minutes ago: since then no hub is at work."""
    await Lives(pool, "dead", ALL, {}).note()
    await aged(database_url, 10)
    now = datetime.now(UTC)
    ((_, back),) = gaps(await around(pool, "ym/1", now - LONG, now, trying=False), ["web"], now)
    assert back == now
