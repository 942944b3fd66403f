"""Following: rows and checkpoint agree after any crash and under any number of followers."""

import asyncio
from typing import Any

import pytest

import projections.follow
from events.log import Log
from events.order import facts as f
from projections.follow import begin, slowest
from projections.orders import queries
from projections.orders.project import ORDERS
from projections.rebuild import rebuild
from projections.status import status
from projections.store import write
from service.database import Pool
from tests.events.said import personal
from tests.projections.shop import (
    ALL_SLICES,
    EVERY,
    ONEC,
    assert_true_to_the_log,
    check,
    confirmed,
    event,
    follow,
    follower,
    live,
    orders,
    placed,
    registered,
    requested,
)


async def test_live_rows_are_those_of_a_fresh_fold(pool: Pool, log: Log) -> None:
    """Followed in steps while orders change, rows end as a fold of the whole log makes them."""
    keys = orders(30)
    await log.append([placed(key) for key in keys])
    await follow(pool, log)
    await log.append([confirmed(key) for key in keys[::2]])
    await log.append([requested(key, f"command of {key}") for key in keys[::3]])
    await follow(pool, log)

    await assert_true_to_the_log(pool, log, keys)
    head = (await log.head()).position
    assert [(s.position, s.lag, s.failures, s.outdated) for s in await status(pool, EVERY, head)] == [
        (head, 0, 0, False)
    ] * len(EVERY)


async def test_a_follower_killed_between_read_and_store_loses_nothing(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever dies with rows in hand, before or after they were written, leaves the checkpoint where it was."""
    keys = orders(20)
    await log.append([placed(key) for key in keys])
    await begin(pool, EVERY)
    real = write
    for dies_first in (True, False):

        async def dies(*arguments: Any, first: bool = dies_first) -> None:
            if not first:
                await real(*arguments)
            raise asyncio.CancelledError

        monkeypatch.setattr(projections.follow, "write", dies)
        with pytest.raises(asyncio.CancelledError):
            await follower(pool, log).step(ALL_SLICES)
        assert await live(pool, ORDERS.tables[0]) == []
        assert await slowest(pool, EVERY) == 0
    monkeypatch.undo()

    await follow(pool, log)
    await assert_true_to_the_log(pool, log, keys)


async def test_two_followers_of_the_same_slices_neither_double_nor_lose(pool: Pool, log: Log) -> None:
    """Two that both believe to hold every slice, while orders change, leave the rows of a fresh fold."""
    keys = orders(40)
    await begin(pool, EVERY)
    appended = False

    async def shop() -> None:
        nonlocal appended
        for batch in (placed, confirmed, lambda key: requested(key, f"c{key}")):
            for start in range(0, len(keys), 10):
                await log.append([batch(key) for key in keys[start : start + 10]])
        appended = True

    async def follows(owner: str) -> None:
        one = follower(pool, log, owner=owner)
        while not appended or await slowest(pool, EVERY) < (await log.head()).position:
            await one.step(ALL_SLICES)

    await asyncio.gather(shop(), follows("one"), follows("two"))
    await assert_true_to_the_log(pool, log, keys)


async def test_who_was_overtaken_writes_nothing(pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower that another overtook between its read and its store throws its older rows away."""
    (key,) = orders(1)
    await log.append([placed(key)])
    await begin(pool, EVERY)
    real = Log.histories

    async def overtaken(self: Log, keys: Any) -> Any:
        monkeypatch.undo()
        found = await real(self, keys)
        await log.append([confirmed(key)])
        await follow(pool, log)
        return found

    monkeypatch.setattr(Log, "histories", overtaken)
    await follower(pool, log).step(ALL_SLICES)

    found = await queries.one(pool, key)
    assert found is not None
    assert (found.stage, found.version) == ("confirmed", 2)


async def test_who_is_far_behind_keeps_nobody_waiting(pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A projection that starts from nothing catches up in steps of its own; the others stay live meanwhile."""
    monkeypatch.setattr(projections.follow, "BATCH", 50)
    (key, *_) = keys = orders(3)
    for _ in range(3):
        await log.append([confirmed(keys[n % 3]) for n in range(50)])
    await follow(pool, log, [ORDERS])
    await log.append([placed(key)])

    await begin(pool, EVERY)
    assert await follower(pool, log).step(ALL_SLICES)
    found = await queries.one(pool, key)
    assert found is not None
    assert found.placed_at is not None
    assert await slowest(pool, EVERY) == 50


@pytest.mark.parametrize("linked_first", [True, False])
async def test_marks_under_a_document_count_once_it_is_linked(pool: Pool, log: Log, linked_first: bool) -> None:
    """A mark sent under `1c/DOCUMENT` shows on the order, linked before or later, followed or rebuilt."""
    (key,) = orders(1)
    link, mark = registered(key, "doc-1", "ЦСУТ-1"), event("1c/doc-1", "order.confirmed", f.Confirmed(), ONEC)
    for part in (link, mark) if linked_first else (mark, link):
        await log.append([placed(key)] if part is link else [])
        await log.append([part])
        await follow(pool, log)
    found = await queries.one(pool, key)
    assert found is not None
    assert (found.stage, found.document and found.document.number) == ("confirmed", "ЦСУТ-1")
    await rebuild(pool, ORDERS)
    await assert_true_to_the_log(pool, log, [key])
    assert await check(pool, ORDERS) == []


async def test_rows_hold_no_personal_data(pool: Pool, log: Log) -> None:
    """Names, phones, addresses and raw bodies stay in the side tables, whatever table a projection fills."""
    (key,) = orders(1)
    buyer = '{"customer": {"name": "Иванов", "phone": "+79270000000"}, "address": "Самара, Садовая"}'.encode()
    await log.append([placed(key, personal=buyer, body=buyer), requested(key, "c1")])
    await follow(pool, log)
    assert await personal(log, key) != {}
    for projection in EVERY:
        for table in projection.tables:
            text = str(await live(pool, table))
            assert key in text
            assert [word for word in ("Иванов", "+7927", "Садовая", "customer", "address") if word in text] == []


async def test_a_follower_runs_until_cancelled_and_leaves_its_slices(pool: Pool, log: Log) -> None:
    """`run` takes up what is appended when it is woken, and gives its slices back at the end."""
    (key,) = orders(1)
    wake = asyncio.Event()
    running = asyncio.create_task(follower(pool, log).run(wake))
    await log.append([placed(key)])
    wake.set()
    async with asyncio.timeout(20):
        while await queries.one(pool, key) is None:  # noqa: ASYNC110  # Postgres has no event to wait for
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await pool.fetchval("SELECT count(*) FROM okno.leases") == 0
