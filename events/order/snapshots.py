"""What 1C's documents leave known of an order. Pure; part of `state`, which applies it.

A document is cancelled by any of four spellings: it is marked for deletion, it says so, all its lines are, or its
status means so. A spelling that a later snapshot leaves out stands as it was; so does that of the status under one that
says nothing of the goods, such as a closed order's.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from events.order import facts as f
from events.order.shapes import Command, Known, OrderState, document_key
from events.order.stages import PATH, further, rank
from events.recorded import Recorded

ANSWERING = {"order.cancellation_accepted": "accepted", "order.cancellation_declined": "declined"}
"""What a status may mean that answers the buyer."""


def named(document: f.Document | None, before: f.Document | None) -> f.Document | None:
    """What a document is called by all that was said of it: the newest word counts, what is left out stays."""
    if document is None or before is None:
        return document or before
    return f.Document(document.id or before.id, document.number or before.number, document.date or before.date)


def spellings(fact: f.Snapshot, known: frozenset[str]) -> frozenset[str]:
    """The ways in which a document is cancelled now."""
    said = {
        "deleted": fact.deleted,
        "cancelled": fact.cancelled,
        "lines": not any(line.quantity for line in fact.lines) if fact.lines else None,
        "status": None if fact.means in (None, "order.status") else fact.means == "order.cancelled",
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
    if fact.arrived:
        named = further(named, "arrived")
    return further(named, "delivered") if fact.receipt is not None else named


def known_as(state: OrderState, source: str, fact: f.Snapshot) -> str:
    """The key under which a snapshot's document is known; its own where it is not.

    A snapshot without a document is of the only one its base has of that kind; a document that was named by its number
    alone, or not at all, is the one that is named in full now.
    """
    own, base = document_key(source, fact.kind, fact.document), document_key(source, fact.kind, None)
    if own in state.documents:
        return own
    same = [key for key in state.documents if key.startswith(base)]
    alike = same if own == base else [key for key in same if key == base or _numbered(state.documents[key], fact)]
    return alike[0] if len(alike) == 1 else own


def _numbered(known: Known, fact: f.Snapshot) -> bool:
    """Whether two names of a document are of the same: by its number, where one of them says no id."""
    one, other = known.fact.document or f.Document(), fact.document or f.Document()
    return one.number is not None and one.number == other.number and not (one.id and other.id)


def answer(fact: f.Snapshot) -> str | None:
    """What a document answers to the buyer's wish to cancel, by a key of its own or by its status."""
    return fact.answer or ANSWERING.get(fact.means or "")


def _answered(state: OrderState, fact: f.Snapshot, before: Known | None) -> str | None:
    """The answer as far as a wish was open for it: one that was said to nobody may still be given."""
    said = answer(fact)
    stays = before is not None and before.answered == said
    return said if state.request is not None or stays else None


def counts(known: Known | None) -> bool:
    """Whether anything follows from a document, as its newest snapshot has it."""
    return known is not None and (known.posted or known.stage is not None)


def _registered(state: OrderState, event: Recorded, fact: f.Registered) -> None:
    known, new = (d.id.casefold() if d is not None and d.id else None for d in (state.document, fact.document))
    if known is not None and new is not None and known != new:
        state.attend(
            event, "contradiction", f"1C registered the order twice, now as {fact.document.number}", "document"
        )
    state.document = named(fact.document, state.document)


def _snapshot(state: OrderState, event: Recorded, fact: f.Snapshot) -> None:
    if fact.stale or fact.content is None:  # without: recorded before anything followed from snapshots
        return
    key = known_as(state, event.source, fact)
    before = state.documents.get(key)
    posted = fact.posted if fact.posted is not None or before is None else before.posted
    document = named(fact.document, before.fact.document if before is not None else None)
    now = Known(
        fact=msgspec.structs.replace(fact, document=document), posted=posted, stage=stage(fact, posted),
        cancelled_by=spellings(fact, before.cancelled_by if before is not None else frozenset()),
        delivery=fact.delivery if fact.delivery is not None or before is None else before.delivery,
        answered=_answered(state, fact, before),
    )  # fmt: skip
    name = document_key(event.source, fact.kind, document)
    state.documents = {**{k: v for k, v in state.documents.items() if k != key}, name: now}
    if name != key and key in state.unposted:
        state.unposted = state.unposted - {key} | {name}
        state.attention = [msgspec.structs.replace(a, about=name) if a.about == key else a for a in state.attention]
    if before is not None and now.stage is not None and rank(now.stage) < rank(before.stage):
        message = f"1C's document went back from {before.stage} to {now.stage}: what was told stays told"
        state.attend(event, "contradiction", message, "back")
    elif now.stage is not None and rank(now.stage) >= rank(state.shop_stage):
        state.settle("contradiction", "back")
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
        _too_late(state, event)
        return
    state.taken_back, state.shop_cancelled, state.uncancelled = state.shop_cancelled, None, event.position
    for command in cancelling:
        state.settle("refused", command.id)
        state.settle("given_up", command.id)
    for about in ("cancelled", *PATH):  # what stood against the cancellation
        state.settle("contradiction", about)


def carried_out(state: OrderState, event: Recorded, command: Command) -> None:
    """Takes that a marketplace did something: a cancellation that 1C took back meanwhile stands after all."""
    if command.stage == "cancelled" and state.shop_cancelled is None and state.taken_back is not None:
        state.shop_cancelled = state.taken_back
        _too_late(state, event)


def _too_late(state: OrderState, event: Recorded) -> None:
    message = "1C takes back a cancellation that the marketplace has carried out: the buyer must order anew"
    state.attend(event, "contradiction", message, "uncancelled")


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
