"""Yandex Market, from outside: its HTTP API with faults, a strict order graph and a journal of all calls.

Built from the official OpenAPI and facts.md. What those pages leave open is answered the hard way: a status that is
already set is refused, a step out of order is refused, test orders and the v2 reads do not exist.
"""

import asyncio
import datetime as dt
import json
import math
import time
from typing import Any

from aiohttp import web

from .answers import ChangingCall, changing_call, read_call
from .faults import Faults, Rates, no_answer
from .journal import Call, Journal, rfc822
from .order import Order, RefusalError
from .scenario import BUSINESS, CAMPAIGNS
from .spec import Operation, Spec

CHANGING = {
    "updateOrderStatus", "updateOrderStatuses", "setOrderBoxLayout", "updateOrderItems", "provideOrderItemIdentifiers",
    "updateExternalOrderId", "setOrderDeliveryDate", "setOrderDeliveryTrackCode", "updateOrderStorageLimit",
    "acceptOrderCancellation", "verifyOrderEac",
}  # fmt: skip
READING = {"getBusinessOrders", "getOrderBuyerInfo", "getOrderBusinessBuyerInfo", "getAuthTokenInfo", "getCampaigns",
           "getCampaign", "getReturns", "getReturn", "getDeliveryServices", "getOrderIdentifiersStatus"}  # fmt: skip
PARALLEL_CAMPAIGN, PARALLEL_ORDERS = 4, 6
HOURLY = {"updateExternalOrderId": 1000, "acceptOrderCancellation": 500, "getOrderBuyerInfo": 3000}


