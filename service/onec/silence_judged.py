"""What of 1C's signs and queues calls for a person. Pure: the looks, what was amiss before, and now are arguments.

What was warned of stays as long as its reason does: a silence until the next sign, a queue that grew until it is short
again, letters until they are gone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from service.onec import config, topology
from service.onec.queues import Queue
from service.onec.silence import Away, Hours, Usual, hour_of, silence
from service.onec.silence_talk import POLLED, READ, SAID, Last
from service.onec.silence_warnings import (
    GIVEN_UP,
    GROWS,
    OUTBOX_UNREAD,
    QUIET,
    REJECTED_BY_1C,
    UNREAD,
    UNROUTED,
    OnecWarning,
)
from service.settings import Settings

UNKNOWN = 60
"""Minutes of work after which a queue counts as unread while too little is known of how often it is read."""

ASIDE = {topology.DEAD_OUT: REJECTED_BY_1C, topology.DEAD_IN: GIVEN_UP, topology.UNROUTED: UNROUTED}
"""Queues that should be empty, and what it is called where they are not."""

OF_SIGN = {SAID: QUIET, POLLED: OUTBOX_UNREAD, READ: UNREAD}
OF_QUEUES = (UNREAD, GROWS, *ASIDE.values())

Heard = Sequence[tuple[Last, Usual | None]]


def base_of(about: str) -> str:
    """The base behind a source or a queue, as CloudEvents name it; the shared queue is of none that is configured."""
    queue = about.removeprefix(topology.ONEC)
    return about if queue == about else f"1c/{queue.removeprefix('.')}"


def hours(settings: Settings, about: str) -> Hours:
    """When the base behind a source or a queue works."""
    source = base_of(about)
    base = settings.onec.base(source)
    begin, end = config.hours(base.working_hours or settings.onec.working_hours)
    return Hours(settings.zone(source), begin, end, config.days(base.working_days or settings.onec.working_days))


def usual_gap(usual: Usual | None, now: datetime, at: Hours) -> timedelta | None:
    """The usual gap at this hour."""
    return None if usual is None else timedelta(minutes=usual.at(hour_of(now, at.zone)))


def judged(
    now: datetime, settings: Settings, heard: Heard, away: Away, seen: Mapping[str, Queue] | None,
    before: Sequence[OnecWarning],
) -> list[OnecWarning]:  # fmt: skip
    """What is amiss now. `seen` None: the queues can't be looked at, and what was amiss with them stays."""
    known = {one.key: one for one in before}
    found = []
    for last, usual in heard:
        queue = (seen or {}).get(last.who)
        if last.sign == READ and (queue is None or not queue.messages):
            continue
        old = known.get((OF_SIGN[last.sign], last.who))
        if (old is None or old.since != last.at) and not _late(last, usual, now, settings, away):
            continue
        gap = usual_gap(usual, now, hours(settings, last.who))
        messages, readers = (queue.messages, queue.readers) if queue is not None else (None, None)
        found.append(OnecWarning(OF_SIGN[last.sign], last.who, last.at, gap, messages, readers))
    if seen is None:
        return [*found, *(one for one in before if one.code in OF_QUEUES)]
    return [*found, *_high(now, settings, seen, known), *_aside(now, seen, known)]


def _late(last: Last, usual: Usual | None, now: datetime, settings: Settings, away: Away) -> bool:
    """Whether a sign is overdue."""
    if usual is None and last.sign != READ:
        return False
    quiet = silence(last.at, now, hours(settings, last.who), away, usual)
    if usual is None:
        return quiet.minutes >= UNKNOWN
    return quiet.quiet(settings.onec.base(base_of(last.who)).quiet_times or settings.onec.quiet_times)


def _high(
    now: datetime, settings: Settings, seen: Mapping[str, Queue], known: Mapping[tuple[str, str], OnecWarning]
) -> list[OnecWarning]:
    """Queues of 1C's that hold much and get no shorter: found in working hours, over when they are short."""
    found, limit = [], settings.onec.queue_warning
    for name, queue in seen.items():
        old = known.get((GROWS, name))
        stays = old is not None and queue.messages >= limit
        if name not in ASIDE and (stays or (queue.grows(limit) and hours(settings, name).now(now))):
            since = old.since if old is not None else now
            found.append(OnecWarning(GROWS, name, since, None, queue.messages, queue.readers))
    return found


def _aside(now: datetime, seen: Mapping[str, Queue], known: Mapping[tuple[str, str], OnecWarning]) -> list[OnecWarning]:
    """Queues that should be empty; the hub itself empties its own dead letters, within some looks."""
    found = []
    for name, code in ASIDE.items():
        queue, old = seen.get(name), known.get((code, name))
        if queue is not None and queue.messages and (code != GIVEN_UP or queue.left or old is not None):
            since = old.since if old is not None else now
            found.append(OnecWarning(code, name, since, None, queue.messages))
    return found
