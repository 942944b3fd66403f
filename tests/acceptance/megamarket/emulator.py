"""The marketplace: an HTTP server, what it does by itself, what it was asked."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from aiohttp import web

from tests.acceptance.checks import Findings
from tests.acceptance.emulator import HOOK_SECRET, POLL_SECONDS, Channel, Truth, unseen, unsettled, untold
from tests.acceptance.faults import Faults, no_answer
from tests.acceptance.journal import Call, Journal

from . import checks, shapes
from .answers import down, failed, ok
from .callbacks import LOGIN, PASSWORD, Callbacks
from .form import order_cancel, order_get, order_new
from .scenario import CHANNELS, MERCHANTS, TOKENS, Model, Scenario, scenario
from .shipment import RefusalError, Shipment

PREFIX = "/api/market/v1/orderService/"
PATHS = {f"{PREFIX}order/{op}": op for op in ("search", "get", *shapes.CHANGING)} | {
    f"{PREFIX}sticker/print": "sticker"
}
Refused = list[tuple[int, RefusalError]]


class Emulator:
    """Megamarket with three shops. What it takes, and what happens by itself, comes within `delay` seconds."""

    def __init__(self, faults: Faults, seed: int, *, delay: float = 3.0) -> None:
        self.channels = [Channel(name, "megamarket", model) for model, name in CHANNELS.items()]
        self.faults, self.seed, self.delay, self.mode = faults, seed, delay, "live"
        self.orders: dict[int, Shipment] = {}
        self.journal = Journal()
        self.callbacks = Callbacks(seed)
        self.misuse: list[str] = []
        self._rng = Random(f"megamarket world:{seed}")
        self._due: dict[int, float] = {}
        self._port = 0
        self._started = time.monotonic()
        self._probe: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def clock(self) -> float:
        return time.monotonic() - self._started

    async def start(self) -> None:
        app = web.Application(client_max_size=2**22)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        await self.callbacks.start()
        self._life = asyncio.create_task(self._live())

    async def stop(self) -> None:
        for task in (self._life, self._probe):
            if task is not None:
                task.cancel()
        await asyncio.gather(self._life, *filter(None, [self._probe]), return_exceptions=True)
        await self.callbacks.stop()
        await self._runner.cleanup()

    def tables(self, url_hook: Callable[[str], str], mode: str) -> str:
        """The [channels.*] of okno.toml; `url_hook` gives a channel's hook address, secret included."""
        self.callbacks.url, self.mode = url_hook, mode
        return "\n".join(
            f'[channels.{name}]\nkind = "megamarket"\nmodel = "{model}"\nmode = "{mode}"\n'
            f'base_url = "{self.url}"\nhook_secret = "{HOOK_SECRET}"\npoll_seconds = {POLL_SECONDS}\n'
            f'merchant_id = {MERCHANTS[model]}\ntoken = "{TOKENS[model]}"\n'
            f'hook_login = "{LOGIN}"\nhook_password = "{PASSWORD}"\n'
            for model, name in CHANNELS.items()
        )

    def scenarios(self, count: int, seed: int) -> list[Scenario]:
        return [scenario(seed, index) for index in range(count)]

    def place(self, one: Scenario) -> None:
        """An order comes into being; its callback may be lost, late or doubled."""
        self.orders[one.number] = Shipment(one, self.seed, self.clock(), self.delay)
        self.callbacks.send(one.channel, "order/new", order_new(one), then=lambda: self._known(one.number))
        if self._probe is None:
            self._probe = asyncio.create_task(self._try_wrong_password(one))

    def _known(self, number: int) -> None:
        self.orders[number].known = True

    def truth(self, number: int) -> Truth:
        return checks.truth(self.orders[number], self.mode == "shadow")

    def truths(self) -> list[Truth]:
        return [self.truth(number) for number in self.orders]

    def unsettled(self) -> list[str]:
        if self._life.done():
            self._life.result()
        return list(unsettled(self.truths()))

    def unseen(self, found: Findings) -> list[str]:
        return [*unseen(self.truths(), found), *untold(self.truths(), found)]

    def checks(self, found: Findings) -> Iterator[tuple[str, list[str]]]:
        return checks.run(self, found)

    async def _try_wrong_password(self, one: Scenario) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            if await self.callbacks.once(one.channel, "order/new", order_new(one), password="wrong"):
                self.callbacks.faults.append(f"order/new to {one.channel} with a wrong password was taken")

    # what happens by itself

    async def _live(self) -> None:
        while True:
            clock = self.clock()
            for number, order in self.orders.items():
                order.settle(clock)
                what = checks.next_move(order)
                due = (
                    self._due.setdefault(number, clock + self._rng.uniform(self.delay / 10, self.delay))
                    if what
                    else None
                )
                if due is not None and due <= clock:
                    del self._due[number]
                    self._move(order, what)
            await asyncio.sleep(min(0.05, self.delay / 20))

    def _move(self, order: Shipment, what: str) -> None:
        one = order.scenario
        if what == "deliver":
            for state in order.goods:
                if state.status == "SHIPPED":
                    state.status = "DELIVERED"
            return
        indices = list(one.gone) or [lot.index for lot in one.lots if not lot.delivery or one.number % 2]
        if what == "request":
            order.requested = indices
            self.callbacks.send(one.channel, "order/cancel", order_cancel(one, indices), sure=True)
            return
        order.cancel(indices)
        if one.model == "fbs":  # elsewhere order/cancel is a request: what support cancels shows in order/get only

            def told() -> None:
                order.told_gone = min(order.told_gone, self.clock())

            sure = not order.known  # else nothing might ever lead the hub to this order
            self.callbacks.send(one.channel, "order/cancel", order_cancel(one, indices), sure=sure, then=told)

    # what it is asked

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        op, raw = PATHS.get(request.path, ""), await request.read()
        try:
            body = json.loads(raw)
            faults = shapes.envelope(op, body) if op and request.method == "POST" else ["no such method"]
        except ValueError:
            body, faults = None, ["no JSON"]
        if request.content_type != "application/json":
            faults.append(f"Content-Type {request.content_type}")
        token = str(body["data"]["token"]) if not faults else ""
        model = next((model for model, known in TOKENS.items() if known == token), None)
        if not faults and (model is None or request.headers.get("X-Merchant-Token") != token):
            faults.append("unknown token in the body, or not the same in X-Merchant-Token")
        if faults or model is None:
            self.journal.violation(f"{request.method} {request.path}: {'; '.join(faults)[:300]} in {raw[:200]!r}")
            return failed(op, [(0, RefusalError("BAD_REQUEST", "; ".join(faults)[:300]))], len(self.journal.calls))
        call = Call(self.clock(), op, op in shapes.CHANGING, MERCHANTS[model])
        self.journal.calls.append(call)
        try:
            if call.changing:
                return await self._change(request, op, body["data"], call, model)
            return self._read(op, body["data"], call, model)
        finally:
            call.end = self.clock()

    def _read(self, op: str, data: dict[str, Any], call: Call, model: Model) -> web.StreamResponse:
        call.fault = self.faults.pick(f"megamarket {op}:{model}", changing=False)
        if call.fault:
            call.status = 429 if call.fault == "limit" else 503 if len(self.journal.calls) % 2 else 500
            return down(call.status)
        call.status, clock, turn = 200, self.clock(), len(self.journal.calls)
        mine = {number: order for number, order in self.orders.items() if order.scenario.model == model}
        for order in mine.values():
            order.settle(clock)
        if op == "sticker":
            return ok(op, "<html>Этикетка</html>", turn)
        if op == "search":
            return ok(op, {"shipments": self._search(data, mine, clock)}, turn)
        found = [mine[int(number)] for number in data["shipments"] if int(number) in mine]
        call.seen = frozenset(order.scenario.number for order in found)
        shipments = [order_get(order, clock) for order in found]
        for order, form in zip(found, shipments, strict=True):
            order.known = True
            order.dates_read.append((call.at, order.date))
            for item in form["items"]:
                order.lots[int(item["itemIndex"])].read.append((call.at, item["status"]))
        return ok(op, {"shipments": shipments} | ({"warnings": []} if turn % 5 == 0 else {}), turn)

    def _search(self, data: dict[str, Any], mine: dict[int, Shipment], clock: float) -> list[str]:
        """Ids by creation and by any lot's status, at most `count`: which of more is not known."""
        first, last = shapes.moment(data["dateFrom"]), shapes.moment(data["dateTo"])
        assert first is not None
        assert last is not None
        wanted = set(data.get("statuses") or shapes.STATUSES)
        hits = [str(number) for number, order in mine.items() if first <= order.scenario.placed <= last
                and wanted & {item["status"] for item in order_get(order, clock)["items"]}]  # fmt: skip
        return hits[: data.get("count", 1000)]

    async def _change(self, request: web.Request, op: str, data: dict[str, Any], call: Call,
                      model: Model) -> web.StreamResponse:  # fmt: skip
        bad, steps = Refused(), dict[int, str]()
        for one in data["shipments"]:
            number = int(one["shipmentId"]) if isinstance(one, dict) and str(one.get("shipmentId")).isdigit() else 0
            order = self.orders.get(number)
            unknown = order is None or order.scenario.model != model
            faults = ["no such shipment"] if order is None or unknown else shapes.shipment(op, one, order.scenario)
            if faults:
                self.journal.violation(f"{op} of {number}: {'; '.join(faults)[:300]} in {str(one)[:200]}")
                bad.append((number, RefusalError("BAD_REQUEST", "; ".join(faults)[:300])))
            else:
                indices = ",".join(sorted(str(item["itemIndex"]) for item in one.get("items", [])))
                steps[number] = f"{op} {indices}".rstrip()
        call.body, call.steps = data, steps
        if bad:
            call.status = 200
            return failed(op, bad, len(self.journal.calls))
        numbers = sorted(call.steps)
        call.fault = self._pick(op, data, numbers)
        if call.fault == "limit":
            call.status = 429
            return down(429)
        if call.fault == "error_before":
            call.status = 503 if len(self.journal.calls) % 2 else 500
            return down(call.status)
        if call.fault == "late":
            await asyncio.sleep(self.faults.rates.late_seconds)
        return await self._deliver(request, op, call, self._apply(data, op, call))

    def _pick(self, op: str, data: dict[str, Any], numbers: list[int]) -> str:
        fault = self.faults.pick(f"megamarket {op}:{numbers[0]}", changing=True)
        if fault == "error_after" and Random(f"{self.seed}:{op}:{numbers}").random() < 0.5:
            return "lie"  # facts 11.1: an error, though the lot did move
        # A declined request leaves no trace in order/get that the documents know: its outcome could never be found out.
        no_trace = op == "cancelResult" and not any(item["canceled"] for s in data["shipments"] for item in s["items"])
        return "" if no_trace and fault not in ("limit", "late") else fault

    def _apply(self, data: dict[str, Any], op: str, call: Call) -> Refused:
        """Each shipment is done whole or not at all, the others with it or not."""
        clock, refused = self.clock(), Refused()
        for one in data["shipments"]:
            order = self.orders[int(one["shipmentId"])]
            order.settle(clock)
            try:
                order.plan(op, one, call)(call.fault == "lie")
            except RefusalError as refusal:
                refused.append((order.scenario.number, refusal))
                call.refused[order.scenario.number] = refusal.text
                if refusal.fault:
                    self.misuse.append(f"{order.scenario.key}: {refusal.fault} (at {call.at:.2f})")
            else:
                call.applied.add(order.scenario.number)
                order.order_code = one.get("orderCode") or order.order_code
                order.settle(self.clock())
        if refused and call.fault == "lie":
            call.fault = ""
        return refused

    async def _deliver(self, request: web.Request, op: str, call: Call, refused: Refused) -> web.StreamResponse:
        call.status = 500 if call.fault == "error_after" else 0 if call.fault in ("cut", "hang") else 200
        if call.fault == "error_after":
            return down(500)
        if call.fault in ("cut", "hang"):
            return await no_answer(request, self.faults.rates.hang_seconds if call.fault == "hang" else 0)
        if call.fault == "late":
            call.fault = "" if request.transport and not request.transport.is_closing() else "late"
        if call.fault == "lie":
            refused = [(min(call.steps), RefusalError("INTERNAL", "Не удалось обработать запрос"))]
        turn = len(self.journal.calls)
        return failed(op, refused, turn) if refused else ok(op, None, turn)
