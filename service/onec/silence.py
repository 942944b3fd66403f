"""Whether somebody who usually gives signs of life has been quiet for too long. Pure.

A sign is a minute in which a base of 1C said something, its queue was read, or the outbox was polled. What counts is
working time: minutes within the base's working hours in which the hub was at work and the broker within reach.

    signs of four weeks ─ learned ─▶ Usual: by weekday and hour, how long it has been quiet there at most, most days
    the last sign, now ─ silence ─▶ how many usual gaps the present silence is long

Each minute of a silence counts against what is usual at its own hour, so that a quiet lunch, a slow evening and a quick
noon each have their measure, and a silence may begin in one and end in another. "Most days" is a median over days: a
day on which 1C stood still, or a holiday, teaches nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

import msgspec

WEEKS = timedelta(weeks=4)
"""What is learned from."""

FEWEST_SIGNS, FEWEST_DAYS = 50, 3
"""Before so many minutes with a sign, on so many days, nothing is usual."""

FLOOR = 10
"""No silence is shorter than so many minutes of work."""

SHORTEST = 2.0
"""A usual gap's least minutes: signs are noted by the minute."""

MOST_OF_AN_HOUR = 0.95
SAME_WEEKDAYS = 3
"""So many days of one weekday are enough to know it by; before that all weekdays count, and the slower of their days."""

SLOW_DAYS = 0.9
HOURS = 24 * 7
QUARTER = 15
"""Minutes; no zone's clock moves within a quarter of an hour."""


class Work(msgspec.Struct, frozen=True):
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


def learned(signs: Iterable[int], now: datetime, work: Work, away: Away) -> Usual | None:
    """What is usual for who gave signs in these minutes; None where too little is known."""
    today = now.astimezone(work.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    first, last = minute_of(today - WEEKS), minute_of(today) - 1  # a day that is not over tells little of its hours
    heard = {minute for minute in signs if first <= minute <= last}
    if len(heard) < FEWEST_SIGNS:
        return None
    by_day = _quiet_minutes(heard, last, work, away)
    if len({day for day, _ in by_day}) < FEWEST_DAYS:
        return None
    longest = _longest(by_day)
    return Usual({hour: max(_most_days(hour, longest), SHORTEST) for hour in range(HOURS) if longest[hour % 24]})


def silence(last: datetime, now: datetime, work: Work, away: Away, usual: Usual | None) -> Silence:
    """The silence between the last sign and now."""
    counted = [hour for _, hour in _calendar(minute_of(last) + 1, minute_of(now), work, away) if hour is not None]
    if usual is None:
        return Silence(last, len(counted), None, None)
    gaps = sum(1 / usual.at(hour) for hour in counted)
    return Silence(last, len(counted), gaps, usual.at(hour_of(now, work.zone)))


def _calendar(first: int, last: int, work: Work, away: Away) -> list[tuple[int, int | None]]:
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


def _quiet_minutes(heard: set[int], last: int, work: Work, away: Away) -> dict[tuple[int, int], list[int]]:
    """By day and hour of the week: how many minutes of work it had been quiet, at each of its minutes."""
    found: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    first, quiet = min(heard), 0
    for minute, (day, hour) in enumerate(_calendar(first, last, work, away), first):
        if minute in heard:
            quiet = 0
        elif hour is not None:
            quiet += 1
        if hour is not None:
            found[day, hour].append(quiet)
    return found


def _longest(by_day: dict[tuple[int, int], list[int]]) -> dict[int, list[tuple[int, float]]]:
    """By hour of the day: each day's weekday, and how long it was quiet around that hour, but for the worst minutes."""
    found: dict[int, list[tuple[int, float]]] = {hour: [] for hour in range(24)}
    for day, hour in by_day:
        around = [by_day.get((day, near), []) for near in (hour - 1, hour, hour + 1) if near // 24 == hour // 24]
        found[hour % 24].append((hour // 24, _part([m for minutes in around for m in minutes], MOST_OF_AN_HOUR)))
    return found


def _most_days(hour: int, longest: dict[int, list[tuple[int, float]]]) -> float:
    days = longest[hour % 24]
    same = [quiet for weekday, quiet in days if weekday == hour // 24]
    if len(same) >= SAME_WEEKDAYS:
        return sorted(same)[len(same) // 2]
    return _part([quiet for _, quiet in days], SLOW_DAYS)


def _part(values: Sequence[float], part: float) -> float:
    """The value that this part of all is not above."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]
