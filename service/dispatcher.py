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
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from functools import partial
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
"""Lanes of a channel worked on at once; the calls themselves are limited by the channel's own number."""

POLL_SECONDS = 1.0
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
                self._begin(lanes, self._cycle(lanes))
            else:
                await wait(told, POLL_SECONDS)

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
        room = LANES - len(self._in_hand)
        if room <= 0 or (self._channel.live and self._client.held_until("*") is not None):
            return []
        return await self._lanes.claim(room, list(self._in_hand))

    def _begin(self, lanes: Sequence[Lane], deed: Coroutine[Any, Any, None]) -> None:
        """Work on lanes, beside all other work: they are in hand until it ends."""
        orders = [lane.order for lane in lanes]
        self._in_hand.update(orders)
        task = asyncio.create_task(deed)
        self._running.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self._in_hand -= Counter(orders)
            self._running.discard(done)
            self._told.set()
            if not done.cancelled() and (error := done.exception()) is not None:
                # The lanes' leases run out, and they are looked at again.
                logger.error("dispatch failed", channel=self._channel.name, error=repr(error), exc_info=error)

        task.add_done_callback(ended)

    async def _cycle(self, lanes: list[Lane]) -> None:
        """One decision for each lane; each call is then work of its own, so that a slow one holds up no other lane."""
        try:
            tasks = await self._lanes.look(lanes)
        except LogUnavailable as error:
            logger.warning("dispatch put off", channel=self._channel.name, error=str(error))
            return
        sends: list[Turn] = []
        reads: list[Turn] = []
        await asyncio.gather(*(self._guarded([task.lane], partial(self._deed, task, sends, reads)) for task in tasks))
        deeds: list[tuple[list[Turn], Callable[[], Awaitable[None]]]] = [
            (part, partial(self._sender.send, part)) for part in self._parts(sends)
        ]
        if reads:
            deeds.append((reads, partial(self._readback.unknown, reads)))
        for turns, deed in deeds:
            own = [turn.task.lane for turn in turns]
            self._begin(own, self._guarded(own, deed))

    async def _deed(self, task: Task, sends: list[Turn], reads: list[Turn]) -> None:
        """Does what ends without a call, and sorts the rest."""
        match self._lanes.decide(task):
            case d.Idle():
                await self._lanes.release(task.lane, idle=True)
            case d.Wait(until):
                await self._lanes.release(task.lane, until)
            case d.End(commands, end, message, hint):
                await self._lanes.record(task, commands, Outcome(end=end, message=message, hint=hint))
            case d.ReadBack(command):
                reads.append(await self._lanes.turn(task, command))
            case d.Send(command):
                sends.append(await self._lanes.turn(task, command))

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
            for lane in lanes:
                await self._lanes.release(lane, lane.claimed_at + pause)
        except LogUnavailable:  # Postgres is away: the leases run out by themselves
            logger.warning("lanes wait for their leases to run out", channel=self._channel.name)
