"""Whatever is cut off, wherever: 1C asks again, nothing is lost and nothing is there twice."""

import asyncio
import itertools
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from events.log import LogUnavailable
from service import tokens
from service.exchange.files import Files
from service.exchange.sessions import Sessions
from service.exchange.taking import Taking
from service.web.exchange import FILE_LIMIT
from tests.app.test_run import Running, configuration
from tests.exchange.conftest import Shop
from tests.exchange.onec import OneC, at, documents
from tests.onec.commerceml.making import document, file

ORDER = "ym-msk/48123456"
SHIPPED = {"Проведен": "true", "Номер отгрузки по 1С": "О-1"}


def failing_once(act: Callable[..., Any], error: Exception, *, after: bool) -> Callable[..., Any]:
    """The same act, which fails the first time, before or after it was done."""
    failed = False

    async def failing(*arguments: Any, **named: Any) -> Any:
        nonlocal failed
        if failed:
            return await act(*arguments, **named)
        failed = True
        if after:
            await act(*arguments, **named)
        raise error

    return failing


STEPS = ((Taking, "_take"), (Files, "taken"), (Files, "end"), (Files, "add"), (Files, "sound"), (Sessions, "find"))


@pytest.mark.parametrize("version", [None, "2.08"])
async def test_a_file_is_taken_once(shop: Shop, monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    """Postgres goes away before or after any step: `failure`; what 1C then sends in a new session is what is there."""
    base = await shop.base(version=version)
    for number, ((place, name), after) in enumerate(itertools.product(STEPS, (False, True))):
        key, other = await shop.order(f"ym-msk/a{number}"), f"ym-msk/b{number}"
        content = file(document(key, SHIPPED), document(other, SHIPPED))
        await base.begin()
        with monkeypatch.context() as patch:
            patch.setattr(place, name, failing_once(getattr(place, name), LogUnavailable("away"), after=after))
            assert (await base.send(content))[0] == "failure"
            await base.begin()
            assert await base.send(content) == ["success"]
        assert await shop.facts(key) == ["order.snapshot", "order.confirmed", "order.shipped"]
        assert await shop.facts(other) == ["order.snapshot", "order.confirmed", "order.shipped"]


async def test_no_order_is_passed_by(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that breaks anywhere may tell an order twice, and never leaves one out."""
    base = await shop.base()
    for number, (name, after) in enumerate(itertools.product(("cursor", "told", "confirm"), (False, True))):
        key = await shop.order(f"ym-msk/{number}")
        told: list[str | None] = []
        with monkeypatch.context() as patch:
            patch.setattr(Sessions, name, failing_once(getattr(Sessions, name), LogUnavailable("away"), after=after))
            for _ in range(3):
                await base.begin()
                _, body = await base.ask("query")
                if b"failure" not in body:
                    told += [order.findtext("Ид") for order in documents(body)]
                    await base.lines("success")
        assert told in ([key], [key, key])


async def test_a_session_outlives_the_hub(shop: Shop, database_url: str, tmp_path: Path) -> None:
    """Killed in the middle of a file, with orders told and unconfirmed: the next process goes on with the session."""
    await shop.order(ORDER)
    token = await tokens.add(shop.pool, "ut", "onec", "ut11")
    config = configuration(tmp_path, database_url)
    content = file(document(ORDER, SHIPPED))
    async with aiohttp.ClientSession() as client:
        first = await asyncio.to_thread(Running, "run", "--config", str(config))
        base = OneC(at(client, await asyncio.to_thread(first.address)), token, version="2.08")
        await base.begin()
        assert [order.findtext("Ид") for order in await base.orders()] == [ORDER]
        assert await base.lines("file", data=content[:500], filename="a.xml") == ["success"]
        await asyncio.to_thread(first.end, signal.SIGKILL)
        second = await asyncio.to_thread(Running, "run", "--config", str(config))
        try:
            base.client = at(client, await asyncio.to_thread(second.address))
            assert await base.lines("file", data=content[500:], filename="a.xml") == ["success"]
            assert await base.lines("import", filename="a.xml") == ["success"]
            assert await base.lines("import", filename="a.xml") == ["success"]
            await base.confirm()
            assert await base.orders() == []
        finally:
            await asyncio.to_thread(second.end)
            for hub in (first, second):
                assert hub.process.stdout is not None
                hub.process.stdout.close()
    assert (await shop.facts(ORDER)).count("order.shipped") == 1


async def test_an_upload_cut_off_leaves_nothing_of_it(shop: Shop) -> None:
    """A request is kept whole or not at all."""
    base = await shop.base()
    await base.begin()

    async def cut() -> Any:
        yield b"<?xml version='1.0'?>" + b" " * FILE_LIMIT
        raise ConnectionResetError

    headers = {"Cookie": base.cookie or ""}
    query = {"type": "sale", "mode": "file", "filename": "a.xml"}
    with pytest.raises((aiohttp.ClientError, ConnectionResetError)):
        await shop.client.post(base.address, params=query, data=cut(), headers=headers)
    assert await shop.pool.fetchval("SELECT count(*) FROM okno.exchange_pieces") == 0


async def test_after_a_restore_what_was_lost_is_told_again(shop: Shop) -> None:
    """A cursor of the log's former life goes back to where the two lives part."""
    await shop.order(ORDER)
    base = await shop.base()
    await base.begin()
    await base.orders()
    await base.confirm()
    restored = "UPDATE okno.exchange_cursors SET position = position + 100"
    await shop.pool.execute(restored)
    await shop.pool.execute("SELECT okno.restored(1)")
    await shop.order("ym-msk/2")
    assert [order.findtext("Ид") for order in await base.orders()] == ["ym-msk/2"]
