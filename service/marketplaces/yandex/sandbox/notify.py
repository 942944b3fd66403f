"""Market's calls to the shops, and its own clock.

A notification that is not answered well is sent again, as Market does, only sooner; a 400 is the shop's way to say that
it will never understand. Some come twice: Market promises no more than at least once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeAlias

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from service.marketplaces.yandex.sandbox.market import Market, Notification

HookOf: TypeAlias = Callable[[int], str | None]
"""A shop's notification address, by its campaign; None: nobody wants to be told."""

TIMEOUT = ClientTimeout(total=10)
TICK = 0.2
TRIES = 60
TWICE = 0.05
"""The share of notifications that come twice."""


def notifying(
    market: Market, hook_of: HookOf, retry_seconds: float
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Keeps Market's clock and its notifications going while an application runs."""

    async def run(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(_keep_going(market, hook_of, retry_seconds))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return run


async def _keep_going(market: Market, hook_of: HookOf, retry_seconds: float) -> None:
    async with ClientSession(timeout=TIMEOUT) as session, asyncio.TaskGroup() as tasks:
        while True:
            market.work(datetime.now(UTC))
            told, market.notifications = market.notifications, []
            if told:
                market.changed()
            for campaign, notification in told:
                if (hook := hook_of(campaign)) is not None:
                    url = f"{hook.rstrip('/')}/notification"
                    for _ in range(2 if market.random.random() < TWICE else 1):
                        tasks.create_task(_send(session, url, notification, retry_seconds))
            await asyncio.sleep(TICK)


async def _send(session: ClientSession, url: str, notification: Notification, retry_seconds: float) -> None:
    for _ in range(TRIES):
        with suppress(ClientError, TimeoutError, ValueError):
            async with session.post(url, json=notification) as answer:
                told = await answer.json()
                if answer.status == 400 or (answer.status == 200 and {"version", "name", "time"} <= set(told)):
                    return
        await asyncio.sleep(retry_seconds)
