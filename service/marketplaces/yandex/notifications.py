"""Market's notifications: what they say and how they must be answered.

Answered with 200 and `{"version", "name", "time"}`; a 400 is never sent again, so it is kept for what no later version
could understand. They come at least once, in any order and without an id: the key is made of what they hold.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from service.marketplaces import lenient
from service.marketplaces.port import HookAnswer, Notice
from service.marketplaces.yandex import values
from service.marketplaces.yandex.incoming import CANCEL_HINT, RETURN_HINT
from service.marketplaces.yandex.statuses import written

_TIMES = ("updatedAt", "createdAt", "cancelledAt", "requestedAt", "time")


def answer(body: bytes, campaign: int, now: datetime) -> HookAnswer:
    """What a callback says; another shop's orders (a cabinet-wide subscription) are left to its own channel."""
    told = lenient.body(body)
    if not isinstance(told, dict):
        return _refused("the body is not a JSON object")
    kind, order = told.get("notificationType"), told.get("orderId")
    if not isinstance(kind, str):
        return _refused("notificationType is missing")
    if order is None:
        if kind.startswith("ORDER_"):
            return _refused(f"orderId is missing in {kind}")
        return _taken(now)
    if not _is_id(order):
        return _refused(f"orderId of {kind} is not a number")
    if values.text(told.get("campaignId")) != str(campaign):
        return _taken(now)
    return _taken(now, _notice(told, kind, str(order)))


def _notice(told: Mapping[str, Any], kind: str, number: str) -> Notice:
    time = next((str(told[name]) for name in _TIMES if told.get(name)), "")
    status = told.get("status")
    changed = told.get("statuses")
    states: dict[str, Any] = changed if isinstance(changed, dict) else {}
    about = [told.get("returnId"), status, told.get("substatus"), told.get("updateType"), told.get("itemId")]
    about += [f"{name}={states[name]}" for name in sorted(states)]
    hint = None
    if told.get("returnId") is not None:
        hint = f"{RETURN_HINT}{told['returnId']}"
    elif kind == "ORDER_CANCELLATION_REQUEST" and time:
        hint = f"{CANCEL_HINT}{time}"
    return Notice(
        number=number,
        notice=kind,
        key=" ".join(str(part) for part in (kind, told.get("campaignId"), number, time, *about) if part is not None),
        at=values.moment(time),
        status=written(status, values.text(told.get("substatus"))) if isinstance(status, str) else None,
        hint=hint,
    )


def _is_id(value: Any) -> bool:
    return not isinstance(value, bool) and re.fullmatch(r"[0-9]{1,19}", str(value)) is not None


def _taken(now: datetime, *notices: Notice) -> HookAnswer:
    time = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return HookAnswer(200, {"version": VERSION, "name": "okno", "time": time}, notices)


def _refused(why: str) -> HookAnswer:
    return HookAnswer(400, {"error": {"type": "WRONG_EVENT_FORMAT", "message": why}})


def _version() -> str:
    try:
        return version("okno")
    except PackageNotFoundError:
        return "unknown"


VERSION = _version()
