"""A hub in a few lines: one order's history in memory, 1C's marks, and the adapter's talks carried out over HTTP.

What the dispatcher does between a command and its outcome is its own tests' matter; here a command is sent once, and
what the adapter says of the answer and of a later read is what counts.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiohttp

from events.codec import encode
from events.order import facts as f
from events.order.reactions import Plan, requests
from events.order.state import Command, OrderState, fold
from events.recorded import Recorded
from service.marketplaces import port
from service.marketplaces.yandex import Yandex, make
from service.marketplaces.yandex.sandbox import Market
from tests.acceptance.spec import Spec

T = TypeVar("T")
ONEC = "1c/ut11"


class Hub:
    """One order of one channel."""

    def __init__(
        self, market: Market, campaign: int, url: str, session: aiohttp.ClientSession, spec: Spec | None
    ) -> None:
        self.spec, self.faults = spec, list[str]()
        self.market, self.session = market, session
        model = market.shops[campaign]
        self.yandex: Yandex = make("ym", model=model, base_url=url, options=market.options(campaign))
        self.plan = Plan("ym", self.yandex.steps, self.yandex.triggers)
        self.history: list[Recorded] = []
        self.personal: dict[int, Any] = {}
        self.order = ""

    @property
    def state(self) -> OrderState:
        return fold(self.order, self.history)

    def record(self, kind: str, fact: f.Fact, source: str, *, at: datetime | None = None, personal: Any = None) -> None:
        """Appends one event."""
        position, now = len(self.history) + 1, datetime.now(UTC)
        self.history.append(
            Recorded(
                position=position, order=self.order, version=position, type=kind, source=source, id=str(position),
                cause=None, actor=source, occurred_at=at or now, recorded_at=now, id_reused=False, data=encode(fact),
            )
        )  # fmt: skip
        if personal:
            self.personal[position] = personal

    async def see(self, number: int) -> port.Seen:
        """Reads the order and records what is new."""
        self.order = f"ym/{number}"
        new = not self.state.placed
        found = await self.talk(self.yandex.read([port.Wanted(str(number), new=new)]))
        seen = next(one for one in found if isinstance(one, port.Seen))
        state = self.state
        if new:
            self.record("order.placed", seen.order, "channel/ym", personal=seen.personal)
        if seen.status != state.status:
            self.record(
                "marketplace.seen",
                f.Seen(status=seen.status, stage=seen.stage, began_at=datetime.now(UTC)),
                "channel/ym",
            )
        if seen.request is not None and state.request is None:
            self.record("order.cancellation_requested", seen.request, "channel/ym")
        if seen.cancelled is not None and state.market_cancelled is None:
            self.record("order.cancelled", seen.cancelled, "channel/ym")
        return seen

    async def mark(
        self, kind: str, fact: f.Fact, *, at: datetime | None = None, personal: Any = None
    ) -> dict[str, port.Outcome]:
        """1C marks something; every command that follows is sent. The outcome of each, by action."""
        self.record(kind, fact, ONEC, at=at, personal=personal)
        outcomes: dict[str, port.Outcome] = {}
        for request in requests(self.order, self.history, len(self.history) - 1, self.plan):
            if request.fact.target != "ym":
                continue
            self.record("command.requested", request.fact, "okno")
            outcomes[request.fact.action] = await self.send(self.command(request.fact.action))
            await self.see(int(self.order.partition("/")[2]))
        return outcomes

    def command(self, action: str) -> Command:
        """The last command of this name."""
        return [c for c in self.state.commands.values() if c.action == action][-1]

    async def send(self, command: Command) -> port.Outcome:
        """One call and what the adapter says of it; what is done is recorded."""
        job, now = self.job(command), datetime.now(UTC)
        call = self.yandex.request(job, now)
        if isinstance(call, port.Refused):
            return call
        outcome = self.yandex.judge(job, await self.call(call), now)
        if isinstance(outcome, port.Sent):
            self.record("command.done", f.CommandOutcome(command=command.id), "okno")
        return outcome

    async def finding(self, action: str) -> port.Finding:
        """What a read says about a command."""
        command = self.command(action)
        seen = await self.see(int(self.order.partition("/")[2]))
        return self.yandex.finding(self.job(command), seen)

    def job(self, command: Command) -> port.Job:
        return port.Job(command, self.state, self.personal)

    async def call(self, call: port.Call) -> port.Reply:
        """One exchange."""
        timeout = aiohttp.ClientTimeout(total=5)
        async with self.session.request(
            call.method, self.yandex.base_url + call.path, params=dict(call.query), headers=dict(self.yandex.headers()),
            json=call.body, timeout=timeout,
        ) as answer:  # fmt: skip
            headers: Mapping[str, str] = {key.lower(): value for key, value in answer.headers.items()}
            reply = port.Reply(answer.status, headers, await answer.read())
        self.faults += self._faults(call, reply)
        return reply

    def _faults(self, call: port.Call, reply: port.Reply) -> list[str]:
        """What the official OpenAPI says against a call and the sandbox's good answer to it."""
        if self.spec is None:
            return []
        op, name = self.spec.find(call.method, call.path), f"{call.method} {call.path}"
        if op is None or op.deprecated:
            return [f"{name}: unknown or deprecated"]
        body = b"" if call.body is None else encode(call.body)
        faults = self.spec.request_faults(op, body, "application/json", set(call.query))
        if reply.status == 200:
            faults += self.spec.response_faults(op, json.loads(reply.body))
        return [f"{name}: {fault}" for fault in faults]

    async def talk(self, talk: port.Talk[T]) -> T:
        """A whole talk."""
        try:
            call = next(talk)
            while True:
                call = talk.send(await self.call(call))
        except StopIteration as stop:
            value: T = stop.value
            return value
