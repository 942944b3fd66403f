"""One cabinet with a shop of each model, as whoever serves sandboxes meets it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from aiohttp import web

from service.marketplaces.trial import Entry, Faults, Way
from service.marketplaces.yandex.sandbox.api import serving
from service.marketplaces.yandex.sandbox.buyers import change_minds, tidy
from service.marketplaces.yandex.sandbox.market import Market
from service.marketplaces.yandex.sandbox.memory import dump, restore
from service.marketplaces.yandex.sandbox.order import OPEN

SHOPS: Final = {101: "dbs", 102: "fbs", 103: "express"}
"""Campaigns and their models."""

KEPT: Final = 200
"""Ended orders that are remembered."""


class Cabinet:
    """`market` is the Yandex Market behind it."""

    title = "Yandex Market"

    def __init__(
        self, *, seed: int, faults: Faults | None = None, pace: timedelta = timedelta(seconds=5),
        left_lying: timedelta = timedelta(days=1), first: int = 1, changed: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.market = Market(SHOPS, seed=seed, faults=faults, pace=pace, first=first, changed=changed)
        self.channels: Mapping[str, Mapping[str, Any]] = {
            _channel(model): {"kind": "yandex", "model": model, **self.market.options(campaign)}
            for campaign, model in SHOPS.items()
        }
        self.ways: Mapping[str, Way] = {"ym-dbs": Way(shop=True), "ym-fbs": Way(), "ym-express": Way(code=True)}
        self.journal: list[Entry] = self.market.journal
        self._left_lying = left_lying

    def application(self, hooks: Mapping[str, str]) -> web.Application:
        """Market over HTTP; `/notification` comes behind each of the `hooks`."""
        return serving(self.market, lambda campaign: hooks.get(_channel(SHOPS[campaign])))

    def place(self, channel: str) -> str:
        """A buyer places an order; its number."""
        return str(self.market.place(self.channels[channel]["campaign_id"]).number)

    def live(self, random: Random) -> None:
        """Buyers change their minds, Market ends what was left lying; calls and ended orders fall into oblivion."""
        change_minds(self.market, random)
        tidy(self.market, self._left_lying, datetime.now(UTC))
        self.market.forget(KEPT)

    def open(self) -> list[str]:
        """The keys of orders that have not ended, oldest first."""
        orders = self.market.orders.values()
        return [f"{_channel(order.model)}/{order.number}" for order in orders if order.status in OPEN]

    def code(self, number: str) -> str | None:
        """What the courier of an express order says once he has come."""
        order = self.market.orders.get(int(number))
        return order.code if order is not None else None

    def dump(self) -> bytes:
        """Everything it must not forget."""
        return dump(self.market)

    def restore(self, kept: bytes) -> None:
        """Gives it back."""
        restore(self.market, kept)


def _channel(model: str) -> str:
    return f"ym-{model}"
