"""1C cancels and takes it back: what was withdrawn is told after all, each step once, unless it was too late."""

import asyncio
from random import Random

import pytest

from events.order import facts as f
from service.marketplaces.yandex.sandbox import Faults, Order
from tests.dispatch.shop import Process, Shop, until
from tests.dispatch.test_death import Grave

OUT_OF_STOCK = f.Cancelled(by="shop", reason="out_of_stock")


async def cancels(shop: Shop, order: Order) -> None:
    await shop.mark(order, "order.cancelled", OUT_OF_STOCK)


async def takes_back(shop: Shop, order: Order) -> None:
    await shop.mark(order, "order.uncancelled")


async def withdrawn(shop: Shop, order: Order) -> bool:
    """Whether the steps before the cancellation are withdrawn for it."""
    return (await shop.outcomes(order))["delivered"] == "withdrawn"


async def held_up(shop: Shop, hub: Process) -> Order:
    """An order cancelled before anything of it was told: its steps are withdrawn, the cancellation waits to be sent."""
    order = await shop.place(hub)
    await shop.mark(order, "order.delivered")
    await hub.react()
    await cancels(shop, order)
    await hub.react()
    for _ in range(4):
        await hub.client._slots.acquire()
    hub.start()
    await until(lambda: withdrawn(shop, order))
    return order


def goes_on(hub: Process) -> None:
    for _ in range(4):
        hub.client._slots.release()


async def wanted(shop: Shop, order: Order) -> list[tuple[str, str]]:
    """Every command for Market there ever was, and how it stands, in the order of their requests."""
    commands = (await shop.state(order)).commands.values()
    return [(command.action, command.state) for command in commands if command.target == "ym"]


async def uncancelled(shop: Shop, order: Order) -> bool:
    """Whether a person is called because it was taken back too late."""
    return ("contradiction", "uncancelled") in [(a.code, a.about) for a in (await shop.state(order)).attention]


async def test_taken_back_before_the_marketplace_was_told(shop: Shop) -> None:
    """The cancellation is not sent, and what was withdrawn for it is, in order and once."""
    hub = shop.process()
    order = await held_up(shop, hub)
    await takes_back(shop, order)
    await hub.react()
    goes_on(hub)
    await shop.settled(hub, order)
    assert shop.done(order) == ["DELIVERY", "DELIVERED"]
    assert len(shop.calls(order)) == 2
    assert await wanted(shop, order) == [
        ("delivery", "withdrawn"), ("delivered", "withdrawn"), ("cancel", "withdrawn"),
        ("delivery", "done"), ("delivered", "done"),
    ]  # fmt: skip
    assert (await shop.state(order)).attention == []


async def test_what_was_told_before_is_not_told_again(shop: Shop) -> None:
    """Of two steps one was done when 1C cancelled: only the other one comes back."""
    hub = shop.process()
    order = await shop.place(hub)
    await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await shop.settled(hub, order)
    await hub.die()
    await shop.mark(order, "order.delivered")
    await cancels(shop, order)
    await hub.react()
    await takes_back(shop, order)
    other = shop.process()
    other.start()
    await shop.settled(other, order)
    assert shop.done(order) == ["DELIVERY", "DELIVERED"]
    assert len(shop.calls(order)) == 2


async def test_taken_back_while_the_call_is_under_way(shop: Shop) -> None:
    """The answer is lost: the order is read, was cancelled, and stays so; a person is called, nothing else is sent."""
    hub = shop.process()
    order = await held_up(shop, hub)
    shop.market.faults = Faults(lost=1.0, hang=0.9)
    goes_on(hub)
    await until(lambda: shop.called(order))
    shop.market.faults = Faults()
    await takes_back(shop, order)
    await shop.settled(hub, order)
    await until(lambda: uncancelled(shop, order))
    await shop.settled(hub, order)
    assert shop.done(order) == ["CANCELLED"]
    assert len(shop.calls(order)) == 1
    assert (await shop.outcomes(order))["cancel"] == "done"
    assert (await shop.state(order)).stage == "cancelled"


