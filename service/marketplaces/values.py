"""Marketplaces' numbers, ids and times as values; None for what can't be read."""

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

KOPECK = Decimal("0.01")
MOSCOW = ZoneInfo("Europe/Moscow")
"""The clock of Russian marketplaces' dates without a zone."""

_FRACTION = re.compile(r"(\.\d{6})\d+")


def money(value: Any) -> Decimal | None:
    """A sum of money, exactly; always written with kopecks, so that equal sums look equal."""
    found = number(value)
    whole_kopecks = found is not None and found == found.quantize(KOPECK)
    return found.quantize(KOPECK) if found is not None and whole_kopecks else found


def number(value: Any) -> Decimal | None:
    """A finite number, written as number or text, with point or comma."""
    try:
        found = Decimal(str(value).strip().replace(",", "."))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def whole(value: Any) -> int:
    """A count of pieces; 0 for nothing."""
    return int(number(value) or 0)


def text(value: Any) -> str | None:
    """An id or code as text, outer blanks cut; None for nothing."""
    return str(value).strip() or None if value is not None else None


def moment(value: str | None, zone: ZoneInfo = MOSCOW) -> datetime | None:
    """An ISO time, up to nine fraction digits, of `zone` where it names none; aware UTC.

    Years before 1970 and the year 9999 stand for no time.
    """
    try:
        found = datetime.fromisoformat(_FRACTION.sub(r"\1", (value or "").strip()))
        found = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if 1970 < found.year < 9999 else None
