"""What handlers find in the application and in a request."""

from typing import Final

from aiohttp import web

from service.hub import Hub, Storage
from service.tokens import Identity

HUB: Final = web.AppKey("hub", Hub)
IDENTITY: Final = web.RequestKey("identity", Identity)


def hub(request: web.Request) -> Hub:
    """The running hub."""
    return request.app[HUB]


def storage(request: web.Request) -> Storage:
    """What stands on Postgres; 503 while it was not reached yet since the start."""
    found = hub(request).storage
    if found is None:
        raise web.HTTPServiceUnavailable(text="Postgres was not reached yet since the start: try again in a moment")
    return found
