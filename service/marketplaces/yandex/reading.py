"""Reading orders, returns and the state of the key: several calls, one after another.

Every read names the campaign: a cabinet's other shops are other channels. Dates are asked for in windows of at most
30 days. Whether Market looks only at the last 30 days of creation when nothing but the time of change is asked for is
not documented, so both are named: changed since then, and created in each of the last windows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from service.marketplaces import lenient
from service.marketplaces.port import AnswerFailed, Call, Reply, ReturnSeen, Seen, Talk, Wanted
from service.marketplaces.yandex import answers, incoming, limits, values, wire
from service.marketplaces.yandex.statuses import BUYER_KNOWN, OPEN

PAGE = 50
WINDOW = timedelta(days=30)
AGE = timedelta(days=120)
"""How old an order may be for a poll to find it; older open ones are read by their numbers."""
OVERLAP = timedelta(minutes=5)
"""Market's own indexes lag behind; a poll asks for a little more than what is new."""
RETURNS_OVERLAP = timedelta(days=1)
_SCOPES = {"all-methods", "inventory-and-order-processing"}
"""Rights that allow changing orders; the specification writes them both like this and in capitals."""
_TOLERATED = (400, 404)
"""How Market refuses a buyer: the order is finished, or a company's."""


@dataclass(frozen=True)
class Shop:
    """Whose orders to read, and how Market sells there. `test`: the test orders of the cabinet instead of real ones."""

    business: int
    campaign: int
    model: str
    test: bool = False


class _Page(msgspec.Struct):
    orders: list[msgspec.Raw] = []
    paging: dict[str, Any] | None = None


def orders(shop: Shop, wanted: Sequence[Wanted]) -> Talk[list[Seen | ReturnSeen]]:
    """These orders, with the buyer of each new one and the returns that notifications named."""
    asked = {w.number: w for w in wanted if w.number.isascii() and w.number.isdigit()}
    found: list[Seen | ReturnSeen] = []
    numbers = list(asked)
    for start in range(0, len(numbers), PAGE):
        ids = [int(number) for number in numbers[start : start + PAGE]]
        for raw in (yield from _pages(shop, {"orderIds": ids})):
            order = yield from _order(shop, raw, asked)
            found += [order] if order is not None else []
    for want in asked.values():
        for hint in dict.fromkeys(want.hints):
            if hint.startswith(incoming.RETURN_HINT):
                found += yield from _return(shop, want.number, hint.removeprefix(incoming.RETURN_HINT))
    return found


def changes(shop: Shop, since: datetime | None, now: datetime) -> Talk[list[Seen | ReturnSeen]]:
    """Open orders the first time, whatever changed later on, and the returns that did."""
    asked: list[dict[str, Any]] = []
    for first, last in _windows(now - AGE, now + timedelta(days=1)):
        created = {"creationDateFrom": _day(first).isoformat(), "creationDateTo": _day(last).isoformat()}
        if since is None:
            asked.append({"statuses": list(OPEN), "dates": created})
            continue
        asked += [
            {"dates": {**created, "updateDateFrom": _iso(start), "updateDateTo": _iso(end)}}
            for start, end in _windows(since - OVERLAP, now + OVERLAP)
        ]
    found: dict[str, Seen] = {}
    for filters in asked:
        for raw in (yield from _pages(shop, filters)):
            order = incoming.seen(raw, shop.model)
            if order is not None:
                found[order.number] = order
    returns: list[ReturnSeen] = (yield from _returns(shop, since, now)) if since is not None else []
    return [*found.values(), *returns]


def created(shop: Shop, since: datetime, until: datetime) -> Talk[list[bytes]]:
    """The orders placed in some days, 30 at most, each as its own JSON."""
    days = {"creationDateFrom": _day(since).isoformat(), "creationDateTo": _day(until + timedelta(days=1)).isoformat()}
    return (yield from _pages(shop, {"dates": days}))


def check(shop: Shop) -> Talk[list[str]]:
    """What is wrong with the key, its rights and the shop, each with what to do."""
    told = _answer((yield Call("POST", "/v2/auth/token", resource="auth/token", shared=True)))
    wrong = []
    scopes = lenient.inside(told, "result", "apiKey", "authScopes")
    given = {str(scope).lower().replace("_", "-") for scope in scopes} if isinstance(scopes, list) else set()
    if not given & _SCOPES:
        wrong.append("api_key may not change orders: give it «inventory-and-order-processing» in the cabinet")
    campaign = yield from _campaign(shop)
    if campaign is None:
        return [
            *wrong,
            f"campaign_id: the key sees no shop {shop.campaign}: take the number from the cabinet's API page",
        ]
    business = lenient.inside(campaign, "business", "id")
    if business is not None and str(business) != str(shop.business):
        wrong.append(f"business_id: the shop belongs to cabinet {business}, not {shop.business}: write that number")
    placement, expected = lenient.inside(campaign, "placementType"), "DBS" if shop.model == "dbs" else "FBS"
    if placement is not None and placement != expected:
        wrong.append(f"model: the shop works by {placement}, the channel says {shop.model}: correct one of them")
    available = lenient.inside(campaign, "apiAvailability")
    if available not in (None, "AVAILABLE"):
        wrong.append(f"Market has switched the shop's API off ({available}): switch it on in the cabinet")
    return wrong


