"""Reading postings, the buyers' wishes to cancel, and returns: several calls, one after another.

Lists are walked by a cursor made of the last row's sort keys: it is never empty, so `has_next` ends the walk [S]; and a
posting whose cutoff changes meanwhile may be skipped or come twice [I]: windows overlap, and the later look at a number
counts; facts 6.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from service.marketplaces import lenient
from service.marketplaces.ozon import asking, details, incoming, statuses, values, wire
from service.marketplaces.ozon.returns import changed_returns
from service.marketplaces.port import AnswerFailed, ReturnSeen, Seen, Talk, Wanted

PAGE: Final = 100
WISHES_PAGE: Final = 500
WISHES_ASKED: Final = 50
"""So many postings' wishes are asked for in a call; how many may be is not documented."""

HALF_WINDOW: Final = timedelta(days=180)
"""A window may be a year long at most; cutoffs are asked for as far back as ahead."""
AGE: Final = timedelta(days=360)
"""How old a posting may be for a change of it to be found."""
OVERLAP: Final = timedelta(minutes=10)
_MOST_PAGES: Final = 2000
"""A walk that does not end by then is a fault."""

_NO_WISHES: Final = (
    "awaiting_verification",
    "awaiting_approve",
    "awaiting_packaging",
    "delivered",
    *statuses.CANCELLED,
)
"""Before the assembly a buyer cancels alone, at the end there is nothing to cancel; facts 4 and 10."""


@dataclass(frozen=True)
class Shop:
    """Whose postings to read: those of one model of the cabinet."""

    model: str


def orders(shop: Shop, wanted: Sequence[Wanted]) -> Talk[list[Seen | ReturnSeen]]:
    """These postings, those of this channel's model."""
    found: dict[str, Any] = {}
    for number in dict.fromkeys(want.number for want in wanted):
        posting = yield from asking.posting(number)
        if posting is not None and mine(posting, shop.model):
            found[number] = posting
    asked = [number for number, posting in found.items() if lenient.inside(posting, "status") not in _NO_WISHES]
    wishes = yield from _wishes(shop, "ALL", asked)
    out: list[Seen | ReturnSeen] = []
    for number, posting in found.items():
        exemplars = yield from _exemplars(posting)
        seen = incoming.seen(posting, shop.model, incoming.wish_of(wishes, number), exemplars)
        out += [seen] if seen is not None else []
    return out


def changes(shop: Shop, since: datetime | None, now: datetime) -> Talk[list[Seen | ReturnSeen]]:
    """All that is open; and, but for the first time, whatever changed its status, and the returns."""
    found: dict[str, Any] = {}
    wishes = yield from _wishes(shop, incoming.OPEN_WISH, None)  # first: they must be answered in time
    window = {"cutoff_from": values.iso(now - HALF_WINDOW), "cutoff_to": values.iso(now + HALF_WINDOW)}
    found |= yield from _walk(asking.UNFULFILLED, window)
    if since is not None:
        changed = {"from": values.iso(max(since - OVERLAP, now - AGE)), "to": values.iso(now + OVERLAP)}
        placed = {"since": values.iso(now - AGE), "to": values.iso(now + OVERLAP)}
        found |= yield from _walk(asking.LIST, {**placed, "last_changed_status_date": changed})
    for wish in (lenient.read(wire.Wish, row) for row in wishes):
        if wish is not None and wish.posting_number not in found:
            posting = yield from asking.posting(wish.posting_number)
            found |= {wish.posting_number: posting} if posting is not None else {}
    out: list[Seen | ReturnSeen] = []
    for number, posting in found.items():
        if mine(posting, shop.model):
            seen = incoming.seen(posting, shop.model, incoming.wish_of(wishes, number))
            out += [seen] if seen is not None else []
    if since is not None and shop.model == "rfbs":
        out += yield from changed_returns(now)
    return out


def mine(posting: Any, model: str) -> bool:
    """Whether a posting belongs to a channel of this model."""
    flow, tpl = (
        values.text(lenient.inside(posting, f"{name}")) for name in ("integration_type_flow", "tpl_integration_type")
    )
    return statuses.mine(flow, tpl, model)


def wishes(numbers: Sequence[str]) -> Talk[list[Any]]:
    """The wishes to cancel these postings, whatever became of them."""
    return (yield from _wishes(Shop("rfbs"), "ALL", numbers))


def _walk(path: str, filters: Mapping[str, Any]) -> Talk[dict[str, Any]]:
    """Every posting that matches, by number; the later look counts."""
    found: dict[str, Any] = {}
    cursor = ""
    for _ in range(_MOST_PAGES):
        asked = {"filter": dict(filters), "limit": PAGE, "cursor": cursor, "sort_dir": "ASC", "with": asking.WITH}
        told = yield from asking.ask(path, asked)
        page = told.get("result", told)  # [C3] seen under `result`, the spec has it at the top; facts 6
        postings = asking.rows(page, "postings")
        found |= {
            str(one["posting_number"]): one for one in postings if isinstance(one, dict) and "posting_number" in one
        }
        following = values.text(lenient.inside(page, "cursor"))
        if lenient.inside(page, "has_next") is not True or not following or following == cursor or not postings:
            return found
        cursor = following
    raise AnswerFailed(f"{path} does not end", status=200)


def _wishes(shop: Shop, state: str, numbers: Sequence[str] | None) -> Talk[list[Any]]:
    """Rows of buyers' wishes; `numbers` None: all of the cabinet's. No push tells of one: they are asked for."""
    found: list[Any] = []
    if shop.model != "rfbs" or numbers == []:
        return found
    for part in _parts(numbers):
        last = 0
        for _ in range(_MOST_PAGES):
            filters = {"state": state, **({"posting_number": part} if part is not None else {})}
            told = yield from asking.ask(asking.WISHES, {"filters": filters, "limit": WISHES_PAGE, "last_id": last})
            page = asking.rows(told, "result")
            found += page
            following = values.whole(lenient.inside(told, "last_id"))
            if len(page) < WISHES_PAGE or following in (0, last):
                break
            last = following
    return found


def _parts(numbers: Sequence[str] | None) -> Iterator[list[str] | None]:
    if numbers is None:
        yield None
        return
    for start in range(0, len(numbers), WISHES_ASKED):
        yield list(numbers[start : start + WISHES_ASKED])


def _exemplars(posting: Any) -> Talk[Any]:
    """What Ozon says of the marking codes of a posting that is being packed and may need some; None for any other."""
    read = lenient.read(wire.Posting, posting)
    if read is None or read.status != "awaiting_packaging" or not (details.needs(read) or details.possible(read)):
        return None
    return (yield from asking.ask_or_none(asking.EXEMPLAR_STATUS, {"posting_number": read.posting_number}))
