"""Whole orders of each model, the adapter against the sandbox, over real HTTP."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest

from events.order import facts as f
from service.marketplaces import port
from service.marketplaces.yandex.sandbox import Market, goods
from service.marketplaces.yandex.values import MOSCOW
from tests.yandex.conftest import DBS, EXPRESS, FBS
from tests.yandex.hub import Hub

Hubs = Callable[[int], Hub]


def told(market: Market) -> list[tuple[str, str]]:
    """Every call that changed something, without the number of the order."""
    return [(e.method, "/".join(e.path.split("/")[6:]) or "status-update") for e in market.journal if e.changes]


def two_lines() -> list[goods.Line]:
    return [
        goods.Line(11, "WM-1", "Стиральная машина", 1, Decimal("38990.00")),
        goods.Line(12, "HOSE", "Шланг", 3, Decimal("590.10"), points=Decimal("100.00")),
    ]


async def until(hub: Hub, number: int, status: str) -> None:
    """Waits for a move of Market's own."""
    for _ in range(100):
        if (await hub.see(number)).status == status:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"{hub.market.orders[number].state} is not {status}")


async def test_dbs_courier(market: Market, hub: Hubs) -> None:
    """From the buyer's click to the door: fewer goods, a track, a moved date, delivered."""
    order, ym = market.place(DBS, pickup=False, lines=two_lines()), hub(DBS)
    seen = await ym.see(order.number)
    assert (seen.status, seen.stage, seen.ready) == ("PROCESSING/STARTED", "confirmed", True)
    assert [(line.sku, line.quantity, line.price) for line in seen.order.lines] == [
        ("WM-1", 1, Decimal("38990.00")), ("HOSE", 3, Decimal("590.10")),
    ]  # fmt: skip
    assert seen.order.total == Decimal("40760.30")
    assert seen.personal["customer"]["phone"].startswith("+7900000")

    sent = port.Sent()
    assert await ym.mark("order.registered", f.Registered(document=f.Document("1", "ЦСУТ-004512"))) == {
        "external_id": sent
    }
    lines = (f.Line(sku="WM-1", quantity=1), f.Line(sku="HOSE", quantity=1))
    assert await ym.mark("order.confirmed", f.Confirmed(lines=lines)) == {"items": sent}
    assert await ym.mark("order.assembled", f.Assembled()) == {}
    shipped = await ym.mark("order.shipped", f.Shipped(track="TRK-1"))
    assert shipped == {"delivery": port.Sent("DELIVERY/DELIVERY_SERVICE_RECEIVED"), "track": sent}
    move = f.Rescheduled(date=order.to_date + timedelta(days=1), by="customer")
    assert await ym.mark("order.rescheduled", move) == {"delivery_date": sent}
    assert await ym.mark("order.delivered", f.Delivered()) == {
        "delivered": port.Sent("DELIVERED/DELIVERY_SERVICE_DELIVERED")
    }
    assert (order.external_id, [line.count for line in order.lines]) == ("ЦСУТ-004512", [1, 1])
    assert told(market) == [
        ("POST", "external-id"), ("PUT", "items"), ("PUT", "status"), ("POST", "delivery/track"),
        ("PUT", "delivery/date"), ("PUT", "status"),
    ]  # fmt: skip


async def test_dbs_pickup_with_stages_skipped(market: Market, hub: Hubs) -> None:
    """1C says only that the goods arrived, then that they were handed out: Market is walked through the rest."""
    order, ym = market.place(DBS, pickup=True), hub(DBS)
    await ym.see(order.number)
    market.orders[order.number].placed -= timedelta(days=5)
    until_day = datetime.now(UTC).date() + timedelta(days=20)
    arrived = await ym.mark("order.arrived", f.Arrived(keep_until=until_day))
    assert list(arrived) == ["delivery", "pickup", "storage_limit"]
    assert all(isinstance(outcome, port.Sent) for outcome in arrived.values())
    delivery = (await ym.see(order.number)).order.delivery
    assert delivery is not None
    assert (delivery.type, delivery.outlet, delivery.keep_until) == ("pickup", "SHOP-7", until_day)
    assert list(await ym.mark("order.delivered", f.Delivered())) == ["delivered"]
    assert order.state == "DELIVERED/DELIVERY_SERVICE_DELIVERED"