async def test_taken_back_while_a_call_fails(shop: Shop) -> None:
    """The answer says nothing and the order shows that it was not done: then it is not tried again, and all goes on."""
    hub = shop.process()
    order = await held_up(shop, hub)
    shop.market.faults = Faults(error=1.0, reads=False)
    goes_on(hub)
    await until(lambda: shop.called(order))
    await takes_back(shop, order)
    shop.market.faults = Faults()
    await shop.settled(hub, order)
    assert shop.done(order) == ["DELIVERY", "DELIVERED"]
    assert (await wanted(shop, order))[2] == ("cancel", "withdrawn")
    assert not await uncancelled(shop, order)


async def test_taken_back_after_it_was_done(shop: Shop) -> None:
    """A person is called; the marketplace is told nothing more."""
    hub = shop.process()
    order = await held_up(shop, hub)
    goes_on(hub)
    await shop.settled(hub, order)
    assert shop.done(order) == ["CANCELLED"]
    await takes_back(shop, order)
    await shop.settled(hub, order)
    await asyncio.sleep(0.2)
    assert await uncancelled(shop, order)
    assert len(shop.calls(order)) == 1


async def test_cancelled_again(shop: Shop) -> None:
    """Taken back and said once more: it is told, once; the steps that came back meanwhile are not."""
    hub = shop.process()
    order = await held_up(shop, hub)
    await takes_back(shop, order)
    await hub.react()
    await cancels(shop, order)
    await hub.react()
    goes_on(hub)
    await shop.settled(hub, order)
    assert shop.done(order) == ["CANCELLED"]
    assert len(shop.calls(order)) == 1
    assert (await shop.state(order)).shop_cancelled is not None


@pytest.mark.parametrize(("where", "done"), [("before", ["DELIVERY", "DELIVERED"]), ("after", ["CANCELLED"])])
async def test_death_around_the_cancellation(shop: Shop, where: str, done: list[str]) -> None:
    """The process dies before the call leaves or before its answer is recorded, and 1C takes it back meanwhile."""
    hub = shop.process()
    order = await held_up(shop, hub)
    grave = Grave()
    setattr(hub.client, where, grave)
    goes_on(hub)
    await asyncio.wait_for(grave.reached.wait(), 5)
    await hub.die()
    await takes_back(shop, order)
    journal = len(shop.market.journal)
    other = shop.process()
    other.start()
    await shop.settled(other, order)
    assert shop.done(order) == done
    assert len(shop.calls(order)) == len(done)
    assert shop.market.journal[journal].changes is False, "the first thing is a read"
    assert await uncancelled(shop, order) is (done == ["CANCELLED"])


@pytest.mark.parametrize("seed", range(2))
async def test_death_at_any_line(shop: Shop, seed: int) -> None:
    """Processes die while 1C changes its mind and answers are lost: in the end what it wants last is done, once."""
    random = Random(seed)
    orders = [await shop.place(shop.process()) for _ in range(4)]
    for order in orders:
        await shop.mark(order, "order.shipped")
    shop.market.faults = Faults(error=0.2, lost=0.2, hang=0.2, reads=False)
    for _ in range(5):
        hub = shop.process()
        hub.start()
        for order in random.sample(orders, 3):
            await (cancels if random.random() < 0.5 else takes_back)(shop, order)
            await asyncio.sleep(random.uniform(0, 0.03))
            if random.random() < 0.7:
                await hub.react()
        await asyncio.sleep(random.uniform(0, 0.2))
        await hub.die()
    shop.market.faults = Faults()
    hub = shop.process()
    hub.start()
    await shop.settled(hub, *orders, seconds=30)
    for order in orders:
        state, done = await shop.state(order), shop.done(order)
        assert done in (["DELIVERY"], ["CANCELLED"], ["DELIVERY", "CANCELLED"])
        assert ("CANCELLED" in done) == (state.stage == "cancelled")
