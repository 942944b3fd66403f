"""BACKUP.md does what it says: its commands, as they stand there, on servers of their own."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from events.log import Head, Log
from service import audit, database
from service.database import Pool
from service.embedded import EmbeddedPostgres, start_postgres
from service.embedded.owner import system_user
from service.restored import Watch
from tests.backups import binaries
from tests.events.said import new
from tests.events.test_parts import parts, unseen
from tests.servers import BODY_KEY, opened

DOCUMENT = (Path(database.__file__).parent / "BACKUP.md").read_text()
BLOCKS = [
    re.sub(r"^ +", "", block, flags=re.MULTILINE) for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
]
DUMP, PLACE, ROLES, RESTORE, HOSTED, SAY, AUDITOR, MOVE = BLOCKS


async def shell(block: str, folder: Path, **environment: str) -> str:
    """Runs a block of the document line by line; what it printed."""
    tools = f"{binaries()}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = await asyncio.to_thread(
        subprocess.run, ["sh", "-e", "-c", block], cwd=folder, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PATH": tools, **environment},
    )  # fmt: skip
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    return done.stdout


def url_of(server: EmbeddedPostgres, user: str) -> str:
    """A user's URL of the database `okno`."""
    return f"postgresql://{user}@/okno?{urlsplit(server.url).query}"


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A server that knows nothing of Okno."""
    server = await start_postgres(folder)
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A server whose database `okno` holds a log, kept by an ordinary login."""
    async with embedded(tmp_path / "source") as server:
        owner = await asyncpg.connect(server.url)
        await owner.execute("CREATE ROLE okno LOGIN CREATEROLE")
        await owner.execute("CREATE DATABASE okno OWNER okno")
        await owner.close()
        async with opened(url_of(server, "okno")) as pool:
            await Log(pool, BODY_KEY).append([new(n, body=b"raw", order=f"shop/{n % 3}") for n in range(1, 8)])
        yield server


async def kept(pool: Pool) -> Mapping[int, str]:
    """The seals, by the last position under each."""
    return {row["last_position"]: row["seal"] for row in await pool.fetch("SELECT last_position, seal FROM okno.seals")}


@asynccontextmanager
async def writing(log: Log) -> AsyncIterator[None]:
    """The log grows all the while, from its eighth event on."""

    over = asyncio.Event()

    async def write() -> None:
        count = 7
        while not over.is_set():
            await log.append([new(n, order=f"shop/{n % 3}") for n in range(count + 1, count + 4)])
            count += 3

    async def grown() -> None:
        before = (await log.head()).position
        while (await log.head()).position == before:
            assert not task.done(), "it met an error"
            await asyncio.sleep(0.02)

    task = asyncio.create_task(write())
    try:
        await grown()
        yield
        await grown()
    finally:
        over.set()
        await task


async def dumped(source: EmbeddedPostgres, folder: Path) -> tuple[Head, Mapping[int, str]]:
    """A dump, made while the log grows; the log's end and seals, later on."""
    async with opened(url_of(source, "okno")) as pool:
        log = Log(pool, BODY_KEY)
        async with writing(log):
            await shell(DUMP, folder, OKNO_URL=url_of(source, "okno"))
        return await log.head(), await kept(pool)


async def as_it_was(pool: Pool, later: Head, seals: Mapping[int, str]) -> None:
    """The restored log is the beginning of the one it was dumped from, and goes on."""
    log = Log(pool, BODY_KEY)
    head = await log.head()
    assert 7 < head.position < later.position
    assert (await kept(pool)).items() <= seals.items()
    assert (await audit.verify(pool, unseen, BODY_KEY)).events == head.position
    appended = await log.append([new(2, body=b"raw", order="shop/2"), new(10_000)])
    assert [(one.outcome, one.position) for one in appended] == [("duplicate", 2), ("appended", head.position + 1)]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("DELETE FROM okno.events")
    assert (await audit.verify(pool, unseen, BODY_KEY)).whole


async def test_dump_and_restore_into_an_empty_server(source: EmbeddedPostgres, tmp_path: Path) -> None:
    """Step by step: same positions, same seals, the same guard; and what the last step says is known from then on."""
    later, seals = await dumped(source, tmp_path)
    async with embedded(tmp_path / "target") as target:
        superuser, url = url_of(target, "postgres"), url_of(target, "okno")
        await shell(ROLES, tmp_path, SERVER_URL=target.url)
        await shell(RESTORE, tmp_path, RESTORED_AS_SUPERUSER=superuser)
        config = tmp_path / "okno.toml"
        config.write_text(f'data_dir = "{tmp_path}/var"\n[postgres]\nurl = "{url}"\n')
        said = await shell(SAY, tmp_path, OKNO_CONFIG=str(config))
        assert said.startswith("whole and unaltered"), said
        assert "epoch 2 from here on: for 30 days" in said
        async with opened(url) as pool:
            assert await pool.fetchval("SELECT current_user") == "okno_hub"
            assert await Watch(pool, tmp_path / "var").look() is False, "it was said already"
            await as_it_was(pool, later, seals)
            await pool.execute("DROP TABLE okno.orders")  # as a rebuild does, which puts a new one in its place


