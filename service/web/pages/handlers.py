"""The pages: current orders, one order and its story, commands, rejected messages.

Whoever may read gets them: operators, auditors, admins. Each page is whole without scripts; htmx asks for the same
address again every few seconds and takes the part with the id `live` out of the answer.
"""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from aiohttp import web

from events.order.stages import STAGES
from projections.commands import queries as commands
from projections.orders import queries as orders
from service import audit, channels, rejected
from service.database import Pool
from service.onec import silence_status
from service.settings import Settings
from service.web.keys import hub, storage
from service.web.pages.asof import AsOf, as_of
from service.web.pages.orders import WARNING, dues, goods_total, nearest, path, person
from service.web.pages.page import identity, language, render, sign_in_page, speech, static_file
from service.web.pages.speech import Speech
from service.web.pages.timeline import entries, pretty
from service.web.pages.verdicts import told

PAGE = 50
"""Rows on a page."""

COMMANDS_OF_ONE = 500
"""Commands of one order that are looked up; an order has some twenty."""

COUNT_SECONDS = 0.02
"""Seconds a page waits for new counts where there are old ones to show."""

FILTERS = ("stage", "channel", "attention", "q")

STATES = ("failed", "waiting", "done", "withdrawn", "withheld")
"""Which commands can be asked for."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes() -> list[web.AbstractRouteDef]:
    """The pages, and the files they need."""
    return [
        web.get("/", guarded(_Orders())),
        web.get("/attention", guarded(attention)),
        web.get("/orders/{channel}/{number:.+}", guarded(one_order)),
        web.get("/commands", guarded(all_commands)),
        web.get("/rejected", guarded(all_rejected)),
        web.get("/language/{code}", language),
        web.get("/static/{hash}/{name}", static_file),
    ]


def guarded(handler: Handler) -> Handler:
    """A page for operators, auditors and admins; the others are asked to sign in."""

    @functools.wraps(handler, updated=())
    async def checked(request: web.Request) -> web.StreamResponse:
        who = identity(request)
        if who is None:
            return await sign_in_page(request, 401)
        if not who.may("operator", "auditor"):
            return await sign_in_page(request, 403)
        return await handler(request)

    return checked


class _Orders:
    """The list of current orders.

    The counts on top read every order, so they are asked for anew only after twenty times as long as they took: however
    many people look, Postgres spends a twentieth of its time on them. Among millions they take a second; then a page
    shows the last ones and does not wait.
    """

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, int]] = {}
        self._good_until = 0.0
        self._counting: asyncio.Task[None] | None = None

    async def __call__(self, request: web.Request) -> web.Response:
        pool, settings, say = storage(request).pool, hub(request).settings, speech(request)
        asked = {name: _asked(request, name) for name in FILTERS}
        after = _asked(request, "after")
        with _cursor(after, say):
            found, following = await orders.listed(pool, **asked, after=after, limit=PAGE)
        counts = await self._counted(pool)
        context = {
            "rows": [_row(row, settings, say) for row in found],
            "next": following,
            "later": after is not None,
            "asked": asked,
            "filtered": any(asked.values()) or after is not None,
            "counts": counts,
            "notes": await _notes(pool, settings, say.now),
            "warnings": await silence_status.warned(pool, settings),
            "stages": STAGES,
            "channels": _choices(settings.channels, asked["channel"]),
            "codes": [code for code in _choices(counts["attention"], asked["attention"]) if code != "any"],
        }
        return render(request, "orders.html", context, said=say)

    async def _counted(self, pool: Pool) -> dict[str, dict[str, int]]:
        if self._counting is None and time.monotonic() >= self._good_until:
            self._counting = asyncio.create_task(self._count(pool))
            self._counting.add_done_callback(_heard)
        if self._counting is not None:
            ended, _ = await asyncio.wait([self._counting], timeout=COUNT_SECONDS if self._counts else None)
            for task in ended:
                task.result()
        return self._counts

    async def _count(self, pool: Pool) -> None:
        began = time.monotonic()
        try:
            self._counts = await orders.counts(pool)
            self._good_until = time.monotonic() + 20 * (time.monotonic() - began)
        finally:
            self._counting = None


def _heard(task: asyncio.Task[None]) -> None:
    """Whoever still waits for the counts is told why there are none; asyncio need not tell it to the log besides."""
    if not task.cancelled():
        task.exception()


async def _notes(pool: Pool, settings: Settings, now: datetime) -> list[channels.ChannelRow]:
    """Channels a person should look at."""
    rows = await channels.rows(pool, settings.channels.values(), now)
    return [row for row in rows if row.attention]


def _row(order: orders.OrderRow, settings: Settings, say: Speech) -> dict[str, Any]:
    channel = settings.channels.get(order.channel)
    warning = channel.deadline_warning if channel is not None else WARNING
    return {"order": order, "steps": path(order), "due": nearest(order, say.now, warning)}


async def attention(_: web.Request) -> web.StreamResponse:
    """Orders somebody should look at."""
    raise web.HTTPFound("/?attention=any")


async def one_order(request: web.Request) -> web.Response:
    """One order and everything that happened to it, from the log itself; as of a moment where one is asked about."""
    key = f"{request.match_info['channel']}/{request.match_info['number']}"
    store, settings, say, who = storage(request), hub(request).settings, speech(request), identity(request)
    then = _then(request, say)
    replay = audit.Replay([], None) if "\0" in key else await audit.replay(
        store.log, key, at=then.at, known_at=then.known_at, version=then.version, pool=store.pool, personal=True,
        raw=who is not None and who.may("auditor"),
    )  # fmt: skip
    if replay.state is None:
        raise web.HTTPNotFound(text=say.text("error.no_order_then" if then.past else "error.no_order", order=key))
    if replay.order != key:  # a document of 1C's
        raise web.HTTPFound(request.rel_url.with_path(f"/orders/{replay.order}"))
    channel = settings.channels.get(replay.state.channel)
    kinds = {} if channel is None else {channel.name: (channel.kind, channel.model)}
    order = orders.present(replay.state, kinds)
    personal = replay.personal or {}
    standing, _ = ([], None) if then.past else await commands.listed(store.pool, order=key, limit=COMMANDS_OF_ONE)
    context = {
        "order": order,
        "steps": path(order),
        "person": person(personal),
        "dues": dues(order, then.moment or say.now, channel.deadline_warning if channel is not None else WARNING),
        "goods_total": goods_total(order.lines),
        "story": entries(replay.events, standing, personal, say),
        "marks": told(replay.marks, say),
        "erased": replay.erased,
        "then": then,
    }
    if then.past:  # what is over can't be acted on
        context["may_act"] = False
    return render(request, "order.html", context, said=say)


def _then(request: web.Request, say: Speech) -> AsOf:
    try:
        return as_of(request.query, say.zone)
    except ValueError as error:
        raise web.HTTPBadRequest(text=say.text("error.bad_moment")) from error


async def all_commands(request: web.Request) -> web.Response:
    """What must still be done or told, and why it is stuck; `state` as of `okno commands`."""
    state, after, say = _asked(request, "state"), _asked(request, "after"), speech(request)
    with _cursor(after, say):
        found, following = await commands.listed(storage(request).pool, state=state, after=after, limit=PAGE)
    context = {
        "commands": found,
        "next": following,
        "later": after is not None,
        "state": state,
        "states": _choices(STATES, state),
    }
    return render(request, "commands.html", context, said=say)


async def all_rejected(request: web.Request) -> web.Response:
    """Messages nobody could understand, whole."""
    after, say = _asked(request, "after"), speech(request)
    with _cursor(after, say):
        found, following = await rejected.listed(storage(request).pool, after, PAGE)
    messages = [(row, pretty(row.body)) for row in found]
    context = {"messages": messages, "next": following, "later": after is not None}
    return render(request, "rejected.html", context, said=say)


@contextmanager
def _cursor(after: str | None, say: Speech) -> Iterator[None]:
    """Turns a cursor that is none into 400."""
    try:
        yield
    except ValueError as error:
        if after is None:
            raise
        raise web.HTTPBadRequest(text=say.text("error.bad_cursor")) from error


def _asked(request: web.Request, name: str) -> str | None:
    """A parameter, if it says anything. Postgres takes no U+0000 in texts, so that is left out."""
    return request.query.get(name, "").replace("\0", "").strip() or None


def _choices(known: Iterable[str], asked: str | None) -> list[str]:
    """What can be chosen, and what is: it may be a name from long ago."""
    found = list(known)
    return found if asked is None or asked in found else [*found, asked]
