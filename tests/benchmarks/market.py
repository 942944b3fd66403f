"""Yandex Market in a process of its own: `python -m tests.benchmarks.market [--light] [--shops N] [--orders N]`.

The sandbox of the marketplace's folder, its limits off; or, `--light`, a server that answers changing calls as the
sandbox does and does nothing else, so that its own cost hides nobody's. Both close each connection behind their answer,
as Market does, and keep when which order was told of: `GET /arrivals`.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import psutil
from aiohttp import web

from service.marketplaces.yandex.sandbox import Market, api

FIRST_SHOP, FIRST_ORDER = 101, 52_700_000_001
KEY = "ACMA:sandbox:key"
BUSINESS, PREFIX = 77001, "/market"

Arrival = tuple[int, float]
"""An order's number, and when a changing call that names it came."""


def shops(many: int) -> dict[str, int]:
    """Channels and their campaigns."""
    return {f"ym-{number}": FIRST_SHOP + number for number in range(many)}


def tables(url: str, many: int, *, parallel: int) -> list[str]:
    """The channels as tables of `okno.toml`; only what the shop says makes them call."""
    return [
        f'[channels.{name}]\nkind = "yandex"\nmodel = "dbs"\nbusiness_id = {BUSINESS}\ncampaign_id = {campaign}\n'
        f'api_key = "{KEY}"\nbase_url = "{url}{PREFIX}"\nparallel = {parallel}\npoll_seconds = 3600\n'
        for name, campaign in shops(many).items()
    ]


@asynccontextmanager
async def running(*words: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    """Starts one with these options; its address and process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.market", *words, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip(), psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()


async def arrivals(url: str) -> list[Arrival]:
    """The calls that came since the last time this was asked."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/arrivals") as answer:
        return [(number, at) for number, at in await answer.json()]


class Light(asyncio.Protocol):
    """One connection."""

    came: list[Arrival] = []  # noqa: RUF012  # of all connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answers once the request is whole."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        if not found or len(body) < int(length or 0):
            return
        answer = self._answer(head.split(b" ", 2)[1].decode(), body)
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close\r\n"
            b"X-RateLimit-Resource-Limit: 1000000\r\nX-RateLimit-Resource-Remaining: 999999\r\n"
            b"X-RateLimit-Resource-Until: Thu, 01 Jan 2099 00:00:00 GMT\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer)
        )
        self._transport.close()

    def _answer(self, path: str, body: bytes) -> bytes:
        now = time.time()
        if path == "/arrivals":
            said, Light.came = json.dumps(Light.came).encode(), []
            return said
        if path.endswith("/status-update"):
            rows = json.loads(body)["orders"]
            Light.came += [(row["id"], now) for row in rows]
            done = [{"updateStatus": "OK", "substatus": "DELIVERY_SERVICE_RECEIVED", **row} for row in rows]
            return json.dumps({"status": "OK", "result": {"orders": done}}).encode()
        Light.came.append((_number(path), now))
        return b'{"status": "OK"}'


class Unlimited(dict[str, int]):
    """Limits nobody reaches."""

    def get(self, key: str, default: Any = None) -> Any:
        """No limit."""
        return 10**9


class Quiet(Market):
    """Nothing happens in it by itself: to look for what might, order by order, took it a third of its time."""

    def work(self, now: datetime) -> None:
        """Nothing."""


def sandbox(many: int, orders: int) -> web.Application:
    """The sandbox with so many open orders in each of its shops."""
    api.PARALLEL = api.HOURLY = Unlimited()
    market = Quiet(dict.fromkeys(shops(many).values(), "dbs"), first=FIRST_ORDER)
    for _ in range(orders):
        for campaign in market.shops:
            market.place(campaign, pickup=False, marked=False).updated -= timedelta(days=1)
    app, inner = web.Application(), api.application(market)

    async def came(_: web.Request) -> web.Response:
        entries, told = [entry for entry in market.journal if entry.changes], list[Arrival]()
        market.journal.clear()
        for entry in entries:
            rows = (entry.body or {}).get("orders") or [{"id": _number(entry.path)}]
            told += [(row["id"], entry.at.timestamp()) for row in rows]
        return web.json_response(told)

    app.router.add_get("/arrivals", came)
    app.add_subapp(PREFIX, inner)
    return app


def _number(path: str) -> int:
    return int(path.partition("/orders/")[2].partition("/")[0])


async def _serve(light: bool, many: int, orders: int) -> None:
    loop = asyncio.get_running_loop()
    if light:
        server = await loop.create_server(Light, "127.0.0.1", 0, backlog=1024)
        port = server.sockets[0].getsockname()[1]
    else:
        runner = web.AppRunner(sandbox(many, orders), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
    sys.stdout.write(f"http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main(words: Sequence[str] | None = None) -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--light", action="store_true")
    parser.add_argument("--shops", type=int, default=1)
    parser.add_argument("--orders", type=int, default=0, help="of each shop, placed at the start")
    given = parser.parse_args(words)
    asyncio.run(_serve(given.light, given.shops, given.orders))


if __name__ == "__main__":
    main()
