"""What is new in what a read saw, against what the log knows. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from events.order import facts as f
from events.order.state import OrderState
from service.marketplaces.port import ReturnSeen, Seen


@dataclass(frozen=True)
class Difference:
    """A fact to append, and the personal data that belongs to it."""

    type: str
    fact: f.Fact
    personal: dict[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None


def of_order(state: OrderState, seen: Seen, began_at: datetime) -> list[Difference]:
    """The facts a read adds; none where nothing changed. One older than what is known changes nothing, and says so."""
    if is_stale(state, seen, began_at):
        if seen.status == state.status:
            return []
        return [
            Difference("marketplace.seen", _status(seen, seen.request, began_at, stale=True), occurred_at=seen.stamp)
        ]
    return list(_news(state, seen, began_at))


def of_return(state: OrderState, seen: ReturnSeen) -> list[Difference]:
    """The fact a return adds; none where its state is known."""
    if seen.fact.id is not None and state.returns.get(seen.fact.id) == (seen.fact.status or ""):
        return []
    return [Difference("order.returned", seen.fact)]


def is_stale(state: OrderState, seen: Seen, began_at: datetime) -> bool:
    """Whether the log knows a later state: by the marketplace's own stamp, else by when the read began."""
    if seen.stamp is not None and state.stamp is not None and seen.stamp != state.stamp:
        return seen.stamp < state.stamp
    return state.seen_at is not None and began_at < state.seen_at


def _news(state: OrderState, seen: Seen, began_at: datetime) -> Iterator[Difference]:
    stamp = seen.stamp
    if not state.placed and seen.ready:
        yield Difference("order.placed", seen.order, dict(seen.personal), seen.order.placed_at)
    elif state.placed and seen.cancelled is None and (changed := _changed(state, seen.order)) is not None:
        yield Difference("order.changed", changed, dict(seen.personal), stamp)
    placed = state.placed or seen.ready
    request = _request(state, seen, began_at)
    if seen.status != state.status or (request is not None) != (state.request is not None):
        yield Difference("marketplace.seen", _status(seen, request, began_at, stale=False), occurred_at=stamp)
    if placed and seen.cancelled is not None and state.market_cancelled is None:
        yield Difference("order.cancelled", seen.cancelled, occurred_at=stamp)
    elif placed and request is not None and _asked_anew(state, seen, request):
        yield Difference("order.cancellation_requested", request, occurred_at=stamp)
    if placed and seen.stage == "returned" and not state.returned:
        yield Difference("order.returned", f.Returned(status=seen.status), occurred_at=stamp)


def _request(state: OrderState, seen: Seen, began_at: datetime) -> f.CancellationRequested | None:
    """The buyer's wish to cancel, as far as the read tells; else it is open until the order is.

    One that comes before the answer to another is joined with it: both wait for the same answer. A read of several
    calls may have begun late and seen the wish early: one begun before the marketplace took the answer shows that wish.
    """
    known, new = state.request, seen.request
    if known is None and new is not None and _answered_since(state, began_at):
        return None
    if seen.tells_request or known is None:
        return new
    if new is None:
        return known
    if state.answer is not None or new.lines is None or known.lines is None:
        return new
    lines = tuple(dict.fromkeys((*known.lines, *new.lines)))
    return msgspec.structs.replace(new, lines=lines, whole=new.whole or known.whole)


def _answered_since(state: OrderState, began_at: datetime) -> bool:
    answers = (c for c in state.commands.values() if c.stage == "cancellation_answered" and c.state == "done")
    return any(answer.finished_at is not None and began_at < answer.finished_at for answer in answers)


def _asked_anew(state: OrderState, seen: Seen, request: f.CancellationRequested) -> bool:
    """Whether a wish is news: the first one, one for other goods, or one after the shop said no."""
    if state.request is None or request.lines != state.request.lines:
        return True
    said_no = state.answer is not None and not state.answer.accepted
    return said_no and seen.request is not None and not seen.tells_request


def _status(seen: Seen, request: f.CancellationRequested | None, began_at: datetime, *, stale: bool) -> f.Seen:
    return f.Seen(
        status=seen.status,
        stage=seen.stage,
        stamp=seen.stamp,
        began_at=began_at,
        request=request is not None,
        stale=stale,
    )


def _changed(state: OrderState, order: f.Placed) -> f.Changed | None:
    """What differs in the goods, the delivery, the deadlines; None where nothing does. A detail not shown stays."""
    details = {**state.details, **order.details}
    changed = f.Changed(
        lines=order.lines if order.lines != state.lines else None,
        total=order.total if order.total != state.total else None,
        delivery=order.delivery if order.delivery is not None and order.delivery != state.delivery else None,
        deadlines=order.deadlines if order.deadlines != state.deadlines else None,
        details=details if details != state.details else None,
    )
    return None if changed == f.Changed() else changed
