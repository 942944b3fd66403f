"""Which lots 1C means by goods and quantities: fewer, other, marked, in boxes, handed over, come back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.order import facts as f
from service.marketplaces import port
from service.marketplaces.megamarket import lots
from tests.megamarket.conftest import Hubs
from tests.megamarket.hub import Hub
from tests.megamarket.sandbox_shop import TYRE

NOW = datetime.now(UTC)


def line(quantity: int, sku: str = TYRE.sku, *marks: str) -> f.Line:
    return f.Line(sku=sku, quantity=quantity, marks=marks)


async def mixed(hub: Hubs, model: str = "dbs") -> Hub:
    """Tyres as lots 1 and 2, a hose as 3, another tyre at another price as 4."""
    mm = await hub(model, 4)
    mm.there.lots[2].sku = "HOSE"
    mm.there.lots[3].price /= 2
    await mm.see()
    return mm


async def test_lines_by_goods_and_price(hub: Hubs) -> None:
    """One sku at two prices makes two lines; 1C's quantity of the sku is taken from both, the first lots first."""
    mm = await mixed(hub)
    assert [(one.sku, one.quantity, one.id) for one in mm.state.lines] == [
        (TYRE.sku, 2, "1,2"), ("HOSE", 1, "3"), (TYRE.sku, 1, "4"),
    ]  # fmt: skip
    await mm.mark("order.confirmed", f.Confirmed(lines=(line(1), line(1, " HOSE "))))
    assert mm.lots() == ["NEW", "MERCHANT_CANCELED", "NEW", "MERCHANT_CANCELED"]


async def test_the_buyer_and_the_shop_both_take_out(hub: Hubs) -> None:
    """Lot 1 is cancelled by the buyer and 1C confirms two of three: nothing is left to reject."""
    mm = await hub("fbs", 3)
    mm.there.lots[0].enter("CUSTOMER_CANCELED", NOW)
    done = await mm.mark("order.confirmed", f.Confirmed(lines=(line(2),)))
    assert [type(found) for found in done.values()] == [port.Applied, port.Applied]
    assert mm.lots() == ["CUSTOMER_CANCELED", "CONFIRMED", "CONFIRMED"]
    assert [path for path, _ in mm.bodies] == ["order/confirm"]


@pytest.mark.parametrize("model", ["dbs", "cnc", "fbs"])
async def test_other_goods_take_nothing_out(hub: Hubs, model: str) -> None:
    """1C calls the hose by another name: no step rejects it, and none goes on as if it were not there."""
    mm = await mixed(hub, model)
    done = await mm.mark("order.confirmed", f.Confirmed(lines=(line(3), line(1, "HOSE-2"))))
    done |= await mm.mark("order.assembled", f.Assembled())
    assert {step: found.code for step, found in done.items()} == dict.fromkeys(done, "unknown_sku")
    assert "reject" in done
    assert not mm.sent


async def test_other_goods_close_nothing(hub: Hubs) -> None:
    """What 1C hands over under another name did not come back; nor what it confirmed so, packed in the cabinet."""
    for kind, said in (
        ("order.delivered", f.Delivered(lines=(line(3), line(1, "HOSE-2")))),
        ("order.confirmed", f.Confirmed(lines=(line(3), line(1, "HOSE-2")))),
    ):
        mm = await mixed(hub)
        for lot in mm.there.lots:
            lot.enter("PACKED", NOW)
        await mm.see()
        mm.say(kind, said)
        mm.say("order.delivered", f.Delivered())
        refused = await mm.attempt("close")
        assert isinstance(refused, port.Refused)
        assert (refused.code, refused.final, mm.sent) == ("unknown_sku", True, [])


async def test_nothing_left(hub: Hubs) -> None:
    """An order of which 1C confirms nothing is cancelled by order.cancelled, not by cutting it to nothing."""
    mm = await hub("dbs", 2)
    refused = (await mm.mark("order.confirmed", f.Confirmed(lines=(line(0),))))["reject"]
    assert isinstance(refused, port.Refused)
    assert (refused.code, "order.cancelled" in (refused.hint or "")) == ("nothing_left", True)


