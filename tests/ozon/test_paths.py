"""The ways of a posting, from the buyer's click to the end, as 1C marks them and Ozon sees them."""

from decimal import Decimal

from events.order import facts as f
from service.marketplaces.invented import MARKED
from tests.ozon.conftest import MakeHub
from tests.ozon.sandboxed import HOSE, KETTLE, Seller

MARK = "010460043993125621JgXJ5.T\x1d91EE06\x1d92abcd"


async def test_the_whole_way_of_rfbs(rfbs: Seller, hub: MakeHub) -> None:
    """Each mark of 1C moves the posting on, and what Ozon shows afterwards are our own words for it."""
    posting = rfbs.place()
    one = hub(rfbs, posting)
    assert (await one.see()).stage == "placed"
    assert await one.mark("order.confirmed", f.Confirmed()) == {}
    assert await one.mark("order.assembled", f.Assembled()) == {"ship": "done"}
    assert one.state.market_stage == "assembled"
    assert await one.mark("order.shipped", f.Shipped(track="RA-1")) == {"delivering": "done", "track": "done"}
    assert (one.state.market_stage, posting.track) == ("shipped", "RA-1")
    assert await one.mark("order.handed_over", f.HandedOver()) == {"last_mile": "done"}
    assert one.state.market_stage == "handed_over"
    assert await one.mark("order.delivered", f.Delivered()) == {"delivered": "done"}
    assert one.state.market_stage == "delivered"
    assert posting.substatus == "posting_conditionally_delivered"


async def test_stages_1c_skips_are_walked_through(rfbs: Seller, hub: MakeHub) -> None:
    """A mark of the end makes every step before it."""
    posting = rfbs.place()
    one = hub(rfbs, posting)
    await one.see()
    ends = await one.mark("order.delivered", f.Delivered())
    assert ends == {"ship": "done", "delivering": "done", "last_mile": "done", "delivered": "done"}
    assert posting.substatus == "posting_conditionally_delivered"


async def test_driver_pickup_is_the_last_mile_too(rfbs: Seller, hub: MakeHub) -> None:
    """Both forms of the courier on his way are one stage."""
    rfbs.ozon.chances.driver = 1.0
    posting = rfbs.place()
    one = hub(rfbs, posting)
    await one.see()
    ends = await one.mark("order.handed_over", f.HandedOver())
    assert (ends["last_mile"], posting.status, one.state.market_stage) == ("done", "driver_pickup", "handed_over")
    assert await one.mark("order.delivered", f.Delivered()) == {"delivered": "done"}


async def test_fbs_is_told_of_the_packing_only(fbs: Seller, hub: MakeHub) -> None:
    """Marks of what Ozon does itself are told nothing, and hold nothing up."""
    posting = fbs.place()
    one = hub(fbs, posting)
    await one.see()
    assert await one.mark("order.assembled", f.Assembled(boxes=2)) == {"ship": "done"}
    assert posting.related == [], "one package always: the posting is not split"
    assert await one.mark("order.shipped", f.Shipped()) == {}
    assert await one.mark("order.delivered", f.Delivered()) == {}


async def test_a_failed_assembly_is_tried_again(rfbs: Seller, hub: MakeHub) -> None:
    """`ship_failed` says that it must be sent once more."""
    rfbs.ozon.chances.ship_fails = 1.0
    posting = rfbs.place()
    one = hub(rfbs, posting)
    await one.see()
    stuck = await one.mark("order.assembled", f.Assembled())
    assert stuck["ship"].startswith("stuck: NotApplied")
    assert posting.substatus == "ship_failed"
    rfbs.ozon.chances.ship_fails = 0.0
    assert await one.carry(one.asked("ship")) == "done"


async def test_marked_goods_get_their_codes_before_the_packing(fbs: Seller, hub: MakeHub) -> None:
    """The code goes to its own piece with a real separator, however 1C wrote it, and is checked before `ship`."""
    posting = fbs.place((KETTLE, 1), marked=True)
    one = hub(fbs, posting)
    await one.see()
    coffee = posting.lines[-1]
    assert one.state.details[f"marking.{coffee.sku}"] == "mandatory_mark"
    written = MARK.replace("\x1d", "\\u001d")
    ends = await one.mark("order.assembled", f.Assembled(lines=(f.Line(sku=MARKED.sku, quantity=1, marks=(written,)),)))
    assert ends == {"exemplars": "done", "ship": "done"}
    assert [piece.mark for piece in posting.lines[-1].exemplars] == [MARK]


