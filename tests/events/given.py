"""Given, when, then: histories of one order in a line each, and what follows from them.

The plan is no marketplace's own: it has one step of each nature, so that a test names the nature and not a dialect.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from events.codec import encode
from events.order import facts as f
from events.order.reactions import ONEC, Plan, Request, Step, requests
from events.order.state import OrderState, fold
from events.recorded import Recorded

ORDER = "shop/1"
DOCUMENT = "1c/d-1"
START = datetime(2026, 3, 1, 9, tzinfo=UTC)

STEPS = (
    Step("number", needed=False, announces=False),
    Step("fewer", applies=lambda state: state.confirmed_lines is not None),
    Step("pack", moves=True),
    Step("ship", moves=True),
    Step("track", applies=lambda state: state.track is not None, needed=False),
    Step("hand_out", moves=True),
    Step("new_date"),
    Step("cancel"),
    Step("answer"),
)
TRIGGERS: dict[str, Sequence[str]] = {
    "registered": ("number",),
    "confirmed": ("fewer",),
    "assembled": ("pack",),
    "shipped": ("ship", "track"),
    "delivered": ("hand_out",),
    "rescheduled": ("new_date",),
    "cancelled": ("cancel",),
    "cancellation_answered": ("answer",),
}
PLAN = Plan("shop", {step.name: step for step in STEPS}, TRIGGERS)


class Said(NamedTuple):
    """Something said of the order, before it has a place in the log."""

    type: str
    fact: f.Fact
    source: str
    order: str = ORDER
    cause: int | None = None
    hours: float = 0.0


def mark(type: str, fact: f.Fact | None = None, *, order: str = ORDER, hours: float = 0.0) -> Said:
    """1C says something; without a fact, a mark that carries nothing."""
    return Said(f"order.{type}", fact if fact is not None else f.FACTS[f"order.{type}"](), "1c/ut", order, None, hours)


def market(type: str, fact: f.Fact) -> Said:
    """The marketplace's order says something."""
    return Said(f"order.{type}", fact, "channel/shop")


def seen(stage: str | None, *, status: str | None = None, request: bool = False, stale: bool = False) -> Said:
    """A read saw the marketplace's own status."""
    fact = f.Seen(status=status or (stage or "?").upper(), stage=stage, began_at=START, request=request, stale=stale)
    return Said("marketplace.seen", fact, "channel/shop")


def hub(type: str, fact: f.Fact, cause: int | None = None) -> Said:
    """The hub's own decision or its outcome."""
    return Said(type, fact, f.HUB, ORDER, cause)


LINES = (f.Line(sku="A", quantity=2), f.Line(sku="B", quantity=1))
PLACED = market("placed", f.Placed(number="1", lines=LINES))
OPEN = seen("confirmed")
REGISTERED = mark("registered", f.Registered(document=f.Document("D-1", "УТ-1")))
MOVED = mark("rescheduled", f.Rescheduled(date=date(2026, 3, 9)))
SHOP_CANCELS = mark("cancelled", f.Cancelled(by="shop", reason="out_of_stock"))
MARKET_CANCELS = market("cancelled", f.Cancelled(by="customer"))
BUYER_ASKS = market("cancellation_requested", f.CancellationRequested(due=START + timedelta(days=1)))


def history(*said: Said) -> list[Recorded]:
    """What was said, in the order it was recorded."""
    return [event(one, position) for position, one in enumerate(said, 1)]


def event(said: Said, position: int) -> Recorded:
    """One of them at its place in the log."""
    at = START + timedelta(minutes=position)
    return Recorded(
        position=position, order=said.order, version=position, type=said.type, source=said.source, id=f"m{position}",
        cause=said.cause, actor=said.source, occurred_at=at + timedelta(hours=said.hours), recorded_at=at,
        id_reused=False, data=encode(said.fact),
    )  # fmt: skip


def asked(events: Sequence[Recorded], after: int = 0, plan: Plan = PLAN) -> list[Request]:
    """What is wanted of everything behind a position."""
    return requests(ORDER, events, after, plan)


def steps(events: Sequence[Recorded], after: int = 0, plan: Plan = PLAN) -> list[str]:
    """The steps wanted of the marketplace, by name."""
    return [r.fact.action for r in asked(events, after, plan) if r.fact.target != ONEC]


def told(events: Sequence[Recorded], after: int = 0) -> list[str]:
    """The messages wanted for 1C, by type."""
    return [r.fact.action for r in asked(events, after) if r.fact.target == ONEC]


def carried_out(events: Sequence[Recorded], plan: Plan = PLAN) -> list[Recorded]:
    """The history with what it calls for appended, as the reactor does."""
    grown = list(events)
    for request in asked(events, 0, plan):
        grown.append(event(hub("command.requested", request.fact, request.cause), len(grown) + 1))
    return grown


def then(events: Sequence[Recorded], *said: Said) -> list[Recorded]:
    """The history, and what came after it."""
    return [*events, *(event(one, len(events) + number) for number, one in enumerate(said, 1))]


def outcome(events: Sequence[Recorded], action: str, what: str) -> Said:
    """What came of the last command of this name."""
    command = next(c for c in reversed(state(events).commands.values()) if c.action == action)
    return hub(f"command.{what}", f.CommandOutcome(command=command.id, code="NO"), command.position)


def state(events: Sequence[Recorded]) -> OrderState:
    """The order's state after a history."""
    return fold(ORDER, events)


def attention(events: Sequence[Recorded]) -> list[tuple[str, str]]:
    """What a person should look at: codes, and what each is about."""
    return [(a.code, a.about) for a in state(events).attention]
