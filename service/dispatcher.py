"""The dispatcher: works off one channel's commands, in order per order, never the same one twice.

    claim lanes ─▶ fold their orders ─▶ decide ─┬─ ends without a call ─▶ outcome into the log            (lanes)
                                                ├─ read back ─▶ outcome, or not done: due again           (readback)
                                                └─ send: attempt committed ─▶ call ─▶ outcome into the log (sending)
    ─▶ give the lane back

What happens if the process dies: before the attempt is committed, nothing was sent; after it, the attempt is open, and
whoever claims the lane next (when the lease has run out) reads the order back before anything else; after the outcome
is appended, the lane is claimed once more and nothing is left to do. A lease outlives the longest call by far, and no
call is begun on a lease that could not be renewed in that moment, so two processes never send for one order at once.

While the channel's circuit is open no lane is claimed: an outage over there burns no attempts.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

import structlog

from events.log import Log, LogUnavailable
from events.order.reactions import Plan
from service import decisions as d
from service.door import Unavailable
from service.http_client import ChannelClient
from service.lanes import Lanes, Outcome, Task, Turn
from service.readback import ReadBack
from service.reader import Reader
from service.sending import Sender
from service.settings import Channel
from service.signals import wait
from service.work import Lane, Work

logger = structlog.get_logger()

LANES = 60
"""Lanes of a channel in hand at once, or four for each call that may be made at once where that is more."""

REFILL = 1 / 3
"""Where more lanes wait than there is room for, so much of the room must be free again before others are claimed."""

POLL_SECONDS = 5.0
"""How often lanes are looked for without being woken: those another process put off, or died with."""

TICK = 0.005
"""Seconds behind a moment, so that it is over by Postgres's clock too."""

PUT_ASIDE = timedelta(minutes=1)
"""How long a lane rests that met a bug: the others go on, and the log says where to look."""