async def test_dbs_delivered_on_another_day(market: Market, hub: Hubs) -> None:
    """A mark that comes a day late carries the day it was really done, and never goes into a batch."""
    order, ym = market.place(DBS, pickup=False), hub(DBS)
    order.placed -= timedelta(days=3)
    await ym.see(order.number)
    await ym.mark("order.shipped", f.Shipped())
    day_before = datetime.now(UTC) - timedelta(days=1)
    await ym.mark("order.delivered", f.Delivered(), at=day_before)
    assert order.real_date == day_before.astimezone(MOSCOW).date()
    assert not ym.yandex.batchable(ym.job(ym.command("delivered")), datetime.now(UTC))


async def test_fbs(market: Market, hub: Hubs) -> None:
    """Boxes with marks inside, ready to ship; then Market delivers by itself."""
    lines = [*two_lines(), goods.Line(19, goods.MARKED[0], goods.MARKED[1], 2, Decimal(19990), marked=True)]
    order, ym = market.place(FBS, lines=lines), hub(FBS)
    await ym.see(order.number)
    marks = ("0103041094787443215Qbag!\x1d93Zjqw", "010304109478gftJ14545762!\x1dhGt264")
    assembled = f.Assembled(lines=(f.Line(sku=goods.MARKED[0], quantity=2, marks=marks),), boxes=2)
    outcomes = await ym.mark("order.assembled", assembled)
    assert outcomes == {"boxes": port.Sent(), "ready_to_ship": port.Sent("PROCESSING/READY_TO_SHIP")}
    assert len(order.boxes) == 2
    assert order.instances[19] == [{"cis": code} for code in marks]
    await until(ym, order.number, "DELIVERED/DELIVERY_SERVICE_DELIVERED")
    assert await ym.mark("order.delivered", f.Delivered()) == {}


async def test_express(market: Market, hub: Hubs) -> None:
    """The courier waits for the code he named to be told to Market; a wrong one is refused."""
    order, ym = market.place(EXPRESS, marked=False), hub(EXPRESS)
    await ym.see(order.number)
    await ym.mark("order.assembled", f.Assembled())
    await until(ym, order.number, "DELIVERY/COURIER_ARRIVED_TO_SENDER")
    assert order.code is not None
    wrong = await ym.mark("order.handed_over", f.HandedOver(coded=True), personal={"code": "nonsense"})
    assert isinstance(wrong["verify_eac"], port.Refused)
    assert wrong["verify_eac"].final
    ym.personal[ym.state.marks["handed_over"].position] = {"code": order.code}
    assert await ym.send(ym.command("verify_eac")) == port.Sent()
    assert await ym.send(ym.command("verify_eac")) == port.Sent(), "a code taken already is as good"
    await until(ym, order.number, "DELIVERED/DELIVERY_SERVICE_DELIVERED")


@pytest.mark.parametrize(
    ("why", "mark", "substatus"),
    [
        (f.Cancelled(by="shop", reason="out_of_stock"), None, "SHOP_FAILED"),
        (f.Cancelled(by="customer", reason="customer_changed_mind"), None, "USER_CHANGED_MIND"),
        (f.Cancelled(by="customer"), "order.shipped", "USER_CHANGED_MIND"),
        (f.Cancelled(by="shop", reason="not_collected"), "order.arrived", "PICKUP_EXPIRED"),
        (f.Cancelled(by="shop", reason="not_collected"), "order.shipped", "USER_CHANGED_MIND"),
    ],
)
async def test_shop_cancels(market: Market, hub: Hubs, why: f.Cancelled, mark: str | None, substatus: str) -> None:
    """Each reason becomes one that Market takes in the order's status."""
    order, ym = market.place(DBS, pickup=True), hub(DBS)
    await ym.see(order.number)
    if mark is not None:
        await ym.mark(mark, f.FACTS[mark]())
    outcomes = await ym.mark("order.cancelled", why)
    assert outcomes == {"cancel": port.Sent(f"CANCELLED/{substatus}")}
    assert await ym.finding("cancel") == port.Applied(f"CANCELLED/{substatus}")


