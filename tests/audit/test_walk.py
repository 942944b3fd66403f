"""A walk over a longer log finds the same first fault however it is cut and whoever walks."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
import pytest_asyncio

from events.log import Log
from service.audit import Verdict, verify
from service.database import close, open_reader
from tests.audit.tampering import Tamperer, unseen
from tests.events.said import new
from tests.servers import BODY_KEY, Databases, opened

BATCHES = 240
SEED = 20_260_301


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(databases: Databases) -> str:
    """A database with a log of hundreds of batches, which nobody is connected to; its URL."""
    url = await databases.create()
    chance, number = random.Random(SEED), 0
    async with opened(url) as pool:
        for _ in range(BATCHES):
            size = chance.choice((1, 1, 2, 7, 20, 40))
            await Log(pool, BODY_KEY).append([
                new(number + n, order=f"shop/{(number + n) % 97}", body=b"raw %d" % n) for n in range(size)
            ])  # fmt: skip
            number += size
    return url


@pytest_asyncio.fixture
async def copied(databases: Databases, postgres_url: str, filled: str) -> AsyncIterator[str]:
    """A copy of that database."""
    name, other = urlsplit(filled).path.lstrip("/"), f"{urlsplit(filled).path.lstrip('/')}_copy"
    administrator = await asyncpg.connect(postgres_url)
    try:
        await administrator.execute(f"CREATE DATABASE {other} TEMPLATE {name} STRATEGY file_copy")
        yield filled.replace(name, other)
        await administrator.execute(f"DROP DATABASE {other} WITH (FORCE)")
    finally:
        await administrator.close()


async def verdict(
    url: str, *, workers: int = 1, since: bytes | None = None, batch: int = 100, span: int = 250
) -> Verdict:
    """What so many processes prove."""
    pool = await open_reader(url)
    try:
        return await verify(
            pool, unseen, BODY_KEY, since=since, workers=workers, connect=partial(open_reader, url, size=1),
            batch=batch, span=span,
        )  # fmt: skip
    finally:
        await close(pool)


def edited(column: str, value: str) -> str:
    """Changes a column of a row."""
    return f"UPDATE okno.events SET {column} = {value} WHERE position = {{at}}"


LINK = "(SELECT min(last_position) FROM okno.seals WHERE last_position >= {at})"
SHIFT = "UPDATE okno.events SET position = -position WHERE position >= {at}"
BACK = "UPDATE okno.events SET position = 1 - position WHERE position < 0"
COPY = """
INSERT INTO okno.events SELECT {at}, order_key, version + 900, type, source, id, cause, actor, occurred_at, recorded_at,
    bucket, id_reused, digest || '9', data, body_hash, hash FROM okno.events WHERE position = {at} + 1
