"""Who is to blame for a late mark: the one in whose leg the deadline passed, in plain words. Pure.

A mark is in time when the call that was taken began before the deadline. What the marketplace refused before it is the
marketplace's; what was never sent, because the channel only watches or the order was over, is nobody's.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from events.codec import decode
from events.order.commands import CommandRequested
from events.recorded import Recorded
from service.audit.around import Around
from service.audit.duties import Duty, duties
from service.audit.legs import HUB, MARKET, ONEC, Leg, Way, legs, way

LONG_AGO = timedelta(days=7)
"""What was recorded so much later than it occurred came out of an archive: nobody was late with it."""

SAYS = {
    "in_time": "in time: taken {end} before the deadline",
    "in_time_known_late": "in time: the call that was taken began {sent} before the deadline, known {late} after it",
    "in_time_untold": "in time: marked {marked} before the deadline; nothing is told to the marketplace for it",
    "in_time_moved": "in time: the marketplace showed it by itself {moved} before the deadline",
    "no_deadline": "no deadline is known",
    "open": "on its way: {late} left",
    "not_marked_yet": "not marked by 1C yet: {late} left",
    "over": "no longer due: the order or the wish was over before the deadline",
    "withheld": "not told: the channel is in shadow",
    "withdrawn": "not told: {answer}",
    "unable": "not told: {answer}",
    "archived": "recorded long after it occurred: nobody was late with it",
    "told_late": "hub late: 1C was told of the deadline {told} after it",
    "not_marked": "1C late: not marked; it was due {late} ago",
    "moved_late": "1C late: not marked; the marketplace showed it by itself {moved} after the deadline",
    "marked_late": "1C late: marked {marked} after the deadline",
    "reached_late": "1C late: marked {marked} before the deadline, reached the hub {reached} after it",
    "hub_late": "hub late: recorded {reached} before the deadline and not told by then",
    "hub_down": "hub late: no hub was at work from {from} to {to}",
    "market_held": "marketplace late: it had {detail} of this order in its hands from {from} to {to}",
    "market_down": "marketplace down from {from} to {to}: {detail}",
    "market_late": "marketplace down or slow: first told {tried} before the deadline",
    "market_refusing": "marketplace refusing: first told {tried} before the deadline",
}
"""What is said of a mark, by its verdict."""

TAILS = {
    "done": "taken {late} after it",
    "waiting": "not taken yet, {late} after it",
    "refused": "refused: {answer}",
    "given_up": "given up: {answer}",
    "tries": "{attempts} tries, last answer: {answer}",
}
"""What is added: how it ended, and how often it was tried."""

PASSED = {
    "reached": ("reached_late", ONEC), "decided": ("hub_late", HUB), "queued": ("hub_late", HUB),
    "no_hub": ("hub_down", HUB), "held": ("market_held", MARKET), "down": ("market_down", MARKET),
    "tried": ("market_late", MARKET), "refused": ("market_refusing", MARKET),
}  # fmt: skip
"""The verdict and whom it blames, by the kind of leg the deadline passed in."""

Value = timedelta | datetime | str | int


class Mark(msgspec.Struct, kw_only=True):
    """What became of something that was to be told to a marketplace, and who was late with it.

    `state`: how the command stands; `none` where nothing was requested. `late_seconds`: of its end, or of now where it
    has none, after the deadline; negative before it. `passed`: the leg the deadline passed in.
    """

    stage: str
    step: str | None
    state: str
    due: datetime | None
    occurred_at: datetime | None
    recorded_at: datetime | None
    requested_at: datetime | None
    tried_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    attempts: int
    answer: str | None
    legs: list[Leg]
    late_seconds: float | None
    blame: str | None
    verdict: str
    passed: Leg | None = None
    told_at: datetime | None = None
    moved_at: datetime | None = None
    says: str = ""


def marks(order: str, history: Sequence[Recorded], around: Around, now: datetime) -> list[Mark]:
    """What is to be said of each of an order's duties, as of `now`."""
    found = duties(order, history)
    told = _told(history)
    return [_mark(duty, found, around, now, told) for duty in found]


def _told(history: Sequence[Recorded]) -> dict[int, datetime]:
    """When 1C was told of a fact, by its position: when the message because of it was done."""
    found: dict[int, datetime] = {}
    causes: dict[int, int] = {}
    for event in history:
        fact = decode(event) if event.type == "command.requested" else None
        if isinstance(fact, CommandRequested) and fact.target == ONEC and event.cause is not None:
            causes[event.position] = event.cause
        elif event.type == "command.done" and event.cause in causes:
            found[causes[event.cause]] = event.recorded_at
    return found


def _mark(duty: Duty, others: Sequence[Duty], around: Around, now: datetime, told: Mapping[int, datetime]) -> Mark:
    at, due = way(duty, around), duty.due
    end = (at.ended if duty.request is not None else at.recorded) if at is not None else None
    # What was not taken is as late as it is by now.
    late = now if end is None or duty.state in ("refused", "given_up") else end
    source = duty.source
    known = told.get(source.position, source.recorded_at) if source is not None else None
    mark = Mark(
        stage=duty.stage, step=duty.step, state=duty.state, due=due,
        occurred_at=duty.mark.occurred_at if duty.mark is not None else None,
        recorded_at=at.recorded if at is not None else None, requested_at=at.requested if at is not None else None,
        tried_at=at.tried if at is not None else None, sent_at=at.sent if at is not None else None,
        answered_at=at.ended if at is not None else None, attempts=at.attempts if at is not None else 0,
        answer=at.answer if at is not None else None, legs=legs(duty, others, around, now),
        late_seconds=round((late - due).total_seconds(), 3) if due is not None else None,
        blame=None, verdict="no_deadline", told_at=known, moved_at=duty.moved,
    )  # fmt: skip
    mark.verdict, mark.blame, mark.passed = _verdict(duty, mark, at, now)
    mark.says = says(mark)
    return mark


