"""Duties and their deadlines: what was to be told, what was not, and what nobody can be blamed for. Everything is due
at ten o'clock, sixty minutes after nine."""

import pytest

from events.order import facts as f
from tests.audit.dispute import Dispute, at, blamed, minutes


@pytest.fixture
def dispute() -> Dispute:
    return Dispute()


def test_a_mark_nobody_made(dispute: Dispute) -> None:
    """Before the deadline there is time left; after it 1C is late."""
    dispute.placed(shipped=60)
    assert blamed(dispute.verdict(now=50)) == (None, "not marked by 1C yet: 10 min left")
    late = dispute.verdict(now=75)
    assert blamed(late) == ("1c", "1C late: not marked; it was due 15 min ago")
    assert (late.step, late.state, late.legs, late.late_seconds) == (None, "none", [], 15 * 60)


def test_an_order_that_was_over_before_is_late_no_more(dispute: Dispute) -> None:
    """Cancelled in time: nothing is due. Cancelled after the deadline: 1C had been late."""
    dispute.placed(shipped=60)
    dispute.say("order.cancelled", f.Cancelled(by="customer"), 55, source="channel/shop")
    assert (dispute.verdict().verdict, dispute.verdict().blame) == ("over", None)
    refused = Dispute()
    refused.placed(shipped=60)
    refused.say("order.cancelled", f.Cancelled(by="customer"), 49, source="channel/shop")
    refused.told("ship", "shipped", refused.mark("shipped", 50), 50, 50, 51, end="refused", code="cancelled")
    assert (refused.verdict().verdict, refused.verdict().blame) == ("over", None)
    later = Dispute()
    later.placed(shipped=60)
    later.say("order.cancelled", f.Cancelled(by="marketplace"), 65, source="channel/shop")
    assert (later.verdict().verdict, later.verdict().blame) == ("not_marked", "1c")


def test_a_stage_the_marketplace_reached_by_itself(dispute: Dispute) -> None:
    """What it shows before the deadline is in time without 1C."""
    dispute.placed(shipped=60)
    dispute.say("marketplace.seen", f.Seen(status="S", stage="shipped", began_at=at(45)), 46, occurred=45,
                source="channel/shop")  # fmt: skip
    assert blamed(dispute.verdict()) == (
        None, "in time: the marketplace showed it by itself 15 min before the deadline",
    )  # fmt: skip


def test_without_a_deadline_there_are_only_minutes(dispute: Dispute) -> None:
    """Legs, and nobody to blame."""
    dispute.placed()
    dispute.told("ship", "shipped", dispute.mark("shipped", 50, 55), 56, 57, 60)
    mark = dispute.verdict()
    assert (blamed(mark), mark.late_seconds) == ((None, "no deadline is known"), None)
    assert minutes(mark) == {"1c": 5, "hub": 2, "marketplace": 3}


@pytest.mark.parametrize(("end", "says"), [
    ("withheld", "not told: the channel is in shadow"), ("withdrawn", "not told: the shop cancelled the order"),
])  # fmt: skip
def test_what_was_never_to_be_sent(dispute: Dispute, end: str, says: str) -> None:
    """Shadow and withdrawals are said, and blame nobody."""
    dispute.placed(shipped=60)
    marked = dispute.mark("shipped", 70)
    dispute.asked("ship", 70, marked, "shipped")
    dispute.ended("ship", 70, end=end, attempts=0, message="the shop cancelled the order")
    assert blamed(dispute.verdict()) == (None, says)


def test_what_could_not_become_a_call(dispute: Dispute) -> None:
    """Refused before it was sent: nobody is blamed, and the reason is said."""
    dispute.placed(shipped=60)
    dispute.asked("ship", 50, dispute.mark("shipped", 50), "shipped")
    dispute.ended("ship", 50, end="refused", attempts=0, code="no_marks", message="marking codes are missing")
    assert blamed(dispute.verdict())[0] is None
    assert dispute.verdict().says.startswith("not told: no_marks: marking codes are missing")


