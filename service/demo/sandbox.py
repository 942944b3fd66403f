"""The sandbox marketplaces over HTTP: three shops of one Yandex Market cabinet.

Their orders are kept in `data_dir/sandbox.json`, since the hub's log, which speaks of them, is kept too. The file is
written before anybody is told of a change, so a killed sandbox goes on where the hub believes it to be. Without the
file, or with one that can't be read, it starts afresh, with order numbers that were never used before. One process at
a time holds `sandbox.owner`; the lock goes with it, however it ends.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import structlog
from aiohttp import web

from service.demo import buyers, channels
from service.demo.keeping import Running, alone
from service.demo.pace import Pace, pace
from service.marketplaces.yandex.sandbox import Faults, Market, application
from service.settings import Settings
from service.web.server import AddressTaken

logger = structlog.get_logger()

HOST = "127.0.0.1"
FAULTS = Faults(error=0.03, broken=0.01, lost=0.02, limit=0.02, hang=2.0, reads=False)
"""A few calls fail, so that it is seen how they are tried again."""

NUMBERS_BEGIN = 1_700_000_000
"""Order numbers count thousandths of a second since then (2023), and no start takes so short a time
that it could give one of the last start's."""


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox. `hooks` wait for the hub's address; `tell` leaves a note about what runs here."""

    market: Market
    url: str
    secret: str
    hooks: dict[int, str]
    tell: Callable[[Running], None]

    def notify(self, hub: str) -> None:
        """From now on Market's notifications go to the hub at this address."""
        for campaign, model in channels.SHOPS.items():
            self.hooks[campaign] = f"{hub}/hooks/{channels.name(model)}/{self.secret}"


async def serve(settings: Settings, port: int | None, stop: asyncio.Event, echo: Callable[[str], None]) -> None:
    """Serves until `stop` is set, for a hub at the address of the settings."""
    async with opened(settings.data_dir, channels.SANDBOX_PORT if port is None else port, pace()) as sandbox:
        hub = f"http://{settings.http.host}:{settings.http.port}"
        sandbox.notify(hub)
        shops = ", ".join(f"{channels.name(model)} (campaign {number})" for number, model in channels.SHOPS.items())
        echo(f"sandbox Yandex Market: {sandbox.url}, Api-Key {channels.API_KEY}, business {channels.BUSINESS}")
        echo(f"shops: {shops}; notifications go to {hub}/hooks/…")
        echo(f"buyers place orders by themselves, {buyers.MOST_OPEN} open at most; some calls fail on purpose")
        await stop.wait()


@asynccontextmanager
async def opened(data_dir: Path, port: int, at: Pace) -> AsyncIterator[Sandbox]:
    """A sandbox that serves, and whose buyers buy, until left; port 0 is any."""
    with alone(data_dir) as kept:
        random = Random(time.time_ns())  # noqa: S311  # chance, not secrets
        first = int((time.time() - NUMBERS_BEGIN) * 1000)
        market = Market(
            channels.SHOPS, business=channels.BUSINESS, api_key=channels.API_KEY, seed=time.time_ns(), faults=FAULTS,
            pace=at.market, first=first, changed=lambda: kept.save(market),
        )  # fmt: skip
        kept.load(market)
        hooks: dict[int, str] = {}
        runner = web.AppRunner(application(market, hooks), access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            url = await _listen(runner, port)
            buyers.shop(market, random, buyers.AT_ONCE)
            market.changed()
            living = asyncio.create_task(buyers.live(market, random, at))
            try:
                kept.tell(Running(os.getpid(), url))
                yield Sandbox(market, url, channels.hook_secret(data_dir), hooks, kept.tell)
            finally:
                living.cancel()
        finally:
            await runner.cleanup()
            kept.save(market)


async def _listen(runner: web.AppRunner, port: int) -> str:
    try:
        await web.TCPSite(runner, HOST, port).start()
    except OSError as error:
        raise AddressTaken(
            f"can't listen on {HOST}:{port} ({error.strerror}): name another port with --port, and the same in the "
            "channels' base_url"
        ) from error
    return f"http://{HOST}:{runner.addresses[0][1]}"
