"""The whole way, with processes: orders run through, a dump in the middle, a restore, and the same hub goes on."""

import asyncio
import json
import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from service import tokens
from service.marketplaces.yandex.sandbox import Market, Order, application
from tests.app.test_run import Running
from tests.backups import dump, restore
from tests.dispatch.shop import until
from tests.servers import Databases, opened

DBS = 101
STAGES = {"order.shipped": "DELIVERY", "order.delivered": "DELIVERED"}


@pytest.fixture
def market() -> Market:
    return Market({DBS: "dbs"}, pace=timedelta(hours=1))


@pytest.fixture
async def address(market: Market) -> AsyncIterator[str]:
    async with TestServer(application(market)) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.fixture
def hubs() -> Iterator[list[Running]]:
    """Hubs that are ended when the test ends."""
    found: list[Running] = []
    yield found
    for one in found:
        one.process.kill()
        one.process.wait()
        assert one.process.stdout is not None
        one.process.stdout.close()


class Place:
    """1C, a sandbox's shop, and a hub between them that may be started on another database."""

    def __init__(self, market: Market, address: str, folder: Path, hubs: list[Running]) -> None:
        self.market, self.folder, self._address, self._hubs = market, folder, address, hubs
        self._hub, self._token = "", ""
        self.said: list[tuple[Order, str]] = []

    async def start(self, url: str) -> None:
        """A hub on this database, with the data folder it always had."""
        options = "\n".join(f"{k} = {json.dumps(v)}" for k, v in self.market.options(DBS).items())
        config = self.folder / "okno.toml"
        config.write_text(f"""
data_dir = "{self.folder}/var"
[postgres]
url = "{url}"
[http]
port = 0
[channels.ym]
kind = "yandex"
model = "dbs"
base_url = "{self._address}"
poll_seconds = 1
{options}
""")
        async with opened(url) as pool:
            self._token = await tokens.add(pool, "ut", "onec")
        self._hubs.append(Running("run", "--config", str(config)))
        self._hub = await asyncio.to_thread(self._hubs[-1].address)

    def kill(self) -> None:
        """Ends the hub as a power cut would."""
        self._hubs[-1].end(signal.SIGKILL)

    async def mark(self, order: Order, kind: str, *, again: bool = False) -> None:
        """1C marks something; what it said stays in its own outbox."""
        if not again:
            self.said.append((order, kind))
        mark = {
            "specversion": "1.0", "id": f"{order.number}/{kind}", "source": "1c/ut11", "type": kind,
            "subject": f"ym/{order.number}", "data": {"track": "T-1"} if kind == "order.shipped" else {},
        }  # fmt: skip
        status, told = await self.call("/v1/events", json.dumps(mark).encode())
        assert status == 202, told

    async def call(self, path: str, body: bytes | None = None) -> tuple[int, Any]:
        """A call of 1C's."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._hub + path, body, headers)

        def made() -> tuple[int, Any]:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as refused:
                with refused:
                    return refused.code, json.load(refused)

        return await asyncio.to_thread(made)

    async def outbox(self, cursor: str = "") -> tuple[list[dict[str, Any]], str]:
        """Everything 1C is told behind a cursor, and the next cursor."""
        status, page = await self.call(f"/v1/outbox?limit=500&after={cursor}")
        assert status == 200, page
        return page["items"], page["cursor"]

    def told(self, order: Order, kind: str) -> Callable[[], Awaitable[bool]]:
        """Whether Market did what a mark asks for."""

        async def there() -> bool:
            return order.status.startswith(STAGES[kind])

        return there

    async def carried(self, order: Order, kind: str) -> None:
        """1C marks something, and Market does it."""
        await self.mark(order, kind)
        await until(self.told(order, kind), seconds=90)

    def calls(self) -> list[tuple[str, Any]]:
        """The changing calls Market had."""
        return [(entry.path, entry.body) for entry in self.market.journal if entry.changes]


@pytest.mark.long
async def test_a_restored_log_tells_nothing_twice(
    market: Market, address: str, databases: Databases, database_url: str, tmp_path: Path, hubs: list[Running]
) -> None:
    """1C says all of it again; Market hears only what is new, and 1C knows what it was told by its ids."""
    place = Place(market, address, tmp_path, hubs)
    await place.start(database_url)
    early, late = (market.place(DBS, pickup=False, marked=False) for _ in range(2))
    await place.carried(early, "order.shipped")
    await dump(database_url, tmp_path / "okno.dump")
    new = market.place(DBS, pickup=False, marked=False)
    await place.carried(late, "order.shipped")
    await place.carried(early, "order.delivered")
    await place.carried(new, "order.shipped")
    await until(lambda: tracked(place, 3), seconds=90)
    await asyncio.sleep(4)  # the witness is as old as three seconds
    before, cursor = await place.outbox()
    place.kill()
    calls = place.calls()
    url = await databases.empty()
    await restore(tmp_path / "okno.dump", url)
    await place.start(url)
    for order, kind in place.said:
        await place.mark(order, kind, again=True)
    await place.carried(late, "order.delivered")
    await until(lambda: quiet(url), seconds=90)
    assert [body["order"]["status"] for _, body in place.calls()[len(calls) :]] == ["DELIVERED"]
    status, way_on = await place.call(f"/v1/outbox?after={cursor}")
    assert status == 410
    after, _ = await place.outbox(way_on["cursor"])
    [placed] = [m for m in after if m["type"] == "order.placed" and m["subject"] == f"ym/{new.number}"]
    assert placed["id"] in {message["id"] for message in before}
    newest = {message["subject"]: message["version"] for message in before}
    assert all(message["version"] > newest.get(message["subject"], 0) for message in after)


async def tracked(place: Place, orders: int) -> bool:
    """Whether so many orders have their track numbers: the last thing a shipment tells."""
    return sum("T-1" in json.dumps(body, default=str) for _, body in place.calls()) >= orders


async def quiet(url: str) -> bool:
    """Whether nothing waits for Market, and nothing is left to react to."""
    async with opened(url) as pool:
        return not await pool.fetchval(
            """SELECT (SELECT count(*) FROM okno.dispatch WHERE target = 'ym')
               + (SELECT h.position - p.position FROM okno.head h, okno.progress p WHERE p.name = 'reactor')"""
        )
