"""The dispatcher: works off one channel's commands, in order per order, never the same one twice.

    claim lanes ─▶ fold their orders ─▶ decide ─┬─ ends without a call ─▶ outcome into the log
                                                ├─ read back ─▶ done / refused ─▶ outcome, or not done: due again
                                                └─ send: attempt committed ─▶ call ─▶ outcome into the log
    ─▶ give the lane back

What happens if the process dies: before the attempt is committed, nothing was sent; after it, the attempt is open, and
whoever claims the lane next (when the lease has run out) reads the order back before anything else; after the outcome
is appended, the lane is claimed once more and nothing is left to do. A lease outlives the longest call by far, and no call
is begun on a lease that could not be renewed in that moment, so two processes never send for one order at once.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from events.codec import encode, own_event
from events.log import Log, LogUnavailable
from events.order import facts as f
from events.order.reactions import Plan
from events.order.state import Command, OrderState, fold
from service import backoff, metrics
from service import decisions as d
from service.door import Unavailable
from service.http_client import ChannelClient
from service.marketplaces import port
from service.reader import Reader
from service.settings import Channel
from service.signals import wait
from service.work import Attempt, Lane, Work

logger = structlog.get_logger()

LANES = 60
"""Lanes of a channel worked on at once; the calls themselves are limited by the channel's own number."""

REFUSED_TRIES = 3
"""A refusal that a read can't explain is tried so often before it is believed."""

POLL_SECONDS = 0.5
PUT_OFF = timedelta(seconds=5)


@dataclass(frozen=True)
class Task:
    """A claimed lane and what the log says of its order."""

    lane: Lane
    state: OrderState
    attempts: dict[str, Attempt]