async def test_all_came_back(hub: Hubs) -> None:
    """Nothing was taken at the door: every lot, the delivery's too, is closed without handover, and it is done."""
    mm = await hub("dbs", 2, delivery=True)
    await mm.mark("order.assembled", f.Assembled())
    assert isinstance((await mm.mark("order.delivered", f.Delivered(lines=(line(0),))))["close"], port.Applied)
    assert mm.lots() == ["CUSTOMER_CANCELED"] * 3
    assert mm.state.stage == "cancelled"


async def test_what_was_never_confirmed_did_not_come_back(hub: Hubs) -> None:
    """Packed in the cabinet though 1C did not confirm it: it could not be handed over, says its reason."""
    mm = await hub("cnc", 3)
    for lot in mm.there.lots:
        lot.enter("PACKED", NOW)
    mm.say("order.confirmed", f.Confirmed(lines=(line(2),)))
    await mm.mark("order.delivered", f.Delivered(lines=(line(1),)))
    assert [item.get("reason", {}).get("type") for item in mm.bodies[-1][1]["items"]] == [
        None, "CANCEL_BY_CUSTOMER", "HANDOVER_IMPOSSIBLE",
    ]  # fmt: skip
    assert mm.lots() == ["DELIVERED", "CUSTOMER_CANCELED", "MERCHANT_CANCELED"]


async def test_a_strange_end_of_what_came_back(hub: Hubs) -> None:
    """However a lot shows that was closed without handover: the step is done when it is no longer where it was."""
    mm = await hub("dbs", 2)
    await mm.mark("order.assembled", f.Assembled())
    mm.say("order.delivered", f.Delivered(lines=(line(1),)))
    assert isinstance(await mm.attempt("close"), port.Accepted)
    mm.there.lots[1].status = "PACKED"
    assert await mm.finding("close") == port.NotApplied()
    mm.there.lots[1].status = "RETURNING"
    assert isinstance(await mm.finding("close"), port.Applied)
    mm.there.lots[1].status = "DELIVERED"
    assert isinstance(await mm.finding("close"), port.Overtaken)


async def test_marks_go_to_the_lots_of_their_goods(hub: Hubs) -> None:
    """A code a piece, as far as 1C sent them; goods without codes get none, and dbs sends them too."""
    mm = await mixed(hub)
    await mm.mark("order.assembled", f.Assembled(lines=(line(3, TYRE.sku, "a", "b"), line(1, "HOSE"))))
    assert [lot.mark for lot in mm.there.lots] == ["a", "b", None, None]


async def test_missing_marks_are_told(hub: Hubs) -> None:
    """Megamarket refuses marked goods without codes: 1C is told what to send; sent again it is taken."""
    mm = await hub("fbs", 2, marked=True)
    await mm.mark("order.confirmed", f.Confirmed())
    mm.say("order.assembled", f.Assembled(lines=(line(2, TYRE.sku, "a"),)))
    refused = await mm.attempt("packing")
    assert isinstance(refused, port.Refused)
    assert (refused.final, (refused.hint or "").startswith("check the marking codes")) == (False, True)
    assert await mm.finding("packing") == port.NotApplied()
    mm.record("command.refused", f.CommandOutcome(command=mm.command("packing").id), "okno")
    again = await mm.mark("order.assembled", f.Assembled(lines=(line(2, TYRE.sku, "a", "b"),)))
    assert isinstance(again["packing"], port.Applied)


@given(st.integers(1, 12), st.integers(1, 20))
def test_no_box_is_empty_and_no_lot_outside(count: int, boxes: int) -> None:
    """As many boxes as 1C says, numbered from 1, whatever there is to put into them."""
    dealt = lots.boxes([str(n) for n in range(count)], boxes)
    assert len(dealt) == count
    assert all(dealt.values())
    assert {box for own in dealt.values() for box in own} == set(range(1, boxes + 1))


@pytest.mark.parametrize("boxes", [1, 2, 3, 5])
async def test_any_number_of_boxes_is_shipped(hub: Hubs, boxes: int) -> None:
    """Packed into 1C's boxes and shipped with all of them, though 1C names another number later."""
    mm = await hub("fbs", 3)
    await mm.mark("order.assembled", f.Assembled(boxes=boxes))
    mm.record("order.assembled", f.Assembled(boxes=boxes + 4), "1c/ut11")
    assert isinstance((await mm.mark("order.shipped", f.Shipped()))["shipping"], port.Applied)
    assert len(mm.bodies[-1][1]["boxes"]) == boxes
