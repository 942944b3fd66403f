"""A hub's web server over a database of its own, without loops: what handlers promise is all there is."""

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp.test_utils import TestClient, TestServer

from events.log import Log
from service import tokens
from service.hub import Hub, Storage
from service.intake import Intake
from service.leases import Leases
from service.settings import parse
from service.web.server import application
from service.work import Work
from tests.servers import BODY_KEY, opened, project

SECRET = "a-long-random-word-of-the-hook"
CHANNEL = {
    "kind": "yandex", "model": "dbs", "business_id": 1, "campaign_id": 2, "api_key": "key", "hook_secret": SECRET,
}  # fmt: skip


class Served:
    """The server, a client for it, and what stands behind."""

    def __init__(self, hub: Hub, storage: Storage, client: "TestClient[Any, Any]") -> None:
        self.hub, self.storage, self.client = hub, storage, client
        self.tokens: dict[str, str] = {}

    async def token(self, role: str) -> str:
        """The token of somebody with this role."""
        if role not in self.tokens:
            self.tokens[role] = await tokens.add(self.storage.pool, f"a-{role}", role)
        return self.tokens[role]

    async def headers(self, role: str) -> dict[str, str]:
        """The header of somebody with this role."""
        return {"Authorization": f"Bearer {await self.token(role)}"}

    async def get(self, path: str, role: str = "auditor", **query: str) -> tuple[int, Any]:
        """A GET as a role; status and decoded JSON."""
        async with self.client.get(path, params=query, headers=await self.headers(role)) as answer:
            body = await answer.read()
            return answer.status, msgspec.json.decode(body) if body else None

    async def post(
        self, path: str, body: Any = None, role: str = "operator", headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """A POST as a role; `body` as JSON, bytes as they are."""
        data = io.BytesIO(body if isinstance(body, bytes) else msgspec.json.encode(body))
        sent = {"Content-Type": "application/json", **await self.headers(role), **(headers or {})}
        async with self.client.post(path, data=data, headers=sent) as answer:
            return answer.status, msgspec.json.decode(await answer.read())

    async def project(self) -> None:
        """Brings the projections up to the log."""
        await project(self.storage.pool, self.storage.log)


@asynccontextmanager
async def served(database_url: str, folder: Path, config: dict[str, Any]) -> AsyncIterator[Served]:
    """Serves for as long as it is held."""
    settings = parse(config, folder)
    async with opened(database_url) as pool:
        log = Log(pool, BODY_KEY)
        hub = Hub(settings)
        hub.storage = Storage(pool, log, Work(pool, hub.owner), Leases(pool, hub.owner))
        hub.door.intake = Intake(log, settings)
        async with TestClient(TestServer(application(hub))) as client:
            yield Served(hub, hub.storage, client)
