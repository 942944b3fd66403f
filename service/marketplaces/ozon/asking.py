"""One question to Ozon and what a good answer to it holds.

All methods are POST with JSON and share 50 calls a second per Client-Id [S]; a method that is asked too much is closed
for minutes by itself ("Circle is open"), so each is a resource of its own.
"""

import re
from collections.abc import Mapping
from typing import Any

from events import codec
from service.marketplaces import lenient
from service.marketplaces.ozon import failures
from service.marketplaces.port import AnswerFailed, Call, Reply, Talk

GET = "/v3/posting/fbs/get"
UNFULFILLED = "/v4/posting/fbs/unfulfilled/list"
LIST = "/v4/posting/fbs/list"
WISHES = "/v2/conditional-cancellation/list"
RETURNS = "/v2/returns/rfbs/list"
ROLES = "/v1/roles"
EXEMPLARS = "/v6/fbs/posting/product/exemplar/create-or-get"
EXEMPLAR_STATUS = "/v5/fbs/posting/product/exemplar/status"
RESTRICTIONS = "/v1/posting/fbs/timeslot/change-restrictions"
CANCEL_REASONS = "/v1/posting/fbs/cancel-reason"

_NUMBER = re.compile(r"\d+-\d+-\d+")

WITH: Mapping[str, bool] = {"analytics_data": True, "financial_data": True, "legal_info": True}
WITH_ALL: Mapping[str, bool] = {**WITH, "product_exemplars": True, "related_postings": True}


def call(path: str, body: Mapping[str, Any], *, changes: bool = False) -> Call:
    """A question or, where it `changes` something, an order."""
    return Call("POST", path, resource=path, body=dict(body), changes=changes, shared=True)


def ask(path: str, body: Mapping[str, Any]) -> Talk[dict[str, Any]]:
    """The JSON of a good answer; anything else ends the talk."""
    return good((yield call(path, body)), path)


def ask_or_none(path: str, body: Mapping[str, Any]) -> Talk[dict[str, Any] | None]:
    """The same; None where Ozon says no to this one."""
    reply = yield call(path, body)
    if failures.no(reply):
        return None
    return good(reply, path)


def good(reply: Reply, path: str) -> dict[str, Any]:
    """The JSON object of a good answer; `AnswerFailed` says why there is none."""
    told = lenient.body(reply.body)
    if reply.status == 200 and isinstance(told, dict):
        return told
    failure = failures.failure(reply)
    why = f"Ozon answers {path} with {reply.status}: {failure.message or 'no reason given'}"
    raise AnswerFailed(why, status=reply.status, limit=failures.limited(reply))


def posting(number: str) -> Talk[Any]:
    """A posting as get shows it; None where there is none.

    A 400 to what looks like a posting's number is no "there is none": the question itself may be wrong.
    """
    reply = yield call(GET, {"posting_number": number, "with": WITH_ALL})
    if failures.missing(reply) or (_NUMBER.fullmatch(number) is None and failures.no(reply)):
        return None
    told = good(reply, GET)
    return told.get("result", told)


def rows(told: Any, name: str) -> list[Any]:
    """A list of an answer; one that comes as a single object is a list of one."""
    found = lenient.inside(told, name)
    if isinstance(found, dict):
        return [found]
    return found if isinstance(found, list) else []


def raw(value: Any) -> bytes:
    """A part of an answer as JSON again."""
    return codec.canonical(value)
