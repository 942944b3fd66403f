"""How Ozon says no.

`{"code", "message", "details"}` with gRPC's numbers, or the older `{"error": {"code", "message", "data"}}` [C6]; a 502
is nginx's page [C6]. The message holds a key such as POSTING_ALREADY_SHIPPED, and may hold more: keys are looked for in
it [C]; facts 8.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from service.marketplaces import lenient
from service.marketplaces.ozon import values
from service.marketplaces.port import Limit, Reply

CIRCLE: Final = "circle is open"
CLOSED_FOR: Final = timedelta(seconds=30)
"""A method closed by load is open again "in a few minutes" [S], facts 8; so often it is tried whether it is."""

_NOT_FOUND, _FORBIDDEN, _LIMIT, _NO_KEY = 5, 7, 8, 16
_KEY = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_NO = (400, 404, 409)


@dataclass(frozen=True)
class Failure:
    """`code`: gRPC's number; `key`: what names the fault in the message."""

    code: int | None
    message: str
    key: str | None


def failure(reply: Reply) -> Failure:
    """What a bad answer says; nothing where it is no JSON."""
    told = lenient.body(reply.body)
    error = lenient.inside(told, "error")
    if isinstance(error, dict):
        told = error
    code = values.number(lenient.inside(told, "code"))
    raw = values.text(lenient.inside(told, "message")) or (error if isinstance(error, str) else "")
    words = values.text(lenient.inside(told, "code")) if code is None else None
    return Failure(int(code) if code is not None else None, raw or words or "", key(raw or words or ""))


def key(message: str) -> str | None:
    """The key in a message."""
    found = _KEY.search(message)
    return found[0] if found is not None else None


def closed(reply: Reply) -> bool:
    """Whether Ozon has closed this method for some minutes."""
    return reply.status != 200 and CIRCLE in failure(reply).message.lower()


def limited(reply: Reply) -> bool:
    """Whether a limit was hit: certainly nothing was done."""
    told = failure(reply)
    return reply.status == 429 or (reply.status != 200 and (told.code == _LIMIT or CIRCLE in told.message.lower()))


def key_refused(reply: Reply) -> bool:
    """Whether the key is unknown, expired, or lacks a right."""
    return reply.status in (401, 403) or (400 <= reply.status < 500 and failure(reply).code in (_FORBIDDEN, _NO_KEY))


def missing(reply: Reply) -> bool:
    """Whether Ozon says that there is no such thing."""
    return no(reply) and (reply.status == 404 or failure(reply).code == _NOT_FOUND)


def no(reply: Reply) -> bool:
    """Whether Ozon says no to this one, rather than that it can't answer."""
    return reply.status in _NO and not limited(reply) and not key_refused(reply)


def free_at(reply: Reply, now: datetime) -> datetime | None:
    """When a refused method is free again; None where the answer does not tell."""
    known = limit(reply, now)
    return known.until if known is not None and known.remaining == 0 else None


def limit(reply: Reply, now: datetime) -> Limit | None:
    """What an answer tells of its method's limit.

    [C10] headers since 25.09.2026, names unverified: used where they are, never relied on; facts 8.
    """
    if closed(reply):
        return Limit(0, now + CLOSED_FOR)
    after, left = (reply.headers.get(name, "").strip() for name in ("retry-after", "ratelimit-remaining"))
    if reply.status == 429:
        seconds = values.number(after)
        return Limit(0, now + timedelta(seconds=float(seconds))) if seconds is not None and seconds > 0 else None
    return Limit(int(left), now + timedelta(seconds=1)) if left.isascii() and left.isdigit() else None
