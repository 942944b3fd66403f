"""What people do at the sandbox: they buy, change their minds, send things back."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from service.demo.pace import Pace
from service.marketplaces.yandex.sandbox import OPEN, Market, Order

MOST_OPEN: Final = 30
"""So many orders at once; nobody buys while they wait to be worked off."""

AT_ONCE: Final = 3
"""Orders placed right at the start, so that there is something to see."""

KEPT: Final = 200
"""Ended orders that are remembered."""

LEFT_LYING: Final = 900.0
"""Seconds after which Market itself cancels an order that nobody moves."""


async def live(market: Market, random: Random, pace: Pace) -> None:
    """Goes on until cancelled."""
    while True:
        await asyncio.sleep(pace(random.uniform(2, 6)))
        shop(market, random, 1)
        change_minds(market, random)
        tidy(market, timedelta(seconds=pace(LEFT_LYING)))
        market.forget(KEPT)
        market.changed()


def shop(market: Market, random: Random, most: int) -> None:
    """Up to so many orders are placed, in any shop."""
    room = MOST_OPEN - sum(order.status in OPEN for order in market.orders.values())
    for _ in range(min(most, room)):
        market.place(random.choice(list(market.shops)))


def change_minds(market: Market, random: Random) -> None:
    """Now and then one cancels, one asks to cancel what is on its way, one sends something back."""
    orders = list(market.orders.values())
    if random.random() < 0.05 and (fresh := [o for o in orders if o.state == "PROCESSING/STARTED"]):
        market.buyer_cancels(random.choice(fresh))
    if random.random() < 0.05 and (way := [o for o in orders if o.model == "dbs" and o.status == "DELIVERY"]):
        market.buyer_cancels(random.choice(way))
    if random.random() < 0.04 and (there := [o for o in orders if o.status == "DELIVERED" and not o.returns]):
        market.buyer_returns(random.choice(there))
    for order in orders:
        for record in order.returns:
            if record["refundStatus"] != "REFUNDED" and random.random() < 0.1:
                market.refund(order, record)


def tidy(market: Market, left_lying: timedelta) -> None:
    """Market cancels what the shop has forgotten."""
    before = datetime.now(UTC) - left_lying
    forgotten: list[Order] = [o for o in market.orders.values() if o.status in OPEN and o.updated < before]
    for order in forgotten:
        substatus = "PROCESSING_EXPIRED" if order.status == "PROCESSING" else "USER_REFUSED_DELIVERY"
        market.move(order, "CANCELLED", substatus)