class Market:
    """The marketplace. `orders` is its truth, `journal` what it was asked. Use as `async with Market(…) as market`."""

    def __init__(self, seed: int = 1, rates: Rates | None = None, api_key: str = "ACMA:judge:key") -> None:
        spec = Spec.load()
        if spec is None:
            raise FileNotFoundError("no official OpenAPI: put the documents beside the checkout or set OKNO_SPECS")
        self.spec = spec
        self.orders: dict[int, Order] = {}
        self.journal = Journal()
        self.api_key = api_key
        self.faults = Faults(seed, rates or Rates())
        self.changed = asyncio.Event()
        self._port = 0
        self._live: dict[str, dict[int, web.Request]] = {}
        self._until: dict[str, tuple[float, float]] = {}
        self._started = time.monotonic()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def clock(self) -> float:
        return time.monotonic() - self._started

    async def __aenter__(self) -> "Market":
        app = web.Application(client_max_size=2**22)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        op = self.spec.find(request.method, request.path)
        raw = await request.read()
        if refused := self._gate(request, op, raw):
            return refused
        assert op is not None
        path = op.path(request.path)
        campaign = int(path.get("campaignId", 0))
        call = Call(self.clock(), op.id, op.id in CHANGING, campaign)
        self.journal.calls.append(call)
        live = self._live.setdefault("orders" if op.id == "getBusinessOrders" else f"campaign {campaign}", {})
        for gone in [key for key, one in live.items() if one.transport is None or one.transport.is_closing()]:
            del live[gone]
        allowed = PARALLEL_ORDERS if op.id == "getBusinessOrders" else PARALLEL_CAMPAIGN
        if len(live) >= allowed:
            self.journal.notes["parallel limit hit"] += 1
            call.fault, call.status, call.end = "limit", 420, self.clock()
            return self._error(420, "LIMIT_EXCEEDED", f"Hit rate limit of {allowed} parallel requests for "
                               f"campaignId {campaign}", op)  # fmt: skip
        live[id(request)] = request
        try:
            return await self._answer(request, op, call, path, json.loads(raw) if raw else None)
        finally:
            live.pop(id(request), None)
            call.end = self.clock()

    def _gate(self, request: web.Request, op: Operation | None, raw: bytes) -> web.Response | None:
        """What is wrong with the call before any order is looked at: unknown, deprecated, no key, bad body."""
        name = f"{request.method} {request.path}"
        if op is None or (op.id not in CHANGING | READING and not op.deprecated):
            self.journal.violation(f"{name}: no such method, or none an order hub has any business with")
            return self._error(404, "NOT_FOUND", f"No such method: {name}", op)
        if op.deprecated:
            self.journal.violation(f"{name}: deprecated method {op.id}")
            return self._error(403, "NO_ACCESS_BY_DEPRECATION_POLICY",
                               "The method is deprecated and is occasionally forbidden", op)  # fmt: skip
        if request.headers.get("Api-Key") != self.api_key or "Authorization" in request.headers:
            self.journal.violation(f"{name}: wrong Api-Key or an Authorization header")
            return self._error(401, "UNAUTHORIZED", "Api-Key token is invalid", op)
        if faults := self.spec.request_faults(op, raw, request.content_type, set(request.query)):
            self.journal.violation(f"{name}: {'; '.join(faults)} in {raw[:200].decode(errors='replace')}")
            return self._error(400, "BAD_REQUEST", "; ".join(faults)[:300], op)
        return None

    async def _answer(
        self, request: web.Request, op: Operation, call: Call, path: dict[str, str], body: Any
    ) -> web.StreamResponse:
        try:
            self._belongs(path)
            todo: ChangingCall | None = changing_call(op.id, path, body, self.orders) if call.changing else None
        except RefusalError as refusal:
            self.journal.violation(f"{request.method} {request.path}: {refusal.message}")
            call.status = refusal.http
            return self._error(refusal.http, refusal.code, refusal.message, op)
        call.body, call.steps = body, (todo.steps if todo else {})
        subject = f"{op.id}:{min(call.steps, default=path.get('orderId', ''))}"
        call.fault = self.faults.pick(subject, call.changing)
        told, until = self._until.get(f"{op.id} {call.campaign}", (0.0, 0.0))
        if told + 0.5 < time.time() < until - 0.1:
            self.journal.notes["asked again before X-RateLimit-Resource-Until"] += 1
        if call.fault == "limit":
            return self._limited(call, op)
        if call.fault == "error_before":
            call.status = 503 if len(self.journal.calls) % 2 else 500
            return self._error(call.status, "INTERNAL_ERROR", "Service temporarily unavailable. Please, try again", op)
        self._count_hourly(op.id)
        if todo is None:
            return self._read(request, op, call, path, body)
        if call.fault == "late":
            await asyncio.sleep(self.faults.rates.late_seconds)
        http, answer = todo.apply(call)
        self.changed.set()
        return await self._deliver(request, op, call, http, answer)

    def _read(self, request: web.Request, op: Operation, call: Call, path: dict[str, str], body: Any) -> web.Response:
        try:
            answer, seen = read_call(op.id, path, dict(request.query), body, self.orders)
        except RefusalError as refusal:
            call.status = refusal.http
            return self._error(refusal.http, refusal.code, refusal.message, op)
        call.seen, call.status = frozenset(seen), 200
        if faults := self.spec.response_faults(op, answer):
            raise AssertionError(f"the emulator's own answer to {op.id} breaks the spec: {faults[:3]}")
        return self._json(200, answer, op)

    async def _deliver(
        self, request: web.Request, op: Operation, call: Call, http: int, answer: Any
    ) -> web.StreamResponse:
        if call.fault == "error_after":
            call.status = 500
            return self._error(500, "INTERNAL_ERROR", "Internal error", op)
        if call.fault in ("cut", "hang"):
            return await no_answer(request, self.faults.rates.hang_seconds if call.fault == "hang" else 0)
        call.status = http
        if call.fault == "late":
            call.fault = "" if request.transport and not request.transport.is_closing() else "late"
        return self._json(http, answer, op)

    def _limited(self, call: Call, op: Operation) -> web.Response:
        call.status = 420
        until = math.ceil(time.time()) + 1.0
        self._until[f"{op.id} {call.campaign}"] = (time.time(), until)
        text = f"Hit rate limit of '10000' requests per '1 hour' for resource '{op.id}' for campaignId {call.campaign}"
        return self._error(420, "REQUEST_LIMIT_EXCEEDED", text, op, until=until)

    def _count_hourly(self, op: str) -> None:
        if op in HOURLY and sum(call.op == op for call in self.journal.calls) > HOURLY[op]:
            self.journal.notes[f"over the real hourly limit of {op}"] += 1

    def _belongs(self, path: dict[str, str]) -> None:
        if "businessId" in path and path["businessId"] != str(BUSINESS):
            raise RefusalError("FORBIDDEN", f"No access to business: {path['businessId']}", 403)
        if "campaignId" in path and int(path["campaignId"]) not in CAMPAIGNS.values():
            raise RefusalError("FORBIDDEN", f"No access to campaigns: {path['campaignId']}", 403)
        if "orderId" in path and (order := self.orders.get(int(path["orderId"]))) is None:
            raise RefusalError("NOT_FOUND", f"Order not found: '{path['orderId']}'", 404)
        if "orderId" in path and order and str(order.scenario.campaign) != path["campaignId"]:
            raise RefusalError("NOT_FOUND", f"Order not found: '{path['orderId']}' in this campaign", 404)

    def _error(self, http: int, code: str, text: str, op: Operation | None, until: float | None = None) -> web.Response:
        return self._json(http, {"status": "ERROR", "errors": [{"code": code, "message": text}]}, op, until)

    def _json(self, http: int, body: Any, op: Operation | None, until: float | None = None) -> web.Response:
        reset = dt.datetime.fromtimestamp(until or time.time() + 1800, dt.UTC)
        headers = {"X-RateLimit-Resource-Limit": "10000", "X-RateLimit-Resource-Remaining": "0" if until else "9000",
                   "X-RateLimit-Resource-Until": rfc822(reset)}  # fmt: skip
        response = web.json_response(body, status=http, headers=headers if op and not op.deprecated else None)
        response.force_close()
        return response
