"""Who was late with a mark: cases computed by hand. Everything is due at ten o'clock, sixty minutes after nine."""

import pytest

from events.order import facts as f
from service.audit.around import Outage, Trying
from service.audit.legs import Leg
from service.audit.verdicts import SAYS, TAILS, Mark, parts
from tests.audit.dispute import Dispute, at, blamed, minutes


@pytest.fixture
def dispute() -> Dispute:
    return Dispute()


def test_1c_marks_after_the_deadline(dispute: Dispute) -> None:
    """1C late by its own clock: twelve minutes, and half a minute more until the marketplace took it."""
    dispute.placed(shipped=60)
    dispute.told("ship", "shipped", dispute.mark("shipped", 72, 72.1), 72.2, 72.3, 72.5)
    mark = dispute.verdict()
    assert blamed(mark) == ("1c", "1C late: marked 12 min after the deadline, taken 12 min after it")
    assert (mark.stage, mark.step, mark.due, mark.late_seconds) == ("shipped", "ship", at(60), 12.5 * 60)
    assert minutes(mark) == {"1c": 0.1, "hub": 0.2, "marketplace": 0.2}


def test_1c_marks_in_time_and_the_mark_comes_late(dispute: Dispute) -> None:
    """1C late by transport: the hub ran all the while, and told the marketplace at once."""
    dispute.ran(0, 600)
    dispute.placed(shipped=60)
    dispute.told("ship", "shipped", dispute.mark("shipped", 50, 67), 67, 67, 67.5)
    mark = dispute.verdict()
    assert blamed(mark) == (
        "1c", "1C late: marked 10 min before the deadline, reached the hub 7 min after it, taken 7 min 30 s after it",
    )  # fmt: skip
    assert minutes(mark) == {"1c": 17, "marketplace": 0.5}


def test_no_hub_was_there_to_take_the_mark(dispute: Dispute) -> None:
    """The time in which no hub ran is the hub's, though the mark was on its way; the rest of the way stays 1C's."""
    dispute.ran(0, 40)
    dispute.ran(70, 600)
    dispute.placed(shipped=60)
    dispute.told("ship", "shipped", dispute.mark("shipped", 50, 70.5), 70.5, 70.5, 71)
    mark = dispute.verdict()
    assert blamed(mark) == (
        "hub", "hub late: no hub was at work from 2026-03-01 09:50:00Z to 2026-03-01 10:10:00Z, taken 11 min after it",
    )  # fmt: skip
    assert minutes(mark) == {"hub": 20, "1c": 0.5, "marketplace": 0.5}
    assert [(leg.kind, leg.since, leg.until) for leg in mark.legs][:2] == [
        ("no_hub", at(50), at(70)), ("reached", at(70), at(70.5)),
    ]  # fmt: skip


def test_a_hub_that_only_serves_pages_takes_marks_but_tells_nobody(dispute: Dispute) -> None:
    """A gap is one of the role that was waited for: here no dispatcher ran."""
    dispute.ran(0, 600, "web", "intake", "react")
    dispute.ran(0, 55, "dispatch")
    dispute.ran(80, 600, "dispatch")
    dispute.placed(shipped=60)
    dispute.told("ship", "shipped", dispute.mark("shipped", 50), 50, 81, 81)
    mark = dispute.verdict()
    assert (mark.verdict, mark.blame, minutes(mark)) == ("hub_down", "hub", {"hub": 31})
    assert mark.passed is not None
    assert (mark.passed.since, mark.passed.until) == (at(55), at(80))


def test_the_hub_has_the_mark_and_does_not_tell_it(dispute: Dispute) -> None:
    """Hub late: it ran, decided, and did not send."""
    dispute.ran(0, 600)
    dispute.placed(shipped=60)
    dispute.told("ship", "shipped", dispute.mark("shipped", 48), 49, 65, 65.5)
    mark = dispute.verdict()
    assert blamed(mark) == (
        "hub", "hub late: recorded 12 min before the deadline and not told by then, taken 5 min 30 s after it",
    )  # fmt: skip
    assert minutes(mark) == {"hub": 17, "marketplace": 0.5}


def test_the_marketplace_fails_for_25_minutes(dispute: Dispute) -> None:
    """First told three minutes before, taken at the sixth try: the marketplace's."""
    dispute.placed(shipped=60)
    marked = dispute.mark("shipped", 57)
    dispute.told("ship", "shipped", marked, 57, 57, 85, sent=84.9, attempts=6, trouble="HTTP 503")
    mark = dispute.verdict()
    assert mark.blame == "marketplace"
    assert mark.says == (
        "marketplace down or slow: first told 3 min before the deadline, taken 25 min after it; 6 tries, last answer:"
        " HTTP 503"
    )
    assert (mark.attempts, minutes(mark)) == (6, {"marketplace": 28})