async def test_restore_without_a_superuser(source: EmbeddedPostgres, tmp_path: Path) -> None:
    """A hosted server lets nobody be a superuser: the login itself restores, and the log is as guarded as before."""
    later, seals = await dumped(source, tmp_path)
    async with embedded(tmp_path / "target") as target:
        await shell(ROLES, tmp_path, SERVER_URL=target.url)
        await shell(HOSTED, tmp_path, RESTORED_URL=url_of(target, "okno"))
        async with opened(url_of(target, "okno")) as pool:
            await as_it_was(pool, later, seals)


async def test_a_copy_of_the_stopped_folder(source: EmbeddedPostgres, tmp_path: Path) -> None:
    """The cluster's folder, copied while nobody works, starts elsewhere."""
    copy = tmp_path / "target" / "postgres"
    await source.stop()
    copy.parent.mkdir()
    await shell(f"cp -a '{source.data}' '{copy}'", tmp_path)
    async with embedded(copy.parent) as target, opened(url_of(target, "okno")) as pool:
        assert (await audit.verify(pool, unseen, BODY_KEY)).events == 7


async def test_an_auditor_of_his_own(source: EmbeddedPostgres, tmp_path: Path) -> None:
    """Reads events, raw bodies and personal data; no tokens, and nothing can be changed."""
    await shell(AUDITOR, tmp_path, OKNO_URL=url_of(source, "okno"))
    auditor = await asyncpg.connect(url_of(source, "shop_auditor"))
    for table in ("events", "bodies", "personal", "orders", "rejected", "restores"):
        await auditor.fetch(f"SELECT * FROM okno.{table}")
    for deed in (
        "SELECT * FROM okno.tokens", "INSERT INTO okno.progress VALUES ('x')", "DELETE FROM okno.bodies",
        "SELECT okno.restored(1)", "SELECT okno.move_part('events_1', 'pg_default')", "CREATE TABLE okno.mine ()",
    ):  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await auditor.execute(deed)
    await auditor.close()


async def test_the_tools_lie_where_it_says(tmp_path: Path) -> None:
    """The line that finds them finds them."""
    place = Path((await shell(PLACE, tmp_path)).strip()) / "pginstall18" / "bin"
    assert shutil.which("pg_dump", path=str(place)) is not None


async def test_an_old_part_moves_while_the_hub_works(source: EmbeddedPostgres, tmp_path: Path) -> None:
    """Appended past, read, replayed and verified as before; but never the part that fills."""
    cold = tmp_path / "cold"
    cold.mkdir()
    if os.geteuid() == 0:
        os.chown(cold, system_user().pw_uid, system_user().pw_gid)
    superuser = await asyncpg.connect(url_of(source, "postgres"))
    await superuser.execute(f"CREATE TABLESPACE cold LOCATION '{cold}'")
    await superuser.execute("GRANT CREATE ON TABLESPACE cold TO okno")
    await superuser.execute("UPDATE okno.head SET part_size = 4, room = 9")
    await superuser.execute("ALTER TABLE okno.events DETACH PARTITION okno.events_1")
    await superuser.execute("ALTER TABLE okno.events ATTACH PARTITION okno.events_1 FOR VALUES FROM (MINVALUE) TO (9)")
    url = url_of(source, "okno")
    async with opened(url) as pool:
        log = Log(pool, BODY_KEY)
        async with writing(log):
            reading = await asyncpg.connect(url)
            await reading.execute("BEGIN; LOCK TABLE okno.events IN ACCESS SHARE MODE")  # as a dump does
            moving = asyncio.create_task(shell(MOVE, tmp_path, OKNO_URL=url))
            await asyncio.sleep(1.5)
            assert not moving.done()
            grown = (await log.head()).position
            await asyncio.sleep(0.3)
            assert (await log.head()).position > grown, "who reads holds up the move, and the move nobody who appends"
            await reading.close()
            assert re.search(r"^ +8$", await moving, re.MULTILINE)
        assert await where(superuser, "events_1") == {"cold"}
        assert await where(superuser, "events_9") == {None}
        assert (await audit.verify(pool, unseen, BODY_KEY)).events == (await log.head()).position
        assert [e.position for e in await log.read(0, 10)] == list(range(1, 11))
        assert (await log.histories(["shop/1"]))["shop/1"][0].position == 1
        [again] = await log.append([new(2, order="shop/2")])
        assert (again.outcome, again.position) == ("duplicate", 2)
        for part in ("events_1", "okno.events"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await superuser.execute(
                    f"SET session_replication_role = origin; DELETE FROM okno.{part.split('.')[-1]}"
                )
        newest = max(await parts(superuser), key=lambda name: int(name.rpartition("_")[2])).partition(".")[2]
        with pytest.raises(asyncpg.RaiseError, match="still appended"):
            await superuser.execute("SELECT okno.move_part($1, 'cold')", newest)
        with pytest.raises(asyncpg.RaiseError, match="no part"):
            await superuser.execute("SELECT okno.move_part('orders', 'cold')")
    await superuser.close()


async def where(owner: asyncpg.Connection, part: str) -> set[str | None]:
    """The tablespaces of a part and of its indexes."""
    rows = await owner.fetch(
        """SELECT t.spcname FROM pg_class c LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace
        WHERE c.oid = $1::regclass OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = $1::regclass)""",
        f"okno.{part}",
    )
    return {row["spcname"] for row in rows}
