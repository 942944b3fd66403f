"""A shop on the sandbox's Market: one database, one log, as many hub processes as a test wants to start and kill."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from events.codec import encode, own_event
from events.log import Log
from events.order import facts as f
from events.order.state import Command, OrderState, fold
from events.recorded import NewEvent
from service import http_client, settings
from service.database import Pool, open_pool
from service.dispatcher import Dispatcher
from service.door import Door
from service.http_client import ChannelClient, Sessions
from service.intake import Intake
from service.leases import Leases
from service.marketplaces.exchange import CallFailed
from service.marketplaces.port import Call, Reply, Wanted
from service.marketplaces.yandex.sandbox import Entry, Market, Order
from service.plans import plan_of
from service.poller import Poller
from service.reactor import Reactor
from service.reader import Reader
from service.signals import Signal
from service.work import Work

CALL_TIMEOUT, SETTLE, LEASE = 0.5, 0.2, timedelta(seconds=1.1)
"""As in life a lease outlives a call and its settling; only shorter."""

READ_TRIES = 10
"""A read on a busy machine may take longer than CALL_TIMEOUT; the hub would read again, too."""

DONE = ("done", "refused", "given_up", "withdrawn", "withheld")


class Client(ChannelClient):
    """The one HTTP client, with doors in it: `before` and `after` each changing call. They may never come back."""

    before: Callable[[Call], Awaitable[None]] | None = None
    after: Callable[[Call], Awaitable[None]] | None = None

    async def send(self, call: Call) -> Reply:
        if call.changes and self.before is not None:
            await self.before(call)
        reply = await super().send(call)
        if call.changes and self.after is not None:
            await self.after(call)
        return reply


class Process:
    """One hub process's loops between the log and a marketplace; with `hands` its reactor gives lanes to its own
    dispatcher, as where both roles are in one process."""

    def __init__(self, shop: "Place", *, hands: bool = False) -> None:
        self.shop, channel, owner = shop, shop.channel, secrets.token_hex(4)
        self.work = Work(shop.pool, owner, LEASE)
        self.leases = Leases(shop.pool, owner)
        self.client = Client(shop.sessions, channel.marketplace)
        self.reader = Reader(channel, shop.log, self.work, self.client, shop.door, self.leases)
        self.poller = Poller(channel, shop.log, self.work, self.client, self.reader, self.leases)
        plan = plan_of(channel)
        self.dispatcher = Dispatcher(channel, plan, shop.log, self.work, self.client, self.reader)
        self.reactor = Reactor(
            shop.log, shop.pool, self.work, {channel.name: plan}, self.leases, {channel.name: SETTLE},
            {channel.name: self.dispatcher} if hands else {},
        )  # fmt: skip
        self.told = Signal()
        self._running: asyncio.Task[None] | None = None

    async def react(self) -> None:
        """Looks at the log to its end."""
        while await self.reactor.step():
            self.told.set()

    def start(self) -> None:
        """Starts to dispatch."""
        self._running = asyncio.create_task(self.dispatcher.run(self.told.subscribe()))

    async def die(self) -> None:
        """Ends in the middle of whatever it does."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
            self._running = None
        await self.dispatcher.drain(0)


@dataclass(kw_only=True)
class Place:
    """A database, and a channel of the hub over it."""

    database_url: str
    pool: Pool
    sessions: Sessions
    log: Log
    channel: settings.Channel
    door: Door
    processes: list[Process] = field(default_factory=list)

    def process(self, *, hands: bool = False) -> Process:
        """A new process, not dispatching yet."""
        self.processes.append(Process(self, hands=hands))
        return self.processes[-1]

    async def said(self, order: str, kind: str, fact: f.Fact | None = None) -> None:
        """1C marks something."""
        said = NewEvent(
            order=order, type=kind, source="1c/ut11", id=secrets.token_hex(8), digest=os.urandom(32),
            data=encode(fact if fact is not None else f.FACTS[kind]()), actor="1c/ut11", occurred_at=datetime.now(UTC),
        )  # fmt: skip
        await self.log.append([said])

    async def history(self, order: str) -> OrderState:
        """What the log says of an order."""
        return fold(order, (await self.log.histories([order]))[order])


