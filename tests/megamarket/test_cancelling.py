"""Cancellations by the shop and by the buyer, early and late, whole and in part; moved dates."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from events.order import facts as f
from service.marketplaces import port
from service.marketplaces.megamarket import make
from service.marketplaces.values import MOSCOW
from tests.megamarket.conftest import Hubs
from tests.megamarket.sandbox_shop import TYRE

NOW = datetime.now(UTC)
DAY = (NOW + timedelta(days=20)).date()
BY_SHOP, BY_CUSTOMER = f.Cancelled(by="shop", reason="out_of_stock"), f.Cancelled(by="customer", reason="unreachable")


@pytest.mark.parametrize(
    ("model", "why", "reason"),
    [
        ("dbs", BY_SHOP, None), ("dbs", BY_CUSTOMER, None),
        ("cnc", BY_SHOP, "OUT_OF_STOCK"), ("cnc", BY_CUSTOMER, "NOT_ACCEPTABLE"),
        ("fbs", BY_SHOP, "OUT_OF_STOCK"), ("fbs", BY_CUSTOMER, None),
    ],
)  # fmt: skip
async def test_early(hub: Hubs, model: str, why: f.Cancelled, reason: str | None) -> None:
    """All lots of goods are rejected, with a reason where the model has one; the delivery goes with them."""
    mm = await hub(model, 2, delivery=model == "dbs")
    assert (await mm.mark("order.cancelled", why))["cancel"] == port.Applied("MERCHANT_CANCELED")
    assert set(mm.lots()) == {"MERCHANT_CANCELED"}
    data = mm.sent[0].body["data"]
    assert [item["itemIndex"] for item in data["shipments"][0]["items"]] == [1, 2]
    assert data.get("reason") == ({"type": reason, "comment": None} if reason else None)
    assert mm.state.stage == "cancelled"


@pytest.mark.parametrize(
    ("why", "status"), [(BY_SHOP, "MERCHANT_CANCELED"), (BY_CUSTOMER, "CUSTOMER_CANCELED")], ids=["shop", "customer"]
)
@pytest.mark.parametrize("model", ["dbs", "cnc"])
async def test_packed(hub: Hubs, model: str, why: f.Cancelled, status: str) -> None:
    """Packed goods are closed without handover, the delivery too; the reason says whose doing it is."""
    mm = await hub(model, 2, delivery=model == "dbs")
    await mm.mark("order.assembled", f.Assembled())
    assert isinstance((await mm.mark("order.cancelled", why))["cancel"], port.Applied)
    assert [path for path, _ in mm.bodies] == ["order/packing", "order/close"]
    assert set(mm.lots()) == {status}


async def test_partly_packed(hub: Hubs) -> None:
    """What is not packed is rejected first; the rest is looked at again, and closed by a second call."""
    mm = await hub("dbs", 3)
    mm.there.lots[1].enter("PACKED", NOW)
    mm.say("order.cancelled", BY_SHOP)
    assert await mm.carry_out("cancel") == port.NotApplied()
    assert await mm.carry_out("cancel") == port.Applied("MERCHANT_CANCELED")
    assert [path for path, _ in mm.bodies] == ["order/reject", "order/close"]


@pytest.mark.parametrize(("model", "late"), [("fbs", "SHIPPED"), ("dbs", "DELIVERED"), ("cnc", "DELIVERED")])
async def test_too_late(hub: Hubs, model: str, late: str) -> None:
    """Nothing is sent for goods that are gone: they come back as a return."""
    mm = await hub(model, 2)
    for lot in mm.there.lots:
        lot.enter(late, NOW)
    mm.say("order.cancelled", BY_SHOP)
    found = await mm.attempt("cancel")
    assert isinstance(found, port.Overtaken)
    assert (found.code, "return" in (found.hint or ""), mm.sent) == (late.lower(), True, [])


async def test_fbs_packed_is_refused_by_megamarket(hub: Hubs) -> None:
    """Whether packed goods may still be rejected Megamarket says, and 1C learns where to go."""
    mm = await hub("fbs", 1)
    await mm.mark("order.assembled", f.Assembled())
    mm.say("order.cancelled", BY_SHOP)
    refused = await mm.attempt("cancel")
    assert isinstance(refused, port.Refused)
    assert "cabinet" in (refused.hint or "")
    assert await mm.finding("cancel") == port.NotApplied()


async def test_what_the_buyer_asked_for_is_granted(hub: Hubs) -> None:
    """The shop cancels an order whose buyer has asked for it: his wish is granted, the rest is rejected."""
    whole = await hub("cnc", 2)
    whole.seller.market.buyer_cancels(whole.there)
    await whole.see("cancel:1,2")
    assert isinstance((await whole.mark("order.cancelled", BY_CUSTOMER))["cancel"], port.Applied)
    assert ([path for path, _ in whole.bodies], whole.lots()) == (["order/cancelResult"], ["CUSTOMER_CANCELED"] * 2)
    part = await hub("cnc", 3)
    part.seller.market.buyer_cancels(part.there, part.there.lots[1:2])
    await part.see("cancel:2")
    part.say("order.cancelled", BY_SHOP)
    assert await part.carry_out("cancel") == port.NotApplied()
    assert isinstance(await part.carry_out("cancel"), port.Applied)
    assert [path for path, _ in part.bodies] == ["order/cancelResult", "order/reject"]
    assert part.lots() == ["MERCHANT_CANCELED", "CUSTOMER_CANCELED", "MERCHANT_CANCELED"]


async def test_a_wish_is_granted_for_the_lots_it_names(hub: Hubs) -> None:
    """1C says yes: those lots are cancelled, the others go on."""
    mm = await hub("dbs", 3, delivery=True)
    mm.seller.market.buyer_cancels(mm.there, mm.there.lots[1:2])
    await mm.see("cancel:2")
    done = await mm.mark("order.cancellation_accepted", f.CancellationAccepted())
    assert isinstance(done["cancel_result"], port.Applied)
    assert mm.bodies[0][1]["items"] == [{"itemIndex": 2, "canceled": True}]
    assert mm.lots() == ["NEW", "CUSTOMER_CANCELED", "NEW", "NEW"]
    assert [line.quantity for line in mm.state.lines] == [2]
    assert isinstance((await mm.mark("order.assembled", f.Assembled()))["packing"], port.Applied)
    assert [item["itemIndex"] for item in mm.bodies[1][1]["items"]] == [1, 3]


async def test_a_wish_of_the_whole_order_takes_its_delivery_along(hub: Hubs) -> None:
    """Every lot the buyer named has an answer, that of the delivery too."""
    mm = await hub("dbs", 2, delivery=True)
    mm.seller.market.buyer_cancels(mm.there)
    await mm.see("cancel:1,2,3")
    done = await mm.mark("order.cancellation_declined", f.CancellationDeclined(reason="in_delivery"))
    assert done["cancel_result"] == port.Sent()
    assert mm.bodies[0][1]["items"] == [{"itemIndex": n, "canceled": False} for n in (1, 2, 3)]
    assert not any(lot.asked for lot in mm.there.lots)


async def test_a_declined_wish_is_declined_again_where_nobody_knows(hub: Hubs) -> None:
    """No read shows it, so an answer that got lost is given once more; where it had come, the refusal is told."""
    mm = await hub("cnc", 1)
    mm.seller.market.buyer_cancels(mm.there)
    await mm.see("cancel:1")
    mm.say("order.cancellation_declined", f.CancellationDeclined())
    assert await mm.finding("cancel_result") == port.NotApplied()
    assert await mm.attempt("cancel_result") == port.Sent()
    assert isinstance(await mm.attempt("cancel_result"), port.Refused)
    assert mm.lots() == ["NEW"]
    mm.there.lots[0].enter("CUSTOMER_CANCELED", NOW)
    assert isinstance(await mm.finding("cancel_result"), port.Overtaken)


async def test_a_moved_date(hub: Hubs) -> None:
    """Each lot of goods gets the beginning of 1C's interval; without one the hour stays as it was."""
    mm = await hub("dbs", 2, delivery=True)
    was = mm.there.delivery_from.astimezone(MOSCOW)
    assert (await mm.mark("order.rescheduled", f.Rescheduled(date=DAY)))["move_date"] == port.Sent()
    assert mm.there.delivery_from == datetime.combine(DAY, was.time(), MOSCOW)
    assert [(item["itemIndex"], item["offerId"]) for item in mm.bodies[0][1]["items"]] == [(1, TYRE.sku), (2, TYRE.sku)]
    moved = f.Rescheduled(date=DAY, interval=f.Interval("15:30", "18:00"))
    assert (await mm.mark("order.rescheduled", moved))["move_date"] == port.Sent()
    assert mm.there.delivery_from == datetime.combine(DAY, time(15, 30), MOSCOW)
    await mm.see()
    assert mm.state.delivery.since == mm.there.delivery_from.astimezone(UTC)
    same = f.Rescheduled(date=DAY, by="customer", interval=f.Interval("15:30"))
    assert isinstance((await mm.mark("order.rescheduled", same))["move_date"], port.Applied)
    assert len(mm.sent) == 2  # a date that is there already is not told: it could be fined


