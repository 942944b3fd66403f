"""The one HTTP client: sends an adapter's calls within a channel's limits, and says plainly whether bytes may have left.

Per channel: so many calls at once, a pause after a limit was hit (the marketplace says until when, else a short one), and a
circuit that opens when call after call fails. The circuit lets reads through as its trial.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import aiohttp
import structlog

from events.codec import encode
from service import backoff, metrics
from service.marketplaces.port import Call, CallFailed, Marketplace, Reply, Talk

logger = structlog.get_logger()
T = TypeVar("T")

LIMIT_PAUSE = 1.0
"""Seconds to hold back after a limit was hit that does not say until when."""

LIMITED = (420, 429)


class ChannelClient:
    """Calls to one channel."""

    def __init__(self, session: aiohttp.ClientSession, marketplace: Marketplace) -> None:
        self._session = session
        self._marketplace = marketplace
        self._slots = asyncio.Semaphore(marketplace.parallel)
        self._until: dict[str, datetime] = {}
        self.failures = 0
        self.open_until: datetime | None = None
        self.reason: str | None = None

    def held_until(self, resource: str) -> datetime | None:
        """Until when a limit or the open circuit holds calls of this kind back; None: go ahead."""
        now = datetime.now(UTC)
        times = [
            t for t in (self._until.get(resource), self._until.get("*"), self.open_until) if t is not None and t > now
        ]
        return max(times, default=None)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """One of the calls that may run at once."""
        async with self._slots:
            yield

    async def run(self, talk: Talk[T]) -> T:
        """Carries a talk of reads through, each call in a slot of its own."""
        step = partial(next, talk)
        while True:
            try:
                call = step()
            except StopIteration as stop:
                value: T = stop.value
                return value
            try:
                async with self.slot():
                    step = partial(talk.send, await self.send(call))
            except CallFailed as error:
                step = partial(talk.throw, error)

    async def send(self, call: Call) -> Reply:
        """Sends one call; the caller holds a slot. `CallFailed.sent` tells whether the marketplace may have acted."""
        market = self._marketplace
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(market.call_timeout):
                reply = await self._exchange(call)
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            self._failed(str(error))
            raise CallFailed(f"{market.name}: {error}", sent=False) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            what = "no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
            self._failed(what)
            raise CallFailed(f"{market.name}: {what}", sent=True) from error
        finally:
            metrics.CALL_SECONDS.labels(market.name, call.resource).observe(asyncio.get_running_loop().time() - began)
        metrics.CALLS.labels(market.name, call.resource, str(reply.status)).inc()
        self._learn(call, reply)
        return reply

    async def _exchange(self, call: Call) -> Reply:
        market = self._marketplace
        headers = {"Content-Type": "application/json", "Accept": "application/json", **market.headers()}
        body = None if call.body is None else encode(call.body)
        url = market.base_url.rstrip("/") + call.path
        async with self._session.request(
            call.method, url, params=dict(call.query), data=body, headers=headers, allow_redirects=False
        ) as answer:
            content = await answer.read()
            return Reply(answer.status, {key.lower(): value for key, value in answer.headers.items()}, content)

    def _learn(self, call: Call, reply: Reply) -> None:
        now = datetime.now(UTC)
        limit = self._marketplace.limit(reply)
        if limit is not None and limit.remaining <= 0:
            self._until[call.resource] = limit.until
        elif reply.status in LIMITED:
            self._until["*"] = now + timedelta(seconds=LIMIT_PAUSE * (0.5 + random.random()))  # noqa: S311  # jitter
        if reply.status >= 500:
            self._failed(f"HTTP {reply.status}")
        else:
            if self.open_until is not None:
                logger.info("circuit closed", channel=self._marketplace.name)
            self.failures, self.open_until, self.reason = 0, None, None

    def _failed(self, reason: str) -> None:
        self.failures += 1
        self.reason = reason
        pause = backoff.breaker_pause(self.failures)
        if pause is not None:
            self.open_until = datetime.now(UTC) + timedelta(seconds=pause)
            logger.warning("circuit open", channel=self._marketplace.name, seconds=pause, reason=reason)


@asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """The connections of all channels. Each call brings its own timeout."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=15)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as made:
        yield made