def test_the_deadline_known_at_the_mark_counts(dispute: Dispute) -> None:
    """One that is put off before the mark counts, one put off after it does not."""
    dispute.placed(shipped=60)
    dispute.say("order.changed", f.Changed(deadlines=(f.Deadline("shipped", at(90)),)), 30, source="channel/shop")
    dispute.told("ship", "shipped", dispute.mark("shipped", 80), 80, 80, 81)
    dispute.say("order.changed", f.Changed(deadlines=(f.Deadline("shipped", at(20)),)), 100, source="channel/shop")
    assert blamed(dispute.verdict()) == (None, "in time: taken 9 min before the deadline")
    assert dispute.verdict().due == at(90)


def test_a_stage_that_was_skipped_is_judged_by_the_later_mark(dispute: Dispute) -> None:
    """1C marks shipped; packing, due earlier, was told because of it."""
    dispute.placed(assembled=40, shipped=60)
    marked = dispute.mark("shipped", 50)
    dispute.asked("pack", 50, marked, "assembled")
    dispute.asked("ship", 50, marked, "shipped")
    dispute.ended("pack", 51, tried=50, sent=50)
    dispute.ended("ship", 52, tried=51, sent=51)
    pack, ship = dispute.report(600)
    assert blamed(pack) == ("1c", "1C late: marked 10 min after the deadline, taken 11 min after it")
    assert blamed(ship) == (None, "in time: taken 8 min before the deadline")


def test_a_stage_nothing_is_told_of(dispute: Dispute) -> None:
    """1C's mark alone decides."""
    dispute.placed(shipped=60)
    dispute.mark("shipped", 50)
    assert dispute.verdict().says == (
        "in time: marked 10 min before the deadline; nothing is told to the marketplace for it"
    )
    late = Dispute()
    late.placed(shipped=60)
    late.mark("shipped", 61)
    assert blamed(late.verdict()) == ("1c", "1C late: marked 1 min after the deadline")


def test_an_answer_to_the_buyer(dispute: Dispute) -> None:
    """The wish's own deadline; unanswered, 1C is late, unless the buyer took it back."""
    dispute.placed()
    dispute.say("order.cancellation_requested", f.CancellationRequested(due=at(60)), 10, source="channel/shop")
    assert blamed(dispute.verdict(now=70)) == ("1c", "1C late: not marked; it was due 10 min ago")
    answered = dispute.say("order.cancellation_accepted", f.CancellationAccepted(), 66, occurred=40)
    dispute.told("answer", "cancellation_answered", answered, 66, 66, 67)
    assert blamed(dispute.verdict()) == (
        "1c", "1C late: marked 20 min before the deadline, reached the hub 6 min after it, taken 7 min after it",
    )  # fmt: skip
    taken_back = Dispute()
    taken_back.placed()
    taken_back.say("order.cancellation_requested", f.CancellationRequested(due=at(60)), 10, source="channel/shop")
    seen = f.Seen(status="S", stage="confirmed", began_at=at(20))
    taken_back.say("marketplace.seen", seen, 20, source="channel/shop")
    assert taken_back.verdict().verdict == "over"


def test_1c_is_not_blamed_for_a_deadline_it_was_told_of_too_late(dispute: Dispute) -> None:
    """The order was placed at nine, read at 65 and told to 1C at 66: the hub's. Out of an archive: nobody's."""
    placed = dispute.placed(65, occurred=0, shipped=60)
    fact = f.CommandRequested(command="tell", target="1c", action="order.placed")
    asked = dispute.say("command.requested", fact, 65, source=f.HUB, cause=placed)
    dispute.say("command.done", f.CommandOutcome(command="tell"), 66, source=f.HUB, cause=asked)
    dispute.told("ship", "shipped", dispute.mark("shipped", 70), 70, 70, 71)
    assert blamed(dispute.verdict()) == (
        "hub", "hub late: 1C was told of the deadline 6 min after it, taken 11 min after it",
    )  # fmt: skip
    archive = Dispute()
    archive.placed(60 * 24 * 30, occurred=0, shipped=60)
    assert archive.verdict(now=60 * 24 * 31).verdict == "archived"
