"""Who usually speaks and is quiet: decided by what was usual at that hour, in working time, and by nothing else."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from service.onec.silence import FLOOR, Away, Hours, Silence, Usual, hour_of, learned, minute_of, silence

SAMARA, BERLIN = ZoneInfo("Europe/Samara"), ZoneInfo("Europe/Berlin")
EVERY_DAY = frozenset(range(7))
SHOP = Hours(SAMARA, time(9), time(21), EVERY_DAY)
MONDAY = datetime(2026, 3, 2, tzinfo=SAMARA)
TIMES = 5.0


def steady(days: int, every: int, hours: Hours = SHOP, begin: datetime = MONDAY) -> list[int]:
    """The minutes in which a base speaks that does so every so many minutes, while it works."""
    found = range(minute_of(begin), minute_of(begin + timedelta(days=days)), every)
    return [minute for minute in found if hours.now(at(minute))]


def at(minute: int) -> datetime:
    """The moment a minute begins."""
    return datetime.fromtimestamp(minute * 60, UTC)


def known(signs: list[int], now: datetime, hours: Hours = SHOP, away: Away = ()) -> Usual:
    """What is usual; it must be known."""
    found = learned(signs, now, hours, away)
    assert found is not None
    return found


def noticed(last: datetime, usual: Usual, hours: Hours = SHOP, times: float = TIMES) -> timedelta:
    """After how long a silence is called one, looked at each minute."""
    now = last
    while not silence(last, now, hours, [], usual).quiet(times):
        now += timedelta(minutes=1)
    return now - last


def test_a_stop_at_noon_is_noticed_within_so_many_usual_gaps() -> None:
    """A base that speaks every 8 minutes is missed after 5 times its usual gap, not before; that is settable."""
    noon = MONDAY + timedelta(days=28, hours=12)
    usual = known(steady(28, 8), noon)
    assert usual.at(hour_of(noon, SAMARA)) == 7  # whole minutes between two signs
    assert noticed(noon, usual) == timedelta(minutes=35)
    assert noticed(noon, usual, times=2) == timedelta(minutes=14)


def test_a_base_that_speaks_without_pause_is_given_some_minutes() -> None:
    """However short its usual gap, no silence is called one before the floor."""
    noon = MONDAY + timedelta(days=28, hours=12)
    assert noticed(noon, known(steady(28, 1), noon)) == timedelta(minutes=FLOOR)


@pytest.mark.parametrize(("days", "every"), [(5, 1), (28, 900)])
def test_little_that_was_heard_says_nothing(days: int, every: int) -> None:
    """A base that is new, or that speaks once a day, has no usual gap, and no silence of it is one."""
    now = MONDAY + timedelta(days=days)
    assert learned(steady(days, every, Hours(SAMARA, time(0), time(0), EVERY_DAY)), now, SHOP, []) is None
    assert not silence(MONDAY, now, SHOP, [], None).quiet(TIMES)


def test_a_night_does_not_count() -> None:
    """Silent from closing time on: the clock stands until the morning."""
    closing = MONDAY + timedelta(days=28, hours=21)
    usual = known(steady(28, 8), closing)
    morning = MONDAY + timedelta(days=29, hours=9)
    assert silence(closing, morning - timedelta(minutes=1), SHOP, [], usual).minutes == 0
    assert noticed(closing, usual) == morning + timedelta(minutes=34) - closing


def test_days_off_do_not_count() -> None:
    """With `mon-fri` a weekend is no silence."""
    office = Hours(SAMARA, time(9), time(18), frozenset(range(5)))
    friday, monday = MONDAY + timedelta(days=32, hours=18), MONDAY + timedelta(days=35, hours=9, minutes=4)
    usual = known(steady(32, 8, office), friday, office)
    assert silence(friday, monday, office, [], usual).minutes == 5


def test_hours_over_midnight_belong_to_the_day_they_begin() -> None:
    """`20:00-04:00` on Fridays: Saturday's first hours are worked, Friday's are not."""
    night = Hours(SAMARA, time(20), time(4), frozenset({4}))
    friday = MONDAY + timedelta(days=4)
    worked = [hour for hour in range(48) if night.now(friday + timedelta(hours=hour))]
    assert worked == [20, 21, 22, 23, 24, 25, 26, 27]
    assert silence(friday, friday + timedelta(days=2), night, [], None).minutes == 8 * 60


def test_hours_are_those_of_the_bases_clock() -> None:
    """When clocks change, a day still has the hours its base works: on the Sunday of 23 hours, and that of 25."""
    hours = Hours(BERLIN, time(1), time(5), EVERY_DAY)
    counts = []
    for month, day in ((3, 28), (3, 29), (10, 25)):
        midnight = datetime(2026, month, day, tzinfo=BERLIN)
        until = midnight.replace(hour=12)
        counts.append(silence(midnight.astimezone(UTC), until.astimezone(UTC), hours, [], None).minutes)
    assert counts == [240, 180, 300]


def test_each_hour_has_its_own_measure() -> None:
    """Quick at noon, slow in the evening: the same silence is one at noon and none in the evening."""
    signs = [m for m in steady(28, 4) if at(m).astimezone(SAMARA).hour < 17]
    signs += [m for m in steady(28, 40) if at(m).astimezone(SAMARA).hour >= 17]
    noon, evening = (MONDAY + timedelta(days=28, hours=hour) for hour in (12, 18.5))
    usual = known(signs, noon)
    quiet = [silence(last, last + timedelta(hours=1), SHOP, [], usual).quiet(TIMES) for last in (noon, evening)]
    assert quiet == [True, False]


def test_a_quiet_lunch_is_usual() -> None:
    """A base that is silent from one to two each day is not missed then, and missed soon at three."""
    signs = [m for m in steady(28, 5) if at(m).astimezone(SAMARA).hour != 13]
    lunch = MONDAY + timedelta(days=28, hours=12, minutes=59)
    usual = known(signs, lunch)
    assert not silence(lunch, lunch + timedelta(minutes=62), SHOP, [], usual).quiet(TIMES)
    assert noticed(MONDAY + timedelta(days=28, hours=17), usual) < timedelta(minutes=30)


def test_a_slow_weekend_is_known_by_its_own_days() -> None:
    """Sundays are slower by far: a Sunday's silence is measured by Sundays, a Monday's by Mondays."""
    signs = [m for m in steady(35, 5) if at(m).astimezone(SAMARA).weekday() != 6]
    signs += [m for m in steady(35, 60) if at(m).astimezone(SAMARA).weekday() == 6]
    usual = known(signs, MONDAY + timedelta(days=35))
    sunday, monday = (hour_of(MONDAY + timedelta(days=day, hours=12), SAMARA) for day in (6, 0))
    assert (usual.at(sunday), usual.at(monday)) == (59, 4)


def test_a_day_on_which_it_stood_still_teaches_nothing() -> None:
    """1C lay still for a Wednesday: next Wednesday it is missed as soon as ever."""
    signs = [m for m in steady(28, 8) if at(m).astimezone(SAMARA).date() != (MONDAY + timedelta(days=16)).date()]
    wednesday = MONDAY + timedelta(days=30, hours=12)
    assert noticed(wednesday, known(signs, wednesday)) <= timedelta(minutes=40)


def test_time_without_a_hub_does_not_count() -> None:
    """What nobody could hear is no silence: neither now nor in what is learned."""
    now = MONDAY + timedelta(days=28, hours=15)
    out = (MONDAY + timedelta(days=28, hours=12), MONDAY + timedelta(days=28, hours=14, minutes=55))
    usual = known(steady(28, 8), now)
    last = out[0] - timedelta(minutes=3)
    assert silence(last, now, SHOP, [], usual).quiet(TIMES)
    assert not silence(last, now, SHOP, [out], usual).quiet(TIMES)
    nights = tuple((MONDAY + timedelta(days=d, hours=12), MONDAY + timedelta(days=d, hours=18)) for d in range(28))
    heard = [m for m in steady(28, 8) if not any(a <= at(m) <= b for a, b in nights)]
    assert known(heard, now, away=nights).at(hour_of(now, SAMARA)) == 14  # before and after
    assert known(heard, now).at(hour_of(now, SAMARA)) > 100


def test_what_is_older_than_four_weeks_is_forgotten() -> None:
    """A base that became slower is soon measured by what it is now."""
    then, later = steady(28, 2), steady(28, 20, begin=MONDAY + timedelta(days=28))
    now = MONDAY + timedelta(days=56, hours=12)
    assert known(then + later, now) == known(later, now)


def traffic(seed: int, days: int, peak: float, weekend: float, burst: int) -> Iterator[int]:
    """The minutes in which a shop's base speaks: busiest at two, in bursts, slower at weekends, some days better."""
    chance = random.Random(seed)
    for day in range(days):
        midnight = minute_of(MONDAY + timedelta(days=day))
        luck = chance.lognormvariate(0, 0.2) * (weekend if day % 7 >= 5 else 1)
        for minute in range(24 * 60):
            shape = max(0.02, 1 - ((minute / 60 - 14.5) / 7) ** 2)
            if chance.random() < peak / 60 / burst * shape * luck:
                yield from (midnight + minute + chance.randrange(burst) for _ in range(burst))


