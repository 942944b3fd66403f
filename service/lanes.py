"""A channel's lanes: claimed, looked at, given back; and what came of their commands, into the log.

A lane is one order's commands at one marketplace, worked off one after another by whoever holds its lease. A lease
outlives the longest call, and is renewed as an attempt is committed: whoever takes a lane over finds every call of the
one before ended. From the commit of an attempt to its first byte there are `spare` seconds; a process that slept longer
than that sends nothing. So an attempt has settled `spare` and what the marketplace `settles` after its commit: no
read begun earlier shows that it was not done.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace

from events.codec import own_event
from events.log import Log, LogUnavailable
from events.order import facts as f
from events.order.reactions import Plan
from events.order.state import Command, OrderState, fold
from service import backoff, metrics
from service import decisions as d
from service.attempts import Begun
from service.marketplaces import port
from service.settings import Channel
from service.work import Lane, Mark, Release, Work

logger = structlog.get_logger()

RECORD_SECONDS = 30.0
"""So long Postgres may be away before an answer that can't be recorded is let go: the order is read back then."""

MOST_SPARE = 5.0
MAX_MESSAGE = 300

COMPARE = "compare the order in the marketplace's cabinet with 1C; `okno retry` tries it again"


class Task(msgspec.Struct, frozen=True):
    """A claimed lane, what the log says of its order, and the attempts made. `begun`: the one under way."""

    lane: Lane
    state: OrderState
    personal: Mapping[int, Any]
    attempts: Mapping[str, d.Attempt]
    begun: Begun | None = None

    @property
    def order(self) -> str:
        return self.lane.order

    @property
    def number(self) -> str:
        """The order's number at the marketplace."""
        return self.lane.order.partition("/")[2]

    def tried(self, command: Command) -> int:
        """How many attempts were made before this look."""
        attempt = self.attempts.get(command.id)
        return attempt.attempts if attempt is not None else 0

    def times(self, command: Command) -> Begun | None:
        """When the first attempt was begun, and the last one; None where there was none."""
        attempt = self.attempts.get(command.id)
        if self.begun is not None or attempt is None or attempt.first_at is None:
            return self.begun
        return Begun(attempt.first_at, max(attempt.first_at, attempt.attempted_at))

    def trouble(self, command: Command) -> str | None:
        """What the attempt before this look met with."""
        attempt = self.attempts.get(command.id)
        return attempt.reason if attempt is not None else None

    def exchange(self, command: Command) -> bytes | None:
        """The request and answer of the last attempt, where its outcome is still open."""
        attempt = self.attempts.get(command.id)
        return attempt.exchange if attempt is not None else None


