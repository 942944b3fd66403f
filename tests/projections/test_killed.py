"""`okno rebuild` as a process, killed at any moment: what is done is kept, live rows are never half, nobody is left."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from events.log import Log
from projections.orders.project import ORDERS
from projections.projection import BUCKETS
from service.database import Pool
from tests.projections.shop import assert_true_to_the_log, check, confirmed, follow, live, orders, placed, requested

KEYS = orders(300)
REST = "SELECT FROM okno.projection_rebuilds WHERE bucket >= $1 AND position IS NULL FOR UPDATE SKIP LOCKED"
OKNO = Path(sys.executable).with_name("okno")


@asynccontextmanager
async def started(database_url: str, folder: Path, *words: str) -> AsyncIterator[Process]:
    """`okno …` in a process group of its own, as a terminal starts it."""
    config = folder / "okno.toml"
    config.write_text(f'data_dir = "{folder}/var"\n[postgres]\nurl = "{database_url}"\n')
    arguments = (*words, "--config", str(config))
    process = await asyncio.create_subprocess_exec(OKNO, *arguments, stdout=PIPE, stderr=PIPE, start_new_session=True)
    try:
        yield process
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def ends(database_url: str, folder: Path, *words: str) -> tuple[int | None, str]:
    """Runs `okno …` to its end: exit code, and what it said."""
    async with started(database_url, folder, *words) as process:
        said, errors = await process.communicate()
        return process.returncode, (said + errors).decode()


async def until(pool: Pool, done: int) -> int:
    """Waits until so many buckets are filled; how many there are."""
    async with asyncio.timeout(60):
        while (found := await pool.fetchval("SELECT count(position) FROM okno.projection_rebuilds")) < done:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return int(found)


@asynccontextmanager
async def held_back(pool: Pool, behind: int = 200) -> AsyncIterator[None]:
    """While inside, no rebuild gets further, however fast it is or slow the test: the buckets behind are locked."""
    async with pool.acquire() as holder, holder.transaction():
        async with asyncio.timeout(60):
            while not await holder.fetch(REST, behind):  # noqa: ASYNC110  # there are none before it has begun
                await asyncio.sleep(0.01)
        yield


async def gone(processes: list[psutil.Process]) -> None:
    """Waits until these have ended."""
    async with asyncio.timeout(30):
        while any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def shop(pool: Pool, log: Log) -> None:
    """Orders with live rows, some of which are wrong."""
    await log.append([placed(key) for key in KEYS] + [requested(key, f"c{key}") for key in KEYS])
    await follow(pool, log)
    await pool.execute("UPDATE okno.orders SET stage = 'wrong' WHERE order_key < $1", KEYS[100])


async def wrong(pool: Pool) -> int:
    """Live rows that are wrong; all are there."""
    stages = [row[3] for row in await live(pool, ORDERS.tables[0])]
    assert len(stages) == len(KEYS)
    return stages.count("wrong")


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_killed_rebuild_goes_on_where_it_was(
    pool: Pool, log: Log, database_url: str, tmp_path: Path, workers: str
) -> None:
    """SIGKILL, twice: live rows stay, buckets filled stay filled, workers follow their parent, the third run swaps."""
    await shop(pool, log)
    done = 0
    for goal in (40, 120):
        async with started(database_url, tmp_path, "rebuild", "orders", "--workers", workers) as process:
            async with held_back(pool, goal + 40):
                await until(pool, goal)
                children = psutil.Process(process.pid).children(recursive=True)
                process.kill()
                await process.wait()
            await gone(children)
        now = await until(pool, done)
        assert done < now < BUCKETS
        done = now
        assert await wrong(pool) == 100
    await log.append([confirmed(key) for key in KEYS[:50]])
    code, said = await ends(database_url, tmp_path, "rebuild", "orders", "--workers", workers)
    assert (code, "rebuilt orders" in said) == (0, True), said
    await follow(pool, log)
    await assert_true_to_the_log(pool, log, KEYS)


async def test_a_worker_killed_leaves_its_bucket_to_others(
    pool: Pool, log: Log, database_url: str, tmp_path: Path
) -> None:
    """Workers die by SIGKILL, all of them; the rebuild ends well all the same."""
    await shop(pool, log)
    async with started(database_url, tmp_path, "rebuild", "orders", "--workers", "2") as process:
        async with held_back(pool):
            await until(pool, 20)
            for child in psutil.Process(process.pid).children(recursive=True):
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()
        said, errors = await process.communicate()
    assert (process.returncode, b"rebuilt orders" in said) == (0, True), errors
    await assert_true_to_the_log(pool, log, KEYS)


async def test_an_interrupted_rebuild_says_that_it_goes_on(
    pool: Pool, log: Log, database_url: str, tmp_path: Path
) -> None:
    """Ctrl-C reaches the whole process group: one line, exit 130, no worker left, and the next run goes on."""
    await shop(pool, log)
    async with started(database_url, tmp_path, "rebuild", "orders", "--workers", "2") as process:
        async with held_back(pool):
            await until(pool, 20)
            children = psutil.Process(process.pid).children(recursive=True)
            os.killpg(process.pid, signal.SIGINT)
            said, errors = await process.communicate()
        await gone(children)
    assert (process.returncode, said) == (130, b"")
    assert errors.decode().splitlines() == ["okno: orders is interrupted: run it again, what is done is kept"]
    assert 20 <= await until(pool, 0) < BUCKETS
    assert await wrong(pool) == 100
    assert (await ends(database_url, tmp_path, "rebuild", "orders"))[0] == 0
    await assert_true_to_the_log(pool, log, KEYS)


async def test_a_rebuild_killed_on_its_way_to_swap(pool: Pool, log: Log, database_url: str, tmp_path: Path) -> None:
    """While it waits for a reader who holds the old table, it dies: that table is live and followed, the next swaps."""
    await shop(pool, log)
    async with pool.acquire() as holder, holder.transaction():
        await holder.fetch("SELECT order_key FROM okno.orders")
        async with started(database_url, tmp_path, "rebuild", "orders") as process:
            await until(pool, BUCKETS)
            await asyncio.sleep(1.0)
            assert process.returncode is None
            process.kill()
            await process.wait()
    assert await wrong(pool) == 100
    await log.append([confirmed(key) for key in KEYS])
    await follow(pool, log)
    assert await wrong(pool) == 0
    code, said = await ends(database_url, tmp_path, "rebuild", "--all")
    assert (code, "rebuilt commands" in said) == (0, True), said
    await assert_true_to_the_log(pool, log, KEYS)


async def test_two_rebuilds_and_a_check_at_once(pool: Pool, log: Log, database_url: str, tmp_path: Path) -> None:
    """Started together they share the work; one swaps, the others say so or find nothing."""
    await shop(pool, log)
    ended = await asyncio.gather(*(ends(database_url, tmp_path, "rebuild", "orders", *more)
                                   for more in ([], ["--workers", "2"], ["--check"])))  # fmt: skip
    assert [code for code, _ in ended[:2]] == [0, 0], ended
    assert await pool.fetchval("SELECT max(generation) FROM okno.projection_progress WHERE projection = 'orders'") <= 3
    assert await check(pool, ORDERS) == []
    await assert_true_to_the_log(pool, log, KEYS)
