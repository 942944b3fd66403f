"""The sandbox as the demo and the contract suite meet it: a shop of each model."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from aiohttp import web

from service.marketplaces.megamarket.sandbox.api import application
from service.marketplaces.megamarket.sandbox.market import Market, Shop
from service.marketplaces.megamarket.sandbox.memory import dump, restore
from service.marketplaces.megamarket.sandbox.order import Order
from service.marketplaces.trial import Entry, Faults, Way

KIND: Final = "megamarket"
SHOPS: Final = {
    f"mm-{model}": Shop(model, merchant_id, f"00000000-0000-4000-8000-{merchant_id:012d}")
    for model, merchant_id in (("dbs", 17001), ("cnc", 17002), ("fbs", 17003))
}
KEPT: Final = 200
"""Ended orders remembered."""
CHANGE_MIND: Final = 0.05
"""How likely somebody changes their mind, at each look."""


class Megamarket:
    """A `Trial`; `market` is what it consists of."""

    title = "SberMegaMarket"

    def __init__(self, market: Market) -> None:
        self.market = market
        self.journal: list[Entry] = market.journal
        self.channels: Mapping[str, Mapping[str, Any]] = {
            channel: {
                "kind": KIND, "model": shop.model, "merchant_id": shop.merchant_id, "token": shop.token,
                "hook_login": shop.hook_login, "hook_password": shop.hook_password,
            }
            for channel, shop in market.shops.items()
        }  # fmt: skip
        self.ways: Mapping[str, Way] = {
            channel: Way() if shop.model == "fbs" else Way(shop=True, partly=True)
            for channel, shop in market.shops.items()
        }

    def application(self, hooks: Mapping[str, str]) -> web.Application:
        """The sandbox as an application that keeps its clock and callbacks going."""
        return application(self.market, hooks)

    def place(self, channel: str) -> str:
        """A buyer places an order of chance goods; its number."""
        return self.market.place(channel).number

    def live(self, random: Random) -> None:
        """Buyers cancel fresh FBS orders and ask to cancel others, wholly or in part; what lies for long ends."""
        orders = [order for order in self.market.orders.values() if not order.ended]
        fresh = [order for order in orders if order.model == "fbs" and order.status in ("", "NEW", "CONFIRMED")]
        if fresh and random.random() < CHANGE_MIND:
            self.market.buyer_cancels(random.choice(fresh))
        going = [order for order in orders if order.model != "fbs" and not any(lot.asked for lot in order.lots)]
        if going and random.random() < CHANGE_MIND:
            self._ask(random.choice(going), random)
        self.market.end_forgotten(datetime.now(UTC))
        self.market.forget(KEPT)
        self.market.keep()

    def open(self) -> list[str]:
        """The keys of orders that have not ended, oldest first."""
        return [f"{order.channel}/{order.number}" for order in self.market.orders.values() if not order.ended]

    def code(self, number: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: this marketplace's couriers say no codes."""
        return None

    def dump(self) -> bytes:
        """Everything it must not forget."""
        return dump(self.market)

    def restore(self, kept: bytes) -> None:
        """Gives it back."""
        restore(self.market, kept)

    def _ask(self, order: Order, random: Random) -> None:
        goods = order.goods
        some = random.sample(goods, random.randrange(1, len(goods))) if len(goods) > 1 else goods
        self.market.buyer_cancels(order, some if random.random() < 0.5 else None)


def trial(
    *, seed: int, faults: Faults | None = None, pace: timedelta = timedelta(seconds=5),
    left_lying: timedelta = timedelta(days=1), first: int = 1, changed: Callable[[], None] = lambda: None,
) -> Megamarket:  # fmt: skip
    """One account with three shops; see `MakeTrial`."""
    return Megamarket(
        Market(dict(SHOPS), seed=seed, faults=faults, pace=pace, left_lying=left_lying, first=first, changed=changed)
    )
