"""Every step: what is read before it, that a lost answer is read back, that a repeat is harmless."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from events.order import facts as f
from service.marketplaces import port
from service.marketplaces.megamarket import steps
from service.marketplaces.megamarket.unable import UNABLE
from tests.megamarket.conftest import Hubs
from tests.megamarket.hub import Hub
from tests.megamarket.sandbox_shop import TYRE

DAY = (datetime.now(UTC) + timedelta(days=20)).date()


def tyres(count: int) -> tuple[f.Line, ...]:
    return (f.Line(sku=TYRE.sku, quantity=count),)


MARKS: dict[str, tuple[str, f.Fact]] = {
    "reject": ("order.confirmed", f.Confirmed(lines=tyres(2))),
    "confirm": ("order.confirmed", f.Confirmed()),
    "packing": ("order.assembled", f.Assembled()),
    "shipping": ("order.shipped", f.Shipped()),
    "close": ("order.delivered", f.Delivered(lines=tyres(2))),
    "move_date": ("order.rescheduled", f.Rescheduled(date=DAY, interval=f.Interval("12:00", "15:00"))),
    "cancel": ("order.cancelled", f.Cancelled(by="shop", reason="out_of_stock")),
    "cancel_result": ("order.cancellation_accepted", f.CancellationAccepted()),
}


class Case(NamedTuple):
    """A step, the status its lots are sent in, and what they become."""

    model: str
    step: str
    status: str
    becomes: list[str]


CASES = [
    *(
        case
        for model in ("dbs", "cnc")
        for case in (
            Case(model, "reject", "NEW", ["NEW", "NEW", "MERCHANT_CANCELED"]),
            Case(model, "packing", "NEW", ["PACKED"] * 3),
            Case(model, "close", "PACKED", ["DELIVERED", "DELIVERED", "CUSTOMER_CANCELED"]),
            Case(model, "cancel", "NEW", ["MERCHANT_CANCELED"] * 3),
            Case(model, "cancel", "PACKED", ["MERCHANT_CANCELED"] * 3),
            Case(model, "cancel_result", "PACKED", ["CUSTOMER_CANCELED"] * 3),
        )
    ),
    Case("dbs", "move_date", "NEW", ["NEW"] * 3),
    Case("fbs", "reject", "NEW", ["NEW", "NEW", "MERCHANT_CANCELED"]),
    Case("fbs", "confirm", "NEW", ["CONFIRMED"] * 3),
    Case("fbs", "packing", "CONFIRMED", ["PACKED"] * 3),
    Case("fbs", "shipping", "PACKED", ["SHIPPED"] * 3),
    Case("fbs", "cancel", "CONFIRMED", ["MERCHANT_CANCELED"] * 3),
]
each = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.model}-{case.step}-{case.status}")


async def prepared(hub: Hubs, case: Case) -> Hub:
    """An order in the state a step is sent in, the step requested."""
    mm = await hub(case.model, 3)
    for number, lot in enumerate(mm.there.lots, 1):
        lot.enter(case.status, datetime.now(UTC))
        lot.boxes = [number] if (case.model, case.status) == ("fbs", "PACKED") else []
    mm.there.order_code = mm.there.number if case.status == "PACKED" else None
    hints = []
    if case.step == "cancel_result":
        mm.seller.market.buyer_cancels(mm.there)
        hints = ["cancel:1,2,3"]
    await mm.see(*hints)
    kind, fact = MARKS[case.step]
    if case.step == "shipping":
        mm.say("order.assembled", f.Assembled(boxes=3))
    assert case.step in mm.say(kind, fact)
    return mm


def test_every_step_is_here() -> None:
    """A step without a case would be a step nobody tried."""
    offered = {(model, step) for model, all_steps in steps.STEPS.items() for step in all_steps}
    unable = {(model, step) for model, names in UNABLE.items() for step in names}
    assert {(case.model, case.step) for case in CASES} == offered - unable
    assert unable <= offered


@each
async def test_a_lost_answer_is_read_back(hub: Hubs, case: Case) -> None:
    """Before the call a read says not done; after it, under way or done; and it is not sent again."""
    mm = await prepared(hub, case)
    assert await mm.finding(case.step) == port.NotApplied()
    assert isinstance(await mm.attempt(case.step), port.Accepted | port.Sent)
    assert isinstance(await mm.finding(case.step), port.Pending | port.Applied)
    mm.seller.later() if case.becomes[0] != "SHIPPED" else mm.seller.market.work(datetime.now(UTC) + timedelta(hours=2))
    assert mm.lots() == case.becomes
    assert isinstance(await mm.finding(case.step), port.Applied)
    assert len(mm.sent) == 1
    again = await mm.attempt(case.step)
    assert isinstance(again, port.Applied)
    assert len(mm.sent) == 1


@each
async def test_a_blind_repeat_is_harmless(hub: Hubs, case: Case) -> None:
    """Should the same call go out twice, Megamarket refuses it, and a read says that the step is done."""
    mm = await prepared(hub, case)
    await mm.attempt(case.step)
    mm.seller.later()
    before = mm.lots()
    job = mm.job(case.step)
    reply = await mm.call(mm.sent[0])
    assert isinstance(mm.megamarket.judge(job, reply, datetime.now(UTC)), port.Refused)
    assert mm.lots() == before
    assert isinstance(await mm.finding(case.step), port.Applied)


@each
async def test_a_cancelled_order_takes_nothing(hub: Hubs, case: Case) -> None:
    """What waits when the buyer cancels is overtaken, before the call and after; the wish to cancel has come true."""
    mm = await prepared(hub, case)
    for lot in mm.there.lots:
        lot.enter("CUSTOMER_CANCELED", datetime.now(UTC))
    expected = port.Applied if case.step in ("cancel", "cancel_result") else port.Overtaken
    assert isinstance(await mm.finding(case.step), expected)
    assert isinstance(await mm.attempt(case.step), expected)
    assert not mm.sent


@each
async def test_what_is_on_its_way_is_waited_for(hub: Hubs, case: Case) -> None:
    """While lots are PENDING nothing is sent: soon looked at again, ever later, and after an hour a person is told."""
    mm = await prepared(hub, case)
    for lot in mm.there.lots:
        lot.pend("PENDING_PACKING" if case.model != "fbs" else "PENDING", "PACKED", datetime.now(UTC), FAR)
    if case.step == "confirm":
        assert mm.there.lots[0].status == "PENDING"
    now = datetime.now(UTC)
    pauses = []
    for minutes in (0, 1, 50):
        talk = mm.megamarket.prepare(mm.job(case.step, timedelta(minutes=minutes)), now)
        assert talk is not None
        later = await mm.talk(talk)
        assert isinstance(later, port.Later), later
        assert later.until is not None
        pauses.append(later.until - now)
    assert timedelta(seconds=1) < pauses[0] < pauses[1] < pauses[2] <= timedelta(minutes=2)
    talk = mm.megamarket.prepare(mm.job(case.step, timedelta(minutes=61)), now)
    assert talk is not None
    refused = await mm.talk(talk)
    assert isinstance(refused, port.Refused)
    assert (refused.code, refused.final, bool(refused.hint)) == ("pending", True, True)
    assert not mm.sent


FAR = datetime.now(UTC) + timedelta(days=9)


async def test_an_order_without_a_status_is_waited_for(hub: Hubs) -> None:
    """Right after placing nothing is sent on the strength of nothing."""
    mm = await hub("dbs", 2)
    for lot in mm.there.lots:
        lot.pend("", "NEW", datetime.now(UTC), FAR)
    mm.say("order.assembled", f.Assembled())
    assert isinstance(await mm.attempt("packing"), port.Later)
    assert not mm.sent


async def test_an_order_nobody_shows_decides_nothing(hub: Hubs) -> None:
    """Before the call it is looked for; after it an operator decides."""
    mm = await hub("dbs", 1)
    mm.say("order.assembled", f.Assembled())
    assert isinstance(mm.megamarket.finding(mm.job("packing"), None), port.Unclear)
    mm.seller.market.orders.clear()
    assert isinstance(await mm.attempt("packing"), port.Later)


@pytest.mark.parametrize("model", ["dbs", "cnc", "fbs"])
async def test_what_there_is_no_call_for_is_refused_with_a_hint(hub: Hubs, model: str) -> None:
    """From 1C's side all models behave alike: what can't be told comes back with what to do instead."""
    mm = await hub(model, 2)
    said: dict[str, Any] = {
        **await mm.mark("order.arrived", f.Arrived(keep_until=datetime(2027, 12, 1).date())),  # noqa: DTZ001 - a day
        **await mm.mark("order.handed_over", f.HandedOver(coded=True)),
        **await mm.mark("order.delivered", f.Delivered(lines=tyres(1))),
        **await mm.mark("order.rescheduled", f.Rescheduled(date=DAY)),
    }
    mm.record("order.cancellation_requested", f.CancellationRequested(), f"channel/{mm.channel}")
    said |= await mm.mark("order.cancellation_declined", f.CancellationDeclined())
    refused = {step: found for step, found in said.items() if step in UNABLE[model]}
    assert set(refused) == set(UNABLE[model])
    for found in refused.values():
        assert isinstance(found, port.Refused)
        assert (found.code, found.final, bool(found.hint)) == ("not_offered", True, True)


async def test_plain_marks_are_refused_nothing(hub: Hubs) -> None:
    """A mark that asks for nothing special leads to no refusal, whatever the model does by itself."""
    for model in ("dbs", "cnc", "fbs"):
        mm = await hub(model, 1)
        for kind, fact in (
            ("order.confirmed", f.Confirmed(lines=tyres(1))), ("order.assembled", f.Assembled(lines=tyres(1))),
            ("order.shipped", f.Shipped(to="7")), ("order.arrived", f.Arrived(keep_until=DAY - timedelta(days=15))),
            ("order.handed_over", f.HandedOver()), ("order.delivered", f.Delivered(lines=tyres(1))),
            ("order.completed", f.Completed()),
        ):  # fmt: skip
            for found in (await mm.mark(kind, fact)).values():
                assert isinstance(found, port.Applied)
