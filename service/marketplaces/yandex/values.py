"""Market's sums, days and times as values; None for what can't be read."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

from service.marketplaces import values
from service.marketplaces.values import KOPECK, MOSCOW, number, text, whole
from service.marketplaces.yandex.wire import Money

__all__ = ["KOPECK", "MOSCOW", "amount", "at", "day", "hour", "moment", "number", "text", "whole"]


def amount(paid: Money | None) -> Decimal | None:
    """A sum of money, exactly, with kopecks."""
    return values.money(paid.value) if paid is not None else None


def day(value: str | None) -> date | None:
    """`YYYY-MM-DD`, or the old `DD-MM-YYYY`; dates of 1970 stand for none."""
    for form in ("%Y-%m-%d", "%d-%m-%Y"):
        try:
            found = datetime.strptime((value or "").strip()[:10], form).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
        return found if found.year > 1970 else None
    return None


def hour(value: str | None) -> time | None:
    """`HH:MM` or `HH:MM:SS`."""
    try:
        return time.fromisoformat((value or "").strip()[:8])
    except ValueError:
        return None


def moment(value: str | None) -> datetime | None:
    """An ISO time with zone, up to nine fraction digits, or the old `DD-MM-YYYY HH:MM:SS` of Moscow; aware UTC."""
    found = values.moment(value)
    if found is not None:
        return found
    try:
        found = datetime.strptime((value or "").strip(), "%d-%m-%Y %H:%M:%S")  # noqa: DTZ007 - Moscow is added below
    except ValueError:
        return None
    return found.replace(tzinfo=MOSCOW).astimezone(UTC)


def at(on: date | None, clock: time | None) -> datetime | None:
    """A day and an hour in Moscow as UTC."""
    return datetime.combine(on, clock or time(), MOSCOW).astimezone(UTC) if on is not None else None
