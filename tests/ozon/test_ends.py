"""Cancellations, early and late, by shop and customer; moves of the delivery; what Ozon can't be told."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from events.order import facts as f
from service.marketplaces import port
from service.marketplaces.ozon.sandbox import Posting, work
from tests.ozon.conftest import MakeHub
from tests.ozon.hub import Hub
from tests.ozon.sandboxed import KETTLE, Seller

MOSCOW = ZoneInfo("Europe/Moscow")
SLOT = "/v1/posting/fbs/timeslot/set"


def calls(seller: Seller, path: str) -> int:
    """How often a path was called."""
    return sum(entry.path == path for entry in seller.ozon.journal)


@pytest.mark.parametrize(
    ("reason", "id"), [("out_of_stock", 352), ("customer_changed_mind", 402), ("unreachable", 402), (None, 402)]
)
async def test_the_shop_cancels_with_the_right_reason(rfbs: Seller, hub: MakeHub, reason: str | None, id: int) -> None:
    """1C's reason becomes Ozon's, with words where Ozon wants them; then the order is cancelled in the log too."""
    posting = rfbs.place()
    one = hub(rfbs, posting)
    await one.see()
    assert await one.mark("order.cancelled", f.Cancelled(by="shop", reason=reason)) == {"cancel": "done"}
    assert posting.cancellation is not None
    assert posting.cancellation.reason_id == id
    assert one.state.market_cancelled is not None
    assert one.state.market_cancelled.by == "shop"


async def test_a_reason_ozon_does_not_allow_gives_way(rfbs: Seller, hub: MakeHub) -> None:
    """Uncollected is no reason before the goods are on their way: the one that is always allowed is taken."""
    posting = rfbs.place()
    one = hub(rfbs, posting)
    await one.see()
    assert await one.mark("order.cancelled", f.Cancelled(by="shop", reason="not_collected")) == {"cancel": "done"}
    assert posting.cancellation is not None
    assert posting.cancellation.reason_id == 402


async def test_an_uncollected_posting_under_way(rfbs: Seller, hub: MakeHub) -> None:
    """Under way it is."""
    posting = rfbs.place()
    one = hub(rfbs, posting)
    await one.see()
    await one.mark("order.handed_over", f.HandedOver())
    assert await one.mark("order.cancelled", f.Cancelled(by="customer", reason="not_collected")) == {"cancel": "done"}
    assert posting.cancellation is not None
    assert posting.cancellation.reason_id == 665


async def test_what_was_delivered_is_not_cancelled(rfbs: Seller, hub: MakeHub) -> None:
    """1C hears that it must be a return."""
    posting = rfbs.place()
    one = hub(rfbs, posting)
    await one.see()
    await one.mark("order.delivered", f.Delivered())
    ends = await one.mark("order.cancelled", f.Cancelled(by="customer"))
    assert ends["cancel"].startswith("delivered:")
    assert "return" in ends["cancel"]
    assert calls(rfbs, "/v2/posting/fbs/cancel") == 0


async def test_fbs_on_its_way_is_not_the_sellers_to_cancel(fbs: Seller, hub: MakeHub) -> None:
    """After the hand-over Ozon lets the seller cancel nothing: refused at once, with what to do."""
    posting = fbs.place()
    one = hub(fbs, posting)
    await one.see()
    await fbs.take(posting)
    fbs.wait(posting)
    fbs.wait(posting)
    await one.see()
    ends = await one.mark("order.cancelled", f.Cancelled(by="shop"))
    assert ends["cancel"].startswith("cancel_not_offered")
    assert "cabinet" in ends["cancel"]


async def asked(rfbs: Seller, hub: MakeHub) -> tuple[Hub, Posting]:
    """A posting under way whose buyer wants to cancel."""
    posting = rfbs.place()
    one = hub(rfbs, posting)
    await one.see()
    await one.mark("order.shipped", f.Shipped())
    assert rfbs.ozon.buyer_cancels(posting) is not None
    await one.see()
    return one, posting


async def test_a_wish_is_seen_with_its_deadline_and_accepted(rfbs: Seller, hub: MakeHub) -> None:
    """No push tells of it; the read does, with the time at which Ozon says yes by itself."""
    one, posting = await asked(rfbs, hub)
    due = next(iter(rfbs.ozon.requests.values())).auto
    request = one.state.request
    assert request is not None
    assert request.due is not None
    assert abs(request.due - due) < timedelta(seconds=1)
    ends = await one.mark("order.cancellation_accepted", f.CancellationAccepted())
    assert (ends, posting.status) == ({"cancellation_answer": "done"}, "cancelled")
    assert one.state.market_cancelled is not None
    assert one.state.market_cancelled.by == "customer"


async def test_a_wish_is_declined_and_the_posting_goes_on(rfbs: Seller, hub: MakeHub) -> None:
    """Declined, it is open no more, and the posting is delivered."""
    one, posting = await asked(rfbs, hub)
    ends = await one.mark("order.cancellation_declined", f.CancellationDeclined(reason="in_delivery"))
    assert (ends, one.state.request) == ({"cancellation_answer": "done"}, None)
    assert next(iter(rfbs.ozon.requests.values())).state == "REJECTED"
    assert (await one.mark("order.delivered", f.Delivered()))["delivered"] == "done"
    assert posting.substatus == "posting_conditionally_delivered"


async def test_the_shop_cancels_by_saying_yes_to_an_open_wish(rfbs: Seller, hub: MakeHub) -> None:
    """Where the buyer has asked for it, no cancellation by the shop is counted against its rating."""
    one, posting = await asked(rfbs, hub)
    assert await one.mark("order.cancelled", f.Cancelled(by="customer")) == {"cancel": "done"}
    assert posting.status == "cancelled"
    assert calls(rfbs, "/v2/posting/fbs/cancel") == 0


async def test_an_answer_that_comes_too_late(rfbs: Seller, hub: MakeHub) -> None:
    """Ozon said yes by itself meanwhile: a no is overtaken."""
    one, posting = await asked(rfbs, hub)
    work(rfbs.ozon, datetime.now(UTC) + rfbs.ozon.patience)
    ends = await one.mark("order.cancellation_declined", f.CancellationDeclined())
    assert ends["cancellation_answer"].startswith("cancelled:")
    assert posting.status == "cancelled"


def day(days: int) -> f.Rescheduled:
    """A move so many days ahead, to the afternoon."""
    at = (datetime.now(MOSCOW) + timedelta(days=days)).date()
    return f.Rescheduled(date=at, interval=f.Interval(since="14:00", until="18:00"), by="customer")


async def test_the_delivery_is_moved_in_the_shops_hours(rfbs: Seller, hub: MakeHub) -> None:
    """1C's day and hours are Moscow's; one that came too early is told once the posting is assembled.

    The same move said twice costs one of Ozon's two.
    """
    posting = rfbs.place()
    one = hub(rfbs, posting)
    await one.see()
    early = await one.mark("order.rescheduled", day(6))
    assert early["timeslot"].startswith("not_assembled:")
    assert await one.mark("order.assembled", f.Assembled()) == {"ship": "done", "timeslot": "done"}
    assert await one.mark("order.rescheduled", day(6)) == {"timeslot": "done"}
    assert posting.delivery is not None
    since, until = (moment.astimezone(MOSCOW) for moment in posting.delivery)
    assert (f"{since:%H:%M}", f"{until:%H:%M}", since.date()) == ("14:00", "18:00", day(6).date)
    assert (calls(rfbs, SLOT), posting.slot_moves) == (1, 1)
    assert one.state.delivery.since == posting.delivery[0]


async def test_no_moves_are_left(rfbs: Seller, hub: MakeHub) -> None:
    """The third move is refused with what to do, before anything is sent."""
    posting = rfbs.place()
    one = hub(rfbs, posting)
    await one.see()
    await rfbs.take(posting)
    await one.see()
    ends = [await one.mark("order.rescheduled", day(days)) for days in (5, 6, 7)]
    assert ends[:2] == [{"timeslot": "done"}] * 2
    assert ends[2]["timeslot"].startswith("no_moves_left")
    assert calls(rfbs, SLOT) == 2


async def test_a_day_ozon_does_not_offer(rfbs: Seller, hub: MakeHub) -> None:
    """Refused with the days that are."""
    posting = rfbs.place()
    one = hub(rfbs, posting)
    await one.see()
    ends = await one.mark("order.rescheduled", day(90))
    assert ends["timeslot"].startswith("date_not_offered")
    assert calls(rfbs, SLOT) == 0


async def test_a_move_nobody_knows_the_end_of_is_never_sent_twice(rfbs: Seller, hub: MakeHub) -> None:
    """The answer is lost: a move that was used up meanwhile is done where the day is the wanted one, else refused."""
    posting = rfbs.place()
    one = hub(rfbs, posting)
    await one.see()
    await rfbs.take(posting)
    await one.see()
    one.record("order.rescheduled", day(6), "1c/ut11")
    command = one.wanted()[0]
    await one.send(command)  # done, and the answer is lost
    assert await one.finding(command) == port.Applied(one.state.status)
    assert await one.prepared(command) == port.Applied(one.state.status)
    rfbs.ozon.move_delivery(posting, (datetime.now(UTC), datetime.now(UTC) + timedelta(hours=2)))
    found = await one.prepared(command)
    assert isinstance(found, port.Refused)
    assert found.code == "move_used"
    assert found.final


async def test_pieces_nobody_knows_to_be_out_are_not_taken_out_twice(rfbs: Seller, hub: MakeHub) -> None:
    """The answer is lost: what the posting shows decides, and what it can't decide is a person's."""
    posting = rfbs.place((KETTLE, 5))
    one = hub(rfbs, posting)
    await one.see()
    one.record("order.confirmed", f.Confirmed(lines=(f.Line(sku=KETTLE.sku, quantity=3),)), "1c/ut11")
    command = one.wanted()[0]
    before = posting.lines[0].quantity
    await one.send(command)
    assert (before, posting.lines[0].quantity) == (5, 3)
    assert await one.finding(command) == port.Applied(one.state.status)
    assert await one.prepared(command) == port.Applied(one.state.status)
    posting.lines[0].quantity = 5  # as if it had not been done
    assert await one.finding(command) == port.NotApplied()
    assert isinstance(await one.prepared(command), port.Ready)
    posting.lines[0].quantity = 4  # neither before nor after
    assert isinstance(await one.finding(command), port.Unclear)
    assert isinstance(await one.prepared(command), port.Refused)


async def test_what_fbs_can_not_be_told_is_refused_with_what_to_do(fbs: Seller, hub: MakeHub) -> None:
    """A move, goods handed back, a courier's code: nothing is sent, and 1C hears what to do instead."""
    posting = fbs.place((KETTLE, 2))
    one = hub(fbs, posting)
    await one.see()
    await one.mark("order.assembled", f.Assembled())
    before = len(fbs.ozon.journal)
    ends = await one.mark("order.rescheduled", day(3))
    ends |= await one.mark("order.handed_over", f.HandedOver(coded=True), {"code": "1234"})
    ends |= await one.mark("order.delivered", f.Delivered(lines=(f.Line(sku=KETTLE.sku, quantity=1),)))
    assert set(ends) == {"timeslot", "courier_code", "goods_back"}
    assert all(end.startswith("not_possible:") and not end.endswith("None") for end in ends.values())
    assert len(fbs.ozon.journal) == before


async def test_a_posting_of_the_wrong_model(fbs: Seller, hub: MakeHub) -> None:
    """A channel configured as rfbs that meets a posting Ozon delivers says so, and sends nothing."""
    posting = fbs.place()
    one = hub(fbs, posting)
    await one.see()
    await one.mark("order.assembled", f.Assembled())
    one.configure("rfbs")
    one.record("order.shipped", f.Shipped(), "1c/ut11")
    found = await one.prepared(one.wanted()[0])
    assert isinstance(found, port.Refused)
    assert found.final
    assert "configure the channel as fbs" in (found.hint or "")
