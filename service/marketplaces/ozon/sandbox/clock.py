"""What Ozon does by itself once its time has come: applies what it has accepted, delivers FBS, approves requests."""

import re
from dataclasses import replace
from datetime import datetime
from typing import Final

from service.marketplaces.ozon.sandbox.market import Ozon
from service.marketplaces.ozon.sandbox.posting import CONDITIONALLY, DRIVER, ENTERED, Line, Posting

_FBS: Final = {
    "posting_transferring_to_delivery": ("awaiting_deliver", "posting_in_carriage"),
    "posting_in_carriage": ("delivering", "posting_on_way_to_city"),
    "posting_on_way_to_city": ("delivering", "posting_in_pickup_point"),
    "posting_in_pickup_point": ("delivered", "posting_received"),
}
PACKED: Final = ("awaiting_deliver", "posting_transferring_to_delivery")


def work(ozon: Ozon, now: datetime) -> None:
    """One look; whatever is due is done."""
    for request in list(ozon.requests.values()):
        if request.state == "ON_APPROVAL" and now >= request.auto:
            ozon.answer(request, "APPROVED", "", now)
    for posting in list(ozon.postings.values()):
        if posting.checking is not None and now >= posting.checking:
            _check(posting)
        if posting.change is not None:
            if now >= posting.change.due:
                _apply(ozon, posting, now)
        elif now >= posting.updated + ozon.pace:
            _move(ozon, posting, now)


def _apply(ozon: Ozon, posting: Posting, now: datetime) -> None:
    change, posting.change = posting.change, None
    if change is None:
        return
    if change.what != "ship":
        driver = change.what == "last_mile" and ozon.hand.happens("driver")
        ozon.enter(posting, *(DRIVER if driver else ENTERED[change.what]), now)
    elif ozon.hand.happens("ship_fails"):
        posting.enter("awaiting_packaging", "ship_failed", now)  # the pushes have no word for it
    else:
        _split(ozon, posting, change.packages, change.numbers, now)


def _split(ozon: Ozon, posting: Posting, packages: list[dict[int, int]], numbers: list[str], now: datetime) -> None:
    """The first package stays the posting; each other becomes one of its own, packed already."""
    parts = [_part(posting, package) for package in packages]
    family = [posting.number, *numbers]
    for number, lines in zip(numbers, parts[1:], strict=True):
        child = replace(
            posting, id=ozon.new_id(), number=number, lines=lines, parent=posting.number, change=None,
            related=[one for one in family if one != number],
        )  # fmt: skip
        child.enter(*PACKED, now)
        child.previous = "posting_split_pending"
        ozon.add(child)
    posting.lines, posting.related = parts[0], [*posting.related, *numbers]
    ozon.enter(posting, *PACKED, now)


def _part(posting: Posting, package: dict[int, int]) -> list[Line]:
    """Takes the package's pieces out of the posting's lines."""
    found: list[Line] = []
    for line in posting.lines:
        count = package.get(line.sku, 0)
        if count:
            found.append(replace(line, quantity=count, exemplars=line.exemplars[:count]))
            line.exemplars = line.exemplars[count:]
    return found


def _move(ozon: Ozon, posting: Posting, now: datetime) -> None:
    if posting.substatus == CONDITIONALLY:
        ozon.enter(posting, "delivered", "posting_received", now)
    elif posting.model == "fbs" and posting.open and posting.substatus in _FBS:
        ozon.enter(posting, *_FBS[posting.substatus], now)


def _check(posting: Posting) -> None:
    posting.checking = None
    seen: set[str] = set()
    for line in posting.lines:
        for one in line.exemplars:
            if one.check == "processing":
                good = not faults_of(one.mark) and one.mark not in seen
                one.check = "passed" if good else "failed"
                seen.add(one.mark)


def faults_of(mark: str) -> list[str]:
    """What is wrong with a marking code's form; GS is one character, never the six of its escape."""
    if not mark or re.search(r"\s", mark.replace("\x1d", "")) or "\\u001d" in mark.lower():
        return ["INVALID_MANDATORY_MARK"]
    return []
