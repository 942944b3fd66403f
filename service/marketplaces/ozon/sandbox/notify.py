"""Ozon's calls to the shops, and its own clock.

A push that is not answered well is sent again after growing gaps, and then it is lost. Some come twice, some late, some
never: Ozon promises nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from service.marketplaces.ozon.sandbox import pushes
from service.marketplaces.ozon.sandbox.clock import work
from service.marketplaces.ozon.sandbox.market import Ozon
from service.marketplaces.ozon.sandbox.pushes import Push

TIMEOUT: Final = ClientTimeout(total=5)
"""A shop that takes longer has not answered."""
TRIES: Final = 10
SLOWEST: Final = 20.0
"""The longest gap between two tries, seconds; Ozon's is ten minutes."""
PING_SECONDS: Final = 60.0


def notifying(
    ozon: Ozon, hooks: Mapping[str, str], retry_seconds: float
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Keeps Ozon's clock and its pushes going while an application runs."""

    async def run(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(_keep_going(ozon, hooks, retry_seconds))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return run


async def _keep_going(ozon: Ozon, hooks: Mapping[str, str], retry_seconds: float) -> None:
    tick = min(0.2, max(0.01, ozon.pace.total_seconds() / 4))
    pinged: dict[str, float] = {}
    async with ClientSession(timeout=TIMEOUT) as session, asyncio.TaskGroup() as tasks:
        while True:
            work(ozon, datetime.now(UTC))
            told, ozon.pushes = ozon.pushes, []
            if told:
                ozon.changed()
            for url in hooks.values():
                if _due(pinged, url):
                    tasks.create_task(_send(session, url, pushes.ping(datetime.now(UTC)), 0, retry_seconds))
            for channel, push in told:
                if channel in hooks:
                    for wait in _times(ozon):
                        tasks.create_task(_send(session, hooks[channel], push, wait, retry_seconds))
            await asyncio.sleep(tick)


def _due(pinged: dict[str, float], url: str) -> bool:
    """At the first sight of an address, and now and then."""
    now = asyncio.get_running_loop().time()
    if now < pinged.get(url, now):
        return False
    pinged[url] = now + PING_SECONDS
    return True


def _times(ozon: Ozon) -> list[float]:
    """How many times a push is sent, each after so many seconds."""
    hand, pace = ozon.hand, ozon.pace.total_seconds()
    if hand.happens("dropped"):
        return []
    wait = pace * ozon.random.uniform(1, 4) if hand.happens("late") else 0.0
    return [wait, wait + pace] if hand.happens("twice") else [wait]


async def _send(session: ClientSession, url: str, push: Push, wait: float, retry_seconds: float) -> None:
    await asyncio.sleep(wait)
    gap = retry_seconds
    for _ in range(TRIES):
        with suppress(ClientError, TimeoutError, ValueError):
            async with session.post(url, json=push) as answer:
                if answer.status == 200 and _well(push, await answer.json()):
                    return
        await asyncio.sleep(gap)
        gap = min(gap * 2, SLOWEST)


def _well(push: Push, answer: object) -> bool:
    """Whether this is the answer Ozon wants."""
    if not isinstance(answer, dict):
        return False
    if push["message_type"] == "TYPE_PING":
        return {"version", "name", "time"} <= set(answer)
    return answer.get("result") is True