class Dispatcher:
    """Works off the commands of one channel."""

    def __init__(
        self, channel: Channel, plan: Plan, log: Log, work: Work, client: ChannelClient, reader: Reader
    ) -> None:
        self._channel, self._client = channel, client
        self._lanes = Lanes(channel, plan, log, work)
        self._readback = ReadBack(self._lanes, reader)
        self._sender = Sender(self._lanes, client, self._readback)
        self._running: set[asyncio.Task[None]] = set()
        self._in_hand: Counter[str] = Counter()
        self._told = asyncio.Event()
        self._room = max(LANES, 4 * channel.marketplace.parallel)

    async def run(self, told: asyncio.Event) -> None:
        """Dispatches until cancelled; `told` is set when there may be something to do."""
        self._told = told
        while True:
            try:
                lanes = await self._claim()
            except LogUnavailable as error:
                logger.warning("dispatcher waits for Postgres", channel=self._channel.name, error=str(error))
                await asyncio.sleep(1)
                continue
            if lanes:
                self.take(lanes)
            else:
                await wait(told, self._pause())

    def wanted(self, orders: Iterable[str]) -> list[str]:
        """The orders among these whose lanes it would work off at once."""
        if self._full or self._held() is not None:
            return []
        return list(islice((o for o in orders if o not in self._in_hand), self._room - len(self._in_hand)))

    def take(self, lanes: Sequence[Lane]) -> None:
        """Works off lanes that were claimed for it."""
        self._begin(lanes, self._cycle(lanes))

    async def drain(self, seconds: float) -> None:
        """Lets what was begun come to its end, for so long; the rest is broken off, and read back by whoever comes."""
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while self._running and (left := until - clock()) > 0:
            await asyncio.wait(self._running, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _claim(self) -> list[Lane]:
        if self._full or self._held() is not None:
            return []
        return await self._lanes.claim(self._room - len(self._in_hand), list(self._in_hand))

    @property
    def _full(self) -> bool:
        return self._room - len(self._in_hand) < self._room * REFILL

    def _held(self) -> datetime | None:
        return self._client.held_until("*") if self._channel.live else None

    def _pause(self) -> float:
        """Seconds until lanes are looked for without being woken."""
        held = self._held()
        return POLL_SECONDS if held is None else min(POLL_SECONDS, (held - datetime.now(UTC)).total_seconds() + TICK)

    def _wake(self, due: Sequence[datetime], *, now: bool) -> None:
        """Looks for lanes when these are due."""
        loop, clock = asyncio.get_running_loop(), datetime.now(UTC)
        for at in [clock, *due] if now else due:
            if at <= clock:
                self._told.set()
            else:
                loop.call_later((at - clock).total_seconds() + TICK, self._told.set)

    def _begin(self, lanes: Sequence[Lane], deed: Coroutine[Any, Any, None]) -> None:
        """Work on lanes, beside all other work: they are in hand until it ends."""
        orders = [lane.order for lane in lanes]
        self._in_hand.update(orders)
        task = asyncio.create_task(deed)
        self._running.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            full = self._full
            self._running.discard(done)
            for order in orders:
                self._in_hand[order] -= 1
                if not self._in_hand[order]:
                    del self._in_hand[order]
            self._wake([self._lanes.due.pop(order) for order in orders if order in self._lanes.due], now=full)
            if not done.cancelled() and (error := done.exception()) is not None:
                # The lanes' leases run out, and they are looked at again.
                logger.error("dispatch failed", channel=self._channel.name, error=repr(error), exc_info=error)

        task.add_done_callback(ended)

    async def _cycle(self, lanes: Sequence[Lane]) -> None:
        """One decision for each lane; what follows is work of its own, so that nothing slow holds up another lane."""
        try:
            tasks = await self._lanes.look(lanes)
        except LogUnavailable as error:
            logger.warning("dispatch put off", channel=self._channel.name, error=str(error))
            return
        sends: list[Turn] = []
        reads: list[Turn] = []
        deeds: list[tuple[list[Lane], Callable[[], Awaitable[None]]]] = []
        for task in tasks:
            match self._decided(task):
                case d.Send(command):
                    sends.append(self._lanes.turn(task, command))
                case d.ReadBack(command):
                    reads.append(self._lanes.turn(task, command))
                case decision:
                    deeds.append(([task.lane], partial(self._without_call, task, decision)))
        deeds += [([turn.task.lane for turn in part], partial(self._sender.send, part)) for part in self._parts(sends)]
        if reads:
            deeds.append(([turn.task.lane for turn in reads], partial(self._readback.unknown, reads)))
        for own, deed in deeds:
            self._begin(own, self._guarded(own, deed))

    def _decided(self, task: Task) -> d.Decision:
        try:
            return self._lanes.decide(task)
        except Exception:  # a bug one order's data brings out
            logger.exception("nothing can be decided", channel=self._channel.name, order=task.order)
            return d.Wait(task.lane.claimed_at + PUT_ASIDE)

    async def _without_call(self, task: Task, decision: d.Idle | d.Wait | d.End) -> None:
        match decision:
            case d.Idle():
                await self._lanes.release(task.lane, idle=True)
            case d.Wait(until):
                await self._lanes.release(task.lane, until)
            case d.End(commands, end, message, hint):
                await self._lanes.record(task, commands, Outcome(end=end, message=message, hint=hint))

    def _parts(self, turns: Sequence[Turn]) -> list[list[Turn]]:
        try:
            return self._sender.parts(turns)
        except Exception:  # a bug one order's data brings out: each alone, so that it stops only itself
            logger.exception("calls can't be joined", channel=self._channel.name)
            return [[turn] for turn in turns]

    async def _guarded(self, lanes: Sequence[Lane], deed: Callable[[], Awaitable[None]]) -> None:
        """Keeps a failure to its own lanes. What was begun stays open, and is read back before anything else."""
        try:
            await deed()
        except (LogUnavailable, Unavailable) as error:
            logger.warning("dispatch put off", channel=self._channel.name, error=str(error))
            await self._give_back(lanes, timedelta(seconds=1))
        except Exception:
            logger.exception("dispatch failed", channel=self._channel.name, orders=[lane.order for lane in lanes])
            await self._give_back(lanes, PUT_ASIDE)

    async def _give_back(self, lanes: Sequence[Lane], pause: timedelta) -> None:
        try:
            await asyncio.gather(*(self._lanes.release(lane, lane.claimed_at + pause) for lane in lanes))
        except LogUnavailable:  # Postgres is away: the leases run out by themselves
            logger.warning("lanes wait for their leases to run out", channel=self._channel.name)