def _campaign(shop: Shop) -> Talk[Any]:
    """The shop among those the key sees; None where it is not."""
    query = {"limit": "100"}
    while True:
        told = _answer((yield Call("GET", "/v2/campaigns", resource="campaigns", query=query, shared=True)))
        campaigns = told.get("campaigns") or []
        found = [one for one in campaigns if str(lenient.inside(one, "id")) == str(shop.campaign)]
        token = lenient.inside(told, "paging", "nextPageToken")
        if found or not token or not campaigns:
            return found[0] if found else None
        query = {**query, "pageToken": str(token)}


def _pages(shop: Shop, filters: dict[str, Any]) -> Talk[list[bytes]]:
    """Every order that matches, each as its own JSON."""
    found: list[bytes] = []
    query, path = {"limit": str(PAGE)}, f"/v1/businesses/{shop.business}/orders"
    body = {"campaignIds": [shop.campaign], "fake": shop.test, **filters}
    while True:
        reply = yield Call("POST", path, resource="orders", query=query, body=body, shared=True)
        _answer(reply)
        page = msgspec.json.decode(reply.body, type=_Page)
        found += [bytes(raw) for raw in page.orders]
        token = (page.paging or {}).get("nextPageToken")
        if not token or not page.orders:
            return found
        query = {**query, "pageToken": str(token)}


def _order(shop: Shop, raw: bytes, asked: dict[str, Wanted]) -> Talk[Seen | None]:
    order = lenient.read(wire.Order, lenient.body(raw))
    want = asked.get(str(order.order_id)) if order is not None else None
    if order is None or want is None:
        return None
    buyer = None
    if want.new and order.status in BUYER_KNOWN:
        path = f"/v2/campaigns/{shop.campaign}/orders/{want.number}/buyer"
        reply = yield Call("GET", path, resource="orders/buyer")
        if reply.status not in _TOLERATED:
            buyer = lenient.read(wire.Buyer, lenient.inside(_answer(reply), "result"))
    return incoming.seen(raw, shop.model, want.hints, buyer)


def _return(shop: Shop, number: str, which: str) -> Talk[list[ReturnSeen]]:
    if not (which.isascii() and which.isdigit()):
        return []
    path = f"/v2/campaigns/{shop.campaign}/orders/{number}/returns/{which}"
    reply = yield Call("GET", path, resource="orders/return")
    if reply.status in _TOLERATED:
        return []
    return _seen_returns([lenient.inside(_answer(reply), "result")])


def _returns(shop: Shop, since: datetime, now: datetime) -> Talk[list[ReturnSeen]]:
    """By the day of their last change; whether `toDate` counts is not documented, so the day after is named."""
    found: list[ReturnSeen] = []
    first, last = _day(since - RETURNS_OVERLAP), _day(now + timedelta(days=1))
    query = {"fromDate": first.isoformat(), "toDate": last.isoformat(), "limit": "100"}
    while True:
        told = _answer((yield Call("GET", f"/v2/campaigns/{shop.campaign}/returns", resource="returns", query=query)))
        page = lenient.inside(told, "result", "returns")
        found += _seen_returns(page if isinstance(page, list) else [])
        token = lenient.inside(told, "result", "paging", "nextPageToken")
        if not token or not page:
            return found
        query = {**query, "pageToken": str(token)}


def _seen_returns(values: Sequence[Any]) -> list[ReturnSeen]:
    raws = [msgspec.json.encode(value) for value in values if isinstance(value, dict)]
    return [seen for raw in raws if (seen := incoming.return_seen(raw)) is not None]


def _answer(reply: Reply) -> Any:
    """The JSON of a good answer; anything else ends the read."""
    told = lenient.body(reply.body)
    if reply.status == 200 and isinstance(told, dict):
        return told
    code, message = answers.failure(told)
    why = f"Market answers {reply.status}: {message or code or 'no reason given'}"
    limited = reply.status in limits.TOO_MANY
    raise AnswerFailed(why, status=reply.status, limit=limited, until=limits.free_at(reply) if limited else None)


def _windows(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Market's ranges: the beginning counts, the end does not, 30 days at most."""
    while since < until:
        end = min(since + WINDOW, until)
        yield since, end
        since = end


def _day(moment: datetime) -> date:
    return moment.astimezone(values.MOSCOW).date()


def _iso(moment: datetime) -> str:
    return moment.astimezone(values.MOSCOW).isoformat(timespec="milliseconds")
