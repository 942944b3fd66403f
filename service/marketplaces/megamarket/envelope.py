"""The envelope of Megamarket's calls: `{"meta": {}, "data": {...}}` there, `{"success", "meta", "data", "error"}` back.

Business errors come with HTTP 200, so `success` tells; `error` is an object or an array of them.
[OBS S2, S5] facts 5; the codes are not known [?]
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.marketplaces import lenient, values
from service.marketplaces.port import AnswerFailed, Call, Reply

PREFIX = "/api/market/v1/orderService/"

ADVICE = "check token in the channel's settings against the cabinet's API settings"
_NOT_FOUND = re.compile(r"not found|не найден", re.IGNORECASE)
_TOKEN = re.compile(r"token|токен|unauthori[sz]ed|не ?авторизован|авторизац", re.IGNORECASE)


@dataclass(frozen=True)
class Told:
    """An answer. `success`: None where it does not say. `result`: `data.result`, None where there is none."""

    success: bool | None
    result: bool | None
    data: Any
    code: str | None
    message: str


def call(path: str, data: Mapping[str, Any], *, changes: bool = False) -> Call:
    """A call; the token is put in on its way out."""
    body = {"meta": {}, "data": dict(data)}
    return Call("POST", PREFIX + path, resource=path, body=body, changes=changes, shared=True)


def signed(body: Any, token: str) -> Any:
    """The body as it goes out, with `data.token`."""
    return {**body, "data": {"token": token, **body["data"]}}


def told(reply: Reply) -> Told:
    """What an answer says, whatever its HTTP status."""
    body = lenient.body(reply.body)
    data = lenient.inside(body, "data")
    code, message = failure(lenient.inside(body, "error") or lenient.inside(body, "errors"))
    return Told(_yes(lenient.inside(body, "success")), _yes(lenient.inside(data, "result")), data, code, message)


def failure(error: Any) -> tuple[str | None, str]:
    """The code and the words of `error`, of several joined, each with the lot it is about."""
    rows = error if isinstance(error, list) else [error]
    found = [_row(row) for row in rows if row]
    words = "; ".join(dict.fromkeys(message for _, message in found if message))
    return next((code for code, _ in found if code is not None), None), words


def no_token(message: str) -> bool:
    """Whether it is the token that Megamarket does not take."""
    return _TOKEN.search(message) is not None


def not_found(reply: Reply) -> bool:
    """Whether an order is said not to be there. [?] order/get may leave it out, or refuse; facts 7"""
    answer = told(reply)
    return answer.success is False and _NOT_FOUND.search(answer.message) is not None


def good(reply: Reply) -> Any:
    """`data` of a good answer to a read; anything else ends the read."""
    answer = told(reply)
    if reply.status == 200 and answer.success is not False and isinstance(answer.data, Mapping):
        return answer.data
    if reply.status == 200 and answer.success and answer.data is None:
        return {}
    message = answer.message or answer.code or "no reason given"
    if reply.status in (401, 403) or (answer.success is False and no_token(message)):
        raise AnswerFailed(f"Megamarket refuses the token ({message}): {ADVICE}", status=401)
    limited = reply.status == 429
    raise AnswerFailed(f"Megamarket answers {reply.status}: {message}", status=reply.status, limit=limited)


def listed(data: Any, name: str) -> list[Any]:
    """A list in an answer's data; none where there is none."""
    found = lenient.inside(data, name)
    return found if isinstance(found, list) else []


def _row(row: Any) -> tuple[str | None, str]:
    if not isinstance(row, Mapping):
        return None, values.text(row) or ""
    words = (values.text(row.get(name)) for name in ("message", "errorText", "description"))
    message = next((found for found in words if found is not None), "")
    lot = values.text(row.get("itemIndex"))
    return values.text(row.get("code")), f"{message} (lot {lot})" if lot is not None else message


def _yes(value: Any) -> bool | None:
    """1 or 0, as number, text or boolean."""
    found = values.text(value)
    return None if found is None else found.casefold() in ("1", "true")
