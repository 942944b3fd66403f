"""A document of 1C's as it was sent: `order.snapshot` and what it carries. Lenient, and pure.

Booleans come as `true`, "Да" or 1; a status by its name or its GUID; a cancelled line is one of which nothing is left.
What follows from a snapshot depends on what is known of the order: `service.documents` tells.
"""

import hashlib
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from events import codec
from events.order import facts as f
from service.onec import marks
from service.onec.cloudevents import Message, Unreadable
from service.onec.statuses import meaning
from service.settings import Settings

TYPE = "order.snapshot"
FLAGS = ("posted", "deleted", "cancelled")
CARRIED = ("by", "reason", "boxes", "arrival", "store", "keep_until", "answer", "absent")
"""What no fact of the snapshot's keeps: the events that follow from it do."""

KINDS = ("order", "shipment", "receipt", "return")
TRUE = frozenset({"true", "1", "да", "истина", "yes"})
FALSE = frozenset({"false", "0", "нет", "ложь", "no"})


class Sent(msgspec.Struct, frozen=True):
    """A snapshot understood.

    `carried`: what the events that follow may carry, as sent. `zone`: of its times without one. `sparse`: its format
    leaves out what is false.
    """

    fact: f.Snapshot
    carried: Mapping[str, Any]
    personal: dict[str, Any]
    zone: ZoneInfo
    sparse: bool = False


def is_snapshot(message: Message) -> bool:
    """Whether what follows from a message depends on what is known of its order."""
    return message.type == TYPE


def understood(message: Message, settings: Settings) -> Sent:
    """What a snapshot says; `Unreadable` names the field and what is wrong."""
    data, zone = message.data, settings.zone(message.source)
    if not isinstance(data, dict):
        raise Unreadable("bad_data", "data is not an object", "/data")
    carried = {key: data[key] for key in (*CARRIED, *marks.PRIVATE) if data.get(key) is not None}
    plain = {key: value for key, value in data.items() if key not in CARRIED}
    names = _status(plain)
    for flag in FLAGS:
        if flag in plain:
            plain[flag] = _flag(plain[flag], flag, carried)
    for key in ("shipment", "receipt", "returned"):
        plain[key] = _thing(plain.get(key), key, carried)
    plain["lines"] = _lines(plain.get("lines"), "lines")
    if (plain.get("kind") or "order") not in KINDS:
        raise Unreadable("bad_field", f"kind is {plain['kind']!r}, not one of {', '.join(KINDS)}", "/data/kind")
    fact, personal = marks.understood(TYPE, {k: v for k, v in plain.items() if v is not None}, zone)
    assert isinstance(fact, f.Snapshot)
    fact = msgspec.structs.replace(
        fact, means=meaning(names, message.source, settings) if names else None, content=_content(data),
        at=marks.moment(message.time, zone), arrived=_arrived(carried), answer=_answer(carried.get("answer")),
    )  # fmt: skip
    _check(fact, carried, zone)
    return Sent(fact, carried, personal, zone, sparse=data.get("absent") == "false")


def _check(fact: f.Snapshot, carried: Mapping[str, Any], zone: ZoneInfo) -> None:
    """Refuses at the door what the events that may follow could not carry."""
    parts = {key: part for key in ("shipment", "arrival", "receipt") if isinstance(part := carried.get(key), dict)}
    said = {
        "order.assembled": {"boxes": carried.get("boxes")},
        "order.shipped": parts.get("shipment", {}),
        "order.arrived": {"keep_until": carried.get("keep_until"), **parts.get("arrival", {})},
        "order.delivered": {"lines": parts.get("receipt", {}).get("lines")},
        "order.cancelled": {"by": carried.get("by") or "shop"},
        **({"order.rescheduled": msgspec.to_builtins(fact.delivery)} if fact.delivery is not None else {}),
    }
    for type, data in said.items():
        marks.understood(type, {key: value for key, value in data.items() if value is not None}, zone)


def _content(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(codec.canonical(data)).hexdigest()[:32]


def _status(plain: dict[str, Any]) -> tuple[str, ...]:
    """The names a status goes by, its own first; the data keep that one."""
    status = plain.get("status")
    found = [status.get("name"), status.get("id")] if isinstance(status, dict) else [status]
    names = tuple(str(name).strip() for name in found if name is not None and str(name).strip())
    plain["status"] = names[0] if names else None
    return names


def _flag(value: Any, key: str, carried: dict[str, Any]) -> bool | None:
    """A boolean as 1C spells it; a cancellation may say who and why besides."""
    if isinstance(value, dict):
        carried |= {name: value[name] for name in ("by", "reason", "comment") if value.get(name) is not None}
        return bool(value)
    if value is None or isinstance(value, bool):
        return value
    text = str(value).strip().casefold()
    if text in TRUE or text in FALSE:
        return text in TRUE
    if not text:
        return None
    raise Unreadable("bad_field", f"{key} is {text[:40]!r}, neither true nor false", f"/data/{key}")


def _thing(value: Any, key: str, carried: dict[str, Any]) -> Any:
    """Something that is there, with what is said of it, or not: `true` alone is enough."""
    if isinstance(value, dict):
        carried[key] = {**value, "lines": _lines(value.get("lines"), f"{key}/lines")}
        filled = any(_filled(v) for v in value.values())
        if key == "returned":
            return (carried[key]["lines"] or []) if filled else None
        return {k: v for k, v in value.items() if k != "lines"} if filled else None
    if key == "returned" and isinstance(value, list):
        return _lines(value, key)
    there = _flag(value, key, {})
    return None if not there else [] if key == "returned" else {}


def _arrived(carried: Mapping[str, Any]) -> bool:
    """Whether the goods came to the shop that issues them: it is named where they arrived, or that they did is said."""
    arrival = carried.get("arrival")
    return _filled(arrival.get("store")) if isinstance(arrival, dict) else bool(_flag(arrival, "arrival", {}))


def _answer(value: Any) -> str | None:
    """The answer to the buyer's wish to cancel; one in other words is none."""
    text = str(value or "").strip().casefold()
    return text if text in ("accepted", "declined") else None


def _filled(value: Any) -> bool:
    """Whether 1C wrote something there: an empty text and its date for no date are nothing."""
    if isinstance(value, str):
        return bool(value.strip()) and not value.strip().startswith(marks.NO_DATE)
    return value not in (None, [], {}, False)


def _lines(value: Any, at: str) -> list[dict[str, Any]] | None:
    """Lines, the cancelled ones with nothing left."""
    if not isinstance(value, list):
        if value is None:
            return None
        raise Unreadable("bad_field", f"{at} is not an array", f"/data/{at}")
    found = []
    for number, line in enumerate(value):
        if not isinstance(line, dict):
            raise Unreadable("bad_field", f"{at}[{number}] is not an object", f"/data/{at}/{number}")
        gone = _flag(line.get("cancelled"), f"{at}/{number}/cancelled", {})
        found.append({**{k: v for k, v in line.items() if k != "cancelled"}, **({"quantity": 0} if gone else {})})
    return found
