"""Processes wake each other, and a broken ear grows again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from service import wakeups
from service.signals import Signal
from service.wakeups import Wakeups


@asynccontextmanager
async def process(url: str, owner: str) -> AsyncIterator[Signal]:
    """A process's signal, spread over Postgres."""
    signal = Signal()
    running = asyncio.create_task(Wakeups(url, owner, {"grown": signal}).run())
    yield signal
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def listeners(url: str) -> int:
    """How many listen on this database."""
    connection = await asyncpg.connect(url)
    count: int = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        " AND state = 'idle'"  # one that is about to listen does not hear yet
    )
    await connection.close()
    return count


async def until(url: str, count: int) -> None:
    """Waits until so many listen."""
    async with asyncio.timeout(10):
        while await listeners(url) != count:  # noqa: ASYNC110  # Postgres tells nobody who listens
            await asyncio.sleep(0.02)


async def test_one_process_wakes_the_other_and_not_itself_twice(database_url: str) -> None:
    """What is set here is heard there; one's own notice is no second wake-up."""
    async with process(database_url, "a") as here, process(database_url, "b") as there:
        await until(database_url, 2)
        own, others = here.subscribe(), there.subscribe()
        here.set()
        assert own.is_set()
        own.clear()
        async with asyncio.timeout(10):
            await others.wait()
        await asyncio.sleep(0.1)
        assert not own.is_set()


async def test_only_those_are_woken_who_wait_for_it(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here and in other processes; everybody where nothing is named, or more than a notice holds."""
    async with process(database_url, "a") as here, process(database_url, "b") as there:
        await until(database_url, 2)
        shop, other, all_ = (there.subscribe(about) for about in ("ym-1", "ym-2", None))
        own = here.subscribe("ym-2")
        here.set("ym-1", "1c")
        async with asyncio.timeout(10):
            await all_.wait()
        assert (shop.is_set(), other.is_set(), own.is_set()) == (True, False, False)
        here.set()
        async with asyncio.timeout(10):
            await other.wait()
        assert own.is_set()
        other.clear()
        monkeypatch.setattr(wakeups, "MOST_BYTES", 10)
        here.set("ym-1")
        async with asyncio.timeout(10):
            await other.wait()


async def test_a_cut_connection_is_made_anew(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Postgres ends the ear's connection; soon it hears again."""
    monkeypatch.setattr(wakeups, "AGAIN_SECONDS", 0.05)
    async with process(database_url, "a") as here, process(database_url, "b") as there:
        await until(database_url, 2)
        killer = await asyncpg.connect(database_url)
        await killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        await killer.close()
        others = there.subscribe()
        async with asyncio.timeout(10):
            while not others.is_set():
                here.set()
                await asyncio.sleep(0.05)