def test_the_marketplace_fails_still(dispute: Dispute) -> None:
    """Without an outcome the attempts under way tell it."""
    dispute.placed(shipped=60)
    dispute.asked("ship", 57, dispute.mark("shipped", 57), "shipped")
    dispute.trying["ship"] = Trying(9, at(57), at(89), "HTTP 500")
    mark = dispute.verdict(now=90)
    assert mark.blame == "marketplace"
    assert mark.says == (
        "marketplace down or slow: first told 3 min before the deadline, not taken yet, 30 min after it;"
        " 9 tries, last answer: HTTP 500"
    )
    assert (mark.state, mark.late_seconds, minutes(mark)) == ("waiting", 30 * 60, {"marketplace": 33})


def test_an_hour_without_a_hub_in_the_marketplaces_time_is_the_hubs(dispute: Dispute) -> None:
    """Between two tries the hub was down: that part is taken off the marketplace's."""
    dispute.ran(0, 58)
    dispute.ran(80, 600)
    dispute.placed(shipped=60)
    dispute.told("ship", "shipped", dispute.mark("shipped", 57), 57, 57, 81, sent=81, attempts=2, trouble="HTTP 502")
    mark = dispute.verdict()
    assert (mark.verdict, mark.blame, minutes(mark)) == ("hub_down", "hub", {"marketplace": 2, "hub": 22})


def test_a_marketplace_that_lets_nothing_through_is_not_the_hubs_delay(dispute: Dispute) -> None:
    """While the channel's circuit is open nothing is tried: who waits then waits for the marketplace."""
    dispute.ran(0, 600)
    dispute.outages.append(Outage(at(30), at(84), "HTTP 503"))
    dispute.placed(shipped=60)
    dispute.told("ship", "shipped", dispute.mark("shipped", 50), 50, 84.5, 85)
    mark = dispute.verdict()
    assert blamed(mark) == (
        "marketplace",
        "marketplace down from 2026-03-01 09:50:00Z to 2026-03-01 10:24:00Z: HTTP 503, taken 25 min after it",
    )
    assert minutes(mark) == {"marketplace": 34.5, "hub": 0.5}


def test_a_refusal_before_the_deadline(dispute: Dispute) -> None:
    """The marketplace's, with its own words."""
    dispute.placed(shipped=60)
    dispute.told(
        "ship", "shipped", dispute.mark("shipped", 50), 50, 50, 51, end="refused", code="NO", message="no stock"
    )
    mark = dispute.verdict()
    assert blamed(mark) == (
        "marketplace", "marketplace refusing: first told 10 min before the deadline, refused: NO: no stock",
    )  # fmt: skip


def test_a_refusal_that_an_operator_had_tried_again(dispute: Dispute) -> None:
    """The time it stood refused is the marketplace's; tries of both rounds count."""
    dispute.placed(shipped=60)
    dispute.told("ship", "shipped", dispute.mark("shipped", 50), 50, 50, 51, end="refused", code="NO", attempts=3)
    dispute.say("command.retried", f.CommandRetried(command="ship"), 70, source=f.HUB)
    dispute.ended("ship", 71, tried=70.5, sent=70.5)
    mark = dispute.verdict()
    assert (mark.verdict, mark.blame, mark.attempts) == ("market_refusing", "marketplace", 4)
    assert [(leg.kind, leg.seconds, leg.detail) for leg in mark.legs] == [
        ("tried", 60, None), ("refused", 19 * 60, "NO"), ("tried", 60, None),
    ]  # fmt: skip


def test_an_earlier_step_of_the_order_holds_the_lane(dispute: Dispute) -> None:
    """Packing failed from 50 to 80; shipping, marked at 52, could not be told: the marketplace's."""
    dispute.ran(0, 600)
    dispute.placed(shipped=60)
    packed = dispute.mark("assembled", 50)
    dispute.asked("pack", 50, packed, "assembled")
    shipped = dispute.mark("shipped", 52)
    dispute.asked("ship", 53, shipped, "shipped")
    dispute.ended("pack", 80, tried=50, sent=79, attempts=5, trouble="HTTP 500")
    dispute.ended("ship", 81, tried=80.5, sent=80.5)
    pack, ship = dispute.report(600)
    assert (pack.verdict, pack.blame) == ("no_deadline", None)
    assert ship.blame == "marketplace"
    assert ship.says == (
        "marketplace late: it had pack of this order in its hands from 2026-03-01 09:53:00Z to 2026-03-01 10:20:00Z,"
        " taken 21 min after it"
    )
    assert minutes(ship) == {"hub": 1.5, "marketplace": 27.5}


