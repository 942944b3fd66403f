"""A hub's web server over a real database, and histories to fill it with."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from events.codec import command_id, encode
from events.log import Log
from events.order import facts as f
from events.recorded import NewEvent, Rejected
from projections.catalogue import PROJECTIONS
from projections.follow import SLICES, Follower, begin
from service import tokens
from service.database import Pool, open_pool
from service.hub import Hub, Storage
from service.leases import Leases
from service.settings import parse
from service.web.server import application
from service.work import Work

ONEC, MARKET, HUB = "1c/ut11", "channel/ym-msk", "okno"

CONFIG: dict[str, Any] = {
    "timezone": "Europe/Samara",
    "channels": {
        name: {
            "kind": "yandex", "model": model, "mode": "shadow", "business_id": 1, "campaign_id": number, "api_key": "k",
        }
        for number, (name, model) in enumerate((("ym-msk", "dbs"), ("ym-fbs", "fbs")), 2)
    },
}  # fmt: skip

LINES = (f.Line(sku="BOSCH-WAN24260OE", quantity=1, name="Washing machine", price=Decimal("38990.00")),)


@dataclass
class Shop:
    """Appends facts, and serves what follows from them."""

    pool: Pool
    log: Log
    client: "TestClient[Any, Any]"
    follower: Follower
    operator: str = ""
    said: int = field(default=0)

    async def say(
        self, order: str, type: str, fact: f.Fact | bytes, source: str = ONEC, *, cause: int | None = None,
        actor: str | None = None, at: datetime | None = None, personal: Any = None,
    ) -> int:  # fmt: skip
        """Appends one fact; its position."""
        self.said += 1
        id = f"m{self.said}"
        event = NewEvent(
            order=order, type=type, source=source, id=id, digest=hashlib.sha256(id.encode()).digest(),
            data=fact if isinstance(fact, bytes) else encode(fact), actor=actor or source, cause=cause,
            occurred_at=at or datetime.now(UTC), personal=None if personal is None else encode(personal),
        )  # fmt: skip
        (appended,) = await self.log.append([event])
        return appended.position

    async def place(self, order: str, *, personal: Any = None, **fields: Any) -> int:
        """A buyer places an order."""
        told: dict[str, Any] = {"lines": LINES, "total": Decimal("39570.00"), "currency": "RUB", **fields}
        fact = f.Placed(number=order.partition("/")[2], **told)
        return await self.say(order, "order.placed", fact, f"channel/{order.partition('/')[0]}", personal=personal)

    async def command(
        self, order: str, action: str, cause: int, outcome: str | None = None, *, target: str | None = None,
        stage: str | None = None, **answer: Any,
    ) -> str:  # fmt: skip
        """Something is requested because of a fact, and where an outcome is named, ends so; its id."""
        target = target or order.partition("/")[0]
        id = command_id(order, target, action, cause)
        fact = f.CommandRequested(command=id, target=target, action=action, stage=stage)
        position = await self.say(order, "command.requested", fact, HUB, cause=cause)
        if outcome is not None:
            ended = f.CommandOutcome(command=id, **({"attempts": 1} | answer))
            await self.say(order, f"command.{outcome}", ended, HUB, cause=position)
        return id

    async def reject(self, id: str, body: bytes, *, reason: str = "broken_json", detail: str = "not JSON") -> None:
        """A message comes that nobody understands."""
        message = Rejected(id=id, via="http", reason=reason, detail=detail, body=body, envelope={})
        await self.log.append([], [message])

    async def settle(self) -> None:
        """Brings the projections up to the log."""
        while await self.follower.step(set(range(SLICES))):
            pass

    async def page(
        self, path: str, *, language: str = "en", role: str | None = "operator", status: int = 200, **headers: str
    ) -> str:
        """A page's text, as a browser gets it."""
        asked = {"Accept": "text/html", "Accept-Language": language} | headers
        if role is not None:
            token = self.operator if role == "operator" else await tokens.add(self.pool, role, role)
            asked["Cookie"] = f"okno_token={token}"
        async with self.client.get(path, headers=asked, allow_redirects=False) as answer:
            text = await answer.text()
            assert status == answer.status, text
            return text


@asynccontextmanager
async def opened(url: str, config: dict[str, Any] | None = None) -> AsyncIterator[Shop]:
    """A shop over a database."""
    pool = await open_pool(url, size=4)
    try:
        log = Log(pool, b"key")
        hub = Hub(parse(CONFIG if config is None else config, Path("var")))
        hub.storage = Storage(pool, log, Work(pool, hub.owner), Leases(pool, hub.owner))
        await begin(pool, list(PROJECTIONS.values()))
        follower = Follower(pool, log, list(PROJECTIONS.values()), hub.owner)
        async with TestClient(TestServer(application(hub))) as client:
            shop = Shop(pool, log, client, follower)
            shop.operator = await tokens.add(pool, "anna", "operator")
            yield shop
    finally:
        await pool.close()
