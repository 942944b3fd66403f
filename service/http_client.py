"""The one HTTP client: sends an adapter's calls within a channel's limits, and says whether bytes may have left.

Per channel: so many calls at once, and a pause after a limit was hit (the marketplace says until when, else a short
one that doubles). Per account: so many calls a second, the limits that its channels share, and a circuit that opens
when call after call fails. What is held back raises `Held` and never reaches the network. A key that is refused (401)
counts as a failure: a revoked one costs a call now and then, not one for each order. What is forbidden (403) opens the
channel's own circuit alone: one shop that is switched off over there must not hold up the others.

A changing call is sent once. aiohttp by itself repeats a PUT whose connection was cut, on a new connection too, though
the marketplace may have acted on the first one; and a connection kept alive can be cut at any moment by the other side.
So each changing call has a connection of its own, and a cut one comes out as an error that aiohttp does not repeat
(`_once`). Reads share connections kept for some seconds: to make one anew, with its keys, costs eight times the read.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar

import aiohttp
import structlog
from aiolimiter import AsyncLimiter

from events.codec import encode
from service import metrics
from service.circuit import Circuit
from service.marketplaces.port import Call, CallFailed, Marketplace, Reply, Talk

logger = structlog.get_logger()
T = TypeVar("T")

LIMIT_PAUSE = 1.0
"""Seconds to hold back after a limit was hit that does not say until when; the next time in a row twice as long."""

LONGEST_PAUSE = 120.0

BURST = 4
"""So many calls may be made at once of those that an account may make in a second."""

PATIENCE = timedelta(seconds=5)
"""A read waits out a limit that ends so soon, and asks again; reading twice changes nothing."""

LONG_LIMIT = timedelta(seconds=10)
"""A limit that ends later is an outage to who waits for it."""

READ_TRIES = 4
CONNECT_SECONDS = 5.0
KEPT_SECONDS = 4.0
"""How long a connection waits for the next read: less than servers keep it, so that they do not cut it under one."""

LIMITED = (420, 429)
FORBIDDEN = 403
KEY_REFUSED = (401, FORBIDDEN)


class Held(CallFailed):
    """Not sent: a limit or the open circuit holds the call back until then."""

    def __init__(self, name: str, until: datetime, reason: str | None) -> None:
        super().__init__(f"{name}: held until {until:%H:%M:%S} UTC ({reason or 'a limit'})", sent=False)
        self.until = until


class CutOff(aiohttp.ClientError):
    """The connection was cut before the answer; the marketplace may have acted."""


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from sending a request again by itself: these two are what it repeats after."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:  # never connected: not repeated, and worth telling apart
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise CutOff(f"{type(error).__name__}: {error}") from error


class Account:
    """What the channels of one account share within a process. `rate`: calls a second; None: any number."""

    def __init__(self, rate: float | None = None) -> None:
        self.until: dict[str, datetime] = {}
        self.circuit = Circuit()
        self._limiter = AsyncLimiter(BURST, BURST / rate) if rate is not None else None

    async def turn(self) -> None:
        """Waits for the next call's turn."""
        if self._limiter is not None:
            await self._limiter.acquire()


class Sessions(NamedTuple):
    """The connections of all channels: `changes` has one for each call, `reads` keeps them."""

    changes: aiohttp.ClientSession
    reads: aiohttp.ClientSession


