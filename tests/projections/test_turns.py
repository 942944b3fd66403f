"""Whose turn it is to prepare or finish a rebuild: it ends with who had it, however that one ended."""

import asyncio

import pytest

from projections.orders.project import ORDERS
from projections.rebuild import WAITED_FOR, turn
from service.database import Pool


async def test_a_turn_ends_with_who_had_it(pool: Pool) -> None:
    """The next one gets it after an end, after an error, and after the waiting of somebody was cut off."""
    async with turn(pool, ORDERS):
        waiting = asyncio.create_task(one_turn(pool))
        while not await pool.fetchval(WAITED_FOR, ORDERS.name):  # noqa: ASYNC110  # Postgres sets no event
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    with pytest.raises(ZeroDivisionError):
        async with turn(pool, ORDERS):
            raise ZeroDivisionError
    await one_turn(pool)


async def test_what_a_turn_sets_is_not_set_for_others(pool: Pool) -> None:
    """It waits without end for its turn; the next who gets a connection waits as everybody does."""
    usual = await pool.fetchval("SHOW lock_timeout")
    await one_turn(pool)
    async with pool.acquire() as one, pool.acquire() as other, pool.acquire() as third:
        assert [await connection.fetchval("SHOW lock_timeout") for connection in (one, other, third)] == [usual] * 3


async def one_turn(pool: Pool) -> None:
    """Has it for a moment."""
    async with asyncio.timeout(60), turn(pool, ORDERS):
        pass
