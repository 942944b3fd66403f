"""Yandex Market as the run sees it: the market, its notifications and its world behind one face."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import aiohttp

from . import market_checks
from .checks import Findings
from .emulator import HOOK_SECRET, POLL_SECONDS, Channel, Truth, unseen, unsettled, untold
from .faults import Faults
from .hooks import Hooks
from .market import Market
from .scenario import BUSINESS, CAMPAIGNS, CHANNELS, Scenario, scenario
from .world import World

PING = {"notificationType": "PING", "time": "2025-01-16T10:09:49.759084017Z"}


class Emulator:
    """Three shops of one business."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self.channels = [Channel(name, "yandex", model) for model, name in CHANNELS.items()]
        self.market = Market(seed, faults.rates)
        self.hooks = Hooks(lambda channel: "", seed)
        self.world = World(self.market, self.hooks, seed)
        self.journal, self.seed, self.mode = self.market.journal, seed, "live"
        self._wrong: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        return self.market.url

    async def start(self) -> None:
        self._open = contextlib.AsyncExitStack()
        await self._open.enter_async_context(self.market)
        await self._open.enter_async_context(self.hooks)
        self._tasks.append(asyncio.create_task(self.world.live()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._open.aclose()

    def tables(self, url_hook: Callable[[str], str], mode: str) -> str:
        self.hooks.url, self.mode = url_hook, mode
        return "\n".join(
            f'[channels.{CHANNELS[model]}]\nkind = "yandex"\nmodel = "{model}"\nmode = "{mode}"\n'
            f'base_url = "{self.url}"\nhook_secret = "{HOOK_SECRET}"\npoll_seconds = {POLL_SECONDS}\n'
            f'business_id = {BUSINESS}\ncampaign_id = {campaign}\napi_key = "{self.market.api_key}"\n'
            for model, campaign in CAMPAIGNS.items()
        )

    def scenarios(self, count: int, seed: int) -> list[Scenario]:
        return [scenario(seed, index) for index in range(count)]

    def place(self, one: Scenario) -> None:
        if len(self._tasks) == 1:
            self._tasks.append(asyncio.create_task(self._greet()))
        self.world.place(one)

    async def _greet(self) -> None:
        """PING within a second; a wrong secret gets nothing."""
        for channel in CHANNELS.values():
            if not await self.hooks.until(channel, PING):
                self._wrong.append(f"PING to {channel} not taken")
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            url = f"{self.hooks.url('ym-dbs').replace(HOOK_SECRET, 'not-the-secret')}/notification"
            if await self.hooks.answer(url, PING) == 200:
                self._wrong.append("a notification with a wrong secret was taken")

    def truth(self, number: int) -> Truth:
        return market_checks.truth(self.market.orders[number], self.mode == "shadow")

    def truths(self) -> list[Truth]:
        return [self.truth(number) for number in self.market.orders]

    def unsettled(self) -> list[str]:
        returns = [f"{order.scenario.key}: not yet returned" for order in self.market.orders.values()
                   if order.scenario.ending == "returned" and not order.returns and self.mode == "live"]  # fmt: skip
        return [*unsettled(self.truths()), *returns]

    def unseen(self, found: Findings) -> list[str]:
        return [*unseen(self.truths(), found), *untold(self.truths(), found)]

    def checks(self, found: Findings) -> Iterator[tuple[str, list[str]]]:
        yield "yandex: PING and hook secrets", self._wrong
        yield "yandex: every order where it belongs", list(unsettled(self.truths()))
        yield "yandex: the hub shows what is true", list(unseen(self.truths(), found))
        yield "yandex: 1C told what it must know of each order", list(untold(self.truths(), found))
        yield from market_checks.of_market(self.market, self.hooks, found, self.seed)
