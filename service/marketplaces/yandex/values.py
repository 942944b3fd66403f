"""Market's numbers, ids, days and times as values; None for what can't be read."""

from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from service.marketplaces.yandex.wire import Id, Money, Number

KOPECK = Decimal("0.01")
MOSCOW = ZoneInfo("Europe/Moscow")
"""The clock of Market's dates without a zone."""


def amount(money: Money | None) -> Decimal | None:
    """A sum of money, exactly; always written with kopecks, so that equal sums look equal."""
    found = number(money.value) if money is not None else None
    whole_kopecks = found is not None and found == found.quantize(KOPECK)
    return found.quantize(KOPECK) if found is not None and whole_kopecks else found


def number(value: Number) -> Decimal | None:
    """A finite number, written as number or text, with point or comma."""
    try:
        found = Decimal(str(value).strip().replace(",", "."))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def whole(value: Number) -> int:
    """A count of pieces; 0 for nothing."""
    return int(number(value) or 0)


def text(value: Id) -> str | None:
    """An id or code as text, outer blanks cut; None for nothing."""
    return str(value).strip() or None if value is not None else None


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
    written = (value or "").strip()
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        try:
            found = datetime.strptime(written, "%d-%m-%Y %H:%M:%S")  # noqa: DTZ007 - Moscow is added below
        except ValueError:
            return None
    return (found if found.tzinfo else found.replace(tzinfo=MOSCOW)).astimezone(UTC)


def at(on: date | None, clock: time | None) -> datetime | None:
    """A day and an hour in Moscow as UTC."""
    return datetime.combine(on, clock or time(), MOSCOW).astimezone(UTC) if on is not None else None
