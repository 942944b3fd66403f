"""A marketplace that fails: calls done and answered badly, not done, refused without a reason, limited."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.order import facts as f
from service.marketplaces import port
from service.marketplaces.megamarket.sandbox import SHOPS, Market, Telling
from service.marketplaces.trial import Faults
from tests.megamarket.hub import Hub
from tests.megamarket.sandbox_shop import PACE, TYRE, Seller, serving

ORDERS = 12
WAYS: dict[str, list[tuple[str, f.Fact]]] = {
    "fbs": [("order.shipped", f.Shipped())],
    "dbs": [
        ("order.rescheduled", f.Rescheduled(date=(datetime.now(UTC) + timedelta(days=9)).date())),
        ("order.delivered", f.Delivered(lines=(f.Line(sku=TYRE.sku, quantity=1),))),
    ],
    "cnc": [("order.assembled", f.Assembled()), ("order.cancelled", f.Cancelled(by="customer"))],
}
ENDS = {
    "fbs": ["SHIPPED", "SHIPPED", "MERCHANT_CANCELED"],
    "dbs": ["DELIVERED", "CUSTOMER_CANCELED", "MERCHANT_CANCELED"],
    "cnc": ["CUSTOMER_CANCELED", "CUSTOMER_CANCELED", "MERCHANT_CANCELED"],
}


async def patient(seller: Seller, doing: Any) -> Any:
    """Asks again until a read gets through."""
    for _ in range(50):
        try:
            return await doing()
        except port.AnswerFailed:
            continue
    raise AssertionError("no read gets through")


async def carried_out(hub: Hub, action: str) -> None:
    """As the dispatcher does: a call nobody knows the end of is read back before anything is sent again."""
    for _ in range(50):
        outcome = await patient(hub.seller, lambda: hub.attempt(action))
        for _ in range(3):
            if isinstance(outcome, port.Applied | port.Sent):
                hub.record("command.done", f.CommandOutcome(command=hub.command(action).id), "okno")
                return
            assert not isinstance(outcome, port.Overtaken)
            hub.seller.market.work(hub.seller._now)
            if not isinstance(outcome, port.NotApplied):
                advance(hub)
                outcome = await patient(hub.seller, lambda: hub.finding(action))
    raise AssertionError(f"{action} comes to no end: {hub.lots()}")


def advance(hub: Hub) -> None:
    """The marketplace gets on with what it was asked, but delivers nothing yet."""
    for lot in hub.there.lots:
        if lot.settles is not None:
            lot.settle(lot.settles)


@pytest.mark.parametrize("model", ["dbs", "cnc", "fbs"])
async def test_every_order_ends_as_1c_led_it(model: str) -> None:
    """Whatever is answered, each order ends where 1C brought it, and no call had its effect twice."""
    faults = Faults(error=0.15, broken=0.15, limit=0.05)
    market = Market(dict(SHOPS), seed=5, faults=faults, pace=PACE, telling=Telling(twice=0, unsaid=0))
    async with serving(market) as seller:
        for _ in range(ORDERS):
            hub = Hub(seller, seller.place(model, 3))
            await patient(seller, hub.see)
            marks = [("order.confirmed", f.Confirmed(lines=(f.Line(sku=TYRE.sku, quantity=2),))), *WAYS[model]]
            for kind, fact in marks:
                for action in hub.say(kind, fact):
                    await carried_out(hub, action)
            assert hub.lots() == ENDS[model]
    done = Counter((entry.path, number) for entry in market.journal for number in entry.done)
    assert done
    assert set(done.values()) == {1}
    assert {entry.fault for entry in market.journal} >= {"error", "broken", "limit"}
