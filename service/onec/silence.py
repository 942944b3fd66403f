"""Whether somebody who usually gives signs of life has been quiet for too long. Pure.

A sign is a minute in which a base of 1C said something, its queue was read, or the outbox was polled. What counts is
working time: minutes within the base's working hours in which the hub was at work and the broker within reach.

    signs of four weeks ─ learned ─▶ Usual: by weekday and hour, how long it has been quiet there at most, most days
    the last sign, now ─ silence ─▶ how many usual gaps the present silence is long

Each minute of a silence counts against what is usual at its own hour, so that a quiet lunch, a slow evening and a quick
noon each have their measure, and a silence may begin in one and end in another. "Most days" is a median over days: a
day on which 1C stood still, and a holiday, teach nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

import msgspec

WEEKS = timedelta(weeks=4)
"""What is learned from."""

FEWEST_SIGNS, FEWEST_DAYS = 50, 7
"""Before so many minutes with a sign, and so many days of work, nothing is usual."""

FLOOR = 10
"""No silence is shorter than so many minutes of work."""

SHORTEST = 2.0
"""A usual gap's least minutes: signs are noted by the minute."""

MOST, SLOW = 0.5, 0.9
"""Parts of days: most of them; the slow ones among them too."""

SAME_WEEKDAYS = 3
"""So many days of a weekday are enough to know it by; before that it counts as one of the slow days."""

QUARTER = 15
"""Minutes; no zone's clock moves within a quarter of an hour."""


class Hours(msgspec.Struct, frozen=True):
    """When a base works, by its own clock; Monday is 0. Hours that end before they begin end on the next day."""

    zone: ZoneInfo
    begin: time
    end: time
    days: frozenset[int]

    def at(self, weekday: int, minute: int) -> bool:
        """Whether it works at a minute of a local day."""
        begin, end = self.begin.hour * 60 + self.begin.minute, self.end.hour * 60 + self.end.minute
        if begin < end:
            return weekday in self.days and begin <= minute < end
        return (weekday in self.days and minute >= begin) or ((weekday - 1) % 7 in self.days and minute < end)

    def now(self, moment: datetime) -> bool:
        """Whether it works at a moment."""
        local = moment.astimezone(self.zone)
        return self.at(local.weekday(), local.hour * 60 + local.minute)


class Usual(msgspec.Struct, frozen=True):
    """The usual gap by hour of the week, in minutes of work; Monday's first hour is 0."""

    gaps: dict[int, float]

    def at(self, hour: int) -> float:
        """The usual gap at an hour; the longest one known where this hour is not."""
        return self.gaps.get(hour) or max(self.gaps.values())


class Silence(msgspec.Struct, frozen=True):
    """How quiet it is now: the last sign, minutes of work since, the same in usual gaps; `usual` is that of this hour.

    `gaps` and `usual` None: too little is known to say."""

    since: datetime
    minutes: int
    gaps: float | None
    usual: float | None

    def quiet(self, times: float) -> bool:
        """Whether it is longer than so many times the usual gap."""
        return self.gaps is not None and self.gaps >= times and self.minutes >= FLOOR


def minute_of(moment: datetime) -> int:
    """The minute a moment lies in, counted from 1970."""
    return int(moment.timestamp()) // 60


def hour_of(moment: datetime, zone: ZoneInfo) -> int:
    """The hour of the week, by a zone's clock."""
    local = moment.astimezone(zone)
    return local.weekday() * 24 + local.hour


Away = Sequence[tuple[datetime, datetime]]
"""When no sign could have been noted: from, to."""


def learned(signs: Iterable[int], now: datetime, work: Hours, away: Away) -> Usual | None:
    """What is usual for who gave signs in these minutes; None where too little is known."""
    today = now.astimezone(work.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    first, last = minute_of(today - WEEKS), minute_of(today) - 1  # a day that is not over tells little of its hours
    heard = {minute for minute in signs if first <= minute <= last}
    if len(heard) < FEWEST_SIGNS:
        return None
    longest = _longest(heard, last, work, away)
    if len({day for day, _ in longest}) < FEWEST_DAYS:
        return None
    by_hour = _around(longest)
    return Usual({
        weekday * 24 + hour: _most_days(weekday, days) for hour, days in by_hour.items() for weekday in range(7)
    })  # fmt: skip


def silence(last: datetime, now: datetime, work: Hours, away: Away, usual: Usual | None) -> Silence:
    """The silence between the last sign and now."""
    counted = [hour for _, hour in _calendar(minute_of(last) + 1, minute_of(now), work, away) if hour is not None]
    if usual is None:
        return Silence(last, len(counted), None, None)
    gaps = round(sum(1 / usual.at(hour) for hour in counted), 6)  # seven sevenths are one
    return Silence(last, len(counted), gaps, usual.at(hour_of(now, work.zone)))


def _calendar(first: int, last: int, work: Hours, away: Away) -> list[tuple[int, int | None]]:
    """Each minute of a stretch as its local day and its hour of the week; None for an hour that does not count."""
    found: list[tuple[int, int | None]] = []
    gone = _away_minutes(first, last, away)
    for quarter in range(first - first % QUARTER, last + 1, QUARTER):
        local = datetime.fromtimestamp(quarter * 60, UTC).astimezone(work.zone)
        day, weekday, hour = local.toordinal(), local.weekday(), local.weekday() * 24 + local.hour
        begin = local.hour * 60 + local.minute
        for minute in range(max(quarter, first), min(quarter + QUARTER, last + 1)):
            counts = work.at(weekday, begin + minute - quarter) and not gone[minute - first]
            found.append((day, hour if counts else None))
    return found


def _away_minutes(first: int, last: int, away: Away) -> list[bool]:
    steps = [0] * (last - first + 2)
    for begin, end in away:
        since, until = max(minute_of(begin), first), min(minute_of(end), last)
        if since <= until:
            steps[since - first] += 1
            steps[until - first + 1] -= 1
    return [depth > 0 for depth in accumulate(steps)]


def _longest(heard: set[int], last: int, work: Hours, away: Away) -> dict[tuple[int, int], int]:
    """By day and hour of the week: the longest it had been quiet there, in minutes of work."""
    found: defaultdict[tuple[int, int], int] = defaultdict(int)
    first, quiet = min(heard), 0
    for minute, (day, hour) in enumerate(_calendar(first, last, work, away), first):
        if minute in heard:
            quiet = 0
        elif hour is not None:
            quiet += 1
        if hour is not None:
            found[day, hour] = max(found[day, hour], quiet)
    return found


def _around(longest: dict[tuple[int, int], int]) -> dict[int, list[tuple[int, int]]]:
    """By hour of the day: each day's weekday, and the longest it had been quiet in that hour and those beside it."""
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for day, hour in longest:
        found[hour % 24].append((hour // 24, max(longest.get((day, near), 0) for near in (hour - 1, hour, hour + 1))))
    return found


def _most_days(weekday: int, days: Sequence[tuple[int, int]]) -> float:
    """How long it is quiet on most days of a weekday: never less than on most days at all."""
    every, same = [quiet for _, quiet in days], [quiet for on, quiet in days if on == weekday]
    own = _part(same, MOST) if len(same) >= SAME_WEEKDAYS else _part(every, SLOW)
    return max(own, _part(every, MOST), SHORTEST)


def _part(values: Sequence[int], part: float) -> int:
    """The value that this part of all is not above."""
    return sorted(values)[int(len(values) * part)]