async def test_hours_of_a_move_are_by_1c_s_clock(hub: Hubs) -> None:
    """12:00 in Samara is 11:00 in Moscow; the call names the offset."""
    mm = await hub("dbs", 1)
    options = {"merchant_id": 17001, "token": mm.megamarket._token(), "timezone": "Europe/Samara"}
    mm.megamarket = make(mm.channel, model="dbs", base_url=mm.seller.url, options=options)
    await mm.mark("order.rescheduled", f.Rescheduled(date=DAY, interval=f.Interval("12:00", "15:00")))
    assert mm.bodies[0][1]["items"][0]["shippingDate"] == f"{DAY.isoformat()}T12:00:00+04:00"
    assert mm.there.delivery_from == datetime.combine(DAY, time(11), MOSCOW)


async def test_a_moved_date_nobody_answered_for(hub: Hubs) -> None:
    """The read decides: the new day is done, the old one not; a third one, or none, a person looks at."""
    mm = await hub("dbs", 1)
    mm.say("order.rescheduled", f.Rescheduled(date=DAY))
    assert await mm.attempt("move_date") == port.Sent()
    new, old = mm.there.delivery_from, new_date(DAY - timedelta(days=9))
    mm.before[mm.command("move_date").id]["since"] = old.isoformat()
    for since, expected in (
        (new, port.Applied), (new + timedelta(hours=1), port.Applied), (old, port.NotApplied),
        (new_date(DAY + timedelta(days=1)), port.Unclear),
    ):  # fmt: skip
        mm.there.delivery_from = since
        assert isinstance(await mm.finding("move_date"), expected), since


