"""1C's messages as facts: what each type holds, and how 1C spells it.

Accepted as 1C writes them: times without a zone, `0001-01-01T00:00:00` for no date, numbers as texts with a decimal
comma, texts as numbers, padded texts, unknown fields. Unknown fields, names, comments and codes are set aside as
personal data; the fact holds its own fields only.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from events.order.facts import FACTS, ONEC_TYPES, Fact
from service.onec.cloudevents import Unreadable

COUNTS = frozenset({"quantity", "boxes"})
MONEY = frozenset({"total", "price"})
DATES = frozenset({"date", "keep_until"})
MOMENTS = frozenset({("document", "date"), ("shipment", "date")})
HOURS = frozenset({("interval", "from"), ("interval", "to")})
PRIVATE = frozenset({"courier", "comment", "code"})
"""Known fields that are not the log's to keep: a person's name, free text, the buyer's code."""

NOT_ONECS = {
    "order.cancelled": {"status"},
    "order.returned": {"id", "status", "asked"},
    "order.handed_over": {"coded"},
    "order.snapshot": {"means", "arrived", "answer", "at", "content", "stale"},
}
"""Fields of facts that 1C does not fill: a marketplace does, or they follow from what else is said."""

NEEDED = {
    "order.registered": ("document",),
    "order.rescheduled": ("date",),
    "order.cancelled": ("by",),
    "order.status": ("status",),
}

CLOSED = {
    "order.cancelled": ("out_of_stock", "customer_changed_mind", "unreachable", "not_collected", "other"),
    "order.cancellation_declined": ("in_delivery", "delivered"),
}
"""The reasons there are; another one is free text, and stays out of the log."""

MAX_DIGITS = 9
"""Digits before the point, less one, that a number of pieces or roubles may have."""

