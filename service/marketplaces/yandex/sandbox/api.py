"""The sandbox over HTTP: Market's paths, key, limits and faults.

Every answer closes its connection, as Market's do, and carries the limit's headers.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, TypeAlias

from aiohttp import web

from service.marketplaces.trial import Entry
from service.marketplaces.yandex.sandbox import methods
from service.marketplaces.yandex.sandbox.market import Market
from service.marketplaces.yandex.sandbox.notify import HookOf, notifying
from service.marketplaces.yandex.sandbox.order import Order, RefusalError

PARALLEL = {"orders": 6}
"""Calls at once; 4 where nothing else is said."""
HOURLY = {"external-id": 1000, "cancellation/accept": 500, "buyer": 3000, "auth/token": 100}
"""Calls an hour; 10,000 where nothing else is said."""
HOUR = timedelta(hours=1)
BIGGEST = 512 * 1024


class Gate:
    """Counts calls at once and calls an hour."""

    def __init__(self) -> None:
        self.live: Counter[tuple[str, str]] = Counter()
        self._counts: dict[tuple[str, str], tuple[datetime, int]] = {}

    def left(self, resource: str, shop: str, now: datetime) -> tuple[int, int, datetime]:
        """Counts one call; how many an hour there are, how many are left (−1: one too many), and until when."""
        most = HOURLY.get(resource, 10_000)
        since, count = self._counts.get((resource, shop), (now, 0))
        if now >= since + HOUR:
            since, count = now, 0
        self._counts[(resource, shop)] = (since, min(count + 1, most + 1))
        return most, most - count - 1, since + HOUR


_MARKET = web.AppKey("market", Market)
_GATE = web.AppKey("gate", Gate)


def application(
    market: Market, hooks: Mapping[int, str] | None = None, *, retry_seconds: float = 2.0
) -> web.Application:
    """The sandbox as an application; `hooks` are the shops' notification addresses, `/notification` comes behind."""
    return serving(market, (hooks if hooks is not None else {}).get, retry_seconds=retry_seconds)


def serving(market: Market, hook_of: HookOf, *, retry_seconds: float = 2.0) -> web.Application:
    """The same, with a function that gives a shop's notification address each time it is wanted."""
    app = web.Application(client_max_size=2**22)
    app[_MARKET], app[_GATE] = market, Gate()
    for method, path, resource, act in methods.CALLS:
        app.router.add_route(method, path, _handler(resource, act, changes=act in methods.CHANGING))
    app.router.add_route("*", "/{tail:.*}", _unknown)
    app.cleanup_ctx.append(notifying(market, hook_of, retry_seconds))
    return app


Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _handler(resource: str, act: methods.Act, *, changes: bool) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        market, raw = request.app[_MARKET], await request.read()
        entry = Entry(datetime.now(UTC), request.method, request.path, _json(raw), changes=changes)
        market.journal.append(entry)
        try:
            order = _gate(request, market, raw)
            return await _limited(request, resource, act, order, entry)
        except RefusalError as refusal:
            return _refused(entry, refusal)

    return handle


def _gate(request: web.Request, market: Market, raw: bytes) -> Order | None:
    """What is wrong with a call before anything is done; else the order it is about."""
    if request.headers.get("Api-Key") != market.api_key:
        raise RefusalError("UNAUTHORIZED", "Api-Key token is invalid", 401)
    if len(raw) > BIGGEST:
        raise RefusalError("BAD_REQUEST", "The request is too big")
    asked = request.match_info
    if asked.get("business", str(market.business)) != str(market.business):
        raise RefusalError("FORBIDDEN", f"No access to businesses: {asked['business']}", 403)
    if "campaign" not in asked:
        return None
    if int(asked["campaign"]) not in market.shops:
        raise RefusalError("FORBIDDEN", f"No access to campaigns: {asked['campaign']}", 403)
    if "order" not in asked:
        return None
    order = market.orders.get(int(asked["order"]))
    if order is None or order.campaign != int(asked["campaign"]):
        raise RefusalError("NOT_FOUND", f"Order not found: '{asked['order']}'", 404)
    return order


async def _limited(
    request: web.Request, resource: str, act: methods.Act, order: Order | None, entry: Entry
) -> web.StreamResponse:
    gate, shop = request.app[_GATE], request.match_info.get("campaign", "")
    at_once, most_at_once = ("orders" if resource == "orders" else "shop", shop), PARALLEL.get(resource, 4)
    if gate.live[at_once] >= most_at_once:
        text = f"Hit rate limit of {most_at_once} parallel requests for campaignId {shop}"
        return _answer(entry, 420, _error("LIMIT_EXCEEDED", text))
    most, left, until = gate.left(resource, shop, datetime.now(UTC))
    headers = _limit_headers(most, left, until)
    if left < 0:
        text = f"Hit rate limit of '{most}' requests per '1 hour' for resource '{resource}' for campaignId {shop}"
        return _answer(entry, 420, _error("REQUEST_LIMIT_EXCEEDED", text), headers)
    gate.live[at_once] += 1
    try:
        return await _done(request, act, order, entry, headers)
    finally:
        gate.live[at_once] -= 1


async def _done(
    request: web.Request, act: methods.Act, order: Order | None, entry: Entry, headers: dict[str, str]
) -> web.StreamResponse:
    market = request.app[_MARKET]
    entry.fault = fault = market.faults.pick(market.random, changes=entry.changes)
    if fault == "error":
        return _answer(entry, 503, _error("INTERNAL_ERROR", "Service temporarily unavailable. Please, try again later"))
    if fault == "limit":
        soon = _limit_headers(10_000, 0, datetime.now(UTC) + timedelta(seconds=1))
        return _answer(entry, 420, _error("REQUEST_LIMIT_EXCEEDED", "Hit rate limit of '10000' requests"), soon)
    asked = methods.Asked(market, order, dict(request.match_info), dict(request.query), entry.body, entry.done)
    try:
        answer = act(asked)
    except RefusalError as refusal:
        return _refused(entry, refusal, headers)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return _answer(entry, 400, _error("BAD_REQUEST", f"Invalid request: {error!r}"), headers)
    if entry.done:
        market.changed()
    if fault == "broken":
        return _answer(entry, 500, _error("INTERNAL_ERROR", "Internal error"), headers)
    if fault == "lost":
        await asyncio.sleep(market.faults.hang)
        if request.transport is not None:
            request.transport.abort()
    return _answer(entry, 0 if fault == "lost" else 200, answer, headers)


async def _unknown(request: web.Request) -> web.StreamResponse:
    entry = Entry(datetime.now(UTC), request.method, request.path, None)
    request.app[_MARKET].journal.append(entry)
    return _answer(entry, 404, _error("NOT_FOUND", f"No such method: {request.method} {request.path}"))


def _refused(entry: Entry, refusal: RefusalError, headers: dict[str, str] | None = None) -> web.Response:
    return _answer(entry, refusal.http, _error(refusal.code, refusal.message), headers)


def _answer(entry: Entry, status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    entry.status = status
    response = web.json_response(body, status=status or 200, headers=headers)
    response.force_close()
    return response


def _error(code: str, message: str) -> dict[str, Any]:
    return {"status": "ERROR", "errors": [{"code": code, "message": message}]}


def _limit_headers(most: int, left: int, until: datetime) -> dict[str, str]:
    return {
        "X-RateLimit-Resource-Limit": str(most),
        "X-RateLimit-Resource-Remaining": str(max(0, left)),
        "X-RateLimit-Resource-Until": format_datetime(until.replace(microsecond=0) + timedelta(seconds=1), usegmt=True),
    }


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
