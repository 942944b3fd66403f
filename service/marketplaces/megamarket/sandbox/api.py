"""The sandbox over HTTP: the marketplace's paths, tokens, envelope and faults."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from aiohttp import web

from service.marketplaces.megamarket.sandbox import methods
from service.marketplaces.megamarket.sandbox.market import Market
from service.marketplaces.megamarket.sandbox.notify import notifying
from service.marketplaces.megamarket.sandbox.refusals import NOT_FOUND, TOKEN, Problem, RefusalError, refuse, written
from service.marketplaces.trial import Entry

PREFIX: Final = "/api/market/v1/orderService/"
HAS_RESULT: Final = ("order/packing", "order/shipping", "order/reject")
"""The calls that may answer `success` 1 and yet fail, by `data.result` 0."""

_MARKET = web.AppKey("market", Market)
_UNCERTAIN: Final = Problem("Внутренняя ошибка, повторите запрос позже")


def application(market: Market, hooks: Mapping[str, str] | None = None) -> web.Application:
    """The sandbox as an application; `hooks`: the channels' callback addresses, `/order/new` comes behind."""
    app = web.Application(client_max_size=2**22)
    app[_MARKET] = market
    for path, act in methods.CALLS.items():
        app.router.add_post(f"{PREFIX}{path}", _handler(path, act))
    app.router.add_route("*", "/{tail:.*}", _unknown)
    app.cleanup_ctx.append(notifying(market, hooks if hooks is not None else {}))
    return app


Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _handler(path: str, act: methods.Act) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        market, raw = request.app[_MARKET], await request.read()
        entry = Entry(datetime.now(UTC), request.method, request.path, _json(raw), changes=path in methods.CHANGING)
        market.journal.append(entry)
        try:
            asked = _asked(market, entry)
            entry.fault = fault = market.faults.pick(market.random, changes=entry.changes)
            if fault in ("error", "limit"):
                return _not_done(market, entry, path, fault)
            data = _act(act, asked)
        except RefusalError as refusal:
            return _refused(market, entry, refusal)
        market.stirred |= bool(entry.done)
        market.keep()
        if fault == "broken":
            return _broken(market, entry, path)
        if fault == "lost":
            await asyncio.sleep(market.faults.hang)
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return _answered(market, entry, data)

    return handle


def _asked(market: Market, entry: Entry) -> methods.Asked:
    """The call, once it is clear whose it is: the token in the body says so."""
    body = entry.body
    if not isinstance(body, dict) or not isinstance(body.get("data"), dict):
        raise RefusalError(Problem("Некорректный запрос: нужны meta и data"), http=400)
    if body.get("meta") not in ({}, []) and not isinstance(body.get("meta"), dict):
        raise refuse("meta: нужен объект")
    token = body["data"].get("token")
    channel = next((name for name, shop in market.shops.items() if shop.token == token), None)
    if channel is None:
        raise RefusalError(Problem("Неверный токен", TOKEN), http=401)
    return methods.Asked(market, channel, body["data"], entry.at, entry.done)


def _act(act: methods.Act, asked: methods.Asked) -> Any:
    try:
        return act(asked)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise refuse(f"Некорректный запрос: {error!r}") from error


def _not_done(market: Market, entry: Entry, path: str, fault: str) -> web.Response:
    if fault == "limit":
        return _refused(market, entry, RefusalError(Problem("Превышено количество запросов"), http=429))
    if path in HAS_RESULT and market.random.random() < 0.5:
        return _answered(market, entry, {"result": 0})
    return _down(entry)


def _broken(market: Market, entry: Entry, path: str) -> web.Response:
    """Done, but said otherwise: packing likes to answer an error for lots that do become PACKED."""
    if path == "order/packing" and market.random.random() < 0.5:
        return _refused(market, entry, RefusalError(_UNCERTAIN))
    return _down(entry)


def _down(entry: Entry) -> web.Response:
    entry.status = 500
    return web.Response(status=500, text="Internal Server Error")


def _answered(market: Market, entry: Entry, data: Any) -> web.Response:
    entry.status = 200
    if isinstance(data, bytes):
        return web.Response(body=data, content_type="application/pdf")
    return web.json_response({"success": 1, "meta": _meta(market), "data": data})


def _refused(market: Market, entry: Entry, refusal: RefusalError) -> web.Response:
    entry.status = refusal.http
    error = written(refusal.problems, market.random)
    return web.json_response({"success": 0, "meta": _meta(market), "data": {}, "error": error}, status=refusal.http)


def _meta(market: Market) -> dict[str, str]:
    return {"requestId": f"{market.random.getrandbits(64):016x}"} if market.random.random() < 0.5 else {}


async def _unknown(request: web.Request) -> web.StreamResponse:
    market, entry = request.app[_MARKET], Entry(datetime.now(UTC), request.method, request.path, None)
    market.journal.append(entry)
    return _refused(market, entry, RefusalError(Problem("Метод не найден", NOT_FOUND), http=404))


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None
