"""A hub in a few lines: one order's history in memory, 1C's marks, and the adapter's talks carried out over HTTP.

What the dispatcher does between a command and its outcome is its own tests' matter; here a command is prepared, sent,
judged, and read back as often as the adapter asks for, the sandbox's clock being turned in between.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from events.codec import encode
from events.order import facts as f
from events.order.reactions import Plan, requests
from events.order.state import Command, OrderState, fold
from events.recorded import Recorded
from service import differences
from service.marketplaces import port
from service.marketplaces.ozon import Ozon, make
from service.marketplaces.ozon.sandbox import Posting
from tests.acceptance.spec import Spec, specs_dir
from tests.ozon.sandboxed import Seller

T = TypeVar("T")
ONEC, CHANNEL = "1c/ut11", "channel/oz"
SPEC = Path("ozon") / "openapi.json"
LOOKS = 6


def official() -> Spec | None:
    """The official OpenAPI, where it lies beside the checkout; its `pattern`s are prose ("YYYY-MM-DDThh:mm:ssZ")."""
    path = specs_dir() / SPEC
    return Spec(_without_patterns(json.loads(path.read_text("utf-8")))) if path.exists() else None


def _without_patterns(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_patterns(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {name: _without_patterns(one) for name, one in node.items() if name != "pattern" or isinstance(one, dict)}


@dataclass
class Hub:
    """One posting of one cabinet. `faults`: what the official OpenAPI says against the calls made."""

    seller: Seller
    posting: Posting
    spec: Spec | None = None
    history: list[Recorded] = field(default_factory=list)
    personal: dict[int, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.order = f"oz/{self.posting.number}"
        self.configure(self.seller.ozon.cabinets[self.seller.channel].model)

    def configure(self, model: str) -> None:
        """The channel as it stands in the configuration."""
        cabinet = self.seller.ozon.cabinets[self.seller.channel]
        options = {"client_id": cabinet.client_id, "api_key": cabinet.api_key}
        self.ozon: Ozon = make("oz", model=model, base_url=self.seller.url, options=options)
        self.plan = Plan("oz", self.ozon.steps, self.ozon.triggers)

    @property
    def state(self) -> OrderState:
        return fold(self.order, self.history)

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

    async def see(self) -> port.Seen:
        """Reads the posting and records what is new."""
        found = await self.talk(self.ozon.read([port.Wanted(self.posting.number, new=not self.state.placed)]))
        seen = next(one for one in found if isinstance(one, port.Seen))
        self.take(seen)
        return seen

    def take(self, seen: port.Seen) -> list[str]:
        """Records what is new in what was seen; its types."""
        news = differences.of_order(self.state, seen, datetime.now(UTC))
        for one in news:
            self.record(one.type, one.fact, CHANNEL, one.personal)
        return [one.type for one in news]

    async def mark(self, kind: str, fact: f.Fact, personal: Any = None) -> dict[str, str]:
        """1C marks something; what became of each command that follows, by its action."""
        self.record(kind, fact, ONEC, personal)
        return {command.action: await self.carry(command) for command in self.wanted()}

    def wanted(self) -> list[Command]:
        """Requests what the last event calls for."""
        found = [one.fact for one in requests(self.order, self.history, len(self.history) - 1, self.plan)]
        mine = [fact for fact in found if fact.target == "oz"]
        for fact in mine:
            self.record("command.requested", fact, "okno")
        return [self.state.commands[fact.command] for fact in mine]

    async def carry(self, command: Command) -> str:
        """A command until its end: `done`, or why it was refused, or what it waits for."""
        last: object = None
        for _ in range(LOOKS):
            match last := await self.send(command):
                case port.Accepted():
                    last = await self.look(command)
            match last:
                case port.Sent() | port.Applied():
                    self.record("command.done", f.CommandOutcome(command=command.id), "okno")
                    await self.see()
                    return "done"
                case port.Refused() | port.Overtaken():
                    outcome = f.CommandOutcome(command=command.id, code=last.code, message=last.message, hint=last.hint)
                    self.record("command.refused", outcome, "okno")
                    return f"{last.code}: {last.message} | {last.hint}"
                case port.Later():
                    return f"later: {last.reason}"
        return f"stuck: {last}"

    async def look(self, command: Command) -> port.Finding:
        """What reads say of a command until they know, Ozon's clock going on."""
        found: port.Finding = port.NotApplied()
        for _ in range(LOOKS):
            found = await self.finding(command)
            if not isinstance(found, port.NotApplied | port.Pending):
                return found
            self.seller.settle(self.posting)
        return found

    async def send(self, command: Command) -> port.Outcome | port.Applied | port.Overtaken:
        """Prepares and sends a command once, and what the adapter says of the answer."""
        prepared = await self.prepared(command)
        if not isinstance(prepared, port.Ready):
            return prepared
        self.before[command.id] = json.loads(encode(prepared.before))
        call = self.ozon.request(self.job(command), datetime.now(UTC))
        if isinstance(call, port.Refused):
            return call
        while True:
            outcome = self.ozon.judge(self.job(command), await self.call(call), datetime.now(UTC))
            if not (isinstance(outcome, port.Later) and outcome.limit):
                return outcome
            await asyncio.sleep(0.2)

    async def prepared(self, command: Command) -> port.Preparation:
        """What the adapter says before it is sent."""
        now = datetime.now(UTC)
        talk = self.ozon.prepare(self.job(command), now)
        return port.Ready() if talk is None else await self.talk(talk)

    async def finding(self, command: Command) -> port.Finding:
        """What a read says about a command."""
        seen = await self.see()
        return self.ozon.finding(self.job(command), seen)

    def asked(self, action: str) -> Command:
        """The last command of this name."""
        return [c for c in self.state.commands.values() if c.action == action][-1]

    def job(self, command: Command) -> port.Job:
        return port.Job(command, self.state, self.personal, self.before.get(command.id))

    async def call(self, call: port.Call) -> port.Reply:
        """One exchange."""
        url = self.ozon.base_url + call.path
        async with self.seller.session.post(url, headers=dict(self.ozon.headers()), json=call.body) as answer:
            headers: Mapping[str, str] = {key.lower(): value for key, value in answer.headers.items()}
            reply = port.Reply(answer.status, headers, await answer.read())
        self.faults += self._faults(call)
        return reply

    def _faults(self, call: port.Call) -> list[str]:
        """What the official OpenAPI says against a call."""
        if self.spec is None:
            return []
        op = self.spec.find(call.method, call.path)
        if op is None or op.deprecated:
            return [f"{call.path}: unknown or deprecated"]
        if op.request is None:
            return []
        faults = self.spec.request_faults(op, encode(call.body), "application/json", set(call.query))
        return [f"{call.path}: {fault}" for fault in faults]

    async def talk(self, talk: port.Talk[T]) -> T:
        """A whole talk."""
        try:
            call = next(talk)
            while True:
                reply = await self.call(call)
                if reply.status == 429:  # the hub's client waits, and asks again
                    await asyncio.sleep(0.2)
                    continue
                call = talk.send(reply)
        except StopIteration as stop:
            value: T = stop.value
            return value