def test_in_time(dispute: Dispute) -> None:
    """Fourteen minutes before; and a call that began before the deadline is in time, whenever it was found out."""
    dispute.placed(shipped=60)
    dispute.told("ship", "shipped", dispute.mark("shipped", 45), 45.5, 45.6, 46)
    assert blamed(dispute.verdict()) == (None, "in time: taken 14 min before the deadline")
    assert dispute.verdict().late_seconds == -14 * 60
    crashed = Dispute()
    crashed.placed(shipped=60)
    crashed.told("ship", "shipped", crashed.mark("shipped", 55), 55, 55, 80, sent=57, attempts=2)
    assert blamed(crashed.verdict()) == (
        None, "in time: the call that was taken began 3 min before the deadline, known 20 min after it",
    )  # fmt: skip


def test_a_command_on_its_way(dispute: Dispute) -> None:
    """Nobody is late yet."""
    dispute.placed(shipped=60)
    dispute.asked("ship", 50, dispute.mark("shipped", 50), "shipped")
    assert blamed(dispute.verdict(now=52)) == (None, "on its way: 8 min left")


def test_events_of_before_tries_were_timed(dispute: Dispute) -> None:
    """Their first try counts as begun when it was requested."""
    dispute.placed(shipped=60)
    dispute.asked("ship", 50, dispute.mark("shipped", 50), "shipped")
    dispute.ended("ship", 70, attempts=4)
    assert (dispute.verdict().verdict, minutes(dispute.verdict())) == ("market_late", {"marketplace": 20})


def test_a_clock_of_1cs_that_is_ahead_is_not_believed(dispute: Dispute) -> None:
    """What was recorded before the deadline did not occur after it."""
    dispute.placed(shipped=60)
    dispute.told("ship", "shipped", dispute.mark("shipped", 80, 50), 50, 50, 51)
    assert blamed(dispute.verdict()) == (None, "in time: taken 9 min before the deadline")


def test_where_nothing_was_noted_nothing_is_said_of_hubs(dispute: Dispute) -> None:
    """Lives are noted from 65 on: what came before is 1C's way, as far as anybody knows."""
    dispute.ran(65, 600)
    dispute.placed(shipped=60)
    dispute.told("ship", "shipped", dispute.mark("shipped", 50, 66), 66, 66, 67)
    assert (dispute.verdict().verdict, dispute.verdict().blame) == ("reached_late", "1c")


def test_legs_touch_and_cover_the_way(dispute: Dispute) -> None:
    """With gaps, an outage and a held lane laid over each other no minute is missed or counted twice."""
    dispute.ran(0, 52)
    dispute.ran(58, 70)
    dispute.ran(75, 600)
    dispute.outages.append(Outage(at(60), at(82), "HTTP 503"))
    dispute.placed(shipped=60)
    dispute.asked("pack", 49, dispute.mark("assembled", 49), "assembled")
    dispute.asked("ship", 53, dispute.mark("shipped", 50, 53), "shipped")
    dispute.ended("pack", 72, tried=50, sent=71, attempts=3)
    dispute.ended("ship", 95, tried=90, sent=94, attempts=2)
    ship = dispute.report(600)[1]
    assert (ship.legs[0].since, ship.legs[-1].until) == (at(50), at(95))
    assert all(one.until == following.since for one, following in zip(ship.legs, ship.legs[1:], strict=False))
    assert [(leg.kind, round(leg.seconds / 60)) for leg in ship.legs] == [
        ("reached", 2), ("no_hub", 1), ("no_hub", 5), ("held", 12), ("no_hub", 5), ("down", 7), ("queued", 8),
        ("tried", 5),
    ]  # fmt: skip


def test_every_verdict_has_its_words() -> None:
    """Whatever is said has a sentence whose names are known."""
    leg = Leg(who="hub", since=at(0), until=at(1), seconds=60, kind="down", detail="x")
    for verdict in SAYS:
        for state in ("done", "waiting", "refused", "given_up", "none"):
            mark = Mark(
                stage="shipped", step="ship", state=state, due=at(60), occurred_at=at(1), recorded_at=at(2),
                requested_at=at(3), tried_at=at(4), sent_at=at(5), answered_at=at(6), attempts=2, answer="x", legs=[],
                late_seconds=1, blame="marketplace", verdict=verdict, passed=leg, told_at=at(7), moved_at=at(8),
            )  # fmt: skip
            assert all(key in SAYS or key in TAILS for key in parts(mark))
