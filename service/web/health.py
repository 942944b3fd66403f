"""Whether the hub lives, whether it can take messages, and its numbers."""

import asyncio

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from events.log import LogUnavailable, is_transient
from projections import follow
from projections.catalogue import PROJECTIONS
from projections.status import status as projection_status
from service import metrics, rejected
from service.hub import Storage
from service.onec import silence_status
from service.web.keys import HUB, storage
from service.web.schemas import Health, Readiness, json

PATIENCE = 1.0
"""Seconds Postgres has to answer before it counts as away."""


async def healthz(_: web.Request) -> web.StreamResponse:
    """`GET /healthz`: the process runs."""
    return json(Health(True))


async def readyz(request: web.Request) -> web.StreamResponse:
    """`GET /readyz`: 503 only where `POST /v1/events` would be 503."""
    hub = request.app[HUB]
    broker = hub.publisher.up if hub.publisher is not None else None
    lag = await _lag(hub.storage) if hub.storage is not None else None
    return json(Readiness(broker, lag is not None, lag), 200 if broker or lag is not None else 503)


async def _lag(place: Storage) -> int | None:
    """Events the slowest projection has still to show; None while Postgres is away."""
    try:
        async with asyncio.timeout(PATIENCE):
            head = await place.log.head()
            return head.position - await follow.slowest(place.pool, list(PROJECTIONS.values()))
    except Exception as error:
        if isinstance(error, LogUnavailable) or is_transient(error):
            return None
        raise


async def numbers(request: web.Request) -> web.StreamResponse:
    """`GET /metrics` for Prometheus."""
    place = storage(request)
    head = await place.log.head()
    metrics.HEAD.set(head.position)
    metrics.LINKS.set(head.links)
    metrics.REACTOR_LAG.set(head.position - (await place.work.progress("reactor"))[0])
    for status in await projection_status(place.pool, list(PROJECTIONS.values()), head.position):
        metrics.PROJECTION_LAG.labels(status.name).set(status.lag)
    metrics.REJECTED.set(await rejected.count(place.pool))
    await silence_status.measured(place.pool, request.app[HUB].settings)
    for target, lanes, oldest in await place.work.waiting():
        metrics.WAITING.labels(target).set(lanes)
        metrics.OLDEST.labels(target).set(oldest)
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