"""
KINDS: dict[str, tuple[str, ...]] = {
    "content edited": (edited("data", "data || ' '"),),
    "occurred edited": (edited("occurred_at", "occurred_at - interval '1 day'"),),
    "recorded edited": (edited("recorded_at", "recorded_at - interval '1 us'"),),
    "type edited": (edited("type", "'order.arrived'"),),
    "order edited": (edited("order_key", "'shop/other'"),),
    "removed": ("DELETE FROM okno.events WHERE position = {at}",),
    "removed and closed up": (
        "DELETE FROM okno.events WHERE position = {at}", SHIFT,
        "UPDATE okno.events SET position = -position - 1 WHERE position < 0",
    ),
    "inserted": (SHIFT, BACK, COPY),
    "reordered": (
        "UPDATE okno.events SET position = -position WHERE position IN ({at}, {at} + 1)",
        "UPDATE okno.events SET position = 2 * {at} + 1 + position WHERE position < 0",
    ),
    "sealed otherwise": ("UPDATE okno.seals SET seal = root WHERE last_position = " + LINK,),
    "seal removed": ("DELETE FROM okno.seals WHERE last_position = " + LINK,),
}  # fmt: skip
OF_A_LINK = ("sealed otherwise", "seal removed")
FIRST_OF = "SELECT first_position FROM okno.seals WHERE last_position >= $1 ORDER BY last_position LIMIT 1"


@pytest.mark.parametrize("kind", KINDS)
async def test_tampering_anywhere_is_found_by_any_number_of_workers(copied: str, kind: str) -> None:
    """At a random place, and again at a later one: one verdict for any cut, batch and number of processes."""
    chance = random.Random(f"{SEED} {kind}")
    owner = await asyncpg.connect(copied)
    try:
        last = await owner.fetchval("SELECT position FROM okno.head")
        at = chance.randrange(2, last - 40)
        expected = await owner.fetchval(FIRST_OF, at) if kind in OF_A_LINK else at
        later = chance.randrange(at + 30, last)
        await Tamperer(owner).do(*(deed.format(at=at) for deed in KINDS[kind]), edited("actor", "'x'").format(at=later))
    finally:
        await owner.close()
    one = await verdict(copied)
    assert (one.whole, one.position) == (False, expected), (at, one)
    for batch, span in ((40, 10_000), (5000, 60), (33, 1000)):
        assert await verdict(copied, batch=batch, span=span) == one, (batch, span)
    assert await verdict(copied, workers=2) == one


async def test_a_whole_log_and_a_seal_kept_outside(filled: str) -> None:
    """Whole for any number of processes; each seal there ever was is found, at its link; another one is not."""
    reader = await open_reader(filled)
    links = await reader.fetch("SELECT number, last_position, seal FROM okno.seals ORDER BY number")
    await close(reader)
    for link in (links[0], links[100], links[-1]):
        found = await verdict(filled, since=link["seal"])
        assert found.since is not None
        assert (found.whole, found.since.holds, found.since.link, found.since.position) == (
            True, True, link["number"], link["last_position"])  # fmt: skip
    apart = await verdict(filled, workers=3, since=links[150]["seal"])
    assert apart == await verdict(filled, since=links[150]["seal"])
    missing = await verdict(filled, since=bytes(31) + b"1")
    assert missing.since is not None
    assert (missing.whole, missing.since.holds, missing.since.link) == (True, False, None)
    before = await verdict(filled, since=bytes(32))
    assert before.since is not None
    assert (before.since.holds, before.since.link) == (True, 0), "the beginning of every log"


async def test_a_recomputed_chain_is_found_by_the_seal_kept_outside(copied: str) -> None:
    """Who edits a row and seals all anew from there is not found by the walk, only by a seal of after that place."""
    owner = await asyncpg.connect(copied)
    links = await owner.fetch("SELECT number, first_position, seal FROM okno.seals ORDER BY number")
    at = links[120]["first_position"]
    forged = """
    DO $$ DECLARE l record; at_ bigint; before_ bytea; made bytea; BEGIN
        UPDATE okno.events SET hash = sha256(hash) WHERE position = %s;
        FOR l IN SELECT * FROM okno.seals WHERE last_position >= %s ORDER BY number LOOP
            SELECT sha256(string_agg(hash, ''::bytea ORDER BY position)) INTO made FROM okno.events
            WHERE position BETWEEN l.first_position AND l.last_position;
            UPDATE okno.seals s SET root = made, seal = okno.next_seal(
                (SELECT seal FROM okno.seals WHERE number = l.number - 1),
                coalesce((SELECT seal FROM okno.seals WHERE number = l.number - (l.number & -l.number)),
                         decode(repeat('00', 32), 'hex')),
                l.number, l.first_position, l.last_position, l.recorded_at, made) WHERE s.number = l.number;
        END LOOP;
        UPDATE okno.head SET seal = (SELECT seal FROM okno.seals ORDER BY number DESC LIMIT 1);
    END $$
    """
    await Tamperer(owner).do(forged % (at, at))
    await owner.close()
    found = await verdict(copied)
    assert found.position == at, "the row's hash is not what it holds"
    held = [(await verdict(copied, since=link["seal"])).since for link in (links[119], links[120])]
    assert [kept is not None and kept.holds for kept in held] == [True, False]


async def test_killed_workers_leave_their_part_to_the_caller(filled: str) -> None:
    """All workers shot while they work: the same verdict."""
    walk = asyncio.create_task(verdict(filled, workers=2, span=60))
    shot = set[int]()
    while not walk.done():
        for child in psutil.Process().children():
            with suppress(psutil.NoSuchProcess):  # shot already
                if "spawn_main" in " ".join(child.cmdline()):
                    shot.add(child.pid)
                    await asyncio.sleep(0.5)
                    child.kill()
        await asyncio.sleep(0.02)
    assert shot
    assert await walk == await verdict(filled)


CREW = """
import asyncio, sys
from functools import partial
import psutil
from service.audit.crew import crew
from service.database import open_reader

async def main() -> None:
    pool = await open_reader(sys.argv[1])
    async with crew(pool, 2, partial(open_reader, sys.argv[1], size=1)):
        print(*(child.pid for child in psutil.Process().children()), flush=True)
        await asyncio.sleep(60)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_workers_end_with_who_started_them(filled: str, tmp_path: Path) -> None:
    """The caller is killed: no process stays behind."""
    script = tmp_path / "crew.py"
    script.write_text(CREW)
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, str(script), filled], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
    ) as caller:
        assert caller.stdout is not None
        workers = [int(word) for word in caller.stdout.readline().split()]
        assert len(workers) >= 2
        caller.send_signal(signal.SIGKILL)
    gone, alive = psutil.wait_procs([psutil.Process(pid) for pid in workers if psutil.pid_exists(pid)], timeout=30)
    assert alive == [], gone
