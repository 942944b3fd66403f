"""A hub in a few lines, for any marketplace: one order's history in memory, 1C's marks, an adapter's talks over HTTP.

It does what the dispatcher does between a command and its outcome, without its tables: it prepares, sends, and reads
the order until what was taken shows.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiohttp

from events.codec import encode
from events.order import facts as f
from events.order.reactions import Plan, requests
from events.order.state import Command, OrderState, fold
from events.recorded import Recorded
from service import differences
from service.http_client import Account
from service.marketplaces import port

T = TypeVar("T")
ONEC = "1c/ut11"
PATIENCE = 400
"""Looks at an order before a step counts as stuck."""

SETTLED = 30
"""Looks after which what was taken should show."""


@dataclass
class Hub:
    """One order of one channel. `changed` alters the JSON of every answer to a read before the adapter gets it."""

    market: port.Marketplace
    session: aiohttp.ClientSession
    history: list[Recorded] = field(default_factory=list)
    personal: dict[int, Any] = field(default_factory=dict)
    order: str = ""
    calls: list[tuple[port.Call, port.Reply]] = field(default_factory=list)
    changed: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        self.account = Account(self.market.rate)

    @property
    def plan(self) -> Plan:
        return Plan(self.market.name, self.market.steps, self.market.triggers)

    @property
    def state(self) -> OrderState:
        return fold(self.order, self.history)

    @property
    def source(self) -> str:
        return f"channel/{self.market.name}"

    def record(self, kind: str, fact: f.Fact, source: str, personal: Any = None) -> None:
        """Appends one event."""
        position, now = len(self.history) + 1, datetime.now(UTC)
        self.history.append(
            Recorded(
                position=position, order=self.order, version=position, type=kind, source=source, id=str(position),
                cause=None, actor=source, occurred_at=now, recorded_at=now, id_reused=False, data=encode(fact),
            )
        )  # fmt: skip
        if personal:
            self.personal[position] = personal

    async def see(self, number: str, *hints: str) -> port.Seen:
        """Reads the order and records what is new."""
        self.order = f"{self.market.name}/{number}"
        began = datetime.now(UTC)
        found = await self.talk(self.market.read([port.Wanted(number, not self.state.placed, hints)]))
        seen = next(one for one in found if isinstance(one, port.Seen))
        for difference in differences.of_order(self.state, seen, began):
            self.record(difference.type, difference.fact, self.source, difference.personal)
        return seen

    async def placed(self, number: str) -> port.Seen:
        """Reads a new order until the shop may start on it."""
        for _ in range(PATIENCE):
            seen = await self.see(number)
            if self.state.placed and seen.ready:
                return seen
            await asyncio.sleep(0.05)
        raise AssertionError(f"{number} never becomes ready")

    async def mark(self, kind: str, fact: f.Fact, personal: Any = None) -> dict[str, port.Outcome]:
        """1C marks something; every command that follows is worked off. The outcome of each, by action."""
        self.record(kind, fact, ONEC, personal)
        outcomes: dict[str, port.Outcome] = {}
        for request in requests(self.order, self.history, len(self.history) - 1, self.plan):
            if request.fact.target == self.market.name:
                self.record("command.requested", request.fact, f.HUB)
                action = request.fact.action
                outcomes[action] = await self.work(self.command(action))
                if isinstance(outcomes[action], port.Refused) and self.market.steps[action].needed:
                    break  # later steps wait for a person
        return outcomes

    def command(self, action: str) -> Command:
        """The last command of this name."""
        return [c for c in self.state.commands.values() if c.action == action][-1]

    def job(self, command: Command, before: Any = None) -> port.Job:
        return port.Job(command, self.state, self.personal, before)

    async def work(self, command: Command) -> port.Outcome:
        """A command from its preparation to its end; what came of it is recorded."""
        outcome = await self._worked(self.job(command))
        if isinstance(outcome, port.Sent):
            self.record("command.done", f.CommandOutcome(command=command.id), f.HUB)
        elif isinstance(outcome, port.Refused):
            fact = f.CommandOutcome(command=command.id, code=outcome.code, message=outcome.message, hint=outcome.hint)
            self.record("command.refused", fact, f.HUB)
        await self.see(self.state.number)
        return outcome

    async def _worked(self, job: port.Job) -> port.Outcome:
        for _ in range(PATIENCE):
            ready = await self.prepared(job)
            match ready:
                case port.Ready(before):
                    job = replace(job, before=before)
                case port.Later():
                    await asyncio.sleep(0.05)
                    continue
                case port.Applied(status):
                    return port.Sent(status)
                case port.Overtaken(code, message, hint):
                    return port.Refused(code, message, hint)
                case port.Refused():
                    return ready
            outcome = await self.sent(job)
            if isinstance(outcome, port.Sent) or (isinstance(outcome, port.Refused) and outcome.final):
                return outcome
            ended = await self._read_back(job, outcome)
            if ended is not None:
                return ended
        raise AssertionError(f"{job.command.action} comes to no end")

    async def prepared(self, job: port.Job) -> port.Preparation:
        """What is read before the call."""
        talk = self.market.prepare(job, datetime.now(UTC))
        return port.Ready() if talk is None else await self.talk(talk)

    async def sent(self, job: port.Job) -> port.Outcome:
        """The call and what its answer means."""
        now = datetime.now(UTC)
        call = self.market.request(job, now)
        return call if isinstance(call, port.Refused) else self.market.judge(job, await self.call(call), now)

    async def _read_back(self, job: port.Job, outcome: port.Outcome) -> port.Outcome | None:
        """The end a read shows; None: to be tried again."""
        for _ in range(SETTLED):
            match self.market.finding(job, await self.see(self.state.number)):
                case port.Applied(status):
                    return port.Sent(status)
                case port.Overtaken(code, message, hint):
                    return port.Refused(code, message, hint)
                case port.NotApplied() | port.Unclear() if isinstance(outcome, port.Refused):
                    return outcome
                case port.NotApplied() if isinstance(outcome, port.Later):
                    return None
                case port.Unclear(reason):
                    return port.Refused("unclear", reason)
            await asyncio.sleep(0.05)
        return None

    async def finding(self, command: Command, before: Any = None) -> port.Finding:
        """What a read says about a command."""
        seen = await self.see(self.state.number)
        return self.market.finding(self.job(command, before), seen)

    async def call(self, call: port.Call) -> port.Reply:
        """One exchange, within the calls a second that the account may make."""
        await self.account.turn()
        async with self.session.request(
            call.method, self.market.base_url + call.path, params=dict(call.query), headers=dict(self.market.headers()),
            json=self.market.body(call) if call.body is not None else None, timeout=aiohttp.ClientTimeout(total=5),
        ) as answer:  # fmt: skip
            headers: Mapping[str, str] = {key.lower(): value for key, value in answer.headers.items()}
            reply = port.Reply(answer.status, headers, await answer.read())
        self.calls.append((call, reply))
        return reply

    async def talk(self, talk: port.Talk[T]) -> T:
        """A whole talk."""
        try:
            call = next(talk)
            while True:
                reply = await self.call(call)
                if self.changed is not None and reply.status == 200:
                    body = json.dumps(self.changed(json.loads(reply.body))).encode()
                    reply = port.Reply(reply.status, reply.headers, body)
                call = talk.send(reply)
        except StopIteration as stop:
            value: T = stop.value
            return value
