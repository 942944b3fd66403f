"""Reading orders: search gives numbers, get gives orders; several calls, one after another.

Which date a search filters is not known, nor how many it gives at most: so each poll looks at everything open of the
last 90 days, and a window that may have come back full is halved. [?] facts 7
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from events.codec import canonical
from service.marketplaces import lenient, values
from service.marketplaces.megamarket import envelope, incoming, lots, statuses, wire
from service.marketplaces.megamarket.notifications import NUMBER
from service.marketplaces.megamarket.settings import Shop
from service.marketplaces.port import AnswerFailed, Call, ReturnSeen, Seen, Talk, Wanted

MOST_READ = 400
"""Orders in one get. [OBS S7] facts 7"""

MOST_FOUND = 1000
"""`count` of a search. [OBS S10b] facts 7"""

AGE = timedelta(days=90)
AHEAD = timedelta(days=1)
"""Clocks differ, and a window's end may not count itself."""

OVER = timedelta(days=7)
"""So far back a poll looks at orders that are over; once a day as far as at open ones."""

_ROUND = 50
_SHORTEST = timedelta(seconds=4)
_SEAM = timedelta(seconds=1)


def orders(shop: Shop, wanted: Sequence[Wanted]) -> Talk[list[Seen | ReturnSeen]]:
    """These orders; what callbacks said of them is seen with them."""
    asked = {want.number: want for want in wanted if NUMBER.fullmatch(want.number)}
    found: list[Seen | ReturnSeen] = []
    for raw in (yield from _got(list(asked))):
        number = values.text(raw.get("shipmentId"))
        want = asked.get(number or "")
        order = incoming.seen(canonical(raw), shop, want.hints, want.notices) if want is not None else None
        found += [order] if order is not None else []
    return found


def changes(shop: Shop, since: datetime | None, now: datetime) -> Talk[list[Seen | ReturnSeen]]:
    """Everything open; after the first time also what is over since some days."""
    numbers = yield from _search(shop, statuses.OPEN, now - AGE, now + AHEAD)
    if since is not None:
        another_day = since.astimezone(shop.zone).date() != now.astimezone(shop.zone).date()
        back = now - AGE if another_day else min(now - OVER, since - AHEAD)
        numbers |= yield from _search(shop, statuses.FINAL, back, now + AHEAD)
    found = yield from _got(sorted(numbers))
    return [order for raw in found if (order := incoming.seen(canonical(raw), shop)) is not None]


def view(number: str) -> Talk[lots.View | None]:
    """One order's lots as they are now; None where there is no such order."""
    for raw in (yield from _got([number])):
        shipment = lenient.read(wire.Shipment, raw)
        if shipment is not None and str(shipment.shipment_id) == number:
            return lots.view(shipment)
    return None


def check(shop: Shop, now: datetime) -> Talk[list[str]]:
    """What is wrong with token and reach, each with what to do: a search of one day tells."""
    try:
        envelope.good((yield search(shop, statuses.OPEN, now - timedelta(days=1), now, count=1)))
    except AnswerFailed as error:
        if error.status in (401, 403):
            return [f"token: {error}"]
        raise
    return []


def search(shop: Shop, wanted: Sequence[str], since: datetime, until: datetime, count: int = MOST_FOUND) -> Call:
    """Asks for the numbers of orders in these statuses."""
    window = {"dateFrom": _iso(since, shop), "dateTo": _iso(until, shop)}
    return envelope.call("order/search", {**window, "count": count, "statuses": list(wanted)})


def found_numbers(data: Any) -> set[str]:
    """What a search found: ids, or orders that hold one. [OBS] ids only; facts 7"""
    rows = envelope.listed(data, "shipments")
    found = (values.text(row.get("shipmentId") if isinstance(row, dict) else row) for row in rows)
    return {number for number in found if number is not None}


def _search(shop: Shop, wanted: Sequence[str], since: datetime, until: datetime) -> Talk[set[str]]:
    """All numbers of a window. One that gives a round number may have been cut off there: its halves are asked too."""
    found = found_numbers(envelope.good((yield search(shop, wanted, since, until))))
    windows = [(since, until, found)]
    while windows:
        first, last, whole = windows.pop()
        if not whole or len(whole) % _ROUND or last - first < _SHORTEST:
            continue
        middle = first + (last - first) / 2
        halves = [(first, middle + _SEAM), (middle - _SEAM, last)]
        parts = []
        for start, end in halves:
            parts.append(found_numbers(envelope.good((yield search(shop, wanted, start, end)))))
        found = found.union(*parts)
        if any(part != whole for part in parts):  # else it is not the window that decides
            windows += [(start, end, part) for (start, end), part in zip(halves, parts, strict=True)]
    return found


def _got(asked: Sequence[str]) -> Talk[list[dict[str, Any]]]:
    """Every order of these numbers, as JSON; one that is not there is missing, though it spoil the call of others."""
    found: list[dict[str, Any]] = []
    parts = [list(asked[start : start + MOST_READ]) for start in range(0, len(asked), MOST_READ)]
    while parts:
        part = parts.pop(0)
        reply = yield envelope.call("order/get", {"shipments": part})
        if envelope.not_found(reply):
            half = len(part) // 2
            parts += [part[:half], part[half:]] if half else []
            continue
        found += [row for row in envelope.listed(envelope.good(reply), "shipments") if isinstance(row, dict)]
    return found


def _iso(moment: datetime, shop: Shop) -> str:
    """With offset: both forms are seen. [OBS] facts 7"""
    return moment.astimezone(shop.zone).isoformat(timespec="seconds")