class ChannelClient:
    """Calls to one channel; `account` is shared with the other channels of its key."""

    def __init__(self, sessions: Sessions, marketplace: Marketplace, account: Account | None = None) -> None:
        self._sessions = sessions
        self._marketplace = marketplace
        self._slots = asyncio.Semaphore(marketplace.parallel)
        self._until: dict[str, datetime] = {}
        self._account = account or Account(marketplace.rate)
        self._limited = 0  # times in a row, without a word until when
        self._key_refused = False
        self.circuit, self.shut = self._account.circuit, Circuit()

    def held_until(self, resource: str) -> datetime | None:
        """Until when a limit or the circuit holds calls of this kind back ("*": all calls); None: go ahead."""
        now = datetime.now(UTC)
        limits = (self._until.get(resource), self._until.get("*"), self._account.until.get(resource))
        times = (*limits, self.circuit.held_until(now), self.shut.held_until(now))
        return max((t for t in times if t is not None and t > now), default=None)

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
                step = partial(talk.send, await self._read(call))
            except CallFailed as error:
                step = partial(talk.throw, error)

    async def _read(self, call: Call) -> Reply:
        """One call of a talk; short limits are waited out."""
        tries = 0
        while True:
            tries += 1
            held, now = self.held_until(call.resource), datetime.now(UTC)
            if held is not None and not self._failing and held - now <= PATIENCE:
                await asyncio.sleep(max((held - now).total_seconds(), 0) + 0.01)
            async with self.slot():
                reply = await self.send(call)
            if reply.status not in LIMITED or tries == READ_TRIES:
                return reply

    async def send(self, call: Call) -> Reply:
        """Sends one call; the caller holds a slot. `CallFailed.sent` tells whether the marketplace may have acted."""
        market, held = self._marketplace, self.held_until(call.resource)
        if held is not None:
            raise Held(market.name, held, self.shut.reason or self.circuit.reason)
        try:  # a key in a file is read anew for each call
            headers = {"Content-Type": "application/json", "Accept": "application/json", **market.headers()}
        except (OSError, ValueError) as error:
            raise CallFailed(f"{market.name}: the key can't be read: {error}", sent=False) from error
        await self._account.turn()
        began = asyncio.get_running_loop().time()
        trials, status = [circuit for circuit in (self.circuit, self.shut) if circuit.enter()], "none"
        try:
            async with asyncio.timeout(market.call_timeout):
                reply = await self._exchange(call, headers)
            status = str(reply.status)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            self._failed(str(error))
            raise CallFailed(f"{market.name}: {error}", sent=False) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            what = "no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
            self._failed(what)
            raise CallFailed(f"{market.name}: {what}", sent=True) from error
        finally:
            for circuit in trials:
                circuit.leave()
            metrics.CALLS.labels(market.name, call.resource, status).inc()
            metrics.CALL_SECONDS.labels(market.name, call.resource).observe(asyncio.get_running_loop().time() - began)
        self._learn(call, reply)
        return reply

    async def _exchange(self, call: Call, headers: dict[str, str]) -> Reply:
        body = None if call.body is None else encode(self._marketplace.body(call))
        url = self._marketplace.base_url.rstrip("/") + call.path
        session = self._sessions.changes if call.changes else self._sessions.reads
        async with session.request(
            call.method, url, params=dict(call.query), data=body, headers=headers, allow_redirects=False,
            middlewares=(_once,) if call.changes else (),
        ) as answer:  # fmt: skip
            content = await answer.read()
            return Reply(answer.status, {key.lower(): value for key, value in answer.headers.items()}, content)

    def _learn(self, call: Call, reply: Reply) -> None:
        now = datetime.now(UTC)
        limit = self._marketplace.limit(reply, now)
        full = limit is not None and limit.remaining <= 0
        if limit is not None and full:
            (self._account.until if call.shared else self._until)[call.resource] = limit.until
        elif reply.status in LIMITED:
            self._pause(now)
        else:
            self._limited = 0
        self._key(refused=reply.status in KEY_REFUSED)
        if full and reply.status >= 500:
            return  # a method that is closed for a while says nothing of the others
        if reply.status >= 500 or reply.status in KEY_REFUSED:
            self._failed(f"HTTP {reply.status}", self.shut if reply.status == FORBIDDEN else self.circuit)
        elif any([self.circuit.worked(), self.shut.worked()]):
            metrics.CIRCUIT_OPEN.labels(self._marketplace.name).set(0)
            logger.info("circuit closed", channel=self._marketplace.name)

    def _pause(self, now: datetime) -> None:
        """Holds all calls back after a limit that does not say until when; answers to calls under way count once."""
        held = self._until.get("*")
        if held is not None and held > now:
            return
        pause = min(LIMIT_PAUSE * 2**self._limited, LONGEST_PAUSE) * (0.5 + random.random())  # noqa: S311  # jitter
        self._limited += 1
        self._until["*"] = now + timedelta(seconds=pause)

    def _key(self, *, refused: bool) -> None:
        """Says it once, loudly, where the marketplace refuses the key or one of its rights."""
        name = self._marketplace.name
        metrics.KEY_REFUSED.labels(name).set(refused)
        if refused and not self._key_refused:
            logger.error("the marketplace refuses the key or a right of it: `okno doctor` says more", channel=name)
        self._key_refused = refused

    def outage(self) -> tuple[datetime, str] | None:
        """Since when all calls are held back, and why; None: they are not."""
        for circuit in (self.shut, self.circuit):
            if circuit.until is not None and circuit.since is not None:
                return circuit.since, circuit.reason or "no answer"
        held, now = self.held_until("*"), datetime.now(UTC)
        return (now, "a limit of the marketplace's") if held is not None and held - now > LONG_LIMIT else None

    @property
    def _failing(self) -> bool:
        return self.circuit.until is not None or self.shut.until is not None

    def _failed(self, reason: str, circuit: Circuit | None = None) -> None:
        pause = (circuit or self.circuit).failed(reason, datetime.now(UTC))
        if pause is not None:
            metrics.CIRCUIT_OPEN.labels(self._marketplace.name).set(1)
            logger.warning("circuit open", channel=self._marketplace.name, seconds=pause, reason=reason)


@asynccontextmanager
async def sessions() -> AsyncIterator[Sessions]:
    """The connections of all channels; no cookies. Each call brings its own timeout."""
    own = aiohttp.TCPConnector(limit=0, force_close=True)
    kept = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS)
    async with _over(own) as changes, _over(kept) as reads:
        yield Sessions(changes, reads)


def _over(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    return aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
