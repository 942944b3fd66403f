"""What can be asked: orders, their histories, the log, the outbox, commands, rejected messages, projections."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from events.order.stages import STAGES
from projections.asking import position
from projections.catalogue import PROJECTIONS
from projections.commands import queries as commands
from projections.orders import queries as orders
from projections.status import status
from service import audit, channels, operators, outbox, people, rejected
from service.hub import Hub
from service.onec import silence_status
from service.web.keys import HUB, IDENTITY, storage
from service.web.problems import problem
from service.web.schemas import History, OutboxPage, Page, json

MOST = 500
MOST_EVENTS = 10_000


async def order_list(request: web.Request) -> web.StreamResponse:
    """`GET /v1/orders?stage=&channel=&attention=&q=&after=&limit=`."""
    query = request.query
    with _Faulty():
        found, after = await orders.bodies(
            storage(request).pool, stage=_one_of(query, "stage", STAGES), channel=query.get("channel") or None,
            attention=query.get("attention") or None, q=query.get("q") or None, after=query.get("after") or None,
            limit=_limit(query, 50, orders.MOST),
        )  # fmt: skip
    return json(Page(orders.passed(found, kinds_of(request.app[HUB])), after))


async def one_order(request: web.Request) -> web.StreamResponse:
    """`GET /v1/orders/CHANNEL/NUMBER`."""
    key = order_key(request)
    found = await people.one(storage(request).pool, key)
    if found is None:
        raise web.HTTPNotFound(
            text=f"no order {key}: nobody ever spoke of it, or its first event was recorded just now"
        )
    return json(orders.present(found, kinds_of(request.app[HUB])))


async def history(request: web.Request) -> web.StreamResponse:
    """`GET /v1/orders/CHANNEL/NUMBER/history[?at=][&known_at=][&version=][&raw=1]`."""
    place, key, query = storage(request), order_key(request), request.query
    at, known_at, version = moment(query, "at"), moment(query, "known_at"), None
    with _Faulty():
        if query.get("version"):
            version = _whole(query, "version")
        if at is not None and version is not None:
            raise ValueError("at and version exclude each other; each goes with known_at")
    raw = query.get("raw", "") not in ("", "0")
    if raw and not request[IDENTITY].may("auditor"):
        raise web.HTTPForbidden(text="raw messages are for the roles auditor and admin")
    found = await audit.replay(place.log, key, at=at, known_at=known_at, version=version, raw=raw, pool=place.pool)
    past = at is not None or known_at is not None or version is not None
    if not found.events and not past:
        raise web.HTTPNotFound(text=f"no order {key}: nobody ever spoke of it")
    state: Any = msgspec.UNSET
    if past:
        kinds = kinds_of(request.app[HUB])
        state = orders.present(found.state, kinds) if found.state is not None else None
    return json(History(found.events, None, state, found.marks, found.erased, found.order))


async def events(request: web.Request) -> web.StreamResponse:
    """`GET /v1/events?after=POSITION&limit=N` as NDJSON."""
    with _Faulty():
        after, limit = position(request.query.get("after") or "0") or 0, _limit(request.query, 1000, MOST_EVENTS)
    found = await storage(request).log.read(after, limit)
    lines = [msgspec.json.encode(audit.event_json(event)) for event in found]
    return web.Response(body=b"".join(line + b"\n" for line in lines), content_type="application/x-ndjson")


async def outbox_page(request: web.Request) -> web.StreamResponse:
    """`GET /v1/outbox?after=CURSOR&limit=N`; 410 with the way on for a cursor from before a restore."""
    source, tells = request[IDENTITY].source, None
    if source is not None:
        tells = request.app[HUB].settings.onec.base(source).tells
    try:
        with _Faulty():
            limit = _limit(request.query, 100, MOST)
            after = request.query.get("after") or None
            items, cursor = await outbox.page(storage(request).log, after, limit, tells)
    except outbox.CursorExpired as expired:
        return problem(410, str(expired), cursor=expired.start)
    if request[IDENTITY].role == "onec":
        request.app[HUB].heard.polled(request[IDENTITY].base, int(cursor.rpartition("-")[2]))
    return json(OutboxPage(items, cursor))


async def command_list(request: web.Request) -> web.StreamResponse:
    """`GET /v1/commands?state=&order=&after=&limit=`."""
    query = request.query
    with _Faulty():
        found, after = await commands.listed(
            storage(request).pool, state=_one_of(query, "state", operators.STATES), order=query.get("order") or None,
            after=query.get("after") or None, limit=_limit(query, 50, MOST),
        )  # fmt: skip
    return json(Page(found, after))


async def channel_list(request: web.Request) -> web.StreamResponse:
    """`GET /v1/channels`: all of them."""
    known = request.app[HUB].settings.channels.values()
    return json(Page(await channels.rows(storage(request).pool, known, datetime.now(UTC)), None))


async def onec_status(request: web.Request) -> web.StreamResponse:
    """`GET /v1/onec`: 1C's bases and queues, and what calls for a person."""
    return json(await silence_status.status(storage(request).pool, request.app[HUB].settings))


async def rejected_list(request: web.Request) -> web.StreamResponse:
    """`GET /v1/rejected?after=&limit=`."""
    with _Faulty():
        found, after = await rejected.listed(
            storage(request).pool, request.query.get("after") or None, _limit(request.query, 50, MOST)
        )
    return json(Page(found, after))


async def projections(request: web.Request) -> web.StreamResponse:
    """`GET /v1/projections`."""
    place = storage(request)
    head = await place.log.head()
    return json(Page(await status(place.pool, list(PROJECTIONS.values()), head.position), None))


def order_key(request: web.Request) -> str:
    """The order a path names."""
    return f"{request.match_info['channel']}/{request.match_info['number']}"


def kinds_of(hub: Hub) -> dict[str, tuple[str, str]]:
    """Kind and model by channel."""
    return {name: (channel.kind, channel.model) for name, channel in hub.settings.channels.items()}


class _Faulty:
    """Turns a `ValueError` about what was asked into a 400."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError):
            raise web.HTTPBadRequest(text=f"the query is faulty: {error}") from error


def _limit(query: Mapping[str, str], usual: int, most: int) -> int:
    return min(_whole(query, "limit"), most) if query.get("limit") else usual


def _whole(query: Mapping[str, str], name: str) -> int:
    text = query[name]
    if re.fullmatch(r"0*[1-9][0-9]{0,18}", text) is None:
        raise ValueError(f"{name} is {text[:40]!r}, it must be a whole number, 1 or more")
    return int(text)


def _one_of(query: Mapping[str, str], name: str, known: Sequence[str]) -> str | None:
    """A filter; a misspelt one must not read as "there are none"."""
    value = query.get(name) or None
    if value is not None and value not in known:
        raise ValueError(f"{name} is {value[:40]!r}, there are {', '.join(known)}")
    return value


def moment(query: Mapping[str, str], name: str) -> datetime | None:
    """The time a query names; None where it names none."""
    text = query.get(name)
    if not text:
        return None
    try:
        # A plus sign that was not escaped arrives as a blank.
        found = datetime.fromisoformat(text.strip().replace(" ", "+") if text.count(":") > 2 else text.strip())
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{name}={text}: write a time as 2026-01-31T12:00:00Z") from error
    if found.tzinfo is None:
        raise web.HTTPBadRequest(text=f"{name}={text}: has no zone, write Z or +04:00 behind it")
    return found
