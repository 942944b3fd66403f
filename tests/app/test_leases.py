"""Leases are shared out among the processes that live, and change hands when one comes or goes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest
from asyncpg.connection import LoggedQuery

from service import database, leases
from service.database import Pool
from service.leases import Leases

TOTAL = 4


@asynccontextmanager
async def process(pool: Pool, owner: str) -> AsyncIterator[set[int]]:
    """A process that works on whatever leases it holds; their numbers as they come and go."""
    own, holds = Leases(pool, owner), set[int]()

    async def work(number: int) -> None:
        while True:
            async with own.held(f"partition/{number}", share_of=TOTAL) as lost:
                holds.add(number)
                try:
                    await lost.wait()
                finally:
                    holds.discard(number)

    running = [asyncio.create_task(work(number)) for number in range(TOTAL)]
    running.append(asyncio.create_task(own.stay_alive()))
    try:
        yield holds
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await own.release(f"process/{owner}")


async def hold(leases: Leases, name: str) -> None:
    """Waits for a lease and holds it until cancelled."""
    async with leases.held(name):
        await asyncio.Event().wait()


async def until(first: set[int], second: set[int], counts: tuple[int, int]) -> None:
    """Waits until each holds so many, and all are held."""
    async with asyncio.timeout(30):
        while (len(first), len(second)) != counts or first | second != set(range(TOTAL)):  # noqa: ASYNC110  # leases tell nobody
            await asyncio.sleep(0.02)


async def test_a_newcomer_gets_its_share_and_leaves_it_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone one has all; two have half each, never the same one; what a leaving one held goes back."""
    monkeypatch.setattr(leases, "SECONDS", 1.0)
    pool = await database.open_pool(database_url)
    async with process(pool, "a") as first:
        await until(first, set(), (TOTAL, 0))
        async with process(pool, "b") as second:
            await until(first, second, (2, 2))
            assert not first & second
        await until(first, set(), (TOTAL, 0))
    await pool.close()


async def test_many_leases_cost_no_more_statements_than_one(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process holds and what it waits for is asked for together: two rounds are two statements."""
    monkeypatch.setattr(leases, "SECONDS", 2.0)
    asked, said = Counter[str](), asyncio.Event()

    def note(query: LoggedQuery) -> None:
        asked[query.query] += 1
        said.set()

    async def connected(connection: asyncpg.Connection) -> None:
        connection.add_query_logger(note)

    pool = await asyncpg.create_pool(database_url, min_size=1, init=connected)
    other, own = Leases(pool, "other"), Leases(pool, "own")
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(other.held(f"theirs/{number}")) for number in range(5)]
        waiting = [asyncio.create_task(hold(own, f"theirs/{number}")) for number in range(5)]
        held = [asyncio.create_task(hold(own, f"own/{number}")) for number in range(15)]
        await asyncio.sleep(0.2)
        asked.clear()
        async with asyncio.timeout(30):
            while asked[leases.TAKE] < 6:
                said.clear()
                await said.wait()
        assert set(asked) - {leases.TAKE} <= {query for query in asked if query.startswith("SELECT pg_advisory")}
        assert not any(lost.is_set() for lost in others)
        for task in (*waiting, *held):
            task.cancel()
        await asyncio.gather(*waiting, *held, return_exceptions=True)
    assert await pool.fetchval("SELECT count(*) FROM okno.leases") == 0
    await pool.close()


async def test_who_stops_waiting_leaves_nothing_behind(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled at whatever moment: a lease that came meanwhile goes to the next who wants it, without a wait."""
    monkeypatch.setattr(leases, "SECONDS", 60.0)
    pool = await database.open_pool(database_url)
    first, second = Leases(pool, "first"), Leases(pool, "second")
    async with asyncio.timeout(30), first.held("other/0"):
        for turn in range(20):
            waiting = asyncio.create_task(hold(first, f"thing/{turn}"))
            await asyncio.sleep(turn / 2000)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            while not await second.take(f"thing/{turn}"):  # noqa: ASYNC110  # a taken one is given back by then, or soon
                await asyncio.sleep(0.01)
    await pool.close()