async def test_unreachable_buyer(market: Market, hub: Hubs) -> None:
    """Market wants calls to be made first: refused for good, with what to do."""
    order, ym = market.place(DBS), hub(DBS)
    await ym.see(order.number)
    refused = (await ym.mark("order.cancelled", f.Cancelled(by="shop", reason="unreachable")))["cancel"]
    assert isinstance(refused, port.Refused)
    assert refused.final
    assert "three calls" in (refused.hint or "")


async def test_fbs_cancels_in_one_way_only(market: Market, hub: Hubs) -> None:
    """FBS knows no reason but the shop's failure."""
    order, ym = market.place(FBS, marked=False), hub(FBS)
    await ym.see(order.number)
    await ym.mark("order.cancelled", f.Cancelled(by="customer", reason="customer_changed_mind"))
    assert order.state == "CANCELLED/SHOP_FAILED"


@pytest.mark.parametrize("accepted", [True, False])
async def test_buyer_asks_to_cancel(market: Market, hub: Hubs, *, accepted: bool) -> None:
    """In delivery the buyer only asks; 1C answers yes or no."""
    order, ym = market.place(DBS, pickup=False), hub(DBS)
    await ym.see(order.number)
    await ym.mark("order.shipped", f.Shipped())
    market.buyer_cancels(order)
    seen = await ym.see(order.number)
    assert order.requested is not None
    assert seen.request is not None
    assert seen.request.due is not None
    assert abs(seen.request.due - order.requested - timedelta(hours=48)) < timedelta(seconds=1)
    answer = f.CancellationAccepted() if accepted else f.CancellationDeclined(reason="in_delivery")
    kind = "order.cancellation_accepted" if accepted else "order.cancellation_declined"
    assert await ym.mark(kind, answer) == {"cancellation_accept": port.Sent()}
    assert isinstance(await ym.finding("cancellation_accept"), port.Applied)
    assert order.status == ("CANCELLED" if accepted else "DELIVERY")


async def test_shop_cancels_what_the_buyer_asked_to_cancel(market: Market, hub: Hubs) -> None:
    """1C's own cancellation grants the buyer's wish instead of failing against it."""
    order, ym = market.place(DBS, pickup=False), hub(DBS)
    await ym.see(order.number)
    await ym.mark("order.shipped", f.Shipped())
    market.buyer_cancels(order)
    await ym.see(order.number)
    assert await ym.mark("order.cancelled", f.Cancelled(by="shop")) == {"cancel": port.Sent()}
    assert told(market)[-1] == ("PUT", "cancellation/accept")
    assert order.status == "CANCELLED"


async def test_buyer_cancels_early(market: Market, hub: Hubs) -> None:
    """In processing Market cancels by itself; whatever 1C marks then is overtaken."""
    order, ym = market.place(DBS), hub(DBS)
    await ym.see(order.number)
    market.buyer_cancels(order)
    outcomes = await ym.mark("order.shipped", f.Shipped())
    assert isinstance(outcomes["delivery"], port.Refused)
    assert isinstance(await ym.finding("delivery"), port.Overtaken)
    assert ym.state.market_cancelled is not None
    assert ym.state.market_cancelled.by == "customer"


