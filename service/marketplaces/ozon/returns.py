"""Returns of goods the seller delivered: `/v2/returns/rfbs/list`.

It has no filter by change, so those applied for lately are read again each time; what is known already is no news.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from events.order import facts as f
from service.marketplaces import lenient
from service.marketplaces.ozon import asking, values, wire
from service.marketplaces.port import ReturnSeen, Talk

AGE: Final = timedelta(days=60)
PAGE: Final = 100
"""The most a page may hold is not documented."""
_MOST_PAGES: Final = 200

COME_TRUE: Final = ("approved",)
"""[?] of the groups New, Delivering, Checkout, Arbitration, Approved, Rejected, the one in which the goods are the
seller's again and the money goes back; until then the buyer only asks."""


def changed_returns(now: datetime) -> Talk[list[ReturnSeen]]:
    """The returns applied for in the last weeks, as they stand."""
    found: list[ReturnSeen] = []
    window = {"from": values.iso(now - AGE), "to": values.iso(now + timedelta(minutes=10))}
    last = 0
    for _ in range(_MOST_PAGES):
        asked = {"filter": {"created_at": window}, "last_id": last, "limit": PAGE}
        told = yield from asking.ask(asking.RETURNS, asked)
        page = asking.rows(told, "returns")  # [S] an object in the schema, a list in its example; facts 5
        found += [one for row in page if (one := return_seen(row)) is not None]
        following = values.whole(lenient.inside(page[-1], "return_id")) if page else 0
        if len(page) < PAGE or following in (0, last):
            return found
        last = following
    return found


def return_seen(row: Any) -> ReturnSeen | None:
    """What one application says. It is for one kind of goods; how many pieces is not told: one [I]."""
    told = lenient.read(wire.Return, row)
    if told is None:
        return None
    product, state = told.product or wire.ReturnProduct(), told.state or wire.ReturnState()
    sku = values.text(product.offer_id)
    lines = (f.Line(sku=sku, quantity=values.whole(product.quantity) or 1),) if sku is not None else None
    group = (values.text(state.group_state) or "").lower()
    fact = f.Returned(
        lines=lines, id=str(told.return_id), asked=group not in COME_TRUE,
        status="/".join(part for part in (state.group_state, state.state) if part),
    )  # fmt: skip
    return ReturnSeen(told.posting_number, fact, asking.raw(row))
