"""Exports over HTTP, streamed: neither the log's size nor a slow reader costs memory or a connection to Postgres."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import structlog
from aiohttp import web

from service.exports import FORMATS, WHAT, Asked, Export, NothingThere
from service.web.keys import HUB, IDENTITY, storage
from service.web.reading import kinds_of, moment

logger = structlog.get_logger()


async def export(request: web.Request) -> web.StreamResponse:
    """`GET /v1/export/{what}?format=&order=&channel=&since=&until=&personal=&bom=`: events or orders as a file."""
    asked = _asked(request)
    made = Export(storage(request).pool, asked, kinds_of(request.app[HUB]))
    who = request[IDENTITY]
    async with aclosing(made.pieces()) as pieces:
        try:
            first = await anext(pieces)  # what is wrong is said before there is an answer
        except NothingThere as error:
            raise web.HTTPNotFound(text=str(error)) from error
        response = web.StreamResponse(headers={
            "Content-Type": FORMATS[asked.format], "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{asked.what}.{asked.format}"',
        })  # fmt: skip
        await response.prepare(request)
        if request.method != "HEAD":
            logger.info("exports", what=asked.what, personal=asked.personal, by=f"{who.role}/{who.name}")
            await sent(request, response, first, pieces)
    return response


async def sent(request: web.Request, response: web.StreamResponse, first: bytes, rest: AsyncIterator[bytes]) -> None:
    """Sends the pieces; an answer that fails half-way is cut off, since it can't be called anything else any more."""
    try:
        await response.write(first)
        async for piece in rest:
            await response.write(piece)
        await response.write_eof()
    except ConnectionError:  # the reader has gone
        return
    except Exception as error:
        logger.warning("an export failed half-way", error=repr(error))
        if request.transport is not None:
            request.transport.abort()


def _asked(request: web.Request) -> Asked:
    query, what = request.query, request.match_info["what"]
    if what not in WHAT:
        raise web.HTTPNotFound(text=f"no export of {what}: there are {', '.join(WHAT)}")
    form = query.get("format") or "jsonl"
    if form not in FORMATS:
        raise web.HTTPBadRequest(text=f"format is {form[:40]!r}, there are {', '.join(FORMATS)}")
    return Asked(
        what=what, format=form, order=query.get("order") or None, channel=query.get("channel") or None,
        since=moment(query, "since"), until=moment(query, "until"), personal=_flag(query.get("personal"), "personal"),
        bom=_flag(query.get("bom"), "bom"),
    )  # fmt: skip


def _flag(text: str | None, name: str) -> bool:
    if text not in (None, "", "0", "1"):
        raise web.HTTPBadRequest(text=f"{name} is {text[:40]!r}, it must be 1 or nothing")
    return text == "1"
