"""A log restored from a backup is noticed once, whoever looks and wherever they die; another log is no restored one."""

import asyncio
import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest
from structlog.testing import capture_logs

from events.log import Log
from service import tokens
from service.database import Pool
from service.restored import FOLDER, Watch, Witness, was_restored
from tests.app.test_run import OKNO, Running, configuration
from tests.backups import dump, restore
from tests.dispatch.shop import until
from tests.events.said import new
from tests.servers import BODY_KEY, Databases, opened

SEEN = Witness(position=9, link=3, seal="aa", epoch=2)


@pytest.mark.parametrize(
    ("kept", "now", "there", "expected"),
    [
        (None, SEEN, None, False),
        (SEEN, SEEN, "aa", False),
        (SEEN, Witness(12, 4, "bb", 2), "aa", False),
        (SEEN, Witness(6, 2, "cc", 2), None, True),
        (SEEN, Witness(12, 4, "bb", 2), "dd", True),
        (SEEN, Witness(12, 4, "bb", 1), "aa", True),
        (SEEN, Witness(6, 2, "cc", 3), None, False),
    ],
    ids=["never seen", "as it was", "grown", "shorter", "other", "an older life", "said already"],
)
def test_what_tells(kept: Witness | None, now: Witness, there: str | None, expected: bool) -> None:
    """A log goes on over the same seal in the same life, or somebody has said that it was restored."""
    assert was_restored(kept, now, there) is expected


async def grow(pool: Pool, *numbers: int) -> None:
    """Appends events, two at a time."""
    log = Log(pool, BODY_KEY)
    for start in range(0, len(numbers), 2):
        await log.append([new(n) for n in numbers[start : start + 2]])


class Backup:
    """A log of nine events, its backup at the fifth, and the data folder of the hub that saw all nine."""

    def __init__(self, databases: Databases, folder: Path, url: str) -> None:
        self._databases, self.folder, self.url = databases, folder, url

    async def make(self) -> None:
        async with opened(self.url) as pool:
            await grow(pool, 1, 2, 3, 4, 5)
            await dump(self.url, self.folder / "okno.dump")
            await grow(pool, 6, 7, 8, 9)
            assert await Watch(pool, self.data_dir).look() is False

    @property
    def data_dir(self) -> Path:
        return self.folder / "var"

    @property
    def witness(self) -> Path:
        [path] = (self.data_dir / FOLDER).iterdir()
        return path

    async def restored(self) -> str:
        """A new database as the backup has it."""
        url = await self._databases.empty()
        await restore(self.folder / "okno.dump", url)
        return url


@pytest.fixture
async def backup(databases: Databases, tmp_path: Path, database_url: str) -> Backup:
    made = Backup(databases, tmp_path, database_url)
    await made.make()
    return made


async def epoch(pool: Pool) -> int:
    return (await Log(pool, BODY_KEY).head()).epoch


async def test_it_is_noticed_once(backup: Backup) -> None:
    """Two hubs that look at once, and one that looks later, raise the epoch once; then the log goes on as any other."""
    async with opened(await backup.restored()) as pool:
        watches = [Watch(pool, backup.data_dir) for _ in range(2)]
        assert True in await asyncio.gather(*(watch.look() for watch in watches))
        assert await Watch(pool, backup.data_dir).look() is False
        await grow(pool, 20, 21)
        assert [await watch.look() for watch in watches] == [False, False]
        assert await epoch(pool) == 2
        assert msgspec.json.decode(backup.witness.read_bytes(), type=Witness).epoch == 2


async def test_one_that_has_grown_past_the_witness_is_noticed(backup: Backup) -> None:
    """Another hub may have appended before this one started: the seal at the witness's place is another one."""
    async with opened(await backup.restored()) as pool:
        await grow(pool, *range(20, 40))
        assert await Watch(pool, backup.data_dir).look() is True


async def test_the_same_backup_twice(backup: Backup) -> None:
    """The second restore's epoch lies beyond that of the first, whose cursors are worth nothing any more."""
    for expected in (2, 3):
        async with opened(await backup.restored()) as pool:
            assert await Watch(pool, backup.data_dir).look() is True
            assert await epoch(pool) == expected
            await grow(pool, *range(20 * expected, 20 * expected + 6))
            assert await Watch(pool, backup.data_dir).look() is False


async def test_another_log_is_no_restored_one(backup: Backup, databases: Databases) -> None:
    """Another database has a witness of its own, and the way back to the first one raises no alarm either; that the
    new one is empty is said once."""
    async with opened(await databases.create()) as pool:
        watch = Watch(pool, backup.data_dir)
        with capture_logs() as logs:
            for _ in range(3):
                assert await watch.look() is False
        assert sum("the log is empty" in line["event"] for line in logs) == 1
        await grow(pool, 1)
        assert await Watch(pool, backup.data_dir).look() is False
        assert await epoch(pool) == 1
        assert len(list((backup.data_dir / FOLDER).iterdir())) == 2
    async with opened(backup.url) as pool:
        assert await Watch(pool, backup.data_dir).look() is False
        assert await epoch(pool) == 1


async def test_a_witness_nobody_can_read(backup: Backup) -> None:
    """It is said, and the hub starts all the same."""
    backup.witness.write_bytes(b'{"position": 9, "li')
    async with opened(await backup.restored()) as pool:
        assert await Watch(pool, backup.data_dir).look() is False
        assert msgspec.json.decode(backup.witness.read_bytes(), type=Witness).position == 5