class Turn(msgspec.Struct, frozen=True):
    """A command whose turn it is, with everything its call is made of."""

    task: Task
    command: Command
    job: port.Job


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a command ends: `end` done, refused, given_up, withdrawn or withheld. `exchange`: request and answer."""

    end: str
    status: str | None = None
    code: str | None = None
    message: str | None = None
    hint: str | None = None
    exchange: bytes | None = field(default=None, repr=False)
    attempts: int = 0


class Lanes:
    """The lanes of one channel."""

    def __init__(self, channel: Channel, plan: Plan, log: Log, work: Work) -> None:
        self.spare = min(work.lease.total_seconds() - channel.marketplace.call_timeout, MOST_SPARE)
        if self.spare <= 0:
            raise ValueError(f"{channel.name}: a call takes longer than a lease of {work.lease}")
        self.channel, self._plan, self._log, self._work = channel, plan, log, work
        self.due: dict[str, datetime] = {}
        """When lanes are due that were given back, by order; for whoever looks for lanes to take out."""

    async def claim(self, limit: int, in_hand: Sequence[str]) -> list[Lane]:
        """Lanes to work on, none of those in hand."""
        return await self._work.claim(self.channel.name, limit, in_hand)

    async def look(self, lanes: Sequence[Lane]) -> list[Task]:
        """What the log and the work tables say of these lanes; one whose history can't be folded is put aside."""
        orders = [lane.order for lane in lanes]
        stories, attempts = await asyncio.gather(
            self._log.stories(orders), self._work.attempts(self.channel.name, orders)
        )
        tasks = []
        for lane in lanes:
            try:
                story = stories[lane.order]
                tasks.append(Task(lane, fold(lane.order, story.events), story.personal, attempts))
            except Exception:
                logger.exception("an order's history can't be folded", order=lane.order)
                await self.release(lane, lane.claimed_at + d.BLOCKED_LOOK)
        return tasks

    def decide(self, task: Task) -> d.Decision:
        """What to do next, as of when the lane was claimed, by Postgres's clock."""
        return d.decide(
            task.state, self._plan, task.attempts, task.lane.claimed_at, live=self.channel.live,
            give_up_after=self.channel.give_up_after,
        )  # fmt: skip

    def settled(self, turn: Turn) -> bool:
        """Whether what the last attempt did would show in a read begun since the lane was claimed."""
        attempt = turn.task.attempts.get(turn.command.id)
        if attempt is None or not attempt.attempts:
            return True
        settle = timedelta(seconds=self.spare + self.channel.marketplace.settles(turn.command.action))
        return turn.task.lane.claimed_at - attempt.attempted_at >= settle

    def turn(self, task: Task, command: Command) -> Turn:
        """A command with everything its call is made of."""
        attempt = task.attempts.get(command.id)
        before = attempt.before if attempt is not None else None
        return Turn(task, command, port.Job(command, task.state, task.personal, before))

    async def begin(self, turns: Sequence[Turn]) -> list[Turn]:
        """Commits attempts; returns those that may be sent: their lanes stay ours until the call has settled.

        The others are given back, to be looked at once more: the lane is another's by now, or something has happened to
        the order since it was looked at, a cancellation perhaps.
        """
        clocks = time.monotonic(), time.time()  # a machine that slept shows on the second one only
        marks = [Mark(t.command.id, t.task.order, t.job.before, t.task.state.position) for t in turns]
        kept = await self._work.begin(self.channel.name, marks)
        mine: list[Turn] = []
        for turn in turns:
            if (begun := kept.get(turn.task.order)) is not None:
                mine.append(replace(turn, task=replace(turn.task, begun=begun)))
            else:
                await self.release(turn.task.lane)
        if max(time.monotonic() - clocks[0], time.time() - clocks[1]) < self.spare:
            return mine
        for turn in mine:
            await self.not_sent(turn, datetime.now(UTC), "the lease was nearly over before the call")
        return []

    async def not_sent(self, turn: Turn, until: datetime, reason: str, *, held: bool = False) -> None:
        """No bytes left, or (`held`) the marketplace's limit sent them back: the attempt does not count."""
        await self._work.undo(turn.command.id, until, reason[:MAX_MESSAGE], held=held)
        await self.release(turn.task.lane)

    async def put_off(self, turn: Turn, until: datetime, reason: str) -> None:
        """Its turn has not come: nothing was sent."""
        await self._work.put_off(turn.command.id, until, reason[:MAX_MESSAGE])
        await self.release(turn.task.lane)

    async def ask_read(self, task: Task) -> None:
        """The order is not where we thought: what happened to it is to be read."""
        await self._work.ask_reads([(task.order, 0.0, "")])

    async def later(
        self, turn: Turn, reason: str, *, tried: int, until: datetime | None = None, open: bool = False,
        refused: bool = False, exchange: bytes | None = None,
    ) -> None:  # fmt: skip
        """Nothing final came of an attempt: again by the schedule, or at `until`; read first where `open`."""
        next_at = until or backoff.next_attempt(tried, datetime.now(UTC), random.random())  # noqa: S311  # jitter
        await self._work.leave(
            turn.command.id, turn.task.order, self.channel.name, next_at=next_at, open=open, refused=refused,
            reason=reason[:MAX_MESSAGE], exchange=exchange,
        )  # fmt: skip
        await self.release(turn.task.lane)

    async def unsent(self, turn: Turn) -> None:
        """A read showed that the command is not done: it may be sent now."""
        await self._work.know_unsent(turn.command.id, turn.task.order, self.channel.name)
        await self.release(turn.task.lane)

    async def keep(self, turns: Sequence[Turn]) -> list[Turn]:
        """Renews the leases; returns the turns whose lanes are still ours."""
        kept = await self._work.renew(self.channel.name, [turn.task.order for turn in turns])
        return [turn for turn in turns if turn.task.order in kept]

    async def record(self, task: Task, commands: Sequence[Command], outcome: Outcome) -> None:
        """Appends outcomes and gives the lane back. Their ids name command and try: the same one is recorded once."""
        events = [
            own_event(
                task.order, f"command.{outcome.end}", f"{c.id}/{c.rounds}/{outcome.end}", _fact(task, c, outcome),
                c.position, body=outcome.exchange or task.exchange(c),
            )
            for c in commands
        ]  # fmt: skip
        until = time.monotonic() + RECORD_SECONDS
        while True:
            try:
                await self._log.append(events)
                break
            except LogUnavailable:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.5)
        metrics.OUTCOMES.labels(self.channel.name, outcome.end).inc(len(commands))
        # What is asked for from now on, because of these outcomes too, asks for the lane anew.
        ended = [c.id for c in commands]
        left = any(c.id not in ended for c in task.state.waiting(self.channel.name))
        await self._give_back(Release(self.channel.name, task.lane, idle=not left, done=ended))

    async def release(self, lane: Lane, due: datetime | None = None, *, idle: bool = False) -> None:
        """Gives a lane back: due again at once, or at `due`; or for good where nothing waits in it."""
        await self._give_back(Release(self.channel.name, lane, due, idle=idle))

    async def _give_back(self, release: Release) -> None:
        at_once = await self._work.release(release)
        if at_once or not release.idle:
            self.due[release.lane.order] = datetime.now(UTC) if at_once or release.due is None else release.due


def _fact(task: Task, command: Command, outcome: Outcome) -> f.CommandOutcome:
    times, trouble = task.times(command), task.trouble(command)
    return f.CommandOutcome(
        command=command.id, attempts=outcome.attempts or task.tried(command), status=outcome.status, code=outcome.code,
        message=outcome.message[:MAX_MESSAGE] if outcome.message else None, hint=_hint(outcome),
        tried_at=times.tried_at if times is not None else None, sent_at=times.sent_at if times is not None else None,
        trouble=trouble[:MAX_MESSAGE] if trouble else None,
    )  # fmt: skip


def _hint(outcome: Outcome) -> str | None:
    """What a person can do; whoever is refused is told something."""
    return outcome.hint or (COMPARE if outcome.end in ("refused", "given_up") else None)