def _verdict(duty: Duty, mark: Mark, at: Way | None, now: datetime) -> tuple[str, str | None, Leg | None]:
    """The verdict, whom it blames, and the leg the deadline passed in."""
    due = mark.due
    if at is None:
        return *_unmarked(duty, mark, now), None
    if mark.state in ("withheld", "withdrawn"):
        return mark.state, None, None
    if due is None:
        return "no_deadline", None, None
    if mark.state == "none" and at.recorded <= due:
        return "in_time_untold", None, None
    if mark.state == "none" and duty.moved is not None and duty.moved <= due:
        return "in_time_moved", None, None
    if mark.state == "done" and at.ended is not None and at.ended <= due:
        return "in_time", None, None
    if mark.state == "done" and at.sent is not None and at.sent <= due:
        return "in_time_known_late", None, None
    if mark.state == "waiting" and now <= due:
        return "open", None, None
    if late := _learned_late(duty, mark, at.marked):
        return *late, None
    if at.marked > due:
        return "marked_late", ONEC, None
    return _passed(mark, at, due, duty.over)


def _passed(mark: Mark, at: Way, due: datetime, over: datetime | None) -> tuple[str, str | None, Leg | None]:
    leg = next((leg for leg in mark.legs if leg.since <= due < leg.until), None)
    if mark.state != "done" and over is not None and over <= due:
        return "over", None, None
    if mark.state in ("refused", "given_up") and (at.ended is None or at.ended <= due):
        return ("market_refusing", MARKET, leg) if at.tried is not None else ("unable", None, leg)
    if leg is None:  # between two legs that touch: the deadline is the very end
        return "hub_late", HUB, None
    verdict, blame = PASSED[leg.kind]
    if verdict == "market_late" and mark.state == "refused":
        verdict = "market_refusing"
    return verdict, blame, leg


def _unmarked(duty: Duty, mark: Mark, now: datetime) -> tuple[str, str | None]:
    due = mark.due
    if due is None:
        return "no_deadline", None
    if duty.moved is not None and (duty.moved <= due or duty.over is None):
        return ("in_time_moved", None) if duty.moved <= due else ("moved_late", ONEC)
    if duty.over is not None and duty.over <= due:
        return "over", None
    if now <= due:
        return "not_marked_yet", None
    return _learned_late(duty, mark, now) or ("not_marked", ONEC)


def _learned_late(duty: Duty, mark: Mark, marked: datetime) -> tuple[str, str | None] | None:
    """Nobody marks in time what he was told of too late."""
    source, due, told = duty.source, mark.due, mark.told_at
    if source is None or due is None or told is None or told <= due or marked <= due:
        return None
    return ("archived", None) if source.recorded_at - source.occurred_at > LONG_AGO else ("told_late", HUB)


def parts(mark: Mark) -> list[str]:
    """The keys of what is said: the verdict, how it ended, how often it was tried; those of `SAYS`, then of `TAILS`."""
    found = [mark.verdict]
    if mark.due is None and mark.state in ("refused", "given_up") and mark.answer:
        found.append(mark.state)
    if mark.blame is not None and mark.state in ("done", "waiting", "refused", "given_up"):
        if mark.state in ("done", "waiting") or mark.answer:
            found.append(mark.state)
        if mark.blame == MARKET and mark.attempts > 1 and mark.answer and mark.state in ("done", "waiting"):
            found.append("tries")
    return found


def values(mark: Mark) -> dict[str, Value]:
    """What the sentences name: spans from the deadline, times, words."""
    found: dict[str, Value] = {"attempts": mark.attempts, "answer": mark.answer or ""}
    if mark.due is not None:
        marked = min((t for t in (mark.occurred_at, mark.recorded_at) if t is not None), default=None)
        moments = {
            "marked": marked, "reached": mark.recorded_at, "tried": mark.tried_at, "sent": mark.sent_at,
            "end": mark.answered_at, "told": mark.told_at, "moved": mark.moved_at,
        }  # fmt: skip
        found |= {name: abs(moment - mark.due) for name, moment in moments.items() if moment is not None}
        found["late"] = timedelta(seconds=abs(mark.late_seconds or 0))
    if mark.passed is not None:
        found |= {"from": mark.passed.since, "to": mark.passed.until, "detail": mark.passed.detail or ""}
    return found


def says(mark: Mark) -> str:
    """A mark's verdict in a line of English."""
    shown = {name: _plain(value) for name, value in values(mark).items()}
    first, *rest = parts(mark)
    said = [SAYS[first].format(**shown), *(TAILS[key].format(**shown) for key in rest)]
    return ", ".join(said[:2]) + "".join(f"; {one}" for one in said[2:])


def span(gap: timedelta) -> str:
    """A duration in its two largest units; a short one to the tenth of a second."""
    if gap < timedelta(seconds=10):
        return f"{gap.total_seconds():.1f} s"
    seconds = round(gap.total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    counted = [(days, "d"), (hours, "h"), (minutes if not days else 0, "min")]
    if seconds < 600:
        counted.append((seconds % 60, "s"))
    return " ".join(f"{count} {unit}" for count, unit in counted if count)


def _plain(value: Value) -> str:
    if isinstance(value, timedelta):
        return span(value)
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if isinstance(value, datetime) else str(value)
