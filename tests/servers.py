"""The databases and the broker that fixtures hand to tests."""

import json
import os
import urllib.request
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import asyncpg

from events.log import Log
from projections.catalogue import PROJECTIONS
from projections.follow import Follower, begin
from projections.slices import SLICES
from service.database import Pool, close, migrate, open_pool
from service.embedded import PrivateRabbitMQ, start_rabbitmq

BODY_KEY = b"a key of raw bodies' hashes"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Pool]:
    """The hub's connections to a database."""
    pool = await open_pool(url, size=6)
    try:
        yield pool
    finally:
        await close(pool)


async def project(pool: Pool, log: Log) -> None:
    """Brings the projections up to the log."""
    projections = list(PROJECTIONS.values())
    await begin(pool, projections)
    follower = Follower(pool, log, projections, "test")
    while await follower.step(set(range(SLICES))):
        pass


class Databases:
    """Hands out databases copied from one that was migrated once: 30 ms each instead of a migration each."""

    def __init__(self, server_url: str) -> None:
        self._server = server_url
        self._template = f"okno_template_{uuid.uuid4().hex[:12]}"
        self._made: list[str] = []

    async def create(self) -> str:
        """A new database with the schema; returns its URL."""
        if self._template not in self._made:
            await self._make_template()
        name = f"okno_test_{uuid.uuid4().hex[:12]}"
        await self._administer(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY file_copy")
        self._made.append(name)
        return self._url(name)

    async def empty(self) -> str:
        """A new database without a schema; returns its URL."""
        name = f"okno_test_{uuid.uuid4().hex[:12]}"
        await self._administer(f"CREATE DATABASE {name}")
        self._made.append(name)
        return self._url(name)

    async def drop(self, url: str) -> None:
        """Drops a database, whoever is still connected to it."""
        name = urlsplit(url).path.lstrip("/")
        await self._administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def drop_all(self) -> None:
        """Leaves a server that is not ours as it was."""
        for name in self._made:
            await self._administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def _make_template(self) -> None:
        await self._administer(f"CREATE DATABASE {self._template}")
        self._made.append(self._template)
        connection = await asyncpg.connect(self._url(self._template))
        try:
            await migrate(connection)
        finally:
            await connection.close()

    async def _administer(self, statement: str) -> None:
        connection = await asyncpg.connect(self._server)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _url(self, database: str) -> str:
        parts = urlsplit(self._server)
        # urlunsplit would drop the empty authority of a Unix socket's URL.
        query = f"?{parts.query}" if parts.query else ""
        return f"{parts.scheme}://{parts.netloc}/{database}{query}"


@dataclass
class Broker:
    """A RabbitMQ and its management API; `node` starts, halts and kills it where it is ours."""

    url: str
    api: str
    node: PrivateRabbitMQ | None = field(default=None)

    def add_virtual_host(self) -> str:
        """Makes a virtual host nobody else knows, and returns its name."""
        name = f"okno-test-{uuid.uuid4().hex[:12]}"
        user = quote(unquote(urlsplit(self.url).username or "guest"), safe="")
        self.call("PUT", f"/api/vhosts/{name}")
        self.call("PUT", f"/api/permissions/{name}/{user}", {"configure": ".*", "write": ".*", "read": ".*"})
        return name

    def remove_virtual_host(self, name: str) -> None:
        """Removes a virtual host with all its queues."""
        self.call("DELETE", f"/api/vhosts/{name}")

    def url_of(self, virtual_host: str) -> str:
        """The URL of a virtual host."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{virtual_host}"))

    def call(self, method: str, path: str, body: Any = None) -> bytes:
        """Calls the management API; what it answers."""
        parts = urlsplit(self.api)
        passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
        url = f"{parts.scheme}://{parts.hostname}:{parts.port}{path}"
        passwords.add_password(
            None, url, unquote(parts.username or "guest"), unquote(parts.password or "guest"), is_authenticated=True
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(passwords)
        )
        request = urllib.request.Request(
            url, json.dumps(body or {}).encode(), {"content-type": "application/json"}, method=method
        )
        with opener.open(request, timeout=30) as answer:
            found: bytes = answer.read()
        return found


def named_broker(url: str) -> Broker:
    """The broker of OKNO_TEST_AMQP_URL."""
    parts = urlsplit(url)
    account = f"{parts.username or 'guest'}:{parts.password or 'guest'}"
    return Broker(url, os.environ.get("OKNO_TEST_RABBITMQ_API", f"http://{account}@{parts.hostname}:15672"))


async def own_broker(folder: Path) -> Broker:
    """A private node for this session."""
    node = await start_rabbitmq(folder, management=True)
    assert node is not None
    return Broker(node.url, node.management_url, node)
