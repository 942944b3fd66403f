"""Errors as they are answered: `application/problem+json` (RFC 9457) for programs, a page for browsers."""

import json
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web

from events.log import LogUnavailable
from service.door import Unavailable
from service.web import pages

logger = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def problem(status: int, detail: str, *, errors: Sequence[dict[str, Any]] = (), **more: Any) -> web.Response:
    """A problem as JSON; `errors` are `{pointer, detail}`."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    body |= {"errors": list(errors)} if errors else {}
    text = json.dumps(body | more, ensure_ascii=False)
    return web.Response(status=status, text=text, content_type="application/problem+json")


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns what was raised into an answer."""
    if "\0" in request.path or any("\0" in value for value in request.query.values()):
        return await _response(request, 400, "the address holds the character U+0000, which no text of ours can")
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        headers = {k: v for k, v in error.headers.items() if k in ("WWW-Authenticate", "Allow", "Retry-After")}
        response = await _response(request, error.status, _said(request, error))
        response.headers.update(headers)
        return response
    except web.RequestPayloadError:  # what came is no chunked or compressed body
        return await _response(request, 400, "the body can't be read: its Content-Encoding or length is not what came")
    except (LogUnavailable, Unavailable) as error:
        response = await _response(request, 503, f"can't be answered now: {error}")
        response.headers["Retry-After"] = "5"
        return response
    except Exception:
        resource = request.match_info.route.resource  # not the path: a hook's holds a secret
        logger.exception("request failed", method=request.method, resource=resource.canonical if resource else None)
        return await _response(request, 500, "an error of the hub's own: its log says more")


def _said(request: web.Request, error: web.HTTPException) -> str:
    """Why; the router's own errors say no more than their number."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{request.method} is not for this address: it takes {', '.join(sorted(error.allowed_methods))}"
    if isinstance(error, web.HTTPNotFound) and error.text == f"404: {error.reason}":
        return "there is no such address: /openapi.json lists them"
    return error.text or error.reason


async def _response(request: web.Request, status: int, detail: str) -> web.StreamResponse:
    wants_page = "text/html" in request.headers.get("Accept", "") and not request.path.startswith(("/v1/", "/hooks/"))
    if not wants_page:
        return problem(status, detail)
    if status in (401, 403):
        return await pages.sign_in_page(request, status)
    return await pages.error_page(request, status, detail)