@dataclass(kw_only=True)
class Shop(Place):
    """`ym`, a channel of the hub, and its orders."""

    market: Market
    campaign: int

    async def place(self, process: Process, *, pickup: bool = False) -> Order:
        """A buyer orders, and the hub has read it."""
        order = self.market.place(self.campaign, pickup=pickup, marked=False)
        for left in reversed(range(READ_TRIES)):
            try:
                await process.reader.see([Wanted(str(order.number), new=True)])
                break
            except CallFailed:
                if not left:
                    raise
        return order

    async def mark(self, order: Order, kind: str, fact: f.Fact | None = None) -> None:
        """1C marks something."""
        await self.said(key(order), kind, fact)

    async def retry(self, command: Command, order: Order) -> None:
        """An operator brings a command back."""
        fact, id = f.CommandRetried(command=command.id), f"{command.id}/{command.rounds}/retried"
        await self.log.append([own_event(key(order), "command.retried", id, fact, command.position, actor="anna")])

    async def state(self, order: Order) -> OrderState:
        """What the log says of an order."""
        return await self.history(key(order))

    async def commands(self, order: Order) -> dict[str, Command]:
        """The order's commands for Market, the last one of each name."""
        return {c.action: c for c in (await self.state(order)).commands.values() if c.target == "ym"}

    async def outcomes(self, order: Order) -> dict[str, str]:
        """How each command for Market stands."""
        return {action: command.state for action, command in (await self.commands(order)).items()}

    async def settled(self, process: Process, *orders: Order, seconds: float = 15) -> None:
        """Until every command for Market has its end."""
        async with asyncio.timeout(seconds):
            while True:
                await process.react()
                states = [await self.outcomes(order) for order in orders]
                if all(states) and all(state in DONE for one in states for state in one.values()):
                    return
                await asyncio.sleep(0.02)

    async def claimed(self) -> bool:
        """Whether somebody works on a lane."""
        return bool(await self.pool.fetchval("SELECT count(*) FROM okno.dispatch WHERE owner IS NOT NULL"))

    async def called(self, order: Order, times: int = 1) -> bool:
        """Whether Market had so many changing calls for an order."""
        return len(self.calls(order)) >= times

    def calls(self, order: Order) -> list[Entry]:
        """The changing calls Market had for an order."""
        return [e for e in self.market.journal if e.changes and str(order.number) in f"{e.path} {e.body}"]

    def done(self, order: Order) -> list[str]:
        """What these calls changed, as the last part of the path and the status, in order."""
        return [_name(e, order.number) for e in self.calls(order) if order.number in e.done]

    async def row(self, command: Command, column: str) -> object:
        """A column of the command's row among the attempts."""
        return await self.pool.fetchval(f"SELECT {column} FROM okno.attempts WHERE command = $1", command.id)

    async def admin(self, statement: str) -> None:
        """A statement the hub itself would not make."""
        connection = await asyncpg.connect(self.database_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


async def until(happened: Callable[[], Awaitable[object]], seconds: float = 15) -> None:
    """Until something is there."""
    async with asyncio.timeout(seconds):
        while True:
            if await happened():
                return
            await asyncio.sleep(0.01)


def key(order: Order) -> str:
    return f"ym/{order.number}"


def _name(entry: Entry, number: int) -> str:
    body = entry.body or {}
    rows = body.get("orders") or [body.get("order") or {}]
    status = next((row.get("status") for row in rows if row.get("id", number) == number), None)
    return str(status or entry.path.rpartition("/")[2])


@asynccontextmanager
async def opened(
    database_url: str, market: Market, campaign: int, url: str, *, mode: str = "live", give_up_after: str = "72h"
) -> AsyncIterator[Shop]:
    """A shop over a database; at the end every process dies."""
    table = {
        "kind": "yandex", "model": market.shops[campaign], "mode": mode, "base_url": url,
        "give_up_after": give_up_after, **market.options(campaign),
    }  # fmt: skip
    async with connected(database_url, "ym", table) as place:
        yield Shop(market=market, campaign=campaign, **vars(place))


@asynccontextmanager
async def connected(database_url: str, name: str, table: dict[str, Any]) -> AsyncIterator[Place]:
    """A channel over a database; at the end every process dies."""
    configured = settings.parse({"channels": {name: table}}, Path())
    channel = configured.channels[name]
    channel.marketplace.call_timeout, channel.marketplace.settle_seconds = CALL_TIMEOUT, SETTLE
    pool = await open_pool(database_url)
    log, door = Log(pool, b"key"), Door(None)
    door.intake = Intake(log, configured)
    async with http_client.sessions() as sessions:
        place = Place(
            database_url=database_url, pool=pool, sessions=sessions, log=log, channel=channel, door=door
        )  # fmt: skip
        try:
            yield place
        finally:
            for process in place.processes:
                await process.die()
            await pool.close()
