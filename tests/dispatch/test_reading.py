"""Reads and polls find what no notification told of, and one order's trouble is not all orders' trouble."""

import asyncio

import pytest

from events.order import facts as f
from service import reader
from service.due_reads import DueRead, reads_of
from service.marketplaces.port import CallFailed
from service.marketplaces.yandex.sandbox import Faults
from service.reader import MISSING_TRIES
from tests.dispatch.shop import Process, Shop, key, until
from tests.events.said import personal


async def read_all(hub: Process) -> None:
    """Works off what is due now."""
    while due := await hub.work.due_reads("ym", 50):
        await hub.reader._work_off(due)


async def test_a_poll_finds_new_and_changed_orders(shop: Shop) -> None:
    """An order nobody told of is read whole, the buyer too; of a known one only what changed is recorded."""
    hub = shop.process()
    known, quiet = await shop.place(hub), await shop.place(hub)
    await hub.poller.poll()
    versions = (await shop.state(quiet)).version
    new = shop.market.place(shop.campaign)
    shop.market.move(known, "DELIVERY", "DELIVERY_SERVICE_RECEIVED")
    await hub.poller.poll()
    await read_all(hub)
    assert (await shop.state(known)).status == "DELIVERY/DELIVERY_SERVICE_RECEIVED"
    assert (await shop.state(new)).placed
    assert any("customer" in data for data in (await personal(shop.log, key(new))).values())
    assert (await shop.state(quiet)).version == versions


