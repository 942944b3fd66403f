"""What Market refused 1C puts right by saying it again: the hints that say so are true."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from events.order import facts as f
from service import backoff, decisions, dispatcher
from service.marketplaces import port
from service.marketplaces.port import Wanted
from service.marketplaces.yandex.sandbox import Market, goods
from tests.dispatch.shop import key, opened
from tests.yandex.conftest import DBS, EXPRESS, FBS
from tests.yandex.hub import Hub

Hubs = Callable[[int], Hub]
MARKED = [goods.Line(19, goods.MARKED[0], goods.MARKED[1], 1, Decimal(19990), marked=True)]
CODED = f.Assembled(lines=(f.Line(sku=goods.MARKED[0], quantity=1, marks=("0103041094787443215Qbag",)),))


def three_hoses() -> list[goods.Line]:
    return [
        goods.Line(11, "WM-1", "Стиральная машина", 1, Decimal("38990.00")),
        goods.Line(12, "HOSE", "Шланг", 3, Decimal("590.10")),
    ]


async def test_the_couriers_right_code(market: Market, hub: Hubs) -> None:
    """A wrong code is refused; the next mark's code is sent, and after it was taken no other one."""
    order, ym = market.place(EXPRESS, marked=False), hub(EXPRESS)
    await ym.see(order.number)
    await ym.mark("order.assembled", f.Assembled())
    order.enter("DELIVERY", "COURIER_ARRIVED_TO_SENDER")
    order.code = "4321"
    coded = f.HandedOver(coded=True)
    wrong = await ym.mark("order.handed_over", coded, personal={"code": "1111"})
    assert isinstance(wrong["verify_eac"], port.Refused)
    assert await ym.mark("order.handed_over", f.HandedOver()) == {}, "the same mark without a code brings nothing new"
    assert await ym.mark("order.handed_over", coded, personal={"code": "4321"}) == {"verify_eac": port.Sent()}
    assert await ym.mark("order.handed_over", coded, personal={"code": "4321"}) == {}


async def test_another_reason_for_a_cancellation(market: Market, hub: Hubs) -> None:
    """Market did not believe that the buyer was called: the shop's next reason is told."""
    order, ym = market.place(DBS), hub(DBS)
    await ym.see(order.number)
    refused = await ym.mark("order.cancelled", f.Cancelled(by="shop", reason="unreachable"))
    assert isinstance(refused["cancel"], port.Refused)
    assert await ym.mark("order.cancelled", f.Cancelled(by="shop", reason="unreachable")) == {}
    assert list(await ym.mark("order.cancelled", f.Cancelled(by="shop", reason="out_of_stock"))) == ["cancel"]
    assert order.state == "CANCELLED/SHOP_FAILED"


async def test_fewer_and_still_fewer(market: Market, hub: Hubs) -> None:
    """Each smaller confirmation is told, the same one again is not."""
    order, ym = market.place(DBS, lines=three_hoses()), hub(DBS)
    await ym.see(order.number)
    for hoses, sent in ((2, ["items"]), (2, []), (1, ["items"]), (0, ["items"])):
        lines = (f.Line(sku="WM-1", quantity=1), f.Line(sku="HOSE", quantity=hoses))
        assert list(await ym.mark("order.confirmed", f.Confirmed(lines=lines))) == sent
        assert [line.count for line in order.lines] == [1, hoses]


@pytest.mark.parametrize("model", ["dbs", "fbs"])
async def test_goods_under_another_sku_are_not_thrown_out(market: Market, hub: Hubs, model: str) -> None:
    """A sku the order lacks, and one of its own not named: nothing is taken out until 1C says what it means."""
    campaign = {"dbs": DBS, "fbs": FBS}[model]
    order, ym = market.place(campaign, lines=three_hoses()), hub(campaign)
    await ym.see(order.number)
    unlike = f.Confirmed(lines=(f.Line(sku="WM-1", quantity=1), f.Line(sku="ШЛАНГ", quantity=3)))
    first = await ym.mark("order.confirmed", unlike) | await ym.mark("order.assembled", f.Assembled())
    step = {"dbs": "items", "fbs": "boxes"}[model]
    refused = first[step]
    assert isinstance(refused, port.Refused)
    assert (refused.code, refused.final) == ("unknown_sku", True)
    assert "order.confirmed" in (refused.hint or "")
    assert [line.count for line in order.lines] == [1, 3]
    named = (f.Line(sku="WM-1", quantity=1), f.Line(sku="HOSE", quantity=2), f.Line(sku="Доставка", quantity=1))
    ym.record("order.confirmed", f.Confirmed(lines=named), "1c/ut11")
    assert await ym.send(ym.command(step)) == port.Sent()
    assert [line.count for line in order.lines] == [1, 2]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of the same shape, shorter."""
    monkeypatch.setattr(backoff, "SCHEDULE", (0.05, 0.1, 0.2))
    monkeypatch.setattr(decisions, "UNSEEN_LOOK", timedelta(seconds=0.05))
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.05)


@pytest.mark.usefixtures("quick")
async def test_marks_that_were_missing(database_url: str, market: Market, url: str) -> None:
    """FBS without marking codes is refused; assembled again with them, boxes and READY_TO_SHIP go out, none by hand."""
    market.pace = timedelta(hours=1)  # it takes the boxes after the test
    async with opened(database_url, market, FBS, url) as shop:
        hub = shop.process()
        order = market.place(FBS, lines=list(MARKED))
        await hub.reader.see([Wanted(str(order.number), new=True)])
        await shop.mark(order, "order.assembled")
        hub.start()
        await shop.settled(hub, order)
        assert await shop.outcomes(order) == {"boxes": "done", "ready_to_ship": "refused"}
        assert [a.code for a in (await shop.state(order)).attention] == ["refused"]
        await shop.mark(order, "order.assembled", CODED)
        await shop.settled(hub, order)
        assert await shop.outcomes(order) == {"boxes": "done", "ready_to_ship": "done"}
        assert order.state == "PROCESSING/READY_TO_SHIP"
        state = await shop.state(order)
        assert ([a.code for a in state.attention], state.order) == ([], key(order))
