"""What people do at the sandbox, and what becomes of postings everybody has forgotten."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from service.marketplaces.ozon.sandbox.market import Ozon
from service.marketplaces.ozon.sandbox.reasons import FORGOTTEN

KEPT: Final = 200
"""Ended postings that are remembered."""
_BY_SYSTEM: Final = ("system", "Система")


def live(ozon: Ozon, random: Random, left_lying: timedelta) -> None:
    """One look at what buyers do; then the forgotten are ended and the oldest ended forgotten."""
    now = datetime.now(UTC)
    _change_minds(ozon, random, now)
    _move_dates(ozon, random)
    for posting in list(ozon.postings.values()):
        if posting.open and posting.updated < now - left_lying:
            ozon.cancel(posting, FORGOTTEN, _BY_SYSTEM, now)
    ozon.forget(KEPT)


def _change_minds(ozon: Ozon, random: Random, now: datetime) -> None:
    """Now and then one cancels, one asks to cancel what is under way, one wants to send something back."""
    postings = list(ozon.postings.values())
    if random.random() < 0.05 and (fresh := [one for one in postings if one.status == "awaiting_packaging"]):
        ozon.buyer_cancels(random.choice(fresh), now)
    under_way = [one for one in postings if one.model == "rfbs" and one.status in ("awaiting_deliver", "delivering")]
    if random.random() < 0.05 and under_way:
        ozon.buyer_cancels(random.choice(under_way), now)
    returned = {one.posting for one in ozon.returns.values()}
    there = [
        one for one in postings if one.model == "rfbs" and one.status == "delivered" and one.number not in returned
    ]
    if random.random() < 0.04 and there:
        ozon.buyer_returns(random.choice(there), now)
    for record in ozon.returns.values():
        if record.group == "New" and random.random() < 0.1:
            record.group = "Approved"


def _move_dates(ozon: Ozon, random: Random) -> None:
    """Ozon takes a delivery interval away and gives another some looks later."""
    for posting in ozon.postings.values():
        if posting.model == "rfbs" and posting.status == "awaiting_deliver" and posting.delivery is None:
            begins = posting.shipment + timedelta(days=2)
            ozon.move_delivery(posting, (begins, begins + timedelta(hours=8)))
        elif posting.model == "rfbs" and posting.status == "awaiting_deliver" and random.random() < 0.005:
            ozon.move_delivery(posting, None)
