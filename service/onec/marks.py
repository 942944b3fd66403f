"""1C's messages as facts: what each type holds, and how 1C spells it.

Accepted as 1C writes them: times without a zone, `0001-01-01T00:00:00` for no date, numbers as texts with a decimal
comma, padded texts, unknown fields. Unknown fields, names, comments and codes are set aside as personal data; the fact
holds its own fields only.
"""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from events.order.facts import FACTS, ONEC_TYPES, Fact
from service.onec.cloudevents import Unreadable

COUNTS = frozenset({"quantity", "boxes"})
MONEY = frozenset({"total", "price"})
MOMENTS = frozenset({("document", "date")})
DATES = frozenset({"date", "keep_until"})
LISTS = frozenset({"lines", "marks", "serials"})
PRIVATE = frozenset({"courier", "comment", "code"})
"""Known fields that are not the log's to keep: a person's name, free text, the buyer's code."""

NEEDED = {
    "order.registered": ("document",),
    "order.rescheduled": ("date",),
    "order.cancelled": ("by",),
    "order.status": ("status",),
}


def understood(type: str, data: Any, zone: ZoneInfo) -> tuple[Fact, dict[str, Any]]:
    """The fact in a message of 1C's and what goes to the side table; `Unreadable` names the field and what is wrong."""
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise Unreadable("bad_data", "data is not an object", "/data")
    shape = FACTS[type]
    names = {field.encode_name for field in msgspec.structs.fields(shape)}
    cleaned = {key: value for key, item in data.items() if (value := _clean(item, key, "", zone)) is not None}
    for name in NEEDED.get(type, ()):
        if name not in cleaned:
            raise Unreadable("missing_field", f"{type} needs data.{name}", f"/data/{name}")
    personal = {key: value for key, value in cleaned.items() if key in PRIVATE}
    extra = {key: value for key, value in data.items() if key not in names and key not in PRIVATE}
    if extra:
        personal["extra"] = extra
    known = {key: value for key, value in cleaned.items() if key in names}
    if "by" in known and known["by"] not in ("shop", "customer"):
        raise Unreadable("bad_field", f"by is {known['by']!r}, neither shop nor customer", "/data/by")
    try:
        return msgspec.convert(known, shape, strict=False), personal
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at ")
        pointer = "/data" + path.strip("`").lstrip("$").replace(".", "/").replace("[", "/").replace("]", "")
        raise Unreadable("bad_field", f"{what} at data{path.strip('`').lstrip('$')}", pointer) from error


def known_type(type: str) -> bool:
    """Whether a type is one of CONTRACT.md's for 1C."""
    return type in ONEC_TYPES


def reserved(type: str) -> bool:
    """Whether a type is the hub's or a marketplace's own to say."""
    return type in FACTS and type not in ONEC_TYPES


def moment(text: str | None, zone: ZoneInfo) -> datetime | None:
    """A time of 1C's, aware; None for no date and for what is no time at all."""
    if not text or text.startswith("0001-01-01"):
        return None
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (value if value.tzinfo is not None else value.replace(tzinfo=zone)).astimezone(UTC)


def _clean(value: Any, key: str, parent: str, zone: ZoneInfo) -> Any:
    """A value as we spell it; None for what 1C writes for nothing."""
    if isinstance(value, dict):
        return {k: item for k, v in value.items() if (item := _clean(v, k, key, zone)) is not None}
    if isinstance(value, list):
        return [item for v in value if (item := _clean(v, key if key not in LISTS else "", key, zone)) is not None]
    if isinstance(value, str):
        value = value.strip().replace("\x00", "")
        if not value or value.startswith("0001-01-01"):
            return None
    if key in COUNTS or key in MONEY:
        return _number(value, whole=key in COUNTS)
    if (parent, key) in MOMENTS:
        return moment(str(value), zone)
    if key in DATES:
        return str(value)[:10]
    return value


def _number(value: Any, *, whole: bool) -> Any:
    """A number as text, however 1C spells it; pieces without a point (`1.000` is one), money to the kopeck as sent."""
    text = str(value).replace("\u00a0", "").replace(" ", "").replace(",", ".")
    try:
        number = Decimal(text)
    except InvalidOperation:
        return value
    if not number.is_finite():
        return value
    return str(int(number)) if whole and number == number.to_integral_value() else str(number)
