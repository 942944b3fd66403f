"""The sandbox over HTTP: Ozon's paths, keys, limits and faults. Every call is POST with JSON."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from aiohttp import web

from service.marketplaces.ozon.sandbox.asked import Asked
from service.marketplaces.ozon.sandbox.cabinet import Cabinet
from service.marketplaces.ozon.sandbox.market import Ozon
from service.marketplaces.ozon.sandbox.methods import CHANGING, READING, Act
from service.marketplaces.ozon.sandbox.notify import notifying
from service.marketplaces.ozon.sandbox.refusal import RefusalError, invalid
from service.marketplaces.trial import Entry

PER_SECOND: Final = 50
"""Calls of one Client-Id, over all methods."""
_NGINX: Final = (
    "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>nginx</body>\r\n</html>"
)


class Gate:
    """Counts each client's calls of the last second, and knows which methods are blocked until when."""

    def __init__(self) -> None:
        self._calls: dict[str, deque[datetime]] = {}
        self.circles: dict[str, datetime] = {}

    def let_in(self, client: str, now: datetime) -> bool:
        """Counts one call; whether it is none too many."""
        calls = self._calls.setdefault(client, deque())
        while calls and (now - calls[0]).total_seconds() >= 1:
            calls.popleft()
        if len(calls) >= PER_SECOND:
            return False
        calls.append(now)
        return True


OZON: Final = web.AppKey("ozon", Ozon)
GATE: Final = web.AppKey("gate", Gate)
_ENTRY: Final = "entry"


def application(ozon: Ozon, hooks: Mapping[str, str] | None = None, *, retry_seconds: float = 2.0) -> web.Application:
    """The sandbox as an application; `hooks` are the channels' push addresses, taken exactly as they are."""
    app = web.Application(client_max_size=2**22)
    app[OZON], app[GATE] = ozon, Gate()
    for calls in (READING, CHANGING):
        for path, act in calls.items():
            app.router.add_post(path, _handler(act, changes=calls is CHANGING))
    app.router.add_route("*", "/{tail:.*}", _unknown)
    app.cleanup_ctx.append(notifying(ozon, hooks if hooks is not None else {}, retry_seconds))
    return app


Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _handler(act: Act, *, changes: bool) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        ozon, raw = request.app[OZON], await request.read()
        entry = Entry(datetime.now(UTC), request.method, request.path, _json(raw), changes=changes)
        ozon.journal.append(entry)
        try:
            cabinet = _known(ozon, request.headers, entry.at)
            _limited(request, cabinet, entry)
            return await _done(request, act, cabinet, entry)
        except RefusalError as refusal:
            return _refused(ozon, entry, refusal)

    return handle


def _known(ozon: Ozon, headers: Mapping[str, str], now: datetime) -> Cabinet:
    """The cabinet whose key this is."""
    client, key = headers.get("Client-Id", ""), headers.get("Api-Key", "")
    if not client or not key:
        raise RefusalError(16, "Client-Id and Api-Key headers are required", 401)
    found = next((one for one in ozon.cabinets.values() if (one.client_id, one.api_key) == (client, key)), None)
    if found is None:
        raise RefusalError(7, "Invalid Api-Key, please check the key and try again", 403)
    if now >= found.expires_at:
        raise RefusalError(7, "Api-key is deactivated, use another one or generate a new one", 403)
    if not {"Admin", "Posting FBS"} & set(found.roles):
        raise RefusalError(7, "Api-Key is missing a required role for a method", 403)
    return found


def _limited(request: web.Request, cabinet: Cabinet, entry: Entry) -> None:
    """Too many calls of this client; a method that is blocked; else the fault of this call."""
    ozon, gate = request.app[OZON], request.app[GATE]
    if not gate.let_in(cabinet.client_id, entry.at):
        raise _too_many()
    if entry.at < gate.circles.get(request.path, entry.at):
        raise _circle_is_open()
    entry.fault = ozon.faults.pick(ozon.random, changes=entry.changes)
    if entry.fault == "limit":
        if ozon.random.random() < 0.5:
            raise _too_many()
        gate.circles[request.path] = entry.at + ozon.pace
        raise _circle_is_open()


def _too_many() -> RefusalError:
    return RefusalError(8, "You have reached request rate limit per second", 429)


def _circle_is_open() -> RefusalError:
    return RefusalError(14, "Circle is open", 503)  # the documents have the words; the status is a guess


async def _done(request: web.Request, act: Act, cabinet: Cabinet, entry: Entry) -> web.StreamResponse:
    ozon, fault = request.app[OZON], entry.fault
    if fault == "error":
        if ozon.random.random() < 0.5:
            return _finished(entry, 503, web.Response(status=503, text=_NGINX, content_type="text/html"))
        return _answer(entry, 503, {"code": 14, "message": "Internal error", "details": []})
    body = {} if entry.body is None and not await request.read() else entry.body
    if not isinstance(body, dict):
        raise invalid("proto: syntax error (line 1:1): unexpected token")
    answer = act(Asked(ozon, cabinet, body, entry.at, entry.done))
    if entry.done:
        ozon.changed()
    if fault == "broken":
        return _answer(entry, 500, {"code": 13, "message": "Internal error", "details": []})
    if fault == "lost":
        await asyncio.sleep(ozon.faults.hang)
        if request.transport is not None:
            request.transport.abort()
    return _answer(entry, 0 if fault == "lost" else 200, answer)


async def _unknown(request: web.Request) -> web.StreamResponse:
    entry = Entry(datetime.now(UTC), request.method, request.path, None)
    request.app[OZON].journal.append(entry)
    return _answer(entry, 404, {"code": 5, "message": "method is not allowed", "details": []})


def _refused(ozon: Ozon, entry: Entry, refusal: RefusalError) -> web.Response:
    """{code, message, details}; the two bodies somebody has seen live have no details."""
    body: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.http in (401, 429):
        return _answer(entry, refusal.http, body)
    status = refusal.http
    if refusal.code in (6, 9) and ozon.hand.happens("wordy"):
        body["message"] = f"rpc error: code = FailedPrecondition desc = {refusal.message}: posting can't be changed"
        status = 409 if refusal.code == 6 else status
    return _answer(entry, status, {**body, "details": []})


def _answer(entry: Entry, status: int, body: Any) -> web.Response:
    if body is None:
        return _finished(entry, status, web.Response(status=status or 200, content_type="application/json"))
    return _finished(entry, status, web.json_response(body, status=status or 200))


def _finished(entry: Entry, status: int, response: web.Response) -> web.Response:
    entry.status = status
    return response


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
