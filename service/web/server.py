"""The hub's HTTP server: routes, who may call them, and how errors are answered."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from service.hub import Hub
from service.web import acting, auth, exchange, incoming, openapi, pages
from service.web.keys import HUB
from service.web.problems import answered
from service.web.routes import EVERYBODY, ROUTES
from service.web.schemas import json

SHUTDOWN_SECONDS = 2.0


class AddressTaken(Exception):
    """Nothing can listen there; the message says what to do."""


def application(hub: Hub) -> web.Application:
    """The server as an application."""
    app = web.Application(middlewares=[answered, auth.identity], client_max_size=incoming.MAX_BODY)
    app[HUB], app[auth.KNOWN], app[acting.REBUILDS] = hub, auth.Known(), {}
    for route in ROUTES:
        handler = route.handler if route.roles is None else auth.allowed(route.roles, route.handler)
        app.router.add_route(route.method, route.path, handler)
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, handler)
    description = openapi.document(ROUTES)

    async def described(_: web.Request) -> web.StreamResponse:
        return json(description)

    app.router.add_get("/openapi.json", auth.allowed(EVERYBODY, described))
    app.router.add_post("/hooks/{channel}/{secret}", incoming.hook)
    app.router.add_post("/hooks/{channel}/{secret}/{tail:.*}", incoming.hook)
    exchange.add_routes(app)
    app.router.add_get("/login", auth.login)
    app.router.add_post("/login", auth.login)
    app.router.add_post("/logout", auth.logout)
    app.add_routes(pages.routes())
    app.on_shutdown.append(_end_rebuilds)
    return app


async def _end_rebuilds(app: web.Application) -> None:
    """A rebuild cut off here is taken up again where it was."""
    running = list(app[acting.REBUILDS].values())
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


@asynccontextmanager
async def serve(hub: Hub) -> AsyncIterator[str]:
    """Serves until left; gives the address."""
    http = hub.settings.http
    runner = web.AppRunner(application(hub), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, http.host, http.port, reuse_address=True)
        try:
            await site.start()
        except (OSError, socket.gaierror) as error:
            raise AddressTaken(
                f"can't listen on {http.host}:{http.port} ({error.strerror}): change http.host or http.port"
            ) from error
        host, port = runner.addresses[0][:2]
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        await runner.cleanup()