def new_date(day: date) -> datetime:
    return datetime.combine(day, time(9), MOSCOW)


@pytest.mark.parametrize("status", ["PACKING_EXPIRED", "CONFIRMATION_EXPIRED"])
async def test_an_expired_lot_is_tried_once(hub: Hubs, status: str) -> None:
    """Whether it can still be packed Megamarket says once; then it is told, not tried again."""
    mm = await hub("dbs", 1)
    mm.there.lots[0].enter(status, NOW)
    mm.say("order.assembled", f.Assembled())
    refused = await mm.attempt("packing")
    assert isinstance(refused, port.Refused)
    assert (refused.final, len(mm.sent)) == (True, 1)
    again = await mm.attempt("packing")
    assert isinstance(again, port.Refused)
    assert (again.code, again.final, len(mm.sent)) == (status.lower(), True, 1)


async def test_a_lot_that_expired_since_is_told(hub: Hubs) -> None:
    """Sent in time, and too late over there: said so, with what to do; a status nobody knows concludes nothing."""
    mm = await hub("dbs", 1)
    mm.say("order.assembled", f.Assembled())
    assert isinstance(await mm.attempt("packing"), port.Accepted)
    mm.there.lots[0].enter("PACKING_EXPIRED", NOW)
    found = await mm.finding("packing")
    assert isinstance(found, port.Overtaken)
    assert (found.code, bool(found.hint)) == ("packing_expired", True)
    mm.there.lots[0].enter("SOMETHING_NEW", NOW)
    assert isinstance(await mm.finding("packing"), port.Unclear)