@pytest.mark.parametrize(("peak", "weekend", "burst"), [(200, 0.7, 3), (60, 0.5, 1), (30, 1.0, 2), (8, 0.4, 2)])
def test_a_week_of_a_shops_traffic_raises_no_false_alarm(peak: float, weekend: float, burst: int) -> None:
    """Every gap of a week, at random, after four weeks of the same; and a stop at noon is noticed by its measure."""
    signs = sorted(set(traffic(7, 36, peak, weekend, burst)))
    for day in range(28, 35):
        today = MONDAY + timedelta(days=day)
        usual = known(signs, today)
        heard = [m for m in signs if minute_of(today) - 12 * 60 <= m < minute_of(today) + 24 * 60]
        for last, following in pairwise(heard):
            quiet = silence(at(last), at(following - 1), SHOP, [], usual)
            assert not quiet.quiet(TIMES), (at(last), quiet)
    noon = MONDAY + timedelta(days=35, hours=12)
    stopped = at(max(m for m in signs if m <= minute_of(noon)))
    usual = known(signs, noon)
    slowest = max(usual.at(hour_of(noon, SAMARA) + later) for later in range(9))
    assert noticed(stopped, usual) <= timedelta(minutes=max(TIMES * slowest, FLOOR) + 1)


def test_a_silence_says_what_it_was_measured_by() -> None:
    """Its last sign, its minutes of work, the usual gap of this hour."""
    noon = MONDAY + timedelta(days=28, hours=12)
    found = silence(noon, noon + timedelta(minutes=14), SHOP, [], known(steady(28, 8), noon))
    assert found == Silence(noon, 14, 2.0, 7)
