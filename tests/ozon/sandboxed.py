"""A served sandbox, and the owner of one of its cabinets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer

from service.marketplaces.invented import CATALOGUE, MARKED, Goods
from service.marketplaces.ozon.sandbox import Ozon, Posting, application, cabinets, work

PACE = timedelta(hours=1)
"""So slow that nothing happens by itself while a test looks: `settle` and `wait` turn the clock."""
FAST = timedelta(seconds=0.04)
"""Where the clock is to go by itself."""
KETTLE, HOSE = CATALOGUE[5], CATALOGUE[6]
WIDE = {"cutoff_from": "2026-01-01T00:00:00Z", "cutoff_to": "2026-12-31T00:00:00Z"}


@dataclass
class Reply:
    """What came back; `body` is None where there was none."""

    status: int
    body: Any

    @property
    def message(self) -> str:
        """A refusal's words."""
        return str(self.body["message"])


@dataclass
class Seller:
    """Calls as one cabinet. `answers` keeps the good ones, for the official schema to judge."""

    ozon: Ozon
    url: str
    session: aiohttp.ClientSession
    channel: str
    answers: list[tuple[str, Any]] = field(default_factory=list)

    async def __call__(self, path: str, body: Any = None, *, key: str | None = None) -> Reply:
        cabinet = self.ozon.cabinets[self.channel]
        headers = {"Client-Id": cabinet.client_id, "Api-Key": cabinet.api_key if key is None else key}
        async with self.session.post(f"{self.url}{path}", json={} if body is None else body, headers=headers) as answer:
            raw = await answer.read()
            reply = Reply(answer.status, await answer.json() if raw and answer.content_type.endswith("json") else None)
        if reply.status == 200 and reply.body is not None:
            self.answers.append((path, reply.body))
        return reply

    def place(self, *goods: tuple[Goods, int], marked: bool = False) -> Posting:
        """A buyer orders these goods."""
        chosen = list(goods) or [(KETTLE, 2), (HOSE, 1)]
        return self.ozon.place(self.channel, lines=[*chosen, (MARKED, 1)] if marked else chosen)

    async def get(self, posting: Posting) -> Any:
        """What Ozon says of a posting."""
        return (await self("/v3/posting/fbs/get", {"posting_number": posting.number})).body["result"]

    async def ship(self, posting: Posting, packages: list[dict[int, int]] | None = None) -> Reply:
        """Packs it, all in one where nothing else is said."""
        return await self("/v4/posting/fbs/ship", shipment(posting, packages))

    async def step(self, name: str, *postings: Posting | str) -> list[tuple[bool, Any]]:
        """`delivering`, `last-mile` or `delivered`; each posting's result and error."""
        numbers = [one if isinstance(one, str) else one.number for one in postings]
        reply = await self(f"/v2/fbs/posting/{name}", {"posting_number": numbers})
        return [(row["result"], row["error"]) for row in reply.body["result"]]

    async def take(self, posting: Posting, *names: str) -> None:
        """Packs it and moves it on; each step is applied."""
        assert (await self.ship(posting)).status == 200
        self.settle(posting)
        for name in names:
            assert (await self.step(name, posting))[0][0]
            self.settle(posting)

    def settle(self, posting: Posting) -> None:
        """What is accepted of it is applied, what is checked is known."""
        for due in (posting.checking, posting.change.due if posting.change else None):
            if due is not None:
                work(self.ozon, due)

    def wait(self, posting: Posting) -> None:
        """Ozon's own next move, if it has one."""
        work(self.ozon, posting.updated + self.ozon.pace)


def shipment(posting: Posting, packages: list[dict[int, int]] | None = None) -> dict[str, Any]:
    """The body of an assembly."""
    whole = [{line.sku: line.quantity for line in posting.lines}]
    return {
        "posting_number": posting.number,
        "packages": [
            {"products": [{"product_id": sku, "quantity": count} for sku, count in package.items()]}
            for package in packages or whole
        ],
    }


def slot(posting: Posting, days: int) -> dict[str, Any]:
    """A wish to deliver so many days from now."""
    begin = datetime.now(UTC) + timedelta(days=days)
    return {
        "posting_number": posting.number,
        "new_timeslot": {"from": begin.isoformat(), "to": (begin + timedelta(hours=4)).isoformat()},
    }


async def until(true: Callable[[], object], seconds: float = 5) -> None:
    """Waits until it is."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what it waits for is plain state, nothing that could set an event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def sandboxed(
    hooks: Mapping[str, str] | None = None, ozon: Ozon | None = None
) -> AsyncIterator[tuple[Seller, Seller]]:
    """The owners of the rFBS cabinet and of the FBS one."""
    market = ozon or Ozon(cabinets(), pace=PACE)
    async with (
        TestServer(application(market, hooks, retry_seconds=0.03)) as server,
        aiohttp.ClientSession() as session,
    ):
        url = str(server.make_url("")).rstrip("/")
        yield Seller(market, url, session, "ozon-rfbs"), Seller(market, url, session, "ozon-fbs")
