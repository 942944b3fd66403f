"""Ozon as the run sees it: cabinets, scenarios, and what couriers, buyers and Ozon itself do on the way."""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from random import Random

from tests.acceptance.checks import Findings
from tests.acceptance.emulator import HOOK_SECRET, POLL_SECONDS, Channel, Truth, unseen, unsettled, untold
from tests.acceptance.faults import Faults
from tests.acceptance.order import now

from . import checks
from .life import CHANNELS, OzonLife, lives
from .posting import Posting, Request
from .pushes import Pushes
from .server import Server

EXPIRES_IN = 6.0 * POLL_SECONDS
"""How long a wish waits that nobody answers, in life days: failing polls and an open circuit end before."""
TICK = 0.05
OZON_DRIVES = {
    "posting_transferring_to_delivery": ("awaiting_deliver", "posting_in_carriage"),
    "posting_in_carriage": ("delivering", "posting_on_way_to_city"),
    "posting_on_way_to_city": ("delivering", "posting_in_pickup_point"),
    "posting_in_pickup_point": ("delivered", "posting_received"),
}


class Emulator:
    """With an even seed both channels are shops of one Client-Id, as most sellers with FBS and own delivery have them.

    What is asked for is done within `delay` seconds; what happens by itself comes as soon.
    """

    def __init__(self, faults: Faults, seed: int, *, delay: float = 3.0) -> None:
        self.channels = [Channel(name, "ozon", model) for model, name in CHANNELS.items()]
        self.server = Server(faults, one_cabinet=seed % 2 == 0)
        self.journal, self.postings = self.server.journal, self.server.postings
        self.mode, self.seed, self.delay = "live", seed, delay
        self.pushes = Pushes(lambda channel: "", seed, self._client)
        self._rng = Random(f"ozon world:{seed}")
        self._due: dict[str, float] = {}
        self._wrong: list[str] = []
        self._greeting: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return self.server.url

    async def start(self) -> None:
        await self.server.start()
        self._living = asyncio.create_task(self._live())

    async def stop(self) -> None:
        tasks = [self._living, *([self._greeting] if self._greeting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.pushes.stop()
        await self.server.stop()

    def tables(self, url_hook: Callable[[str], str], mode: str) -> str:
        self.mode, self.pushes.url = mode, url_hook
        return "\n".join(
            f'[channels.{one.name}]\nkind = "ozon"\nmodel = "{one.model}"\nmode = "{mode}"\nbase_url = "{self.url}"\n'
            f'hook_secret = "{HOOK_SECRET}"\npoll_seconds = {POLL_SECONDS}\nclient_id = "{self._client(one.name)}"\n'
            f'api_key = "{self.server.key(self._client(one.name))}"' for one in self.channels)  # fmt: skip

    def _client(self, channel: str) -> int:
        return next(self.server.clients[model] for model, name in CHANNELS.items() if name == channel)

    def _told(self, posting: Posting) -> list[str]:
        """The channels whose hook hears of a posting: all of its cabinet."""
        client = self.server.clients[posting.life.model]
        return [name for model, name in CHANNELS.items() if self.server.clients[model] == client]

    async def _greet(self) -> None:
        """Ozon pings a new address; with a wrong secret nothing is taken."""
        for channel in (one.name for one in self.channels):
            if not await self.pushes.ping(channel):
                self._wrong.append(f"TYPE_PING to {channel} not taken")
            if await self.pushes.ping(channel, HOOK_SECRET):
                self._wrong.append(f"TYPE_PING to {channel} with a wrong secret taken")

    def scenarios(self, count: int, seed: int) -> list[OzonLife]:
        return lives(count, seed)

    def place(self, scenario: OzonLife) -> None:
        """The second posting of a split one takes its goods out of the first."""
        self._greeting = self._greeting or asyncio.create_task(self._greet())
        rng = Random(f"ozon posting:{self.seed}:{scenario.number}")
        posting = Posting(scenario, self.server.clock, rng, self.delay)
        first = self.postings.get(scenario.split_from)
        if first is not None:
            first.goods = {line.id: line.count for line in first.life.lines}
            first.go("awaiting_packaging", "posting_created")
            self.pushes.moved(first, self._told(first))
        if scenario.moved_away:
            posting.status, posting.substatus = "awaiting_verification", "posting_split_pending"
        self.postings[scenario.number] = posting
        self.pushes.placed(posting, self._told(posting))
        if scenario.ending == "buyer_cancel":
            self._due[scenario.number] = self.server.clock() + self._rng.uniform(0, 1.5 * self.delay)

    async def _live(self) -> None:
        seen: dict[str, str] = {}
        while True:
            for number, posting in list(self.postings.items()):
                posting.tick()
                self._by_itself(number, posting)
                if seen.setdefault(number, posting.state) != posting.state:
                    seen[number] = posting.state
                    self.pushes.moved(posting, self._told(posting))
            await asyncio.sleep(min(TICK, self.delay / 10))

    def _by_itself(self, number: str, posting: Posting) -> None:
        """The next thing buyer, courier or Ozon do to it comes within `delay` after it becomes possible."""
        clock = self.server.clock()
        request = posting.request
        if request and request.state == "ON_APPROVAL" and now() >= request.until and posting.status != "cancelled":
            posting.answered(accepted=True)
            return
        step = None if posting.status == "cancelled" else self._next(posting)
        if step is None:
            self._due.pop(number, None)
        elif self._due.setdefault(number, clock + self._rng.uniform(self.delay / 15, self.delay)) <= clock:
            del self._due[number]
            step()

    def _next(self, posting: Posting) -> Callable[[], None] | None:
        ending = posting.life.ending
        if ending == "buyer_cancel":
            return lambda: posting.cancelled_by("client", 501)
        if not posting.own:
            drives = OZON_DRIVES.get(posting.substatus) if ending != "shop_cancel" else None
            return (lambda: posting.go(*drives)) if drives else None
        if ending.startswith("request") and posting.request is None and posting.status == "delivering":
            return lambda: self._ask(posting)
        if posting.substatus == "posting_conditionally_delivered":
            return lambda: posting.go("delivered", "posting_delivered")
        if ending == "returned" and posting.status == "delivered" and posting.returned_at is None:
            return lambda: setattr(posting, "returned_at", now())
        return None

    def _ask(self, posting: Posting) -> None:
        """There is no push for it: the hub must look by itself."""
        seconds = EXPIRES_IN if posting.life.ending == "request_expire" else 3600.0
        until = (now() + dt.timedelta(seconds=seconds)).replace(microsecond=0)
        posting.request = Request(posting.life.digits % 10**10, until)
        posting.go(posting.status, posting.substatus)

    def truth(self, number: str) -> Truth:
        return checks.truth(self.postings[number], shadow=self.mode == "shadow")

    def truths(self) -> list[Truth]:
        return [self.truth(number) for number in self.postings]

    def unsettled(self) -> list[str]:
        if self._living.done():
            self._living.result()
        returns = [f"{one.life.key}: not yet returned" for one in self.postings.values()
                   if one.life.ending == "returned" and one.returned_at is None and self.mode == "live"]  # fmt: skip
        return [*unsettled(self.truths()), *returns]

    def unseen(self, found: Findings) -> list[str]:
        return [*unseen(self.truths(), found), *untold(self.truths(), found)]

    def checks(self, found: Findings) -> Iterator[tuple[str, list[str]]]:
        yield "ozon: pings and hook secrets", self._wrong
        yield "ozon: pushes answered as the documents ask", self.pushes.faults
        yield "ozon: every order where it belongs", list(unsettled(self.truths()))
        yield "ozon: the hub shows what is true", list(unseen(self.truths(), found))
        yield "ozon: 1C told what it must know of each order", list(untold(self.truths(), found))
        yield from checks.of_calls(self.server, found)
        yield from checks.of_orders(list(self.postings.values()), found)