async def test_a_tail_lost_while_the_hub_runs(backup: Backup, postgres_url: str) -> None:
    """Postgres fails over to a copy that lacks the last moments: the next look notices, with the pool as it is."""
    copy = await backup.restored()
    lost, rest = (urlsplit(url).path.lstrip("/") for url in (backup.url, copy))
    async with opened(backup.url) as pool:
        watch = Watch(pool, backup.data_dir)
        assert await watch.look() is False
        admin = await asyncpg.connect(postgres_url)
        try:
            for name, other in ((lost, f"{lost}_gone"), (rest, lost), (f"{lost}_gone", rest)):
                await until(partial(renamed, admin, name, other))
        finally:
            await admin.close()
        assert await watch.look() is True
        assert await epoch(pool) == 2


async def renamed(admin: asyncpg.Connection, name: str, other: str) -> bool:
    """Renames a database, whoever works on it; False while somebody still does."""
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    try:
        await admin.execute(f"ALTER DATABASE {name} RENAME TO {other}")
    except asyncpg.ObjectInUseError:
        return False
    return True


async def test_notes_of_before_are_forgotten(backup: Backup) -> None:
    """Lanes are asked for anew, under nobody's lease; what is known of attempts is not known any more."""
    async with opened(await backup.restored()) as pool:
        await pool.execute("INSERT INTO okno.dispatch VALUES ('shop/1', 'shop', 'infinity', 1, 'somebody', 'infinity')")
        await pool.execute(
            """INSERT INTO okno.attempts (command, order_key, target, attempts, attempted_at, next_at, open)
            VALUES ('c', 'shop/1', 'shop', 0, now(), now(), false)"""
        )
        assert await Watch(pool, backup.data_dir).look() is True
        lane = await pool.fetchrow("SELECT owner, asked, due_at <= clock_timestamp() AS due FROM okno.dispatch")
        assert tuple(lane or ()) == (None, 2, True)
        assert await pool.fetchval("SELECT count(*) FROM okno.attempts") == 0


@pytest.fixture
def hubs() -> Iterator[list[Running]]:
    """Hubs that are ended when the test ends."""
    found: list[Running] = []
    yield found
    for one in found:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        assert one.process.stdout is not None
        one.process.stdout.close()


@pytest.fixture
async def owner(backup: Backup) -> AsyncIterator[asyncpg.Connection]:
    """The owner of the restored database."""
    connection = await asyncpg.connect(await backup.restored())
    yield connection
    await connection.close()


def ask(address: str, token: str, path: str) -> tuple[int, dict[str, object]]:
    """Asks a hub."""
    request = urllib.request.Request(f"{address}{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


async def test_killed_in_the_middle(backup: Backup, owner: asyncpg.Connection, hubs: list[Running]) -> None:
    """Killed before the restore is committed, or before the witness is written: the next one does it, once."""
    name = await owner.fetchval("SELECT current_database()")
    url = backup.url.replace(urlsplit(backup.url).path, f"/{name}", 1)
    config, before = configuration(backup.folder, url), backup.witness.read_bytes()

    def start() -> Running:
        hubs.append(Running("run", "--config", str(config)))
        return hubs[-1]

    async def held_up() -> bool:
        return bool(await owner.fetch(WAITS, name))

    async def cut_off() -> bool:
        gone = await owner.fetch(f"SELECT pg_terminate_backend(pid) FROM ({WAITS}) AS waiting", name)
        return not gone

    holder = await asyncpg.connect(url)
    await holder.execute("BEGIN; SELECT FROM okno.head FOR UPDATE")
    hub = start()
    await until(held_up, seconds=60)
    hub.end(signal.SIGKILL)
    await until(cut_off)  # else the server would carry out what a dead hub asked for
    await holder.close()
    assert await owner.fetchval("SELECT epoch FROM okno.head") == 1
    hub = start()
    await asyncio.to_thread(hub.address)
    assert await owner.fetchval("SELECT epoch FROM okno.head") == 2
    hub.end(signal.SIGKILL)
    backup.witness.write_bytes(before)  # as if it had not come to that
    address = await asyncio.to_thread(start().address)
    assert await owner.fetchval("SELECT epoch FROM okno.head") == 2
    assert [tuple(row) for row in await owner.fetch("SELECT epoch, after FROM okno.restores")] == [(2, 5)]
    async with opened(url) as pool:
        token = await tokens.add(pool, "ut", "onec")
    for cursor, way_on in (("1-9", "2-5"), ("1-3", "2-3"), ("7-3", "2-0")):
        status, told = await asyncio.to_thread(ask, address, token, f"/v1/outbox?after={cursor}")
        assert (status, told["cursor"]) == (410, way_on)
    code, line = await asyncio.to_thread(said, config)
    assert (code, line.startswith("okno: a hub works on this database")) == (1, True), line


# Whether somebody waits to say that a database was restored.
WAITS = """
SELECT pid FROM pg_stat_activity
WHERE datname = $1 AND wait_event_type = 'Lock' AND query LIKE '%okno.restored%'
"""


def said(config: Path) -> tuple[int, str]:
    """What `okno restored` says."""
    words = [OKNO, "restored", "--config", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr
