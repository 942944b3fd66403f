"""Orders from the buyer's click to the end, as 1C leads them, per model; what is sent on the way."""

from datetime import UTC, datetime, timedelta

import pytest

from events.order import facts as f
from service.marketplaces import port
from tests.megamarket.conftest import Hubs
from tests.megamarket.sandbox_shop import TYRE

DOCUMENT = f.Document("6f9", "ЦСУТ-004512", None)
CODE = "_C_S_U_T-004512"


def some(quantity: int, *marks: str) -> tuple[f.Line, ...]:
    return (f.Line(sku=TYRE.sku, quantity=quantity, marks=marks),)


async def test_dbs_with_paid_delivery(hub: Hubs) -> None:
    """Three of four are confirmed, one of them comes back at the door; the delivery's lot is closed with the rest."""
    mm = await hub("dbs", 4, delivery=True)
    assert (mm.state.stage, mm.state.details["delivery_price"], mm.state.details["delivery_lot"]) == (
        "placed", "800.00", "5",
    )  # fmt: skip
    assert [(line.id, line.quantity) for line in mm.state.lines] == [("1,2,3,4", 4)]
    await mm.mark("order.registered", f.Registered(document=DOCUMENT))
    assert isinstance((await mm.mark("order.confirmed", f.Confirmed(lines=some(3))))["reject"], port.Applied)
    assert [(line.id, line.quantity) for line in mm.state.lines] == [("1,2,3,4", 3)]
    assert isinstance((await mm.mark("order.assembled", f.Assembled()))["packing"], port.Applied)
    assert mm.state.market_stage == "assembled"
    at = datetime.now(UTC) - timedelta(hours=1)
    assert isinstance((await mm.mark("order.delivered", f.Delivered(lines=some(2)), at))["close"], port.Applied)
    assert mm.lots() == ["DELIVERED", "DELIVERED", "CUSTOMER_CANCELED", "MERCHANT_CANCELED", "DELIVERED"]
    assert (mm.state.stage, [line.quantity for line in mm.state.lines]) == ("delivered", [2])
    (_, reject), (_, packing), (_, close) = mm.bodies
    assert reject["items"] == [{"itemIndex": 4, "offerId": TYRE.sku}]
    assert packing == {
        "shipmentId": mm.there.number, "orderCode": CODE,
        "items": [{"itemIndex": n, "quantity": 1} for n in (1, 2, 3)],
    }  # fmt: skip
    assert [item["itemIndex"] for item in close["items"]] == [1, 2, 5, 3]
    assert datetime.fromisoformat(close["closeDate"]) == at.replace(microsecond=0)
    assert close["closeDate"].endswith("+03:00")


async def test_cnc(hub: Hubs) -> None:
    """Packed and given out."""
    mm = await hub("cnc", 2)
    assert mm.state.delivery.type == "pickup"
    assert not await mm.mark("order.confirmed", f.Confirmed())
    assert isinstance((await mm.mark("order.assembled", f.Assembled()))["packing"], port.Applied)
    assert isinstance((await mm.mark("order.delivered", f.Delivered()))["close"], port.Applied)
    assert mm.lots() == ["DELIVERED", "DELIVERED"]


async def test_fbs(hub: Hubs) -> None:
    """Rejected and confirmed in one go, packed into boxes with marks inside, shipped; then it goes by itself."""
    mm = await hub("fbs", 3, marked=True)
    await mm.mark("order.registered", f.Registered(document=DOCUMENT))
    confirmed = await mm.mark("order.confirmed", f.Confirmed(lines=some(2)))
    assert [(step, type(found)) for step, found in confirmed.items()] == [
        ("reject", port.Applied), ("confirm", port.Applied)
    ]  # fmt: skip
    packed = await mm.mark("order.assembled", f.Assembled(lines=some(2, "mark-1", "mark-2"), boxes=2))
    assert isinstance(packed["packing"], port.Applied)
    assert [(lot.mark, lot.boxes) for lot in mm.there.lots] == [("mark-1", [1]), ("mark-2", [2]), (None, [])]
    assert isinstance((await mm.mark("order.shipped", f.Shipped()))["shipping"], port.Applied)
    assert mm.bodies[-1][1]["boxes"] == [
        {"boxIndex": n, "boxCode": f"{mm.megamarket._shop.merchant}*{CODE}*{n}"} for n in (1, 2)
    ]
    mm.seller.later()
    await mm.see()
    assert mm.state.stage == "delivered"


@pytest.mark.parametrize("model", ["dbs", "cnc", "fbs"])
async def test_stages_that_1c_skips_are_walked_through(hub: Hubs, model: str) -> None:
    """1C marks the delivery alone: every step up to it is carried out, in order."""
    mm = await hub(model, 2)
    done = await mm.mark("order.delivered", f.Delivered())
    assert all(isinstance(found, port.Applied) for found in done.values()), done
    assert list(done) == (["confirm", "packing", "shipping"] if model == "fbs" else ["packing", "close"])


async def test_nothing_is_sent_for_what_is_there_already(hub: Hubs) -> None:
    """Somebody packed the order in the cabinet: the step is done without a call."""
    mm = await hub("dbs", 2)
    mm.say("order.assembled", f.Assembled())
    for lot in mm.there.lots:
        lot.enter("PACKED", datetime.now(UTC))
    assert await mm.carry_out("packing") == port.Applied("PACKED")
    assert not mm.sent


async def test_what_is_packed_is_not_packed_again(hub: Hubs) -> None:
    """One lot was packed in the cabinet: the call names the others."""
    mm = await hub("cnc", 3)
    mm.there.lots[1].enter("PACKED", datetime.now(UTC))
    assert isinstance((await mm.mark("order.assembled", f.Assembled()))["packing"], port.Applied)
    assert [item["itemIndex"] for item in mm.bodies[0][1]["items"]] == [1, 3]
    assert mm.lots() == ["PACKED"] * 3


async def test_a_code_megamarket_holds_stays(hub: Hubs) -> None:
    """Confirmed before 1C had a document: later calls and the boxes go by the code that was told then."""
    mm = await hub("fbs", 1)
    await mm.mark("order.confirmed", f.Confirmed())
    await mm.mark("order.registered", f.Registered(document=DOCUMENT))
    await mm.mark("order.shipped", f.Shipped())
    assert [shipment.get("orderCode") for _, shipment in mm.bodies] == [mm.there.number, mm.there.number, None]
    assert mm.bodies[2][1]["boxes"] == [{"boxIndex": 1, "boxCode": f"17003*{mm.there.number}*1"}]


@pytest.mark.parametrize(("shown", "told"), [(None, CODE), ("1", CODE), ("K-7", "K-7")])
async def test_megamarket_s_own_number_is_no_code_yet(hub: Hubs, shown: str | None, told: str) -> None:
    """What it shows before it was told anything: its own number gives way to 1C's, any other code stays."""
    mm = await hub("dbs", 1)
    assert mm.there.number == "1"
    mm.there.order_code = shown
    await mm.mark("order.registered", f.Registered(document=DOCUMENT))
    await mm.mark("order.assembled", f.Assembled())
    assert mm.bodies[0][1]["orderCode"] == told
