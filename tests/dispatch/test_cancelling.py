"""A cancellation is looked for after the claim and before each send."""

import asyncio
from datetime import timedelta

import pytest

from events.order import facts as f
from service import backoff
from service.marketplaces.port import Wanted
from service.marketplaces.yandex.sandbox import Faults
from tests.dispatch.conftest import Open
from tests.dispatch.shop import Shop, until


async def test_between_claim_and_send(shop: Shop) -> None:
    """The shop cancels while the step waits for its turn: nothing is sent but the cancellation."""
    hub = shop.process()
    order = await shop.place(hub)
    await shop.mark(order, "order.delivered")
    await hub.react()
    for _ in range(4):
        await hub.client._slots.acquire()
    hub.start()
    await until(shop.claimed)
    await asyncio.sleep(0.1)
    await shop.mark(order, "order.cancelled", f.Cancelled(by="shop", reason="out_of_stock"))
    for _ in range(4):
        hub.client._slots.release()
    await shop.settled(hub, order)
    assert shop.done(order) == ["CANCELLED"]
    assert len(shop.calls(order)) == 1
    assert await shop.outcomes(order) == {"delivery": "withdrawn", "delivered": "withdrawn", "cancel": "done"}


@pytest.mark.parametrize("who", ["shop", "buyer"])
async def test_while_a_step_waits_for_its_next_try(shop: Shop, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    """A lane that waits is looked at again at once, whoever cancels."""
    monkeypatch.setattr(backoff, "SCHEDULE", (3600,))
    hub = shop.process()
    order = await shop.place(hub)
    shop.market.faults = Faults(error=1.0, reads=False)
    await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await until(lambda: shop.pool.fetchval("SELECT count(*) FROM okno.attempts WHERE reason IS NOT NULL AND NOT open"))
    shop.market.faults = Faults()
    if who == "shop":
        await shop.mark(order, "order.cancelled", f.Cancelled(by="shop"))
    else:
        shop.market.buyer_cancels(order)
        await hub.reader.see([Wanted(str(order.number))])
    await shop.settled(hub, order)
    assert (await shop.outcomes(order))["delivery"] == "withdrawn"
    assert shop.done(order) == (["CANCELLED"] if who == "shop" else [])


async def test_what_is_unknown_is_read_before_the_cancellation_goes(shop: Shop) -> None:
    """A step whose answer was lost is told from what the order shows; then the shop's cancellation is sent."""
    hub = shop.process()
    order = await shop.place(hub)
    shop.market.faults = Faults(lost=1.0, hang=0.9)
    await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await until(lambda: shop.called(order))
    shop.market.faults = Faults()
    await shop.mark(order, "order.cancelled", f.Cancelled(by="shop"))
    await shop.settled(hub, order)
    assert shop.done(order) == ["DELIVERY", "CANCELLED"]
    assert await shop.outcomes(order) == {"delivery": "done", "cancel": "done"}


async def test_given_up_and_brought_back(open_shop: Open) -> None:
    """Tried to the end of its time a step is given up with the last answer; brought back it is read, then sent."""
    async with open_shop(give_up_after="1s") as shop:
        hub = shop.process()
        order = await shop.place(hub)
        shop.market.faults = Faults(error=1.0, reads=False)
        await shop.mark(order, "order.shipped")
        await hub.react()
        hub.start()
        await shop.settled(hub, order)
        command = (await shop.commands(order))["delivery"]
        assert command.state == "given_up"
        assert "503" in (command.message or "")
        assert "okno retry" in (command.hint or "")
        assert command.finished_at is not None
        assert command.finished_at - command.since > timedelta(seconds=1)
        shop.market.faults = Faults()
        journal = len(shop.market.journal)
        await shop.retry(command, order)
        await shop.settled(hub, order)
        assert shop.done(order) == ["DELIVERY"]
        assert shop.market.journal[journal].changes is False
        assert (await shop.state(order)).attention == []


async def test_what_was_never_tried_is_not_given_up(open_shop: Open) -> None:
    """The hub itself was down for longer than a step's time: it is sent, not given up."""
    async with open_shop(give_up_after="1s") as shop:
        hub = shop.process()
        order = await shop.place(hub)
        await shop.mark(order, "order.shipped")
        await hub.react()
        await asyncio.sleep(1.1)
        hub.start()
        await shop.settled(hub, order)
        assert await shop.outcomes(order) == {"delivery": "done"}
