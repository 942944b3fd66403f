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

# What a test's leftovers still do to its database ends; only one in the middle of something is waited for.
END_OTHERS = """
SELECT CASE WHEN xact_start IS NULL THEN pg_terminate_backend(pid) ELSE pg_terminate_backend(pid, 5000) END
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

# All that is defined in a database, and what is known of its tables' sizes; rows come and go without changing it.
SHAPE = """
SELECT md5(concat_ws('/',
    (SELECT string_agg(concat_ws(' ', oid, relname, relnamespace, relowner, relacl, reloptions, relispartition,
                                 relhastriggers, relpages, reltuples), ',' ORDER BY oid)
     FROM pg_class WHERE oid >= 16384 AND relpersistence <> 't'),
    (SELECT string_agg(concat_ws(' ', attrelid, attnum, xmin), ',' ORDER BY attrelid, attnum)
     FROM pg_attribute WHERE attrelid >= 16384),
    (SELECT string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid) FROM pg_proc WHERE oid >= 16384),
    (SELECT string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid) FROM pg_trigger),
    (SELECT string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid) FROM pg_constraint WHERE oid >= 16384),
    (SELECT string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid) FROM pg_namespace),
    (SELECT string_agg(concat_ws(' ', starelid, staattnum), ',' ORDER BY starelid, staattnum)
     FROM pg_statistic WHERE starelid >= 16384),
    (SELECT string_agg(setconfig::text, ',')
     FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database())))
"""

# Tables that something was written into since they were made or truncated, and whether that was much: up to ten pages
# Postgres plans as it does for a table that never held anything.
WRITTEN = """
SELECT oid::regclass::text AS name, pg_relation_size(oid) > 65536 AS large FROM pg_class
WHERE relkind = 'r' AND relpersistence = 'p' AND oid >= 16384 AND pg_relation_size(oid) > 0
"""


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
    """Hands out databases with the schema and no rows: used ones that were emptied, else copies of one migrated once.

    A copy costs 0.1 s of a processor and more, being some 500 files; to empty one costs a tenth of it.
    """

    def __init__(self, server_url: str) -> None:
        self._server = server_url
        self._template = f"okno_template_{uuid.uuid4().hex[:12]}"
        self._made: list[str] = []
        self._as_new: list[str] = []
        self._shape = ""
        self._first_rows: dict[str, list[tuple[Any, ...]]] = {}

    async def lend(self) -> str:
        """A database as `create` makes it, to be handed back; returns its URL."""
        return self._as_new.pop() if self._as_new else await self.create()

    async def take_back(self, url: str) -> None:
        """Empties a database that was lent; drops it where its schema is not what it was."""
        try:
            as_new = await self._emptied(url)
        except (OSError, asyncpg.PostgresError):
            as_new = False
        if as_new:
            self._as_new.append(url)
        else:
            await self.drop(url)

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
            self._shape = await connection.fetchval(SHAPE)
            for table in await connection.fetch(WRITTEN):
                rows = await connection.fetch(f"SELECT * FROM {table['name']}")
                self._first_rows[table["name"]] = [tuple(row) for row in rows]
        finally:
            await connection.close()

    async def _emptied(self, url: str) -> bool:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(END_OTHERS)
            if await connection.fetchval(SHAPE) != self._shape:
                return False
            written = await connection.fetch(WRITTEN)
            async with connection.transaction():
                await connection.execute("SET LOCAL session_replication_role = replica")  # no trigger guards the log
                await connection.execute(";".join(_emptying(**table) for table in written))
                for name, rows in self._first_rows.items():
                    await connection.copy_records_to_table(
                        name.rpartition(".")[2], schema_name=name.rpartition(".")[0], records=rows
                    )
        finally:
            await connection.close()
        return True

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


def _emptying(name: str, *, large: bool) -> str:
    """To truncate a table takes files, ten times as long as to delete a few rows."""
    return f"TRUNCATE {name} CASCADE" if large else f"DELETE FROM {name}"


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
