"""The reactor: turns facts into requests, in the log's order.

One process at a time, by lease, only to spare the work: a command's id follows from what it is for, so two reactors at
once, or one that starts again anywhere, request nothing twice. Requests are appended at the version they were decided
on; if the order moved on meanwhile, they are decided again. If the process dies after the append and before the
checkpoint, the same events are looked at again and nothing is wanted. So what called for nothing need not be noted at
once: how far the reactor is, it knows by itself until its lease or Postgres is lost.

A command is noted as "never tried" by the reactor that has just requested it, and by nobody else: one that stands in
the log without a note was perhaps sent, and is read back first. So lost work tables cost reads, never a second send.
After a restore from a backup the log knows less than was done: what is asked for then is read back too
(`attempts.EXPECT`).
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import structlog

from events.codec import decode, own_event
from events.log import Log, LogUnavailable, waits
from events.order import facts as f
from events.order.reactions import ONEC, Plan
from events.order.state import OrderState
from events.recorded import NewEvent, Recorded
from service import metrics
from service.considered import REQUESTED, Considered, Orders
from service.database import Pool
from service.due_reads import reads_of
from service.leases import Leases
from service.signals import Signal, wait
from service.work import Expected, Lane, Work

logger = structlog.get_logger()

BATCH = 500
POLL_SECONDS = 1.25
"""How often the log is looked at without being woken: a lost wake-up costs this much."""

NOTE_SECONDS = 1.0
"""How often it is noted how far the reactor is, where nothing else is."""

READ_TOGETHER = 0.5
"""Reads that follow our own steps are due every so many seconds, so that several orders are read in one call; each
channel's at a moment of its own, so that marks never wait behind the reads of all of them."""

TICK = 0.02
"""Seconds behind a moment, so that it is over by Postgres's clock too, which notes it a trip later."""

NAME = "reactor"


class Hands(Protocol):
    """Who works off a channel's lanes in this process."""

    def wanted(self, orders: Iterable[str]) -> list[str]:
        """The orders among these whose lanes it would work off at once."""

    def take(self, lanes: Sequence[Lane]) -> None:
        """Works off lanes that were claimed for it."""


