"""The marketplace's calls to the shops, and its own clock.

A callback is answered well by HTTP 200 with `success` 1; any other is sent again some times. Some come twice.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from service.marketplaces.megamarket.sandbox.market import Callback, Market

TIMEOUT: Final = ClientTimeout(total=10)
TICK: Final = 0.1


def notifying(market: Market, hooks: Mapping[str, str]) -> Callable[[web.Application], AsyncIterator[None]]:
    """Keeps the marketplace's clock and its callbacks going while an application runs."""

    async def run(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(_keep_going(market, hooks))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return run


async def _keep_going(market: Market, hooks: Mapping[str, str]) -> None:
    async with ClientSession(timeout=TIMEOUT) as session, asyncio.TaskGroup() as tasks:
        while True:
            market.work(datetime.now(UTC))
            market.keep()
            told, market.callbacks = market.callbacks, []
            for callback in told:
                for _ in range(2 if market.random.random() < market.telling.twice else 1):
                    tasks.create_task(_send(market, session, hooks, callback))
            await asyncio.sleep(TICK)


async def _send(market: Market, session: ClientSession, hooks: Mapping[str, str], callback: Callback) -> None:
    """Tries until it is answered well, or often enough; the address is looked up each time."""
    shop = market.shops[callback.channel]
    basic = base64.b64encode(f"{shop.hook_login}:{shop.hook_password}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    for _ in range(market.telling.tries):
        if (base := hooks.get(callback.channel)) is None:
            return
        url = f"{base.rstrip('/')}{callback.path}"
        with suppress(ClientError, TimeoutError, ValueError, AttributeError):
            async with session.post(url, json=callback.body, headers=headers) as answer:
                if answer.status == 200 and json.loads(await answer.read()).get("success") == 1:
                    return
        await asyncio.sleep(market.telling.retry_seconds)