class Dispatcher:
    """Works off the commands of one channel."""

    def __init__(
        self, channel: Channel, plan: Plan, log: Log, work: Work, client: ChannelClient, reader: Reader
    ) -> None:
        self._channel, self._plan = channel, plan
        self._log, self._work, self._client, self._reader = log, work, client, reader
        self._market = channel.marketplace
        self._running: set[asyncio.Task[None]] = set()
        self._busy = 0

    async def run(self, told: asyncio.Event) -> None:
        """Dispatches until cancelled; `told` is set when there may be something to do."""
        while True:
            try:
                lanes = await self._claim()
            except LogUnavailable as error:
                logger.warning("dispatcher waits for Postgres", channel=self._channel.name, error=str(error))
                await asyncio.sleep(1)
                continue
            if lanes:
                self._start(lanes, told)
            else:
                await wait(told, POLL_SECONDS)

    async def drain(self, seconds: float) -> None:
        """Lets what was begun come to its end, for so long; the rest is broken off, and read back by whoever comes next."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _claim(self) -> list[Lane]:
        if self._busy >= LANES or (self._channel.live and self._client.held_until("*") is not None):
            return []
        return await self._work.claim(self._channel.name, LANES - self._busy)

    def _start(self, lanes: list[Lane], told: asyncio.Event) -> None:
        self._busy += len(lanes)
        task = asyncio.create_task(self._cycle(lanes))
        self._running.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self._busy -= len(lanes)
            self._running.discard(done)
            told.set()
            if not done.cancelled() and (error := done.exception()) is not None:
                # The lanes' leases run out, and they are looked at again.
                logger.error("dispatch failed", channel=self._channel.name, error=repr(error), exc_info=error)

        task.add_done_callback(ended)

    async def _cycle(self, lanes: list[Lane]) -> None:
        """One decision and its deed for each lane."""
        try:
            tasks = await self._look(lanes)
            sends: defaultdict[str, list[tuple[Task, Command]]] = defaultdict(list)
            reads: list[tuple[Task, Command]] = []
            now = datetime.now(UTC)
            for task in tasks:
                match self._decide(task, now):
                    case d.Idle():
                        await self._release(task.lane, None, idle=True)
                    case d.Wait(until):
                        await self._release(task.lane, until)
                    case d.End(commands, outcome, message):
                        await self._record(task, commands, outcome, message=message)
                        await self._release(task.lane, None)
                    case d.ReadBack(command):
                        reads.append((task, command))
                    case d.Send(command):
                        sends[command.action].append((task, command))
            async with asyncio.TaskGroup() as group:
                if reads:
                    group.create_task(self._read_back(reads))
                for action, waiting in sends.items():
                    for part in self._parts(action, waiting, now):
                        group.create_task(self._send(part))
        except* (LogUnavailable, Unavailable) as errors:
            logger.warning("dispatch put off", channel=self._channel.name, error=str(errors.exceptions[0]))

    async def _look(self, lanes: list[Lane]) -> list[Task]:
        orders = [lane.order for lane in lanes]
        histories = await self._log.histories(orders)
        attempts = await self._work.attempts(self._channel.name, orders)
        return [Task(lane, fold(lane.order, histories[lane.order]), attempts) for lane in lanes]

    def _decide(self, task: Task, now: datetime) -> d.Decision:
        return d.decide(
            task.state, self._plan, task.attempts, now, live=self._channel.live,
            give_up_after=self._channel.give_up_after, settle_seconds=self._market.settle_seconds,
        )  # fmt: skip

    def _parts(
        self, action: str, waiting: Sequence[tuple[Task, Command]], now: datetime
    ) -> list[list[tuple[Task, Command]]]:
        """What goes into one call each: as many orders as the marketplace takes at once, else one by one."""
        most = self._market.batch_limit(action)
        together = [one for one in waiting if most > 1 and self._market.batchable(_job(*one, {}), now)]
        alone = [[one] for one in waiting if one not in together]
        return [list(together[i : i + most]) for i in range(0, len(together), most)] + alone

    async def _send(self, part: list[tuple[Task, Command]]) -> None:
        """Sends one call for one or several orders and records what came of it."""
        async with self._client.slot():
            jobs = await self._prepare(part)
            if not jobs:
                return
            now = datetime.now(UTC)
            call = self._market.request(jobs[0], now) if len(jobs) == 1 else self._market.request_batch(jobs, now)
            tasks = {command.id: task for task, command in part}
            if isinstance(call, port.Refused):
                await self._refused(tasks[jobs[0].command.id], jobs[0], call, None)
                return
            kept = await self._work.begin(self._channel.name, [(j.command.id, j.state.order) for j in jobs])
            if len(kept) < len(jobs):  # the mark could not be set for all: nothing is sent, and nothing is open
                for job in jobs:
                    if job.state.order in kept:
                        await self._put_off(tasks[job.command.id], job.command, "a lease ran out before the call")
                return
            outcomes, exchange = await self._exchange(jobs, call, now)
        for job in jobs:
            await self._settle(tasks[job.command.id], job, outcomes[job.command.id], exchange)

    async def _prepare(self, part: list[tuple[Task, Command]]) -> list[port.Job]:
        """The jobs of a part, looked at once more: waiting for a slot takes time, and an order may be cancelled in it."""
        histories = await self._log.histories([task.lane.order for task, _ in part])
        jobs = []
        for task, command in part:
            state = fold(task.lane.order, histories[task.lane.order])
            decision = self._decide(Task(task.lane, state, task.attempts), datetime.now(UTC))
            if decision != d.Send(command) and not (isinstance(decision, d.Send) and decision.command.id == command.id):
                await self._release(task.lane, None)
                continue
            personal = await self._log.personal(task.lane.order)
            jobs.append(port.Job(command, state, personal))
        return jobs

    async def _exchange(
        self, jobs: Sequence[port.Job], call: port.Call, now: datetime
    ) -> tuple[dict[str, port.Outcome], bytes]:
        """Makes the call; what came of it for each command, and the exchange as it goes to the side table."""
        request = {"method": call.method, "path": call.path, "body": call.body}
        try:
            reply = await self._client.send(call)
        except port.CallFailed as error:
            outcome: port.Outcome = port.Unknown(str(error)) if error.sent else port.Later(str(error))
            return {job.command.id: outcome for job in jobs}, encode({"request": request, "error": str(error)})
        answer = {"status": reply.status, "body": reply.body.decode("utf-8", "replace")}
        if len(jobs) == 1:
            outcomes = {jobs[0].command.id: self._market.judge(jobs[0], reply, now)}
        else:
            outcomes = self._market.judge_batch(jobs, reply, now)
        return outcomes, encode({"request": request, "response": answer})

    async def _settle(self, task: Task, job: port.Job, outcome: port.Outcome, exchange: bytes) -> None:
        """Records an outcome and gives the lane back."""
        command, tried = job.command, self._tried(task, job.command)
        now = datetime.now(UTC)
        match outcome:
            case port.Sent(status):
                await self._record(task, [command], "done", status=status, body=exchange, attempts=tried)
                await self._release(task.lane, None)
            case port.Refused():
                await self._refused(task, job, outcome, exchange)
            case port.Later(reason, until, limit):
                if limit:
                    await self._work.undo(command.id, until or now + timedelta(seconds=1), reason)
                else:
                    await self._later(command, tried, reason, until, open=False)
                await self._release(task.lane, None)
            case port.Unknown(reason):
                logger.info(
                    "outcome unknown",
                    channel=self._channel.name,
                    order=task.lane.order,
                    action=command.action,
                    reason=reason,
                )
                soon = now + timedelta(seconds=self._market.settle_seconds)
                await self._later(command, tried, reason, soon, open=True)
                await self._release(task.lane, soon)

    async def _refused(self, task: Task, job: port.Job, refusal: port.Refused, exchange: bytes | None) -> None:
        """A refusal is believed only after the order was read: it may have been done before, or be cancelled."""
        command, tried = job.command, self._tried(task, job.command)
        if exchange is not None:
            try:
                seen = await self._reader.see([port.Wanted(_number(task.lane.order))])
            except port.CallFailed as error:
                await self._later(command, tried, f"{refusal.code}; reading it failed: {error}", None, open=True)
                await self._release(task.lane, None)
                return
            finding = self._market.finding(job, seen.get(_number(task.lane.order)))
            if not isinstance(finding, port.NotApplied):
                if await self._found(task, command, finding, refusal, exchange):
                    return
            elif not refusal.final and tried < REFUSED_TRIES:
                await self._later(command, tried, f"{refusal.code}: {refusal.message}", None, open=False)
                await self._release(task.lane, None)
                return
        await self._record(
            task, [command], "refused", code=refusal.code, message=refusal.message, hint=refusal.hint, body=exchange,
            attempts=tried,
        )  # fmt: skip
        await self._release(task.lane, None)

    async def _read_back(self, unknown: list[tuple[Task, Command]]) -> None:
        """Learns from reads what became of attempts nobody knows the end of."""
        numbers = {_number(task.lane.order): None for task, _ in unknown}
        try:
            seen = await self._reader.see([port.Wanted(number) for number in numbers])
        except port.CallFailed as error:
            for task, command in unknown:
                await self._later(
                    command, self._tried(task, command, 0), f"reading back failed: {error}", None, open=True
                )
                await self._release(task.lane, None)
            return
        kept = await self._work.renew(self._channel.name, [task.lane.order for task, _ in unknown])
        for task, command in unknown:
            if task.lane.order not in kept:
                continue
            job = _job(task, command, await self._log.personal(task.lane.order))
            finding = self._market.finding(job, seen.get(_number(task.lane.order)))
            if not isinstance(finding, port.NotApplied) and await self._found(task, command, finding, None, None):
                continue
            await self._confirm_not_applied(task, command)

    async def _confirm_not_applied(self, task: Task, command: Command) -> None:
        """The read says it was not done: it may be sent now, or ends here where the shop has cancelled meanwhile."""
        cancels = {step.name for step in self._plan.at("cancelled")}
        if task.state.shop_cancelled is not None and command.action not in cancels:
            await self._record(task, [command], "withdrawn", message="the shop cancelled the order")
        elif command.id in task.attempts:
            await self._later(
                command, self._tried(task, command, 0), "read back: not done", datetime.now(UTC), open=False
            )
        else:
            await self._work.know_unsent(command.id, task.lane.order, self._channel.name)
        await self._release(task.lane, None)

    async def _found(
        self, task: Task, command: Command, finding: port.Finding, refusal: port.Refused | None, exchange: bytes | None
    ) -> bool:
        """Records what a read showed; False where it showed nothing final."""
        tried = self._tried(task, command, 0 if refusal is None else 1)
        match finding:
            case port.Applied(status):
                await self._record(
                    task, [command], "done", status=status, body=exchange, attempts=tried, message="read back"
                )
            case port.Overtaken(code, message, hint):
                await self._record(
                    task, [command], "refused", code=code, message=message, hint=hint, body=exchange, attempts=tried
                )
            case port.Unclear(reason):
                code, message = (refusal.code, refusal.message) if refusal is not None else ("unclear", reason)
                hint = "look in the marketplace's cabinet whether it was done; if not: okno retry"
                await self._record(
                    task, [command], "refused", code=code, message=message, hint=hint, body=exchange, attempts=tried
                )
            case port.NotApplied():
                return False
        await self._release(task.lane, None)
        return True

    def _tried(self, task: Task, command: Command, this: int = 1) -> int:
        attempt = task.attempts.get(command.id)
        return (attempt.attempts if attempt is not None else 0) + this

    async def _later(self, command: Command, tried: int, reason: str, until: datetime | None, *, open: bool) -> None:
        now = datetime.now(UTC)
        next_at = until or backoff.next_attempt(tried, now, random.random())  # noqa: S311  # jitter
        await self._work.leave(command.id, open=open, next_at=next_at, reason=reason[:300])

    async def _put_off(self, task: Task, command: Command, reason: str) -> None:
        await self._work.undo(command.id, datetime.now(UTC), reason)
        await self._release(task.lane, None)

    async def _release(self, lane: Lane, due: datetime | None, *, idle: bool = False) -> None:
        await self._work.release(self._channel.name, lane, due, idle=idle)

    async def _record(
        self, task: Task, commands: Sequence[Command], outcome: str, *, status: str | None = None, code: str | None = None,
        message: str | None = None, hint: str | None = None, body: bytes | None = None, attempts: int = 0,
    ) -> None:  # fmt: skip
        """Appends outcomes. Their ids name the command and the try, so that the same outcome is recorded once."""
        events = [
            own_event(
                task.lane.order, f"command.{outcome}", f"{c.id}/{c.rounds}/{outcome}",
                f.CommandOutcome(
                    command=c.id, attempts=attempts or self._tried(task, c, 0), status=status, code=code,
                    message=message[:300] if message else None, hint=hint,
                ),
                c.position, body=body,
            )
            for c in commands
        ]  # fmt: skip
        await self._log.append(events)
        await self._work.forget([c.id for c in commands])
        metrics.OUTCOMES.labels(self._channel.name, outcome).inc(len(commands))


def _number(order: str) -> str:
    return order.partition("/")[2]


def _job(task: Task, command: Command, personal: dict[int, object]) -> port.Job:
    return port.Job(command, task.state, personal)
