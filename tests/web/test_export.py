"""Exports over HTTP: the same files, streamed to who may read them."""

import asyncio
import io
import json
from collections.abc import AsyncIterator

import aiohttp
import pyarrow.parquet as pq
import pytest

from service.exports import events
from service.exports.events import Events
from tests.exports.planted import HARD, exported, plant
from tests.web.served import Served

MEDIA = {"jsonl": "application/x-ndjson", "csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


@pytest.mark.parametrize("form", MEDIA)
@pytest.mark.parametrize("what", ["events", "orders"])
async def test_it_is_the_same_file(web: Served, what: str, form: str) -> None:
    """As `okno export` writes it, under a name of its own; nobody keeps it on the way."""
    await plant(web.storage.log)
    await web.project()
    query = {"format": form, "channel": "ym-msk", "personal": "1"}
    async with web.client.get(f"/v1/export/{what}", params=query, headers=await web.headers("auditor")) as answer:
        body = await answer.read()
        assert (answer.status, answer.content_type) == (200, MEDIA[form])
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{what}.{form}"'
        assert answer.headers["Cache-Control"] == "no-store"
    if form == "parquet":
        assert len(pq.read_table(io.BytesIO(body))) == (3 + len(HARD) if what == "events" else 2)
    else:
        here = await exported(web.storage.pool, what=what, format=form, channel="ym-msk", personal=True)
        assert body.replace(b'"model":"dbs"', b"") == here.replace(b'"model":"dbs"', b"")


async def test_only_readers(web: Served) -> None:
    """Auditors, operators and the admin; 1C has the outbox."""
    for role, status in (("auditor", 200), ("operator", 200), ("admin", 200), ("onec", 403)):
        async with web.client.get("/v1/export/events", headers=await web.headers(role)) as answer:
            assert answer.status == status
    async with web.client.head("/v1/export/events", headers=await web.headers("auditor")) as answer:
        assert (answer.status, await answer.read()) == (200, b"")


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("tokens", {}, 404), ("events", {"format": "xml"}, 400), ("events", {"since": "yesterday"}, 400),
        ("events", {"since": "2026-01-01T00:00:00"}, 400), ("events", {"personal": "yes"}, 400),
        ("events", {"order": "ym-msk/99"}, 404), ("orders", {"channel": "ym"}, 404),
    ],
)  # fmt: skip
async def test_slips_are_answered(web: Served, path: str, query: dict[str, str], status: int) -> None:
    """With a problem, before anything of a file is sent."""
    found, problem = await web.get(f"/v1/export/{path}", **query)
    assert (found, problem["status"]) == (status, status)


async def test_a_reader_who_goes_away_frees_everything(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection to Postgres is held for one who does not read, nor by the next piece for one who has gone."""
    monkeypatch.setattr(events, "PIECE", 1)
    await plant(web.storage.log)
    pool = web.storage.pool
    for _ in range(3):
        answer = await web.client.get("/v1/export/events", headers=await web.headers("auditor"))
        await answer.content.readline()
        answer.close()
    for _ in range(500):
        if pool.get_idle_size() == pool.get_size():
            break
        await asyncio.sleep(0.02)
    assert pool.get_idle_size() == pool.get_size()
    assert len(await _lines(web)) == 5 + len(HARD)


async def _lines(web: Served) -> list[dict[str, object]]:
    async with web.client.get("/v1/export/events", headers=await web.headers("auditor")) as answer:
        return [json.loads(line) for line in (await answer.read()).splitlines()]


async def test_one_that_fails_half_way_is_cut_off(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the reader has must not look whole."""
    monkeypatch.setattr(events, "PIECE", 1)
    await plant(web.storage.log)
    pool = web.storage.pool
    first = asyncio.Event()
    whole = Events.blocks

    async def failing(self: Events) -> AsyncIterator[tuple[bytes, int, int]]:
        async for block in whole(self):
            yield block
            first.set()
            await pool.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(Events, "blocks", failing)
    with pytest.raises(aiohttp.ClientError):
        await _lines(web)
    assert first.is_set()
