"""The auditor reads everything and changes nothing: as a role of the API and as a role of Postgres."""

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
from click.testing import CliRunner

from events.log import Log
from service import database
from service.cli import main
from service.web.routes import ROUTES
from tests.events.said import new
from tests.exports.conftest import Okno
from tests.exports.planted import HARD
from tests.web.conftest import web
from tests.web.served import Served

__all__ = ["web"]  # a fixture


async def test_over_http_every_look_is_allowed_and_nothing_else(web: Served) -> None:
    """Each GET but 1C's own labels answers; each call that changes something is refused, before it is read."""
    for route in ROUTES:
        if route.roles is None:
            continue
        path = route.path.format(channel="ym-msk", number="1", id="1", name="orders", code="x", what="events")
        async with web.client.request(route.method, path, headers=await web.headers("auditor")) as answer:
            looks = route.method == "GET" and route.path != "/v1/orders/{channel}/{number}/label"
            assert (answer.status != 403) == looks, (route.method, route.path, answer.status)
            assert answer.status < 500


@pytest_asyncio.fixture
async def auditor_url(database_url: str, postgres_url: str) -> AsyncIterator[str]:
    """The URL of a login that was given the role okno_auditor, and nothing else."""
    name, password = f"auditor_{secrets.token_hex(4)}", secrets.token_hex(8)
    owner = await asyncpg.connect(postgres_url)
    await owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE okno_auditor")
    parts = urlsplit(database_url)
    place = parts.netloc.rpartition("@")[2]
    yield urlunsplit(parts._replace(netloc=f"{quote(name)}:{quote(password)}@{place}"))
    await owner.execute(f"DROP ROLE {name}")
    await owner.close()


@pytest.fixture
def okno_auditor(config: Path, database_url: str, auditor_url: str) -> Okno:
    """`okno` as the auditor has it: with a URL of his own."""
    own = config.with_name("auditor.toml")
    own.write_text(config.read_text().replace(database_url, auditor_url))
    return lambda *words: CliRunner().invoke(main, [*words, "--config", str(own)])


def test_a_login_with_the_role_runs_what_looks(okno_auditor: Okno, planted: None) -> None:
    """Events, replay, verify, commands and exports, personal data included, with `postgres.url` of one's own."""
    for words in (
        ("events", "--json"), ("replay", "ym-msk/1", "--json"), ("commands",), ("verify",), ("export",),
        ("export", "orders", "--format", "csv"), ("export", "--personal"),
    ):  # fmt: skip
        result = okno_auditor(*words)
        assert (words, result.exit_code) == (words, 0), result.output
    lines = okno_auditor("export", "--personal").stdout.splitlines()
    assert len(lines) == 5 + len(HARD)
    assert json.loads(lines[0])["personal"]["customer"]["name"] == "Анна"


def test_a_login_with_the_role_runs_nothing_that_writes(okno_auditor: Okno, planted: None, tmp_path: Path) -> None:
    """One line that says whose rights are missing; tokens are not even read."""
    (tmp_path / "past.jsonl").write_text("{}\n")
    for words in (
        ("retry", "--all-failed"), ("token", "add", "me", "--role", "admin"), ("rebuild", "orders"), ("migrate",),
        ("erase", "ym-msk/1", "--reason", "x"), ("import", str(tmp_path / "past.jsonl")),
    ):  # fmt: skip
        result = okno_auditor(*words)
        assert (words, result.exit_code, result.stderr.count("\n")) == (words, 1, 1), result.output
        assert "postgres.url" in result.stderr


ROWS = """
SELECT c.oid::regclass::text FROM pg_class c
WHERE c.relnamespace = 'okno'::regnamespace AND c.relkind IN ('r', 'p')
"""
COLUMN = "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum = 1"
CALLS = """
SELECT p.oid::regproc::text AS name, array_to_string(ARRAY(
    SELECT 'NULL::' || format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a(t, n) ORDER BY n
), ',') AS given
FROM pg_proc p WHERE p.pronamespace = 'okno'::regnamespace AND p.prorettype <> 'trigger'::regtype
"""
PURE = {"okno.next_seal", "okno.link_before"}
"""Functions that compute or look, and change nothing."""


async def test_postgres_refuses_the_role_every_change(auditor_url: str, planted: None) -> None:
    """INSERT, UPDATE, DELETE and TRUNCATE of each table, each function, and making anything of one's own."""
    login = await asyncpg.connect(auditor_url)
    tables = [row[0] for row in await login.fetch(ROWS)]
    assert len(tables) > 15
    tried = ["CREATE TABLE okno.x (a int)", "CREATE SCHEMA x", "SET ROLE okno_hub", "SELECT * FROM okno.tokens"]
    for table in tables:
        column = await login.fetchval(COLUMN, table)
        tried += [
            f"INSERT INTO {table} DEFAULT VALUES", f'UPDATE {table} SET "{column}" = "{column}"',
            f"DELETE FROM {table}", f"TRUNCATE {table}",
        ]  # fmt: skip
    calls = await login.fetch(CALLS)
    assert {"okno.append_batch", "okno.erase", "okno.drop_raw", "okno.restored"} <= {call["name"] for call in calls}
    tried += [f"SELECT * FROM {call['name']}({call['given']})" for call in calls if call["name"] not in PURE]
    for statement in tried:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(statement)
    await login.close()


UNREADABLE = {"okno.tokens", "okno.exchange_sessions"}
"""What holds hashes of secrets."""


async def test_postgres_lets_the_role_read_every_table(auditor_url: str, planted: None) -> None:
    """The log and all that stands beside it, whatever was added since; only tokens are not."""
    login = await asyncpg.connect(auditor_url)
    refused = set()
    for (table,) in await login.fetch(ROWS):
        try:
            await login.fetch(f"SELECT * FROM {table} LIMIT 1")
        except asyncpg.InsufficientPrivilegeError:
            refused.add(table)
    await login.close()
    parts = {table for table in refused if table.startswith("okno.events_")}  # read as okno.events
    assert refused - parts == UNREADABLE


async def test_a_session_that_looks_cannot_write_whoever_logs_in(database_url: str, planted: None) -> None:
    """The owner's own login, opened for reading: neither the append nor a change passes."""
    pool = await database.open_reader(database_url)
    try:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)):
            await pool.execute("DELETE FROM okno.orders")
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)):
            await Log(pool, b"k").append([new(1)])
    finally:
        await database.close(pool)
