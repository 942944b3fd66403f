"""Market's limits, as its answers' headers tell them."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from service.marketplaces.port import Limit, Reply

TOO_MANY = (420, 429)


def limit(reply: Reply) -> Limit | None:
    """How many calls of this method are left, until when; None where the headers don't say."""
    remaining = reply.headers.get("x-ratelimit-resource-remaining", "").strip()
    until = _until(reply)
    return Limit(int(remaining), until) if remaining.isdecimal() and until is not None else None


def free_at(reply: Reply) -> datetime | None:
    """When a refused method is free again.

    None for too many calls at once: those end by themselves, and the headers then speak of the hourly limit.
    """
    known = limit(reply)
    return known.until if known is not None and known.remaining == 0 else None


def _until(reply: Reply) -> datetime | None:
    try:
        found = parsedate_to_datetime(reply.headers.get("x-ratelimit-resource-until", ""))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
