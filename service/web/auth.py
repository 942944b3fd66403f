"""Who calls: a bearer token in the header, or the same token in the cookie that a sign-in has set.

Tokens are looked up in Postgres and remembered for a second; while Postgres is away what is remembered goes on
counting, so that a broker alone is enough to take messages.
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from events.log import LogUnavailable
from service import tokens
from service.tokens import Identity
from service.web import pages
from service.web.keys import HUB, IDENTITY, storage

COOKIE: Final = "okno_token"
REMEMBERED_SECONDS: Final = 1.0
"""How long a token that has ended may go on counting; each token costs Postgres no more than a look in that time."""

KEPT: Final = 1000
COOKIE_SECONDS: Final = 30 * 24 * 3600
SAFE: Final = ("GET", "HEAD", "OPTIONS")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Known:
    """Tokens seen lately and whose they are."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, Identity]] = {}

    async def whose(self, request: web.Request, token: str) -> Identity | None:
        """Whose token this is; `LogUnavailable` where nobody can tell now."""
        at, identity = self._found.get(token, (float("-inf"), None))
        if identity is not None and time.monotonic() - at < REMEMBERED_SECONDS:
            return identity
        try:
            found = await self._looked_up(request, token)
        except (LogUnavailable, TimeoutError) as error:
            if identity is not None:
                return identity
            raise LogUnavailable(f"whose token this is can't be looked up: {error}") from error
        self._keep(token, found)
        return found

    async def _looked_up(self, request: web.Request, token: str) -> Identity | None:
        place = request.app[HUB].storage
        if place is None:
            raise LogUnavailable("Postgres was not reached yet")
        async with asyncio.timeout(2):
            return await tokens.find(place.pool, token)

    def _keep(self, token: str, found: Identity | None) -> None:
        self._found.pop(token, None)
        if found is not None:
            while len(self._found) >= KEPT:
                self._found.pop(next(iter(self._found)))
            self._found[token] = (time.monotonic(), found)


KNOWN: Final = web.AppKey("known", Known)


@web.middleware
async def identity(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Finds out who calls, where a token says so."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(COOKIE, "")
        if token and request.method not in SAFE and not _from_our_pages(request):
            raise web.HTTPForbidden(text="this request comes from another site's page")
    if token.strip():
        found = await request.app[KNOWN].whose(request, token.strip())
        if found is not None:
            request[IDENTITY] = found
    return await handler(request)


def _from_our_pages(request: web.Request) -> bool:
    """A browser says where a request comes from; a cookie alone must not be enough."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    return origin is None or hmac.compare_digest(urlsplit(origin).netloc, request.host)


def allowed(roles: tuple[str, ...], handler: Handler) -> Handler:
    """A handler for these roles only; 401 without a token that is known, 403 with another role's."""

    async def checked(request: web.Request) -> web.StreamResponse:
        found = request.get(IDENTITY)
        if found is None:
            raise web.HTTPUnauthorized(
                text="no valid token: send `Authorization: Bearer TOKEN`; `okno token add` makes one",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if not found.may(*roles):
            raise web.HTTPForbidden(text=f"the role {found.role} may not do this: it takes {' or '.join(roles)}")
        return await handler(request)

    return checked


async def login(request: web.Request) -> web.StreamResponse:
    """Signs a browser in with a token, from a link (`?token=`) or a form."""
    form = await request.post() if request.method == "POST" else request.query
    token = str(form.get("token", "")).strip()
    storage(request)
    if not token or await request.app[KNOWN].whose(request, token) is None:
        return await pages.sign_in_page(request, 401)
    response = web.HTTPSeeOther("/")
    response.set_cookie(
        COOKIE, token, max_age=COOKIE_SECONDS, httponly=True, samesite="Lax", secure=request.secure, path="/"
    )
    raise response


async def logout(_: web.Request) -> web.StreamResponse:
    """Signs a browser out."""
    response = web.HTTPSeeOther("/")
    response.del_cookie(COOKIE, path="/")
    raise response
