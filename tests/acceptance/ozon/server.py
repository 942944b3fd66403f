"""Ozon's HTTP face: one cabinet for each Client-Id, 50 calls a second, faults, and a journal of all calls."""

import asyncio
import json
import time
from collections import deque
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.acceptance.faults import Faults, no_answer
from tests.acceptance.journal import Call, Journal
from tests.acceptance.order import RefusalError
from tests.acceptance.spec import Operation, Spec

from .calls import CHANGING, SHIP, changing, find, reading, refused
from .life import CHANNELS
from .posting import Posting

READING = {
    "/v3/posting/fbs/get", "/v4/posting/fbs/unfulfilled/list", "/v4/posting/fbs/list", "/v1/roles",
    "/v2/conditional-cancellation/list", "/v2/returns/rfbs/list", "/v1/posting/fbs/timeslot/change-restrictions",
    "/v6/fbs/posting/product/exemplar/create-or-get", "/v5/fbs/posting/product/exemplar/status",
    "/v1/posting/fbs/cancel-reason", "/v2/posting/fbs/cancel-reason/list",
}  # fmt: skip
A_SECOND = 50
CIRCLE_SECONDS = 1.5
CIRCLES = 2  # a run: a hub does well to leave such a method alone for minutes


class Server:
    """`postings` is the truth of all cabinets, `journal` what was asked."""

    def __init__(self, faults: Faults, *, one_cabinet: bool) -> None:
        spec = Spec.load(Path("ozon") / "openapi.json")
        if spec is None:
            raise FileNotFoundError(
                "no official OpenAPI of Ozon: put the documents beside the checkout or set OKNO_SPECS"
            )
        self.spec, self.faults, self.journal = spec, faults, Journal()
        self.postings: dict[str, Posting] = {}
        self.clients = {model: 70101 + (0 if one_cabinet else at) for at, model in enumerate(CHANNELS)}
        self.crowded: list[str] = []
        self._operations: dict[str, Operation | None] = {}
        self._last: dict[int, deque[float]] = {client: deque() for client in self.clients.values()}
        self._open_circles: dict[str, float] = {}
        self._started = time.monotonic()
        self._port = 0

    def clock(self) -> float:
        return time.monotonic() - self._started

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def key(self, client: int) -> str:
        return f"judge-{client}"

    async def start(self) -> None:
        app = web.Application(client_max_size=2**22)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    def cabinet(self, client: int) -> dict[str, Posting]:
        return {number: one for number, one in self.postings.items() if self.clients[one.life.model] == client}

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        gate, client, body = self._gate(request, raw)
        if gate is not None:
            return gate
        path = request.path
        call = Call(self.clock(), path, path in CHANGING, client, body=body)
        self.journal.calls.append(call)
        try:
            return await self._answer(request, call, self.cabinet(client))
        finally:
            call.end = self.clock()

    def _gate(self, request: web.Request, raw: bytes) -> tuple[web.Response | None, int, dict[str, Any]]:
        """Unknown method, wrong keys, a body that the schema does not know, a batch too big."""
        path, violation = request.path, self.journal.violation
        if path not in self._operations:
            self._operations[path] = self.spec.find("POST", path)
        op = self._operations[path]
        if request.method != "POST" or op is None or path not in CHANGING | READING or op.deprecated:
            violation(f"{request.method} {path}: no such method, or none an order hub has any business with")
            return _error(404, 5, "method is not allowed"), 0, {}
        client = next((c for c in self._last if request.headers.get("Client-Id") == str(c)), 0)
        if not client or request.headers.get("Api-Key") != self.key(client):
            violation(f"{path}: wrong Client-Id or Api-Key")
            return _error(401, 16, "Client-Id and Api-Key headers are required"), 0, {}
        faults = _meant(self.spec.request_faults(op, raw or b"{}", request.content_type, set(request.query)))
        body = {} if faults or not raw else json.loads(raw)
        if path == SHIP and len(body.get("packages", [0])) != 1:
            faults.append("several packages split the order")
        batch = body.get("posting_number", []) if isinstance(body.get("posting_number"), list) else []
        if len(batch) > 20 or len(body.get("tracking_numbers", [])) > 20:
            faults.append("value must contain between 1 and 20 items, inclusive")
        if faults:
            violation(f"{path}: {'; '.join(faults)} in {raw[:200].decode(errors='replace')}")
            return _error(400, 3, f"Request validation error: {'; '.join(faults)[:300]}"), client, body
        return None, client, body

    def _limited(self, call: Call) -> web.Response | None:
        """The 51st call within a second of one cabinet is refused, and counted as an offence."""
        last = self._last[call.campaign]
        last.append(call.at)
        while last[0] <= call.at - 1:
            last.popleft()
        if len(last) <= A_SECOND:
            return None
        self.crowded.append(f"{len(last)} calls of Client-Id {call.campaign} in the second before {call.at:.2f}")
        call.fault, call.status = "limit", 429
        return _error(429, 8, "You have reached request rate limit per second")

    async def _answer(self, request: web.Request, call: Call, postings: dict[str, Posting]) -> web.StreamResponse:
        if limited := self._limited(call):
            return limited
        for posting in postings.values():
            posting.tick()
        path, deed = call.op, None
        try:
            if call.changing:
                call.steps, deed = changing(path, call.body, postings)
            elif isinstance(call.body.get("posting_number"), str):
                find(postings, call.body["posting_number"])
        except RefusalError as refusal:
            self.journal.violation(f"{path}: {refusal.message}")
            call.status, body = refused(refusal)
            return web.json_response(body, status=call.status)
        if fault := self._fault(call):
            return fault
        if deed is None:
            return self._read(call, postings)
        if call.fault == "late":
            await asyncio.sleep(self.faults.rates.late_seconds)
        http, answer = deed(call)
        if call.fault == "error_after":
            call.status = 500
            return _error(500, 13, "Internal error")
        if call.fault in ("cut", "hang"):
            return await no_answer(request, self.faults.rates.hang_seconds if call.fault == "hang" else 0)
        call.status = http
        if call.fault == "late":
            call.fault = "" if request.transport and not request.transport.is_closing() else "late"
        return web.Response(status=http) if answer is None else self._told(call, http, answer)

    def _fault(self, call: Call) -> web.Response | None:
        """What goes wrong before anything is done: 5xx, a gateway's HTML, 429, an open circle for a while."""
        if self._open_circles.get(call.op, 0) > call.at:
            call.fault, call.status = "limit", 503
            return _error(503, 14, "Circle is open")
        about = min(call.steps, default=call.body.get("posting_number", ""))
        call.fault = self.faults.pick(f"{call.op}:{about}", call.changing)
        if call.fault == "limit":
            if len(self.journal.calls) % 3 == 0 and len(self._open_circles) < CIRCLES:
                self._open_circles[call.op] = call.at + CIRCLE_SECONDS
                call.status = 503
                return _error(503, 14, "Circle is open")
            call.status = 429
            return _error(429, 8, "You have reached request rate limit per second")
        if call.fault == "error_before":
            call.status = 502 if len(self.journal.calls) % 2 else 500
            if call.status == 502:
                return web.Response(
                    status=502, text="<html><body>502 Bad Gateway</body></html>", content_type="text/html"
                )
            return _error(500, 13, "Internal error")
        return None

    def _read(self, call: Call, postings: dict[str, Posting]) -> web.Response:
        try:
            answer, seen = reading(call.op, call.body, postings)
        except RefusalError as refusal:
            self.journal.violation(f"{call.op}: {refusal.message} in {json.dumps(call.body)[:200]}")
            call.status, body = refused(refusal)
            return web.json_response(body, status=call.status)
        call.seen, call.status = frozenset(seen), 200
        wrapped = call.op.endswith("fbs/list") and call.campaign % 2 == 0  # both envelopes were seen
        return self._told(call, 200, answer, wrapped=wrapped)

    def _told(self, call: Call, http: int, answer: Any, *, wrapped: bool = False) -> web.Response:
        op = self._operations[call.op]
        assert op is not None
        quirks = call.op.endswith("rfbs/list") or call.op == "/v2/fbs/posting/delivering"
        faults = self.spec.response_faults(op, _without_nulls(answer)) if http == 200 and not quirks else []
        if faults := _meant(faults):
            raise AssertionError(f"the emulator's own answer to {call.op} breaks the spec: {faults[:3]}")
        return web.json_response({"result": answer} if wrapped else answer, status=http)


def _meant(faults: list[str]) -> list[str]:
    """Ozon's patterns are pictures ("YYYY-MM-DDThh:mm:ssZ"), and requirements hold numbers in its own example."""
    return [one for one in faults if " does not match ' " not in one and ".requirements." not in one]


def _without_nulls(value: Any) -> Any:
    """The schema knows no null, the wire does."""
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def _error(http: int, code: int, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message, "details": []}, status=http)