NO_DATE = "0001-01-01"
RUSSIAN = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})(?: +(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
FRACTION = re.compile(r"(\.\d{6})\d+")
HOUR = re.compile(r"(?:.*T)?(\d{1,2}):(\d{2})(?::\d{2})?")


def understood(type: str, data: Any, zone: ZoneInfo) -> tuple[Fact, dict[str, Any]]:
    """The fact in a message of 1C's and what goes to the side table; `Unreadable` names the field and what is wrong."""
    if not isinstance(data, dict):
        raise Unreadable("bad_data", "data is not an object", "/data")
    shape, names = FACTS[type], _names(type)
    cleaned = {
        key: value
        for key, item in data.items()
        if key in names | PRIVATE and (value := _clean(item, Place(None, key, "", key), zone)) is not None
    }
    personal = {key: value for key, value in cleaned.items() if key in PRIVATE}
    extra = {key: value for key, value in data.items() if key not in names and key not in PRIVATE}
    known = {key: value for key, value in cleaned.items() if key in names}
    if type == "order.handed_over" and "code" in personal:
        known["coded"] = True
    if type in CLOSED and "reason" in known and known["reason"] not in CLOSED[type]:
        extra["reason"] = data["reason"]
        known["reason"] = "other" if "other" in CLOSED[type] else None
    for name in NEEDED.get(type, ()):
        if name not in known:
            raise Unreadable("missing_field", f"{type} needs data.{name}", f"/data/{name}")
    if "by" in known and known["by"] not in ("shop", "customer"):
        raise Unreadable("bad_field", f"by is {known['by']!r}, neither shop nor customer", "/data/by")
    try:
        return msgspec.convert(known, shape, strict=False), {**personal, **({"extra": extra} if extra else {})}
    except msgspec.ValidationError as error:
        raise misfit(error) from error


def misfit(error: msgspec.ValidationError) -> Unreadable:
    """Which field of the data does not fit its type."""
    what, _, path = str(error).partition(" - at ")
    path = path.strip("`").removeprefix("$")
    pointer = "/data" + path.replace(".", "/").replace("[", "/").replace("]", "")
    return Unreadable("bad_field", f"{what} at data{path}", pointer)


@cache
def _names(type: str) -> frozenset[str]:
    """The fields of a type that are 1C's to fill; to ask a shape for them takes longer than all else."""
    return frozenset(field.encode_name for field in msgspec.structs.fields(FACTS[type])) - NOT_ONECS.get(type, set())


def from_status(type: str, data: Any, zone: ZoneInfo) -> tuple[Fact, dict[str, Any]]:
    """The same for a status that stands for `type`. A status can't say who cancelled: it is the shop's."""
    return understood(type, {"by": "shop", **data} if type == "order.cancelled" else data, zone)


def known_type(type: str) -> bool:
    """Whether a type is one of CONTRACT.md's for 1C."""
    return type in ONEC_TYPES


def reserved(type: str) -> bool:
    """Whether a type is the hub's or a marketplace's own to say."""
    return type in FACTS and type not in ONEC_TYPES


def moment(text: str | None, zone: ZoneInfo) -> datetime | None:
    """A time of 1C's, aware; None for no date and for what is no time at all."""
    text = (text or "").strip()
    if not text or text.startswith(NO_DATE):
        return None
    if text[2:3] == "." and (russian := RUSSIAN.fullmatch(text)):
        day, month, year, hour, minute, second = russian.groups(default="0")
        text = f"{year}-{month}-{day}T{int(hour):02}:{minute:0>2}:{second:0>2}"
    try:
        value = datetime.fromisoformat(FRACTION.sub(r"\1", text) if "." in text else text)
        return (value if value.tzinfo is not None else value.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):  # the second: year 1 or 9999, moved over the edge by its zone
        return None


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where in the data a value stands: its own name or number there, and the names it is known by."""

    within: "Place | None"
    step: str | int
    parent: str
    key: str

    def inside(self, step: str | int) -> "Place":
        """Of a value within this one; what is in a list goes by the list's name."""
        return Place(self, step, self.key, step) if isinstance(step, str) else Place(self, step, self.parent, self.key)

    def steps(self) -> list[str]:
        """The way to it from the data."""
        return [*(self.within.steps() if self.within else []), str(self.step)]


def _clean(value: Any, at: Place, zone: ZoneInfo) -> Any:
    """A value as we spell it; None for what 1C writes for nothing. What can't be spelt the shape will refuse."""
    if isinstance(value, dict):
        return {k: item for k, v in value.items() if (item := _clean(v, at.inside(k), zone)) is not None}
    if isinstance(value, list):
        return [item for n, v in enumerate(value) if (item := _clean(v, at.inside(n), zone)) is not None]
    key, place = at.key, (at.parent, at.key)
    if isinstance(value, str):
        value = value.strip().replace("\x00", "")
        if not value or (value.startswith(NO_DATE) and place not in HOURS):
            return None
    if key in COUNTS or key in MONEY:
        return _number(value, at, whole=key in COUNTS)
    if place in MOMENTS:
        return moment(str(value), zone) or value
    if key in DATES:
        day = moment(str(value), zone)
        return value if day is None else day.astimezone(zone).date()
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        value = str(value)
    return _hour(value, at) if place in HOURS and isinstance(value, str) else value


def _hour(value: str, at: Place) -> str | None:
    """An hour of a day as `HH:MM`; 1C has no such type and writes a date's time, `0001-01-01T10:00:00`."""
    if value.startswith(f"{NO_DATE}T00:00"):
        return None
    match = HOUR.fullmatch(value)
    if match is None:
        raise _bad(at, f"{value!r} is no hour such as 10:00")
    return f"{int(match[1]):02}:{match[2]}"


def _number(value: Any, at: Place, *, whole: bool) -> Any:
    """A number as text, however 1C spells it; pieces without a point (`1.000` is one), money to the kopeck as sent."""
    if type(value) is int and 0 <= value < 10**MAX_DIGITS:
        return str(value)
    text = re.sub(r"\s", "", str(value)).replace(",", ".")  # \s has the no-break spaces 1C groups thousands with
    try:
        number = Decimal(text)
    except InvalidOperation:
        return value
    if not number.is_finite() or number.adjusted() > MAX_DIGITS or (whole and number < 0):
        raise _bad(at, f"{text[:40]} is no number of {'pieces' if whole else 'roubles'}")
    return str(int(number)) if whole and number == number.to_integral_value() else f"{number:f}"


def _bad(at: Place, what: str) -> Unreadable:
    path = ".".join(at.steps())
    return Unreadable("bad_field", f"{what} at data.{path}", "/data/" + path.replace(".", "/"))
