"""Ozon's pushes: what they say and how they must be answered.

An event is answered 200 `{"result": true}`, a ping 200 `{"version", "name", "time"}`; what can't be read gets the error
of the documents. Nothing is signed, events carry no id and come in any order: each is a hint to read the posting. One
that came before gets a 200 like the first [I], not ERROR_REQUEST_DUPLICATED; facts 7.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from events import codec
from service.marketplaces import lenient
from service.marketplaces.ozon import statuses, values
from service.marketplaces.port import HookAnswer, Notice

PING: Final = "TYPE_PING"
POSTING_TYPES: Final = (
    "TYPE_NEW_POSTING", "TYPE_POSTING_CANCELLED", "TYPE_STATE_CHANGED", "TYPE_CUTOFF_DATE_CHANGED",
    "TYPE_DELIVERY_DATE_CHANGED",
)  # fmt: skip
"""They are about a posting, or broken."""

_ELSEWHERE: Final = "TYPE_FBO_"
"""Postings from Ozon's own warehouses."""

_TELLING: Final = (
    "new_state",
    "changed_state_date",
    "new_cutoff_date",
    "new_delivery_date_begin",
    "new_delivery_date_end",
)
_TIMES: Final = ("changed_state_date", "time")
_NUMBER: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


def answer(body: bytes, model: str, now: datetime) -> HookAnswer:
    """What a push says; postings of the other model are answered and left to their own channel."""
    told = lenient.body(body)
    if not isinstance(told, dict):
        return _refused("ERROR_UNKNOWN", "the body is not a JSON object")
    kind = told.get("message_type")
    if not isinstance(kind, str) or not kind:
        return _refused("ERROR_PARAMETER_VALUE_MISSED", "message_type is missing")
    if kind == PING:
        time = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return HookAnswer(200, {"version": VERSION, "name": "okno", "time": time})
    number = values.text(told.get("posting_number"))
    if number is None or _NUMBER.fullmatch(number) is None:
        if kind in POSTING_TYPES:
            return _refused("ERROR_PARAMETER_VALUE_MISSED", f"posting_number of {kind} is missing or no such number")
        return _taken()
    tpl = values.text(told.get("tpl_integration_type"))
    if kind.startswith(_ELSEWHERE) or not statuses.mine(None, tpl, model):
        return _taken()
    return _taken(_notice(told, kind, number))


def _notice(told: Mapping[str, Any], kind: str, number: str) -> Notice:
    """[C3] the key is made of what changed and when; where that is not told, of all that is said."""
    telling = [values.text(told.get(name)) for name in _TELLING]
    if not any(telling):
        telling = [hashlib.sha256(codec.canonical(told)).hexdigest()[:16]]
    return Notice(
        number=number,
        notice=kind,
        key=" ".join((kind, number, *(part or "-" for part in telling))),
        at=next((at for name in _TIMES if (at := values.moment(values.text(told.get(name)))) is not None), None),
        status=values.text(told.get("new_state")),
    )


def _taken(*notices: Notice) -> HookAnswer:
    return HookAnswer(200, {"result": True}, notices)


def _refused(code: str, why: str) -> HookAnswer:
    return HookAnswer(400, {"error": {"code": code, "message": why, "details": None}})


def _version() -> str:
    try:
        return version("okno")
    except PackageNotFoundError:
        return "unknown"


VERSION = _version()
