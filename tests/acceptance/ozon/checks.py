"""What must be true of Ozon's side in the end, and what 1C must have been told of it."""

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

from tests.acceptance.checks import Findings
from tests.acceptance.emulator import Truth
from tests.acceptance.journal import UNKNOWN, Call, Journal

from .posting import Posting
from .server import A_SECOND, Server

ADDING = ("product-cancel", "timeslot")
REASONS = {"out_of_stock": {352}, "customer_changed_mind": {402}, "other": {402}, "not_collected": {402, 665}}


def truth(posting: Posting, *, shadow: bool) -> Truth:
    """In shadow a posting goes only where Ozon and the buyer move it; the shop's own delivery does not begin."""
    life = posting.life
    ends = (
        {"cancelled/posting_canceled"}
        if life.cancelled
        else {"delivered/posting_delivered", "delivered/posting_received"}
    )
    stages = {"cancelled"} if life.cancelled else {"completed"}
    hears, some = {"order.placed": 1}, set[str]()
    if life.ending in ("buyer_cancel", "request_expire"):
        hears["order.cancelled"] = 1
    if shadow and life.ending != "buyer_cancel":
        ends, hears = {"awaiting_packaging/posting_created"}, {"order.placed": 1}
        stages = {"placed", "confirmed", "assembled", "shipped"} if life.needs_market else stages
    elif not shadow:
        if life.ending.startswith("request"):
            hears["order.cancellation_requested"] = 1
        if life.ending == "returned":
            stages.add("returned")
            some.add("order.returned")
        some |= {"marketplace.refused"} if life.bad_marks else set()
        some |= set() if life.cancelled else {"marketplace.accepted"}
    seen = frozenset({posting.state, posting.status})
    return Truth(life.key, life.ending, posting.state, frozenset(ends), frozenset(stages), seen, hears, frozenset(some))


def of_calls(server: Server, found: Findings) -> Iterator[tuple[str, list[str]]]:
    """What the journal proves."""
    journal, postings = server.journal, server.postings
    yield "ozon: no protocol violation", journal.violations
    yield f"ozon: at most {A_SECOND} calls a second of one Client-Id", server.crowded
    if found.shadow:
        yield "ozon, shadow: no call that changes anything", [call.line() for call in journal.changing()]
        return
    excused = {n for n, one in postings.items() if one.life.ending in ("buyer_cancel", "request_expire")}
    yield "ozon: every step done once", list(sent_again(journal))
    yield "ozon: nothing sent blindly after an unknown outcome", list(journal.blind())
    early = (text for text in journal.refusals(excused) if not text.endswith("(too early)"))
    yield "ozon: no step refused as out of order", [text for text in early if not _expected(text, postings)]
    yield "ozon: one call at a time for an order", list(journal.overlapping())
    yield "ozon: nothing sent for an order read as cancelled", list(after_cancelled(journal, postings.values()))


def _expected(text: str, postings: dict[str, Posting]) -> bool:
    """Wrong codes of 1C may be found out by Ozon's refusal of ship as well as by the state of the codes."""
    posting = postings.get(text.split(" ", 1)[0])
    return bool(posting and posting.life.bad_marks and "EXEMPLAR" in text)


def sent_again(journal: Journal) -> Iterator[str]:
    """Steps tried once more after an answer said they were taken; those that add something were taken twice, ever."""
    for number, calls in journal.by_order().items():
        done: dict[str, Call] = {}
        for call in calls:
            step = call.steps[number]
            before = done.get(step.split(" ")[0] if step.startswith(ADDING) else step)
            known = before is not None and before.end <= call.at and before.fault not in UNKNOWN
            twice = before is not None and number in call.applied and step.startswith(ADDING)
            if before is not None and (known or twice):
                yield f"{number} {step}: done by a call of {before.at:.2f} {before.fault}, again at {call.at:.2f}"
            if number in call.applied:
                done[step.split(" ")[0] if step.startswith(ADDING) else step] = call


def after_cancelled(journal: Journal, postings: Iterable[Posting]) -> Iterator[str]:
    reads: dict[str, list[tuple[float, float]]] = {}
    for call in journal.calls:
        for number in call.seen:
            reads.setdefault(number, []).append((call.at, call.end))
    for posting in postings:
        at, number = posting.cancelled_at, posting.life.number
        known = min((end for begin, end in reads.get(number, []) if at is not None and begin > at), default=None)
        for call in journal.changing():
            if known is not None and number in call.steps and call.at > known + 0.5:
                yield f"{number}: {call.steps[number]} at {call.at:.2f}, read as cancelled at {known:.2f}"


def of_orders(postings: list[Posting], found: Findings) -> Iterator[tuple[str, list[str]]]:
    """What besides the status must have reached Ozon and 1C."""
    if found.shadow:
        return
    yield "ozon: goods, codes, tracks, timeslots, reasons", [text for one in postings for text in details(one)]
    yield "ozon: refusals told to 1C with a hint", [text for one in postings for text in hints(one, found)]
    yield "ozon: requests told to 1C with their deadline", [text for one in postings for text in deadlines(one, found)]


def details(posting: Posting) -> Iterator[str]:
    life = posting.life
    if life.ending == "shop_cancel":
        reason = posting.cancellation.get("cancel_reason_id")
        if posting.status == "cancelled" and reason not in REASONS[life.cancel_reason]:
            yield f"{life.key}: cancelled with reason {reason} for {life.cancel_reason}"
    if life.ending not in ("completed", "returned", "request_decline"):
        return
    wanted = {line.id: count for line, count in zip(life.lines, life.kept, strict=True)}
    if posting.goods != wanted:
        yield f"{life.key}: goods {posting.goods}, wanted {wanted}"
    if life.track and posting.track != life.track:
        yield f"{life.key}: track {posting.track!r}, wanted {life.track!r}"
    if life.moved and posting.interval != life.timeslot:
        yield f"{life.key}: timeslot {posting.interval}, wanted {life.timeslot}"
    if life.ending == "request_decline" and (posting.request is None or posting.request.state != "REJECTED"):
        yield f"{life.key}: the buyer's request was not declined: {posting.request}"
    codes = {line.id: sorted(line.marks) for line in life.lines if line.marks}
    given = {sku: sorted(marks) for sku, marks in posting.marks.items() if marks}
    if given != codes:
        yield f"{life.key}: codes {given}, wanted {codes}"


def _told(posting: Posting, found: Findings, kind: str) -> list[dict[str, Any]]:
    return [event.get("data") or {} for event in found.told(posting.life.key) if event["type"] == kind]


def hints(posting: Posting, found: Findings) -> Iterator[str]:
    for data in _told(posting, found, "marketplace.refused"):
        if not data.get("hint") or not data.get("message"):
            yield f"{posting.life.key}: marketplace.refused without a message or a hint: {str(data)[:200]}"


def deadlines(posting: Posting, found: Findings) -> Iterator[str]:
    if posting.request is None:
        return
    for data in _told(posting, found, "order.cancellation_requested"):
        if posting.request.until not in set(_moments(data)):
            yield f"{posting.life.key}: asked until {posting.request.until.isoformat()}, told {str(data)[:200]}"


def _moments(value: Any) -> Iterator[dt.datetime]:
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _moments(one)
    elif isinstance(value, str) and "T" in value:
        try:
            yield dt.datetime.fromisoformat(value)
        except ValueError:
            return
