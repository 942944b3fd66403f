"""An outcome says when the marketplace was first asked and when last, and what stood in the way."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from events.codec import decode
from events.order import facts as f
from service import dispatcher
from service.audit import Mark, replay
from service.lives import Lives
from service.marketplaces.port import Call
from service.marketplaces.yandex.sandbox import Faults, Order
from service.work import Mark as Attempt
from service.work import Release
from tests.dispatch.shop import Shop, key, until

SECOND = timedelta(seconds=1)


async def outcomes(shop: Shop, order: Order) -> list[f.CommandOutcome]:
    """What came of the order's commands for Market, in order."""
    history = (await shop.log.histories([key(order)]))[key(order)]
    return [fact for event in history if isinstance(fact := decode(event), f.CommandOutcome)]


async def report(shop: Shop, order: Order) -> Mark:
    """What is said of its delivery."""
    found = await replay(shop.log, key(order), pool=shop.pool)
    (mark,) = [mark for mark in found.marks if mark.step == "delivery"]
    return mark


async def test_the_first_and_the_last_try(shop: Shop) -> None:
    """Market fails twice, then takes it: the first try is the first call, the last one that which was taken."""
    hub = shop.process()
    order = await shop.place(hub)
    shop.market.faults = Faults(error=1.0, reads=False)
    await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await until(lambda: shop.called(order, 2))
    shop.market.faults = Faults()
    await shop.settled(hub, order)
    (done,) = await outcomes(shop, order)
    calls = shop.calls(order)
    assert (done.attempts, len(calls)) == (len(calls), done.attempts)
    assert done.tried_at is not None
    assert done.sent_at is not None
    assert abs(done.tried_at - calls[0].at) < SECOND / 2
    assert done.tried_at < done.sent_at
    assert abs(done.sent_at - calls[-1].at) < SECOND / 2
    assert done.trouble is not None
    assert "503" in done.trouble
    mark = await report(shop, order)
    assert (mark.tried_at, mark.attempts, mark.state) == (done.tried_at, done.attempts, "done")
    assert mark.answer == done.trouble


async def test_a_process_that_dies_in_the_call_has_told(shop: Shop) -> None:
    """Killed between the bytes and the outcome: who comes next reads the order back, and the try's time is kept."""
    hub = shop.process()
    order = await shop.place(hub)
    never = asyncio.Event()

    async def hangs(_: Call) -> None:
        await never.wait()

    hub.client.after = hangs
    await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await until(lambda: shop.called(order))
    await hub.die()
    died = datetime.now(UTC)
    await asyncio.sleep(1.2)  # the lease
    heir = shop.process()
    heir.start()
    await shop.settled(heir, order)
    (done,) = await outcomes(shop, order)
    assert done.tried_at is not None
    assert done.tried_at == done.sent_at
    assert done.tried_at < died, "the heir only read"
    mark = await report(shop, order)
    assert mark.answered_at is not None
    assert mark.answered_at > died


async def test_a_call_that_never_left_was_no_try(shop: Shop) -> None:
    """Without bytes, without a limit of the marketplace's: the marketplace was not asked yet."""
    hub = shop.process()
    order = await shop.place(hub)
    await shop.mark(order, "order.shipped")
    await hub.react()
    command = (await shop.commands(order))["delivery"]
    lanes = await hub.work.claim("ym", 1)
    for held, asked in ((False, False), (True, True)):
        assert key(order) in await hub.work.begin("ym", [Attempt(command.id, key(order))])
        await hub.work.undo(command.id, datetime.now(UTC), "no", held=held)
        assert (await shop.row(command, "first_at") is not None) == asked
        assert await shop.row(command, "attempts") == 0
    await hub.work.release(Release("ym", lanes[0]))


async def test_what_is_not_done_yet_is_reported_by_its_tries(shop: Shop) -> None:
    """While Market fails, the report knows since when it is asked, how often, and what it answers."""
    hub = shop.process()
    order = await shop.place(hub)
    shop.market.faults = Faults(error=1.0, reads=False)
    await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await until(lambda: shop.called(order, 2))
    mark = await report(shop, order)
    assert mark.state == "waiting"
    assert mark.attempts >= 2
    assert mark.tried_at is not None
    assert abs(mark.tried_at - shop.calls(order)[0].at) < SECOND / 2
    assert "503" in (mark.answer or "")
    (alone,) = [one for one in (await replay(shop.log, key(order))).marks if one.step == "delivery"]
    assert alone.tried_at is None, "that is not in the log"


async def test_an_order_marked_in_an_outage_was_never_late_by_the_hub(shop: Shop) -> None:
    """The circuit is open, so that nothing is tried for it: the wait is Market's, as the report says."""
    hub = shop.process()
    noted = Lives(shop.pool, "hub", frozenset(["dispatch", "react", "intake"]), {"ym": hub.client})
    orders = [await shop.place(hub) for _ in range(9)]
    *others, last = orders
    shop.market.faults = Faults(error=1.0)
    for order in others:
        await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    while hub.client.circuit.openings < 2:
        await noted.note()
        await asyncio.sleep(0.02)
    await shop.mark(last, "order.shipped")
    await hub.react()
    assert shop.calls(last) == []
    await noted.note()
    await asyncio.sleep(0.1)
    await noted.note()
    shop.market.faults = Faults()
    await shop.settled(hub, *orders)
    mark = await report(shop, last)
    assert mark.state == "done"
    assert "down" in [leg.kind for leg in mark.legs]
    assert all("503" in (leg.detail or "") for leg in mark.legs if leg.kind == "down")


async def test_what_is_put_off_comes_up_by_itself(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that failed is tried again at its time, though nothing else happens and nobody polls."""
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 3600)
    hub = shop.process()
    order = await shop.place(hub)
    shop.market.faults = Faults(error=1.0, reads=False)
    await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await until(lambda: shop.called(order))
    shop.market.faults = Faults()
    await shop.settled(hub, order)
    assert shop.done(order) == ["DELIVERY"]


async def test_a_lane_goes_with_its_last_outcome(shop: Shop) -> None:
    """Nothing is left of a lane in which nothing waits, and of the attempts in it."""
    hub = shop.process()
    order = await shop.place(hub)
    await shop.mark(order, "order.delivered")
    await hub.react()
    hub.start()
    await shop.settled(hub, order)
    rows = "SELECT (SELECT count(*) FROM okno.dispatch WHERE target = 'ym') + (SELECT count(*) FROM okno.attempts"
    await until(lambda: shop.pool.fetchval(f"{rows} WHERE target = 'ym') = 0"))