async def test_missing_and_wrong_codes_are_refused_by_name(fbs: Seller, hub: MakeHub) -> None:
    """1C hears which goods lack a code, or that Ozon found one wrong; the right one sent afterwards goes through."""
    posting = fbs.place((KETTLE, 1), marked=True)
    one = hub(fbs, posting)
    await one.see()
    missing = await one.mark("order.assembled", f.Assembled())
    assert missing["exemplars"].startswith("EXEMPLAR_INFO_NOT_FILLED_COMPLETELY")
    assert MARKED.sku in missing["exemplars"]
    assert missing["ship"].startswith("EXEMPLAR_INFO_NOT_FILLED_COMPLETELY")
    wrong = await one.mark("order.assembled", f.Assembled(lines=(_coffee("a code with blanks"),)))
    assert wrong["exemplars"].startswith("exemplars_failed: Ozon found codes wrong: INVALID_MANDATORY_MARK")
    right = await one.mark("order.assembled", f.Assembled(lines=(_coffee(MARK),)))
    assert right == {"exemplars": "done", "ship": "done"}


def _coffee(mark: str) -> f.Line:
    return f.Line(sku=MARKED.sku, quantity=1, marks=(mark,))


async def test_fewer_goods_are_taken_out_before_the_packing(rfbs: Seller, hub: MakeHub) -> None:
    """What 1C does not confirm is taken out once, and the rest is packed."""
    posting = rfbs.place((KETTLE, 3), (HOSE, 1))
    one = hub(rfbs, posting)
    await one.see()
    kept = (f.Line(sku=KETTLE.sku, quantity=1), f.Line(sku=HOSE.sku, quantity=0))
    assert await one.mark("order.confirmed", f.Confirmed(lines=kept)) == {"product_cancel": "done"}
    assert [(line.offer_id, line.quantity) for line in posting.lines] == [(KETTLE.sku, 1)]
    assert (one.state.total, one.state.lines[0].quantity) == (KETTLE.price, 1)
    assert await one.mark("order.assembled", f.Assembled()) == {"ship": "done"}
    assert sum(entry.path == "/v2/posting/fbs/product/cancel" for entry in rfbs.ozon.journal) == 1


async def test_the_packing_waits_for_goods_to_be_out(rfbs: Seller, hub: MakeHub) -> None:
    """Ozon has taken the fewer goods, but does not show it yet: nothing is packed that 1C does not have."""
    posting = rfbs.place((KETTLE, 3))
    one = hub(rfbs, posting)
    await one.see()
    await one.mark("order.confirmed", f.Confirmed(lines=(f.Line(sku=KETTLE.sku, quantity=2),)))
    posting.lines[0].quantity = 3
    ends = await one.mark("order.assembled", f.Assembled())
    assert ends["ship"].startswith("later: the goods 1C does not have")
    posting.lines[0].quantity = 2
    assert await one.carry(one.asked("ship")) == "done"


async def test_goods_under_another_name_are_not_taken_out(rfbs: Seller, hub: MakeHub) -> None:
    """A sku the order does not have instead of one it has may be the same goods."""
    posting = rfbs.place((KETTLE, 2), (HOSE, 1))
    one = hub(rfbs, posting)
    await one.see()
    said = (f.Line(sku=KETTLE.sku, quantity=2), f.Line(sku="HOSE-OTHER", quantity=1))
    ends = await one.mark("order.confirmed", f.Confirmed(lines=said))
    assert ends["product_cancel"].startswith("unknown_sku: 1C names HOSE-OTHER")
    assert len(posting.lines) == 2


async def test_what_the_buyer_gives_back_at_the_door_is_taken_out_first(rfbs: Seller, hub: MakeHub) -> None:
    """The rest is cancelled before the posting is marked as delivered: afterwards Ozon lets nothing out."""
    posting = rfbs.place((KETTLE, 2), (HOSE, 1))
    one = hub(rfbs, posting)
    await one.see()
    await one.mark("order.handed_over", f.HandedOver())
    ends = await one.mark("order.delivered", f.Delivered(lines=(f.Line(sku=KETTLE.sku, quantity=1),)))
    assert ends == {"goods_back": "done", "delivered": "done"}
    assert [(line.offer_id, line.quantity) for line in posting.lines] == [(KETTLE.sku, 1)]
    assert one.state.total == KETTLE.price.quantize(Decimal("0.01"))


async def test_delivered_waits_for_what_comes_back(rfbs: Seller, hub: MakeHub) -> None:
    """As long as the goods that came back are not taken out, `delivered` is put off, not sent past them."""
    posting = rfbs.place((KETTLE, 2))
    one = hub(rfbs, posting)
    await one.see()
    await one.mark("order.handed_over", f.HandedOver())
    one.record("order.delivered", f.Delivered(lines=(f.Line(sku=KETTLE.sku, quantity=1),)), "1c/ut11")
    one.wanted()
    assert (await one.carry(one.asked("delivered"))).startswith("later:")
    assert await one.carry(one.asked("goods_back")) == "done"
    assert await one.carry(one.asked("delivered")) == "done"
