"""What 1C's documents leave known of an order. Pure; part of `state`, which applies it.

A document is cancelled by any of four spellings: it is marked for deletion, it says so, all its lines are, or its
status means so. A spelling that a later snapshot leaves out stands as it was.
"""

from collections.abc import Callable
from typing import Any

from events.order import facts as f
from events.order.shapes import Known, OrderState, document_key
from events.order.stages import further, rank
from events.recorded import Recorded


def document(state: OrderState, document: f.Document | None) -> None:
    """Takes what is said of the order's own document; what is left out stays."""
    if document is None:
        return
    known = state.document or f.Document()
    state.document = f.Document(document.id or known.id, document.number or known.number, document.date or known.date)


def spellings(fact: f.Snapshot, known: frozenset[str]) -> frozenset[str]:
    """The ways in which a document is cancelled now."""
    said = {
        "deleted": fact.deleted,
        "cancelled": fact.cancelled,
        "lines": not any(line.quantity for line in fact.lines) if fact.lines else None,
        "status": fact.means == "order.cancelled" if fact.status is not None else None,
    }
    return frozenset(way for way, is_so in said.items() if (way in known if is_so is None else is_so))


def stage(fact: f.Snapshot, posted: bool | None) -> str | None:
    """How far a document says the order is; None while it does not count, or where it does not say."""
    if posted is False or (fact.kind != "order" and fact.deleted):
        return None
    if fact.kind != "order":
        return {"shipment": "shipped", "receipt": "delivered"}.get(fact.kind)
    named = f.ONEC_STAGES.get(fact.means or "")
    if fact.status is None and posted:
        named = "confirmed"
    if fact.shipment is not None:
        named = further(named, "shipped")
    return further(named, "delivered") if fact.receipt is not None else named


def _registered(state: OrderState, event: Recorded, fact: f.Registered) -> None:
    known, new = (d.id.casefold() if d is not None and d.id else None for d in (state.document, fact.document))
    if known is not None and new is not None and known != new:
        state.attend(
            event, "contradiction", f"1C registered the order twice, now as {fact.document.number}", "document"
        )
    document(state, fact.document)


def _snapshot(state: OrderState, event: Recorded, fact: f.Snapshot) -> None:
    if fact.stale or fact.content is None:  # without: recorded before anything followed from snapshots
        return
    key = document_key(event.source, fact.kind, fact.document)
    before = state.documents.get(key)
    posted = fact.posted if fact.posted is not None or before is None else before.posted
    now = Known(
        fact=fact, posted=posted, stage=stage(fact, posted),
        cancelled_by=spellings(fact, before.cancelled_by if before is not None else frozenset()),
        delivery=fact.delivery if fact.delivery is not None or before is None else before.delivery,
    )  # fmt: skip
    state.documents = {**state.documents, key: now}
    if before is not None and now.stage is not None and rank(now.stage) < rank(before.stage):
        message = f"1C's document went back from {before.stage} to {now.stage}: what was told stays told"
        state.attend(event, "contradiction", message, "back")
    if fact.kind == "order" and fact.status is not None and fact.means is None:
        message = f"1C's status {fact.status!r} is not in [onec.statuses]: nothing follows from it"
        state.attend(event, "unmapped", message, fact.status)
    if fact.missing:
        message = f"the document came without {', '.join(fact.missing)}: has the exchange in 1C changed?"
        state.attend(event, "unmapped", message, "missing")


def _uncancelled(state: OrderState, event: Recorded, _: f.Uncancelled) -> None:
    if state.shop_cancelled is None:
        return
    cancelling = [c for c in state.commands.values() if c.target == state.channel and c.stage == "cancelled"]
    if state.market_cancelled is not None or any(c.state == "done" for c in cancelling):
        message = "1C takes back a cancellation that the marketplace has carried out: the buyer must order anew"
        state.attend(event, "contradiction", message, "uncancelled")
        return
    state.shop_cancelled, state.uncancelled = None, event.position
    for command in cancelling:
        state.settle("refused", command.id)
        state.settle("given_up", command.id)


def _unposted(state: OrderState, event: Recorded, fact: f.Unposted) -> None:
    key = document_key(event.source, fact.kind, fact.document)
    state.unposted = state.unposted | {key}
    state.attend(event, "unposted", f"1C unposted its {_named(fact)}: what was told stays told", key)


def _posted(state: OrderState, event: Recorded, fact: f.Posted) -> None:
    key = document_key(event.source, fact.kind, fact.document)
    state.unposted = state.unposted - {key}
    state.settle("unposted", key)


def _named(fact: f.Unposted) -> str:
    number = fact.document.number if fact.document is not None else None
    return f"{fact.kind} {number}" if number else fact.kind


# Any: each takes the fact its tag names, which the type system cannot say of a table.
APPLY: dict[str, Callable[[OrderState, Recorded, Any], None]] = {
    "order.registered": _registered,
    "order.snapshot": _snapshot,
    "order.uncancelled": _uncancelled,
    "order.unposted": _unposted,
    "order.posted": _posted,
}
"""The types it applies."""
