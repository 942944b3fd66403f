"""What comes in over HTTP: 1C's events and the marketplaces' callbacks, answered once they are durable."""

import hmac
from datetime import UTC, datetime
from urllib.parse import unquote

from aiohttp import web

from service.door import Unavailable
from service.onec.cloudevents import BATCH, Message, Unreadable
from service.onec.reading import read
from service.passing import notice_message
from service.settings import Settings
from service.tokens import Identity
from service.understanding import understand
from service.web.keys import HUB, IDENTITY
from service.web.problems import problem
from service.web.schemas import Accepted, json

MAX_BODY = 8 * 1024 * 1024
"""Bytes of one request; a larger one gets 413."""

BINARY = ("id", "source", "type", "subject", "time")


async def post_events(request: web.Request) -> web.StreamResponse:
    """Takes CloudEvents; one that can't be understood refuses the whole request, and its sender is told at once."""
    hub = request.app[HUB]
    messages = read(await request.read(), _envelope(request), hub.settings)
    errors, good = [], list[Message]()
    for message in messages:
        try:
            good.append(_understood(message, hub.settings, request.get(IDENTITY)))
        except Unreadable as error:
            errors.append({"pointer": error.pointer, "detail": error.detail})
    if errors:
        return problem(400, f"nothing was taken: {len(errors)} of {len(messages)} events are faulty", errors=errors)
    await hub.door.submit(good, "http")
    return json(Accepted(len(good)), 202)


def _understood(message: Message | Unreadable, settings: Settings, identity: Identity | None) -> Message:
    if isinstance(message, Message) and identity is not None and identity.source is not None:
        own = identity.base
        if message.source.strip() != own:
            named = f"source is {message.source[:40]!r}, and this token is for {own} only"
            detail = f"{named}: leave source out, or take that base's token"
            raise Unreadable("reserved_source", detail, message.pointer("/source"))
    understand(message, settings)
    assert isinstance(message, Message)
    return message


def _envelope(request: web.Request) -> dict[str, str]:
    """CloudEvents' attributes from `ce-` headers, percent-encoded as its HTTP binding wants them: binary mode."""
    kind = request.content_type if "Content-Type" in request.headers else ""
    named = {name: unquote(request.headers.get(f"ce-{name}", "")).strip() for name in BINARY}
    found = {name: value for name, value in named.items() if value}
    identity = request.get(IDENTITY)
    if "source" not in found and identity is not None:
        found["source"] = identity.base
    return {"content_type": kind if kind != BATCH else "", **found}


async def hook(request: web.Request) -> web.StreamResponse:
    """Takes a marketplace's callback; a wrong channel and a wrong secret are the same 404."""
    hub, now = request.app[HUB], datetime.now(UTC)
    channel = hub.settings.channels.get(request.match_info["channel"])
    expected = channel.hook_secret if channel is not None else None
    if channel is None or not expected or not hmac.compare_digest(
        request.match_info["secret"].encode(), expected.encode()
    ):  # fmt: skip
        raise web.HTTPNotFound(text="no such hook")
    body = await request.read()
    headers = {name.lower(): value for name, value in request.headers.items()}
    answer = channel.marketplace.hook(request.match_info.get("tail", ""), headers, body, now)
    if answer.notices:
        messages = [notice_message(channel.name, notice, body) for notice in answer.notices]
        try:
            await hub.door.submit(messages, "hook")
        except Unavailable as error:
            raise web.HTTPServiceUnavailable(text=str(error)) from error
    return json(answer.body, answer.status)
