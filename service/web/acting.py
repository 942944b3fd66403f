"""What a person can do over HTTP: retry, resubmit, rebuild, settle attention. Who did it stands in the log."""

import asyncio

import msgspec
import structlog
from aiohttp import web

from projections.catalogue import PROJECTIONS
from projections.differences import Found
from projections.filling import Report
from projections.rebuild import Outcome, rebuild
from service import labels, operators, rejected
from service.marketplaces.port import CallFailed, Refused
from service.operators import NoSuchCommand, NothingToDo
from service.rejected import StillRejected
from service.web.keys import HUB, IDENTITY, storage
from service.web.reading import order_key
from service.web.schemas import Done, json

logger = structlog.get_logger()

PRINTED = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
"""A label is a marketplace's own page: it is shown, and runs nothing."""

REBUILDS = web.AppKey("rebuilds", dict[str, "asyncio.Task[Outcome]"])


async def retry(request: web.Request) -> web.StreamResponse:
    """`POST /v1/commands/ID/retry`: a refused or given-up command is tried again."""
    place, id = storage(request), request.match_info["id"]
    try:
        await operators.retry(place.log, place.pool, id, actor(request))
    except NoSuchCommand as error:
        raise web.HTTPNotFound(text=str(error)) from error
    except NothingToDo as error:
        raise web.HTTPConflict(text=str(error)) from error
    return json(Done(f"command {id} will be tried again"), 202)


async def resubmit(request: web.Request) -> web.StreamResponse:
    """`POST /v1/rejected/ID/resubmit`: takes a rejected message once more, as it came."""
    place, id = storage(request), request.match_info["id"]
    intake = request.app[HUB].door.intake
    if intake is None:
        raise web.HTTPServiceUnavailable(text="Postgres was not reached yet since the start: try again in a moment")
    try:
        if not await rejected.resubmit(place.pool, intake, id):
            raise web.HTTPNotFound(text=f"no rejected message {id}")
    except StillRejected as error:
        raise web.HTTPConflict(text=f"it still can't be understood: {error}") from error
    return json(Done(f"message {id} was taken"), 202)


async def label(request: web.Request) -> web.StreamResponse:
    """`GET /v1/orders/CHANNEL/NUMBER/label`: the labels of its boxes, as the marketplace prints them now."""
    key = order_key(request)
    channel = request.app[HUB].settings.channels.get(key.partition("/")[0])
    if channel is None:
        raise web.HTTPNotFound(text=f"no channel of {key}: /v1/channels shows what there is")
    try:
        found = await labels.label(storage(request).log, channel, key)
    except CallFailed as error:
        raise web.HTTPBadGateway(text=f"the marketplace gave no label: {error}: try again") from error
    if found is None:
        raise web.HTTPNotFound(text=f"{channel.kind} {channel.model} prints no labels over its API")
    if isinstance(found, Refused):
        raise web.HTTPConflict(text=f"{found.code}: {found.message}" + (f": {found.hint}" if found.hint else ""))
    return web.Response(body=found.content, headers={"Content-Type": found.content_type, **PRINTED})


async def clear_attention(request: web.Request) -> web.StreamResponse:
    """`POST /v1/orders/CHANNEL/NUMBER/attention/CODE/clear`: a person has looked."""
    code = request.match_info["code"]
    try:
        await operators.clear_attention(storage(request).log, order_key(request), code, actor(request))
    except NothingToDo as error:
        raise web.HTTPConflict(text=str(error)) from error
    return json(Done(f"{code} is settled"), 202)


async def rebuild_projection(request: web.Request) -> web.StreamResponse:
    """`POST /v1/projections/NAME/rebuild`: begins a rebuild beside the live tables; `GET /v1/projections` shows it."""
    place, name = storage(request), request.match_info["name"]
    projection, running = PROJECTIONS.get(name), request.app[REBUILDS]
    if projection is None:
        raise web.HTTPNotFound(text=f"no projection {name}: there are {', '.join(PROJECTIONS)}")
    if name not in running:
        task = asyncio.create_task(rebuild(place.pool, projection, report=_Logged(name)))
        running[name] = task
        task.add_done_callback(lambda done: _ended(running, name, done))
    return json(Done(f"{name} is being rebuilt"), 202)


class _Logged(Report):
    """Says in the log what a rebuild nobody watches will change."""

    def __init__(self, name: str) -> None:
        self._name = name

    def compared(self, found: Found) -> None:
        """Before the swap."""
        logger.info("rebuild compared", projection=self._name, **msgspec.structs.asdict(found))


def _ended(running: dict[str, "asyncio.Task[Outcome]"], name: str, task: "asyncio.Task[Outcome]") -> None:
    running.pop(name, None)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("rebuild failed; begin it again, what is done is kept", projection=name, error=repr(error))


def actor(request: web.Request) -> str:
    """Who does this, as the log names him."""
    identity = request[IDENTITY]
    return f"{identity.role}/{identity.name}"
