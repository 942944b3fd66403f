"""Ozon's sums, days and times as values; None for what can't be read."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from service.marketplaces import values
from service.marketplaces.values import number, text, whole

__all__ = ["amount", "at", "currency", "iso", "moment", "number", "text", "whole"]

_UTC = ZoneInfo("UTC")


def amount(price: Any) -> Decimal | None:
    """A price exactly: `"1530.0000"`, `1530` or `{"amount": "1530", "currency": "RUB"}`."""
    return values.money(price.get("amount") if isinstance(price, Mapping) else price)


def currency(price: Any) -> str | None:
    """The currency of a price that names one."""
    return text(price.get("currency")) if isinstance(price, Mapping) else None


def moment(value: str | None) -> datetime | None:
    """An ISO time, UTC where it names no zone; empty and the year 9999 stand for none."""
    return values.moment(value, _UTC)


def at(on: date, clock: time, zone: ZoneInfo) -> datetime:
    """A day and an hour of a zone as UTC."""
    return datetime.combine(on, clock, zone).astimezone(UTC)


def iso(moment: datetime) -> str:
    """`2026-05-05T06:44:37.000Z`, as Ozon's examples write times."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
