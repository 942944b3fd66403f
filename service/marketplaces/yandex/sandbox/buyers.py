"""What people do at the sandbox by themselves: they change their minds, send things back, and nobody comes."""

from datetime import datetime, timedelta
from random import Random

from service.marketplaces.yandex.sandbox.market import Market
from service.marketplaces.yandex.sandbox.order import OPEN, Order


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


def tidy(market: Market, left_lying: timedelta, now: datetime) -> None:
    """Market cancels what the shop has forgotten for so long."""
    before = now - left_lying
    forgotten: list[Order] = [o for o in market.orders.values() if o.status in OPEN and o.updated < before]
    for order in forgotten:
        substatus = "PROCESSING_EXPIRED" if order.status == "PROCESSING" else "USER_REFUSED_DELIVERY"
        market.move(order, "CANCELLED", substatus)
