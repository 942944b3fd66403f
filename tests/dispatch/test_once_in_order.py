"""Each step is done once and in order, whatever Market answers."""

import pytest

from events.order import facts as f
from service.marketplaces.yandex.sandbox import Faults, Market
from tests.dispatch.conftest import Open
from tests.dispatch.shop import Shop

DELIVERED = ["DELIVERY", "PICKUP", "DELIVERED"]


async def test_skipped_stages_are_walked_through(shop: Shop) -> None:
    """1C says only that the goods were delivered; Market is told each status on the way, once."""
    hub = shop.process()
    order = await shop.place(hub, pickup=True)
    await shop.mark(order, "order.delivered")
    await hub.react()
    hub.start()
    await shop.settled(hub, order)
    assert shop.done(order) == DELIVERED
    assert len(shop.calls(order)) == 3


@pytest.mark.parametrize(
    "faults",
    [
        Faults(error=0.5),
        Faults(broken=0.5),
        Faults(lost=0.4, hang=0.9),
        Faults(limit=0.4),
        Faults(error=0.1, broken=0.15, lost=0.1, limit=0.15, hang=0.9),
    ],
    ids=["error", "broken", "lost", "limit", "all"],
)
async def test_faults(shop: Shop, market: Market, faults: Faults) -> None:
    """Errors before and after the deed, lost answers and limits: still once each, in order, and the log says done."""
    hub = shop.process()
    orders = [await shop.place(hub, pickup=True) for _ in range(2)]
    market.faults = faults
    for order in orders:
        await shop.mark(
            order, "order.registered", f.Registered(document=f.Document(id=str(order.number), number="N-1"))
        )
        await shop.mark(order, "order.delivered")
    await hub.react()
    hub.start()
    await shop.settled(hub, *orders, seconds=30)
    for order in orders:
        assert [step for step in shop.done(order) if step != "external-id"] == DELIVERED
        outcomes = await shop.outcomes(order)
        number = outcomes.pop("external_id")  # holds nobody up, so the order may be delivered before it
        assert shop.done(order).count("external-id") == (number == "done")
        assert set(outcomes.values()) == {"done"}
        assert order.state == "DELIVERED/DELIVERY_SERVICE_DELIVERED"


async def test_thirty_orders_in_one_call(shop: Shop) -> None:
    """Orders that wait for the same step share a call; one that Market refuses in it spoils no other."""
    hub = shop.process()
    orders = [await shop.place(hub) for _ in range(30)]
    for order in orders:
        await shop.mark(order, "order.shipped")
    await hub.react()
    bad = orders[7]
    bad.enter("DELIVERED", "DELIVERY_SERVICE_DELIVERED")
    cancelled = orders[9]
    cancelled.enter("CANCELLED", "USER_CHANGED_MIND")
    hub.start()
    await shop.settled(hub, *orders)
    batches = [e for e in shop.market.journal if e.path.endswith("/status-update")]
    assert [len(e.body["orders"]) for e in batches] == [30]
    for order in orders:
        expected = {"delivery": "refused" if order is cancelled else "done"}
        assert await shop.outcomes(order) == expected, order.state
    assert (await shop.commands(bad))["delivery"].message == "read back"
    assert shop.done(bad) == []


async def test_shadow_sends_nothing(open_shop: Open) -> None:
    """A channel in shadow decides and records, and Market hears nothing."""
    async with open_shop(mode="shadow") as shop:
        hub = shop.process()
        order = await shop.place(hub)
        await shop.mark(order, "order.delivered")
        await hub.react()
        hub.start()
        await shop.settled(hub, order)
        assert await shop.outcomes(order) == {"delivery": "withheld", "delivered": "withheld"}
        assert [e for e in shop.market.journal if e.changes] == []


async def test_refused_and_retried(shop: Shop) -> None:
    """A refusal stands with its reason, holds what needs it, and goes its way once an operator brings it back."""
    hub = shop.process()
    order = await shop.place(hub)
    order.enter("PROCESSING", "SHIPPED")  # a status the shop can't leave
    await shop.mark(order, "order.delivered")
    await hub.react()
    hub.start()
    while (await shop.outcomes(order)).get("delivery") != "refused":
        await hub.react()
    commands = await shop.commands(order)
    assert commands["delivery"].code == "STATUS_NOT_ALLOWED"
    assert commands["delivery"].hint
    assert commands["delivered"].state == "waiting"
    assert commands["delivery"].attempts == 3, "believed at the third time, as no read explains it"
    order.enter("PROCESSING", "STARTED")
    await shop.retry(commands["delivery"], order)
    await shop.settled(hub, order)
    assert shop.done(order) == ["DELIVERY", "DELIVERED"]
    assert (await shop.state(order)).attention == []