async def test_reads_are_woken_when_they_are_due(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-back a moment after its call, an order told of at once; the poll is for a wake-up that was lost."""
    monkeypatch.setattr(reader, "POLL_SECONDS", 1000.0)
    hub, news = shop.process(), asyncio.Event()
    order = await shop.place(hub)
    hub.start()
    running = [hub.reader.run(hub.told.subscribe(reads_of("ym"))), hub.reactor.run(news, hub.told)]
    loops = [asyncio.create_task(one) for one in running]

    async def shown(status: str) -> bool:
        news.set()
        return (await shop.state(order)).status == status

    await shop.mark(order, "order.shipped")
    await until(lambda: shown("DELIVERY/DELIVERY_SERVICE_RECEIVED"))
    shop.market.move(order, "PICKUP", "PICKUP_SERVICE_RECEIVED")
    await shop.said(key(order), "marketplace.notified", f.Notified(notice="ORDER_STATUS_UPDATED"))
    await until(lambda: shown("PICKUP/PICKUP_SERVICE_RECEIVED"))
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


async def test_a_poll_that_fails_in_the_middle_is_begun_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one looks from where the last whole one began, and nothing between is missed or doubled."""
    hub = shop.process()
    await hub.poller.poll()
    _, since = await hub.work.progress("poll/ym")
    orders = [shop.market.place(shop.campaign) for _ in range(60)]
    send, calls = hub.client.send, []

    async def second_page_fails(call: object) -> object:
        calls.append(call)
        if len(calls) == 2:
            raise CallFailed("cut", sent=True)
        return await send(call)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(hub.client, "send", second_page_fails)
    with pytest.raises(CallFailed):
        await hub.poller.poll()
    assert (await hub.work.progress("poll/ym"))[1] == since
    await hub.poller.poll()
    await read_all(hub)
    assert [(await shop.state(order)).placed for order in orders] == [True] * 60
    assert (await hub.work.progress("poll/ym"))[1] != since


async def test_an_order_market_does_not_show(shop: Shop) -> None:
    """It is looked for a few times with growing pauses, and then left to the polls."""
    hub = shop.process()
    order = "ym/52799999999"
    await hub.work.ask_reads([(order, 0.0, "")])
    for tries in range(MISSING_TRIES + 1):
        row = await shop.pool.fetchrow("SELECT attempts, asked FROM okno.reads WHERE order_key = $1", order)
        assert row is not None
        assert row["attempts"] == tries
        await hub.reader._work_off([DueRead(order, (), tries, row["asked"])])
    assert await shop.pool.fetchval("SELECT count(*) FROM okno.reads") == 0


async def test_hints_and_times_of_several_reasons_are_joined(shop: Shop) -> None:
    """Two returns and a later look at one order are one read, the earliest, with both hints."""
    hub = shop.process()
    reads = [("ym/1", 3600.0, ""), ("ym/1", 0.0, "return:1"), ("ym/1", 60.0, "return:2")]
    await hub.work.ask_reads(reads)
    (due,) = await hub.work.due_reads("ym", 10)
    assert sorted(due.hints) == ["return:1", "return:2"]


async def test_asked_again_while_being_read(shop: Shop) -> None:
    """A notification that comes during a read makes the order read once more."""
    hub = shop.process()
    await hub.work.ask_reads([("ym/1", 0.0, "")])
    (due,) = await hub.work.due_reads("ym", 10)
    await hub.work.ask_reads([("ym/1", 0.0, "return:5")])
    await hub.work.done_reads([due])
    (again,) = await hub.work.due_reads("ym", 10)
    assert again.hints == ("return:5",)


async def test_one_read_that_fails_does_not_hold_up_the_others(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that can't be made for one order fails the batch once; after that the others are read without it."""
    hub = shop.process()
    poison, *orders = [shop.market.place(shop.campaign) for _ in range(4)]
    read = shop.channel.marketplace.read

    def broken(wanted: list[object]) -> object:
        if any(str(poison.number) in repr(one) for one in wanted):
            raise CallFailed("Market answers 500", sent=True)
        return read(wanted)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(shop.channel.marketplace, "read", broken)
    await hub.work.ask_reads([(key(order), 0.0, "") for order in (poison, *orders)])
    await read_all(hub)
    await shop.pool.execute("UPDATE okno.reads SET due_at = now()")
    await hub.reader._work_off(await hub.work.due_reads("ym", 50))
    assert [(await shop.state(order)).placed for order in orders] == [True] * 3
    assert [row["order_key"] for row in await shop.pool.fetch("SELECT order_key FROM okno.reads")] == [key(poison)]


async def test_an_open_circuit_burns_no_read(shop: Shop) -> None:
    """While calls are held back, reads wait without losing their tries."""
    hub = shop.process()
    order = shop.market.place(shop.campaign)
    shop.market.faults = Faults(error=1.0)
    while hub.client.circuit.until is None:
        with pytest.raises(CallFailed):
            await hub.poller.poll()
    shop.market.faults = Faults()
    await hub.work.ask_reads([(key(order), 0.0, "")])
    await hub.reader._work_off(await hub.work.due_reads("ym", 50))
    assert await shop.pool.fetchval("SELECT attempts FROM okno.reads") == 0
    await read_all(hub)
    assert (await shop.state(order)).placed


async def test_a_bug_one_orders_data_bring_out_holds_up_no_other_read(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An adapter that fails unforeseen fails the batch once; after that the others are read without the culprit."""
    hub = shop.process()
    poison, *orders = [shop.market.place(shop.campaign) for _ in range(3)]
    read = shop.channel.marketplace.read

    def broken(wanted: list[object]) -> object:
        if any(str(poison.number) in repr(one) for one in wanted):
            raise KeyError("items")
        return read(wanted)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(shop.channel.marketplace, "read", broken)
    await hub.work.ask_reads([(key(order), 0.0, "") for order in (poison, *orders)])
    await read_all(hub)
    await shop.pool.execute("UPDATE okno.reads SET due_at = now()")
    await hub.reader._work_off(await hub.work.due_reads("ym", 50))
    assert [(await shop.state(order)).placed for order in orders] == [True] * 2
    assert [row["order_key"] for row in await shop.pool.fetch("SELECT order_key FROM okno.reads")] == [key(poison)]
