"""The way of a mark to its marketplace, leg by leg: who had it in hand from when to when. Pure.

    occurred ── 1C ──▶ recorded ── hub ──▶ requested ── hub ──▶ first try ── marketplace ──▶ answer

Time in which no hub was at work is the hub's, whoever waited for it. Time in which the marketplace had an earlier
command of the same order in hand, or let nothing be told to it at all, is the marketplace's. Legs touch and do not
overlap, so that a deadline lies in one of them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from service.audit.around import Around, gaps
from service.audit.duties import Duty

ONEC, HUB, MARKET = "1c", "hub", "marketplace"

DONE = ("done", "withdrawn", "withheld")
"""Ends after which the next command of a lane has its turn."""


class Leg(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from", "until": "to"}):
    """Whose time it was. `kind`: reached, decided, queued, tried, refused, held, down, no_hub; `detail`: the step that
    was before, what the marketplace said. `why` says it."""

    who: str
    since: datetime
    until: datetime
    seconds: float
    kind: str
    detail: str | None = None
    why: str = ""


WHY = {
    "reached": "from 1C's mark to the hub's log",
    "decided": "until what to tell was decided",
    "queued": "until the marketplace was first asked",
    "tried": "until the marketplace's last word",
    "refused": "refused, until somebody had it tried again",
    "held": "an earlier step of this order was in its hands",
    "down": "it let nothing be told to it",
    "no_hub": "no hub was at work",
}


AT_WORK = {("reached",): ("intake", "web"), ("decided",): ("react",), ("queued", "tried"): ("dispatch",)}
"""Which roles of a hub each kind of leg waits for: any of these."""


class Way(msgspec.Struct, kw_only=True):
    """The moments of a duty's way, each no earlier than the one before; None where it was not reached."""

    marked: datetime
    recorded: datetime
    requested: datetime | None = None
    tried: datetime | None = None
    sent: datetime | None = None
    ended: datetime | None = None
    attempts: int = 0
    answer: str | None = None


def way(duty: Duty, around: Around) -> Way | None:
    """A duty's moments; None where 1C never marked it.

    A clock of 1C's that is ahead of ours is not believed. Events of before tries were timed count as tried when they
    were requested.
    """
    mark, request = duty.mark, duty.request
    if mark is None:
        return None
    found = Way(marked=min(mark.occurred_at, mark.recorded_at), recorded=mark.recorded_at)
    if request is None:
        return found
    found.requested = max(request.recorded_at, found.recorded)
    tries = [fact for _, fact in duty.ends]
    trying = around.trying.get(duty.command or "") if duty.state == "waiting" else None
    begun = [fact.tried_at or found.requested for fact in tries if fact.attempts or fact.tried_at]
    if trying is not None and trying.first_at is not None:
        begun.append(trying.first_at)
    if begun:
        found.tried = max(min(begun), found.requested)
    if duty.state != "waiting":
        found.ended = max(duty.ends[-1][0].recorded_at, found.tried or found.requested)
        found.sent = tries[-1].sent_at
    found.attempts = sum(fact.attempts for fact in tries) + (trying.attempts if trying is not None else 0)
    found.answer = _answer(duty, trying.reason if trying is not None else None)
    return found


def _answer(duty: Duty, reason: str | None) -> str | None:
    """The marketplace's last word that was no yes, else its yes."""
    if reason is not None or not duty.ends:
        return reason
    said = duty.ends[-1][1]
    if duty.state == "done":
        return said.trouble or said.message or said.status
    return ": ".join(filter(None, (said.code, said.message))) or None


def legs(duty: Duty, others: Sequence[Duty], around: Around, now: datetime) -> list[Leg]:
    """The legs of a duty's way up to its end, or to `now`; `others`: the order's other duties."""
    at = way(duty, around)
    if at is None:
        return []
    found = [_leg(ONEC, at.marked, at.recorded, "reached")]
    if at.requested is not None:
        end = at.ended or max(now, at.tried or at.requested)
        found.append(_leg(HUB, at.recorded, at.requested, "decided"))
        found.append(_leg(HUB, at.requested, at.tried or end, "queued"))
        if at.tried is not None:
            found += _tries(duty, at.tried, end)
    for kinds, roles in AT_WORK.items():
        found = _cut(found, kinds, [_leg(HUB, a, b, "no_hub") for a, b in gaps(around, roles, now)])
    found = _cut(found, ("queued",), _held(duty, others, around, now))
    found = _cut(found, ("queued",), [_leg(MARKET, o.since, o.until, "down", o.reason) for o in around.outages])
    return [leg for leg in found if leg.until > leg.since]


def _leg(who: str, since: datetime, until: datetime, kind: str, detail: str | None = None) -> Leg:
    seconds = round((until - since).total_seconds(), 3)
    return Leg(who=who, since=since, until=until, seconds=seconds, kind=kind, detail=detail, why=WHY[kind])


def _tries(duty: Duty, tried: datetime, end: datetime) -> list[Leg]:
    """The marketplace's time, in parts where it had refused and a person brought it back."""
    found, at = [], tried
    for event, fact in duty.ends:
        again = next((moment for moment in duty.retried if moment > event.recorded_at), None)
        if again is not None:
            said = ": ".join(filter(None, (fact.code, fact.message)))
            refused = max(event.recorded_at, at)
            found.append(_leg(MARKET, at, refused, "tried"))
            found.append(_leg(MARKET, refused, max(again, refused), "refused", said or None))
            at = max(again, refused)
    return [*found, _leg(MARKET, at, max(end, at), "tried")]


def _held(duty: Duty, others: Sequence[Duty], around: Around, now: datetime) -> list[Leg]:
    """The times an earlier command was in the marketplace's hands, from its first try until it was done."""
    found = []
    for other in others:
        if other.request is None or duty.request is None or other.request.position >= duty.request.position:
            continue
        at = way(other, around)
        if at is not None and at.tried is not None:
            done = at.ended if at.ended is not None and other.state in DONE else now
            found.append(_leg(MARKET, at.tried, max(done, at.tried), "held", other.step))
    return found


def _cut(found: Sequence[Leg], kinds: Iterable[str], spans: Sequence[Leg]) -> list[Leg]:
    """Legs of some kinds with the spans laid over them: what a span covers becomes its own."""
    for span in spans:
        found = [part for leg in found for part in (_parts(leg, span) if leg.kind in kinds else [leg])]
    return list(found)


def _parts(leg: Leg, span: Leg) -> list[Leg]:
    since, until = max(leg.since, span.since), min(leg.until, span.until)
    if since >= until:
        return [leg]
    cut = ((leg, leg.since, since), (span, since, until), (leg, until, leg.until))
    return [_leg(one.who, a, b, one.kind, one.detail) for one, a, b in cut if b > a]
