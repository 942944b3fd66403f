"""Leases are shared out among the processes that live, and change hands when one comes or goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

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