class Reactor:
    """Follows the log and asks for what must be done. By channel: `plans`, `applied` (seconds until a step that was
    told shows in a read), and this process's `hands`: they get a lane with the commit that asks for it.
    """

    def __init__(
        self, log: Log, pool: Pool, work: Work, plans: Mapping[str, Plan], leases: Leases, applied: Mapping[str, float],
        hands: Mapping[str, Hands],
    ) -> None:  # fmt: skip
        self._log, self._pool, self._work = log, pool, work
        self._plans, self._leases, self._applied, self._hands = plans, leases, applied, hands
        self._orders = Orders(log, plans)
        self._phase = {name: READ_TOGETHER * at / len(plans) for at, name in enumerate(plans)}
        self._seen_before = 0  # where the work tables are new: up to here another reactor may have looked
        self._position: int | None = None  # how far we are; None: as far as is noted
        self._noted, self._note_at = 0, 0.0
        self._more = False
        self._news: set[str] = set()  # whose lanes wait to be claimed, and whose reads are due
        self._later: dict[str, float] = {}  # in how many seconds a channel's reads are due
        self._asked: set[str] = set()  # commands whose lanes we asked for, until we meet their requests in the log

    async def run(self, wake: asyncio.Event, told: Signal) -> None:
        """Reacts until cancelled; `wake` is set when the log has grown, `told` by us when there is something to do."""
        while True:
            async with self._leases.held(f"{NAME}/0") as lost:
                self._forget()
                refilled = False
                while not lost.is_set():
                    try:
                        if not refilled:
                            await self._work.refill()
                            await self._take_back()
                            told.set()
                            refilled = True
                        await self.step()
                        if self._news:
                            told.set(*self._news)
                        for channel, seconds in self._later.items():
                            asyncio.get_running_loop().call_later(seconds + TICK, told.set, reads_of(channel))
                    except LogUnavailable as error:
                        logger.warning("reactor waits for Postgres", error=str(error))
                        self._forget()  # what was noted last may be lost, and it may be another log that comes back
                        await asyncio.sleep(1)
                        continue
                    if not self._more:
                        await wait(wake, POLL_SECONDS)

    def _forget(self) -> None:
        self._position = None
        self._asked.clear()
        self._orders.forget()

    async def step(self) -> bool:
        """Looks at the next events; False when there are none."""
        self._news, self._later = set(), {}
        position = self._position
        if position is None:
            position, _ = await self._work.progress(NAME)
            self._noted = position
            if position == 0:
                self._seen_before = (await self._log.head()).position
        batch = await self._log.read(position, BATCH)
        self._more = len(batch) == BATCH
        if not batch:
            metrics.REACTOR_LAG.set(0)
            self._note_at = 0.0
            await self._note(position)
            self._position = position
            return False
        news: defaultdict[str, list[Recorded]] = defaultdict(list)
        for event in batch:
            if event.order.partition("/")[0] in self._plans:
                news[event.order].append(event)
        states, requested = await self._react(news, batch[0].position - 1)
        live = [e for e in batch if not f.imported(e)]  # what was imported tells nobody, and makes nothing due
        await self._checkpoint(live, batch[-1].position, states, requested)
        self._position = batch[-1].position
        metrics.HEAD.set(batch[-1].position)
        return True

    async def _react(
        self, news: Mapping[str, Sequence[Recorded]], after: int
    ) -> tuple[dict[str, OrderState], list[Expected]]:
        """Requests what orders' events behind `after` call for; their states before that, and what is new."""
        states: dict[str, OrderState] = {}
        new: list[Expected] = []
        while news:
            wanted: list[tuple[Expected, NewEvent]] = []
            for order, found in (await self._orders.consider(news, after)).items():
                if isinstance(found, Considered):
                    states[order] = found.state
                    wanted += _wanted(found)
                else:
                    logger.error(
                        "an order can't be reacted to, set aside until the next start", order=order, exc_info=found
                    )
                    await self._work.set_aside(order, after)
                    states.pop(order, None)
            outcomes = await self._log.append([event for _, event in wanted]) if wanted else []
            became = [(one, outcome.outcome) for (one, _), outcome in zip(wanted, outcomes, strict=True)]
            new += [one for one, outcome in became if outcome == "appended"]
            refused = sorted({one.order for one, outcome in became if outcome == "conflict"})
            for order in refused:
                self._orders.drop(order)
            news = {order: news[order] for order in refused}
        return states, new

    async def _take_back(self) -> None:
        """Looks once more at orders set aside: the code may be another one by now."""
        for order, after in await self._work.aside():
            history = (await self._log.histories([order]))[order]
            states, requested = await self._react({order: history}, after)
            if order in states:
                await self._taken_back(order, requested)

    @waits
    async def _taken_back(self, order: str, requested: Sequence[Expected]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await self._work.ask_in(connection, sorted({(c.order, c.target) for c in requested}))
            await self._work.expect_in(connection, requested)
            await self._work.take_back_in(connection, order)

    async def _checkpoint(
        self, events: Sequence[Recorded], position: int, states: Mapping[str, OrderState], requested: Sequence[Expected]
    ) -> None:
        """Asks for lanes and reads, and notes what is new and how far we are, in one commit."""
        lanes = dict.fromkeys((c.order, c.target) for c in requested)
        reads: list[tuple[str, float, str]] = []
        commands = list(requested)
        for event in events:
            if event.type == REQUESTED:
                lanes |= dict.fromkeys(self._requested(event))
            elif (state := states.get(event.order)) is not None:
                lanes |= dict.fromkeys(self._lanes(event, state))
                reads += self._reads(event, state)
                commands += self._brought_back(event, state)
        if not (lanes or commands or reads):
            await self._note(position)
            return
        claimed = await self._work.reacted(self._own(lanes), commands, reads, NAME, position)
        for target, own in claimed.items():
            self._hands[target].take(own)
        self._asked |= {c.command for c in requested}
        self._noted, self._note_at = position, time.monotonic() + NOTE_SECONDS
        taken = {(lane.order, target) for target, own in claimed.items() for lane in own}
        self._news = {target for order, target in lanes if (order, target) not in taken}
        self._news |= {reads_of(order.partition("/")[0]) for order, seconds, _ in reads if not seconds}
        self._later = {order.partition("/")[0]: seconds for order, seconds, _ in reads if seconds}

    def _own(self, lanes: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bool]:
        """Lanes, and whether this process has free hands for them."""
        asked = sorted(lanes)
        free = {
            (order, target)
            for target, hands in self._hands.items()
            for order in hands.wanted(order for order, of in asked if of == target)
        }
        return {lane: lane in free for lane in asked}

    async def _note(self, position: int) -> None:
        """Notes how far we are, now and then, and once there is nothing more: what called for nothing does so again."""
        if position != self._noted and time.monotonic() >= self._note_at:
            await self._work.advance(NAME, position)
            self._noted, self._note_at = position, time.monotonic() + NOTE_SECONDS

    def _requested(self, event: Recorded) -> list[tuple[str, str]]:
        """The lane of a command, unless we asked for it when we requested it."""
        fact = decode(event)
        if not isinstance(fact, f.CommandRequested) or event.order.partition("/")[0] not in self._plans:
            return []
        if fact.command in self._asked:
            self._asked.discard(fact.command)
            return []
        return [(event.order, fact.target)]

    def _lanes(self, event: Recorded, state: OrderState) -> list[tuple[str, str]]:
        """Lanes that have reason to be looked at because of an event."""
        fact = decode(event)
        if isinstance(fact, f.CommandRetried):
            command = state.commands.get(fact.command)
            return [(event.order, command.target)] if command is not None else []
        if event.type in ("order.cancelled", "marketplace.seen") and state.waiting(state.channel):
            return [(event.order, state.channel)]
        return []

    def _brought_back(self, event: Recorded, state: OrderState) -> list[Expected]:
        """The command an operator brings back, to be read before it is sent; not one that was sent since, perhaps."""
        fact = decode(event)
        if isinstance(fact, f.CommandRetried) and event.position > self._seen_before:
            command = state.commands.get(fact.command)
            if command is not None and command.state == "waiting":
                return [Expected(command.id, event.order, command.target, read_first=True)]
        return []

    def _reads(self, event: Recorded, state: OrderState) -> list[tuple[str, float, str]]:
        """Reads an event makes due: after a notification, for a mark of an order never seen, after a step was told."""
        fact = decode(event)
        if isinstance(fact, f.Notified):
            return [(event.order, 0.0, fact.hint or "")]
        if f.from_onec(event.source) and not state.placed:
            return [(event.order, 0.0, "")]
        if event.type == "command.done" and isinstance(fact, f.CommandOutcome):
            command = state.commands.get(fact.command)
            if command is not None and command.target != ONEC and fact.message is None:  # not read back just now
                channel = state.channel
                return [(event.order, self._applied[channel] + self._until(channel), "")]
        return []

    def _until(self, channel: str) -> float:
        """Seconds until the next moment at which a channel's orders are read together."""
        return READ_TOGETHER - (time.time() + self._phase[channel]) % READ_TOGETHER


def _wanted(found: Considered) -> list[tuple[Expected, NewEvent]]:
    """What an order calls for, as commands to be tried and as events, decided on its version."""
    order, version = found.state.order, found.state.version
    return [
        (
            Expected(r.fact.command, order, r.fact.target),
            own_event(order, REQUESTED, r.fact.command, r.fact, r.cause, expected=version),
        )
        for r in found.requests
    ]