async def test_batch(market: Market, hub: Hubs) -> None:
    """Several orders in one call; each row has its own outcome."""
    hubs = []
    for _ in range(3):
        order, ym = market.place(DBS, pickup=False), hub(DBS)
        await ym.see(order.number)
        hubs.append(ym)
    market.buyer_cancels(market.orders[int(hubs[1].state.number)])
    jobs = []
    for ym in hubs:
        ym.record(
            "command.requested",
            f.CommandRequested(command=ym.order, target="ym", action="delivery", stage="shipped"),
            "okno",
        )
        jobs.append(ym.job(ym.command("delivery")))
    adapter, now = hubs[0].yandex, datetime.now(UTC)
    assert all(adapter.batchable(job, now) for job in jobs)
    outcomes = adapter.judge_batch(jobs, await hubs[0].call(adapter.request_batch(jobs, now)), now)
    done = port.Sent("DELIVERY/DELIVERY_SERVICE_RECEIVED")
    assert outcomes[hubs[0].order] == outcomes[hubs[2].order] == done
    refused = outcomes[hubs[1].order]
    assert isinstance(refused, port.Refused)
    assert refused.code == "STATUS_NOT_ALLOWED"


async def test_poll_finds_what_no_notification_told(market: Market, hub: Hubs) -> None:
    """The first poll sees what is open, a later one what changed, returns too; more than a page of both."""
    ym = hub(DBS)
    numbers = {str(market.place(DBS).number) for _ in range(60)}
    market.place(FBS)
    done = market.place(DBS)
    market.move(done, "DELIVERED", "DELIVERY_SERVICE_DELIVERED")
    found = await ym.talk(ym.yandex.poll(None, datetime.now(UTC)))
    assert {seen.number for seen in found} == numbers
    market.buyer_returns(done)
    found = await ym.talk(ym.yandex.poll(datetime.now(UTC), datetime.now(UTC)))
    assert {seen.number for seen in found if isinstance(seen, port.Seen)} == numbers | {str(done.number)}
    returned = next(seen for seen in found if isinstance(seen, port.ReturnSeen))
    assert (returned.number, returned.fact.status) == (str(done.number), "RETURN/WAITING_FOR_DECISION")


async def test_a_return_named_by_a_notification_is_read(market: Market, hub: Hubs) -> None:
    """The notification's number of the return comes back as a hint, and the return is read with the order."""
    order, ym = market.place(DBS), hub(DBS)
    record = market.buyer_returns(order)
    wanted = port.Wanted(str(order.number), hints=(f"return:{record['id']}",))
    found = await ym.talk(ym.yandex.read([wanted, port.Wanted("no-number")]))
    assert [type(seen) for seen in found] == [port.Seen, port.ReturnSeen]


async def test_check_names_what_is_wrong(market: Market, hub: Hubs) -> None:
    """Key, shop, cabinet and model are told apart."""
    assert await hub(DBS).talk(hub(DBS).yandex.check()) == []
    market.shops[DBS], market.business = "fbs", 5
    ym = hub(DBS)
    ym.yandex._shop = type(ym.yandex._shop)(business=77001, campaign=DBS, model="dbs")
    wrong = await ym.talk(ym.yandex.check())
    assert [line.partition(":")[0] for line in wrong] == ["business_id", "model"]
    ym.yandex._shop = type(ym.yandex._shop)(business=77001, campaign=999, model="dbs")
    assert [line.partition(":")[0] for line in await ym.talk(ym.yandex.check())] == ["campaign_id"]
    market.api_key = "another"
    with pytest.raises(port.AnswerFailed, match="Api-Key token is invalid"):
        await ym.talk(ym.yandex.check())


async def test_a_placed_order_is_reproducible() -> None:
    """The sandbox is chance from a seed: the same seed, the same orders."""
    one, other = (Market({DBS: "dbs"}, seed=7) for _ in range(2))
    assert one.place(DBS).lines == other.place(DBS).lines
    assert goods.buyer(Random(1)) == goods.buyer(Random(1))
