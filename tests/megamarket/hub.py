"""A hub in a few lines: one order's history in memory, 1C's marks, and the adapter's talks carried out over HTTP.

What the dispatcher does between a command and its outcome is its own tests' matter; here a command is prepared, sent
once, and what the adapter says of the answer and of later reads is what counts.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import aiohttp

from events.codec import encode
from events.order import facts as f
from events.order.reactions import Plan, requests
from events.order.state import Command, OrderState, fold
from events.recorded import Recorded
from service import differences
from service.marketplaces import port
from service.marketplaces.megamarket import Megamarket, make
from service.marketplaces.megamarket.sandbox import SHOPS, Order
from tests.megamarket.sandbox_shop import Seller

T = TypeVar("T")
ONEC = "1c/ut11"


class Hub:
    """One order of one channel."""

    def __init__(self, seller: Seller, order: Order) -> None:
        self.seller, self.there, self.channel = seller, order, order.channel
        shop = SHOPS[order.channel]
        options = {"merchant_id": shop.merchant_id, "token": shop.token}
        self.megamarket: Megamarket = make(self.channel, model=shop.model, base_url=seller.url, options=options)
        self.plan = Plan(self.channel, self.megamarket.steps, self.megamarket.triggers)
        self.history: list[Recorded] = []
        self.order = f"{self.channel}/{order.number}"
        self.before: dict[str, Any] = {}
        self.sent: list[port.Call] = []

    @property
    def state(self) -> OrderState:
        return fold(self.order, self.history)

    def record(self, kind: str, fact: f.Fact, source: str, at: datetime | None = None) -> None:
        """Appends one event."""
        position, now = len(self.history) + 1, datetime.now(UTC)
        self.history.append(
            Recorded(
                position=position, order=self.order, version=position, type=kind, source=source, id=str(position),
                cause=None, actor=source, occurred_at=at or now, recorded_at=now, id_reused=False, data=encode(fact),
            )
        )  # fmt: skip

    async def see(self, *hints: str, notices: tuple[bytes, ...] = ()) -> port.Seen:
        """Reads the order and records what is new."""
        want = port.Wanted(self.there.number, new=not self.state.placed, hints=hints, notices=notices)
        found = await self.talk(self.megamarket.read([want]))
        (seen,) = [one for one in found if isinstance(one, port.Seen)]
        for new in differences.of_order(self.state, seen, datetime.now(UTC)):
            self.record(new.type, new.fact, f"channel/{self.channel}")
        return seen

    def say(self, kind: str, fact: f.Fact, at: datetime | None = None) -> list[str]:
        """1C marks something; the steps it calls for, in order."""
        self.record(kind, fact, ONEC, at)
        wanted = requests(self.order, self.history, len(self.history) - 1, self.plan)
        for one in wanted:
            if one.fact.target == self.channel:
                self.record("command.requested", one.fact, "okno")
        return [one.fact.action for one in wanted if one.fact.target == self.channel]

    async def mark(self, kind: str, fact: f.Fact, at: datetime | None = None) -> dict[str, Any]:
        """1C marks something; every step that follows is carried out to its end. What came of each."""
        return {action: await self.carry_out(action) for action in self.say(kind, fact, at)}

    async def carry_out(self, action: str) -> Any:
        """A step, from what is read before it to what a read shows after it, while the marketplace's clock goes on."""
        outcome = await self.attempt(action)
        if not isinstance(outcome, port.Accepted):
            return outcome
        found: port.Finding = await self.finding(action)
        for _ in range(3):
            if not isinstance(found, port.Pending):
                break
            self.seller.later()
            found = await self.finding(action)
        if isinstance(found, port.Applied):
            self.record("command.done", f.CommandOutcome(command=self.command(action).id), "okno")
        return found

    async def attempt(self, action: str) -> port.Preparation | port.Outcome:
        """Prepares and sends a step once; what ended it, or the answer's meaning."""
        now = datetime.now(UTC)
        talk = self.megamarket.prepare(self.job(action), now)
        if talk is not None:
            prepared = await self.talk(talk)
            if not isinstance(prepared, port.Ready):
                return prepared
            self.before[self.command(action).id] = prepared.before
        call = self.megamarket.request(self.job(action), now)
        if isinstance(call, port.Refused):
            return call
        return self.megamarket.judge(self.job(action), await self.call(call), now)

    async def finding(self, action: str) -> port.Finding:
        """What a read says about a step."""
        return self.megamarket.finding(self.job(action), await self.see())

    def command(self, action: str) -> Command:
        """The last command of this name."""
        return [c for c in self.state.commands.values() if c.action == action][-1]

    def job(self, action: str, waited: timedelta = timedelta()) -> port.Job:
        """The step to send; `waited`: for how long it has been tried."""
        command = self.command(action)
        command.since -= waited
        return port.Job(command, self.state, {}, self.before.get(command.id))

    async def call(self, call: port.Call) -> port.Reply:
        """One exchange; what changes something is kept."""
        self.sent += [call] if call.changes else []
        async with self.seller.session.request(
            call.method, self.megamarket.base_url + call.path, params=dict(call.query),
            headers=dict(self.megamarket.headers()), data=encode(self.megamarket.body(call)),
            timeout=aiohttp.ClientTimeout(total=5),
        ) as answer:  # fmt: skip
            headers: Mapping[str, str] = {key.lower(): value for key, value in answer.headers.items()}
            return port.Reply(answer.status, headers, await answer.read())

    async def talk(self, talk: port.Talk[T]) -> T:
        """A whole talk."""
        try:
            call = next(talk)
            while True:
                call = talk.send(await self.call(call))
        except StopIteration as stop:
            value: T = stop.value
            return value

    @property
    def bodies(self) -> list[tuple[str, Any]]:
        """What was sent to change something: the method and its only shipment."""
        return [(call.resource, call.body["data"]["shipments"][0]) for call in self.sent]

    def lots(self) -> list[str]:
        """Each lot's status over there."""
        return [lot.status for lot in self.there.lots]
