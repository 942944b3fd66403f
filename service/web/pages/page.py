"""Pages as answers: templates, static files, headers, the reader's language.

Templates escape everything (`autoescape`) and know no undefined name. The policy allows scripts and styles from this
host only, and none inline, so that even a hole in the escaping would run nothing.
"""

import hashlib
import mimetypes
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import jinja2
import msgspec
from aiohttp import web

from service.tokens import Identity
from service.web.keys import IDENTITY, hub
from service.web.pages.speech import LANGUAGES, Speech, chosen

HERE: Final = Path(__file__).parent
COOKIE: Final = "okno_lang"
YEAR: Final = 31_536_000

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",  # pages hold personal data
    "Vary": "Accept-Language, Cookie, Authorization",
}


class Asset(msgspec.Struct, frozen=True):
    """A static file and the hash in its address."""

    body: bytes
    hash: str
    type: str


@cache
def assets() -> dict[str, Asset]:
    """The static files by name."""
    found = {}
    for path in sorted((HERE / "static").iterdir()):
        if path.suffix in (".css", ".js", ".svg"):
            body, type = path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            found[path.name] = Asset(body, hashlib.sha256(body).hexdigest()[:12], type)
    return found


def static(name: str) -> str:
    """The address of a static file, another one whenever its content is."""
    return f"/static/{assets()[name].hash}/{name}"


def address(path: str, **query: str | None) -> str:
    """A path with the parameters that are there."""
    kept = {key: value for key, value in query.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


@cache
def templates() -> jinja2.Environment:
    """The templates."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals |= {"static": static, "address": address, "seconds": lambda count: timedelta(seconds=count)}
    return environment


def speech(request: web.Request) -> Speech:
    """How to speak to this reader."""
    language = chosen(request.cookies.get(COOKIE), request.headers.get("Accept-Language", ""))
    return Speech(language, hub(request).settings.timezone, datetime.now(UTC))


def identity(request: web.Request) -> Identity | None:
    """Who reads, if anybody said."""
    return request.get(IDENTITY)


def render(
    request: web.Request, template: str, context: Mapping[str, Any] | None = None, *,
    status: int = 200, said: Speech | None = None,
) -> web.Response:  # fmt: skip
    """A template as an answer. `said`: the speech the context was made with."""
    say, who = said or speech(request), identity(request)
    names = {
        "say": say, "t": say.text, "who": who, "may_act": who is not None and who.may("operator"),
        "here": request.path_qs, "path": request.path,
    }  # fmt: skip
    text = templates().get_template(template).render(names | dict(context or {}))
    answer = web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)
    answer.headers["Content-Language"] = say.language
    answer.enable_compression()
    return answer


async def sign_in_page(request: web.Request, status: int) -> web.Response:
    """Asks for a token: nobody signed in (401), or with a token that may not look at pages (403)."""
    refused = request.path == "/login" and (request.method == "POST" or "token" in request.query)
    return render(request, "sign_in.html", {"refused": refused}, status=status)


async def error_page(request: web.Request, status: int, text: str) -> web.Response:
    """Says what is wrong; `text` in addition to what the status itself means, unless it is only the status's name."""
    text = "" if text == f"{status}: {HTTPStatus(status).phrase}" else text
    say = speech(request)
    title = f"error.title_{status}" if say.knows("error", f"title_{status}") else "error.title_other"
    return render(request, "error.html", {"status": status, "title": say.text(title), "text": text}, status=status)


async def static_file(request: web.Request) -> web.Response:
    """A static file, to be kept for as long as its content is this one."""
    asset = assets().get(request.match_info["name"])
    if asset is None:
        raise web.HTTPNotFound
    same = request.match_info["hash"] == asset.hash
    kept = f"public, max-age={YEAR}, immutable" if same else "no-cache"
    headers = {"Cache-Control": kept, "X-Content-Type-Options": "nosniff"}
    answer = web.Response(body=asset.body, content_type=asset.type, charset="utf-8", headers=headers)
    answer.enable_compression()
    return answer


async def language(request: web.Request) -> web.Response:
    """Keeps the reader's choice of language and leads back to where he was, on this host only."""
    code, back = request.match_info["code"], request.query.get("back", "/")
    if code not in LANGUAGES:
        raise web.HTTPNotFound
    own = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable()
    answer = web.HTTPSeeOther(back if own else "/")
    answer.set_cookie(COOKIE, code, max_age=YEAR, samesite="Lax", path="/")
    raise answer
