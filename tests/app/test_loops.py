"""Loops go on whatever happens to them, and leases end by their owner's own clock."""

import asyncio
from pathlib import Path

import pytest

from service import leases, loops
from service.leases import Leases
from service.loops import forever
from tests.onec.gate import gated
from tests.servers import opened


async def test_a_cancellation_from_outside_the_task_ends_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client's closed connection ends in CancelledError: the loop begins again, and still ends when told."""
    monkeypatch.setattr(loops, "AGAIN_SECONDS", (0.01,))
    runs, again = [], asyncio.Event()

    async def run() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise asyncio.CancelledError
        again.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(forever("test", run))
    async with asyncio.timeout(10):
        await again.wait()
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


async def test_who_can_not_renew_stops_before_others_may_begin(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Postgres cut off a lease is lost to its owner while its row still holds."""
    monkeypatch.setattr(leases, "SECONDS", 3.0)
    async with (
        opened(database_url) as others,
        gated(database_url, tmp_path) as gate,
        opened(gate.url) as pool,
        Leases(pool, "a").held("thing/0") as lost,
    ):
        await gate.shut()
        async with asyncio.timeout(20):
            await lost.wait()
        assert not await Leases(others, "b").take("thing/0")
        await gate.open()


async def test_a_lease_that_can_not_be_renewed_for_any_reason_is_lost(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error nobody foresaw ends a lease aloud; else two would hold it."""
    monkeypatch.setattr(leases, "SECONDS", 1.0)
    async with opened(database_url) as pool:
        own = Leases(pool, "a")
        async with own.held("thing/0") as lost:
            monkeypatch.setattr(leases, "TAKE", "SELECT no_such_column FROM okno.leases WHERE $1 || $2 = $3")
            async with asyncio.timeout(10):
                await lost.wait()
