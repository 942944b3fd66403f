"""The hub's Postgres: schema, connections, and waiting for it.

Three ways in: `migrate` as the database's owner; the hub as the role `okno_hub`, which can't touch what is in the log;
who only looks as `okno_auditor`, which can't write at all. Where a role does not exist (the owner may not create roles)
the login's own rights are used, the trigger guards the log, and a session that looks is read-only all the same.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import TypeAlias

import asyncpg
import structlog

from events.log import LogUnavailable, is_transient
from service.embedded import start_postgres

logger = structlog.get_logger()

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

MIGRATIONS = (("events", "sql"), ("projections", "orders"), ("projections", "commands"), ("service", "sql"))
"""Folders whose `.sql` files make the schema, in this order; a file once applied is never changed."""

MIGRATING = 3600.0
"""Seconds a migration may take: one that moves the rows of millions of orders takes minutes. Cut off after the usual
minute it would be rolled back, and begun anew by the next start."""

OLDEST = 15
"""The oldest Postgres that is known to do."""

# One migration at a time, over all processes.
LOCK = "SELECT pg_advisory_lock(hashtext('okno.migrate'))"
UNLOCK = "SELECT pg_advisory_unlock(hashtext('okno.migrate'))"

# May this user work in a role?
MAY = "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1 AND pg_has_role(oid, 'member'))"

# What was applied; no row where there is no schema.
APPLIED = "SELECT name FROM okno.migrations"


class NoLog(Exception):
    """The database holds no log, one of another version, or is itself too old; the message says what to do."""


def scripts() -> list[tuple[str, str]]:
    """Names and texts of all migrations, in the order they are applied."""
    found = []
    for package, folder in MIGRATIONS:
        files = [f for f in (resources.files(package) / folder).iterdir() if f.name.endswith(".sql")]
        found += [(f"{package}/{folder}/{f.name}", f.read_text()) for f in sorted(files, key=lambda f: f.name)]
    return found


async def migrate(connection: asyncpg.Connection) -> list[str]:
    """Brings the schema up to date and says what it applied; two at once do it once."""
    applied = []
    await connection.execute(LOCK, timeout=MIGRATING)
    try:
        await connection.execute("CREATE SCHEMA IF NOT EXISTS okno")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS okno.migrations (name text PRIMARY KEY, at timestamptz DEFAULT now())"
        )
        done = {row["name"] for row in await connection.fetch("SELECT name FROM okno.migrations")}
        for name, text in scripts():
            if name not in done:
                async with connection.transaction():
                    await connection.execute(text, timeout=MIGRATING)
                    await connection.execute("INSERT INTO okno.migrations (name) VALUES ($1)", name)
                applied.append(name)
    finally:
        await connection.execute(UNLOCK)
    return applied


@asynccontextmanager
async def server(url: str | None, data_dir: Path) -> AsyncIterator[str]:
    """The URL of the database: the one named, else that of a server under `data_dir`, which runs at least as long."""
    if url is not None:
        yield url
        return
    embedded = await start_postgres(data_dir)
    try:
        yield embedded.url
    finally:
        await embedded.stop()


async def connect(url: str) -> asyncpg.Connection:
    """One connection as the owner; `LogUnavailable` where there is no server to talk to, `NoLog` for one too old."""
    try:
        connection = await asyncpg.connect(url, timeout=10, command_timeout=60)
    except Exception as error:
        if is_transient(error):
            raise LogUnavailable(f"{type(error).__name__}: {error}") from error
        raise
    version = connection.get_server_version().major
    if version < OLDEST:
        await connection.close()
        raise NoLog(f"this is Postgres {version}, and Okno needs {OLDEST} or newer: let postgres.url name another one")
    return connection


async def open_pool(url: str, *, size: int = 10) -> Pool:
    """Migrates, then opens connections that may append to the log and never change it."""
    connection = await connect(url)
    try:
        for name in await migrate(connection):
            logger.info("migrated", name=name)
        limited = await connection.fetchval(MAY, "okno_hub")
    finally:
        await connection.close()
    return await _pool(url, size, "okno_hub" if limited else None, {"lock_timeout": "20000"})


async def open_reader(url: str, *, size: int = 4) -> Pool:
    """Opens connections that can read everything and write nothing; `NoLog` where there is nothing to read."""
    connection = await connect(url)
    try:
        done = {row["name"] for row in await connection.fetch(APPLIED)}
        limited = await connection.fetchval(MAY, "okno_auditor")
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
        raise NoLog("there is no log in this database yet: `okno run` or `okno migrate` makes it") from error
    finally:
        await connection.close()
    if missing := [name for name, _ in scripts() if name not in done]:
        raise NoLog(f"the database's schema lacks {missing[0]}: run `okno migrate` as its owner")
    return await _pool(url, size, "okno_auditor" if limited else None, {"default_transaction_read_only": "on"})


async def _pool(url: str, size: int, role: str | None, more: dict[str, str]) -> Pool:
    settings = {"application_name": "okno", "idle_in_transaction_session_timeout": "60000", **more}
    if role is not None:
        settings["role"] = role
    pool = await asyncpg.create_pool(
        url, max_size=size, timeout=10, command_timeout=60, server_settings=settings, reset=_nothing,
        min_size=0,  # who asks says what he waits for; a pool with connections of its own says it besides, with a trace
        max_inactive_connection_lifetime=0,  # else a timer each time, to close what is wanted again in a moment
    )  # fmt: skip
    assert pool is not None
    return pool


async def _nothing(_: object) -> None:
    """What a connection does besides when it is given back: asyncpg itself has ended a transaction that was left open.

    RESET ALL, asyncpg's habit, would be a trip to Postgres more for each statement, and there is nothing to reset: who
    sets something does it within a transaction, and who can't (`projections.rebuild.turn`) closes his connection.
    """


async def close(pool: Pool) -> None:
    """Closes the connections; what does not end soon is cut off, and Postgres rolls it back."""
    try:
        async with asyncio.timeout(2):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def wait_for_pool(url: str) -> Pool:
    """`open_pool`, tried again for as long as there is no server; any other error is the caller's."""
    pause = 0.2
    while True:
        try:
            return await open_pool(url)
        except LogUnavailable as error:
            logger.warning("waiting for Postgres", error=str(error), again_in=pause)
        except Exception as error:
            if not is_transient(error):
                raise
        await asyncio.sleep(pause)
        pause = min(pause * 2, 5.0)
