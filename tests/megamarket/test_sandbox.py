"""The sandbox is as strict as what is known of the marketplace: lots, statuses, their delays and refusals."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.megamarket.sandbox_shop import SOME_DAY, SOON, Seller, boxed, closed, named, packed, quiet, serving


@pytest.fixture
async def seller() -> AsyncIterator[Seller]:
    async with serving(quiet()) as found:
        yield found


async def test_fbs_from_new_to_delivered(seller: Seller) -> None:
    """Each step is PENDING for a while, refused meanwhile and when repeated; after SHIPPED it delivers by itself."""
    order = seller.place("fbs", 2)
    shipping = {"boxes": [box for item in boxed(order, 1, 2) for box in item["boxes"]],
                "shipping": {"shippingDate": SOME_DAY}}  # fmt: skip
    way = (
        ("confirm", named("1", 2), {"orderCode": order.number}, "PENDING_CONFIRMATION", "CONFIRMED"),
        ("packing", boxed(order, 1, 2), {"orderCode": order.number}, "PENDING_PACKING", "PACKED"),
        ("shipping", None, shipping, "PENDING_SHIPPING", "SHIPPED"),
    )
    for step, items, more, pending, final in way:
        await seller.done(order, step, items, **more)
        assert await seller.statuses(order) == [pending, pending]
        await seller.refused(order, step, items, **more)
        if step != "shipping":
            await seller.refused(order, "reject", named(1))
        seller.later()
        assert await seller.statuses(order) == [final, final]
        await seller.refused(order, step, items, **more)
    seller.later()
    assert await seller.statuses(order) == ["DELIVERED", "DELIVERED"]
    assert order.ended


async def test_dbs_packs_in_stages_and_closes_with_its_delivery(seller: Seller) -> None:
    """Four identical goods are four lots, packed as they come; the delivery's lot is not packed and must be closed."""
    order = seller.place("dbs", 4, delivery=True)
    assert [(lot.index, lot.sku) for lot in order.lots] == [
        *((str(at), "PL02-19") for at in range(1, 5)), ("5", "delivery")
    ]  # fmt: skip
    code = {"orderCode": "1C-0042_a"}
    await seller.refused(order, "packing", packed(4, 5), **code)
    await seller.done(order, "packing", packed(1, 2), **code)
    await seller.done(order, "packing", packed(3), **code)
    seller.later()
    assert await seller.statuses(order) == ["PACKED", "PACKED", "PACKED", "NEW", "NEW"]
    await seller.refused(order, "packing", packed(3, 4), **code)
    await seller.done(order, "reject", named(4))
    await seller.refused(order, "close", closed(1, 2, 3), closeDate=SOME_DAY)
    handed, back = closed(1, 2, 5), closed(3, result=False, reason="CANCEL_BY_CUSTOMER")
    await seller.done(order, "close", handed + back, closeDate=SOME_DAY)
    assert await seller.statuses(order) == [
        "DELIVERED", "DELIVERED", "CUSTOMER_CANCELED", "MERCHANT_CANCELED", "DELIVERED"
    ]  # fmt: skip
    await seller.refused(order, "close", handed + back, closeDate=SOME_DAY)


async def test_where_no_goods_are_left_there_is_nothing_to_deliver(seller: Seller) -> None:
    """The delivery's lot ends with the last of the goods."""
    order = seller.place("dbs", 1, delivery=True)
    await seller.done(order, "reject", named(1))
    assert await seller.statuses(order) == ["MERCHANT_CANCELED", "MERCHANT_CANCELED"]


async def test_each_model_has_its_own_calls(seller: Seller) -> None:
    """C&C can't confirm; DBS and C&C have no shipping and no stickers; FBS no close and no cancelResult."""
    fbs, dbs, cnc = (seller.place(model) for model in ("fbs", "dbs", "cnc"))
    await seller.refused(cnc, "confirm", named(1, shippingDate=SOME_DAY))
    await seller.refused(fbs, "close", closed(1), closeDate=SOME_DAY)
    await seller.refused(fbs, "cancelResult", [{"itemIndex": 1, "canceled": True}])
    for order in (dbs, cnc):
        await seller.refused(order, "shipping", boxes=[{"boxIndex": 1, "boxCode": "x"}])
        await seller.refused(order, "packing", [{**boxed(order, 1)[0], "quantity": 1}], orderCode=order.number)
        assert (await seller.call(order.model, "sticker/print", {"shipmentId": order.number}))["success"] == 0


async def test_dbs_confirm_moves_the_delivery_date(seller: Seller) -> None:
    """It needs a date for every lot, none of the past, and not the one that is set; no status changes."""
    order = seller.place("dbs", 2)
    for date in (None, SOON.replace(tzinfo=None).isoformat(), "2020-01-15T12:00:00+03:00"):
        await seller.refused(order, "confirm", named(1, 2, **({"shippingDate": date} if date else {})))
    await seller.refused(order, "confirm", [*named(1, shippingDate=SOME_DAY), *named(2)])
    await seller.done(order, "confirm", named(1, 2, shippingDate=SOME_DAY))
    shown = await seller.call("dbs", "order/get", {"shipments": [order.number]})
    found = shown["data"]["shipments"][0]
    assert (found["deliveryDate"], found["deliveryDateFrom"]) == (SOON.replace(hour=0).isoformat(), SOME_DAY)
    assert (found["deliveryDateTo"], found["status"]) == (SOON.replace(hour=20).isoformat(), "NEW")
    await seller.refused(order, "confirm", named(1, 2, shippingDate=SOME_DAY))


async def test_packing_is_read_to_the_letter(seller: Seller) -> None:
    """orderCode without Cyrillic, boxCode as prescribed, one piece a lot, marks where goods need them."""
    order = seller.place("fbs", 2, marked=True)
    await seller.done(order, "confirm", named(1, 2))
    seller.later()
    right = [{**item, "digitalMark": f"mark{at}", "quantity": 1} for at, item in enumerate(boxed(order, 1, 2))]
    cyrillic = [{**right[0], "boxes": boxed(order, 1, code="ЦСУТ-1")[0]["boxes"]}]
    code = {"orderCode": order.number}
    await seller.refused(order, "packing", cyrillic, orderCode="ЦСУТ-1")
    await seller.refused(order, "packing", right)
    await seller.refused(order, "packing", [{**right[0], "boxes": boxed(order, 1, code="7")[0]["boxes"]}], **code)
    await seller.refused(order, "packing", packed(1), **code)
    await seller.refused(order, "packing", boxed(order, 1), **code)
    await seller.refused(order, "packing", [{**one, "digitalMark": "same"} for one in right], **code)
    await seller.refused(order, "packing", [{**right[0], "quantity": 2}], **code)
    await seller.done(order, "packing", right[:1], **code)
    other = [{**right[1], "boxes": boxed(order, 2, code="7")[0]["boxes"]}]
    await seller.refused(order, "packing", other, orderCode="7")
    await seller.done(order, "packing", right[1:], **code)
    dbs = seller.place("dbs", marked=True)
    await seller.refused(dbs, "packing", [{"itemIndex": 1}], orderCode=dbs.number)
    await seller.done(dbs, "packing", packed(1), orderCode=dbs.number)


async def test_shipping_takes_whole_lots(seller: Seller) -> None:
    """A lot in two boxes goes with both; an unknown box goes nowhere; lots of other boxes stay."""
    order = seller.place("fbs", 2)
    await seller.done(order, "confirm", named(1, 2))
    seller.later()
    first, second, third = (item["boxes"][0] for item in boxed(order, 1, 2, 3))
    items = [{"itemIndex": 1, "boxes": [first, second]}, {"itemIndex": 2, "boxes": [third]}]
    await seller.done(order, "packing", items, orderCode=order.number)
    seller.later()
    when: dict[str, Any] = {"shipping": {"shippingDate": SOME_DAY}}
    await seller.refused(order, "shipping", boxes=[first], **when)
    await seller.refused(order, "shipping", boxes=[first, second, {"boxIndex": 9, "boxCode": "1*1*9"}], **when)
    await seller.refused(order, "shipping", boxes=[first, second])
    await seller.done(order, "shipping", boxes=[first, second], **when)
    assert await seller.statuses(order) == ["PENDING_SHIPPING", "PACKED"]


async def test_reject(seller: Seller) -> None:
    """It says when it came; needs the right offerId and a known reason, if any; a packed FBS lot stays."""
    order = seller.place("fbs", 3)
    await seller.refused(order, "reject", [{"itemIndex": 1, "offerId": "another"}])
    await seller.refused(order, "reject", named(1), reason={"type": "NOT_ACCEPTABLE", "comment": None})
    await seller.done(order, "reject", named(1), reason={"type": "OUT_OF_STOCK", "comment": None})
    await seller.done(order, "confirm", named(2, 3))
    seller.later()
    await seller.done(order, "reject", named(2))
    assert [(lot.status, lot.sub) for lot in order.lots[:2]] == [
        ("MERCHANT_CANCELED", "CONFIRMATION_REJECT"), ("MERCHANT_CANCELED", "LATE_REJECT")
    ]  # fmt: skip
    await seller.done(order, "packing", boxed(order, 3), orderCode=order.number)
    seller.later()
    await seller.refused(order, "reject", named(3))


async def test_close_is_read_to_the_letter(seller: Seller) -> None:
    """handoverResult true or false, a reason where false, a date with its offset, packed lots only."""
    order = seller.place("cnc", 2)
    await seller.done(order, "packing", packed(1), orderCode=order.number)
    seller.later()
    for items in (closed(1, result="TRUE"), closed(1, result=False), closed(1, result=False, reason="X"), closed(2)):
        await seller.refused(order, "close", items, closeDate=SOME_DAY)
    await seller.refused(order, "close", closed(1))
    await seller.done(order, "close", closed(1, result=False, reason="HANDOVER_IMPOSSIBLE"), closeDate=SOME_DAY)
    assert await seller.statuses(order) == ["MERCHANT_CANCELED", "NEW"]


async def test_the_shop_answers_a_wish_to_cancel(seller: Seller) -> None:
    """Once, per lot, only where asked; false also after the goods were handed over; true not while PENDING."""
    order = seller.place("dbs", 3)
    lots = order.lots
    yes, no = ({"itemIndex": at, "canceled": at == 1} for at in (1, 2))
    await seller.refused(order, "cancelResult", [yes])
    seller.market.buyer_cancels(order, lots[:2])
    assert await seller.statuses(order) == ["NEW"] * 3, "only asked"
    await seller.done(order, "packing", packed(1, 2), orderCode=order.number)
    await seller.refused(order, "cancelResult", [yes])
    seller.later()
    await seller.refused(order, "cancelResult", [yes, {"itemIndex": 3, "canceled": False}])
    await seller.done(order, "cancelResult", [yes])
    await seller.refused(order, "cancelResult", [yes])
    await seller.done(order, "close", closed(2), closeDate=SOME_DAY)
    await seller.done(order, "cancelResult", [no])
    await seller.refused(order, "cancelResult", [no])
    assert await seller.statuses(order) == ["CUSTOMER_CANCELED", "DELIVERED", "NEW"]


async def test_stickers(seller: Seller) -> None:
    """The old form answers HTML, the new one a PDF; unknown boxes are refused."""
    order = seller.place("fbs")
    await seller.done(order, "confirm", named(1))
    seller.later()
    await seller.done(order, "packing", boxed(order, 1), orderCode=order.number)
    code = boxed(order, 1)[0]["boxes"][0]["boxCode"]
    old = await seller.call("fbs", "sticker/print", {"shipmentId": order.number, "boxCodes": [code]})
    assert code in old["data"]
    newer = {"printAsPdf": True, "shipments": [{"shipmentId": order.number, "boxCodes": [code]}]}
    status, pdf = await seller.post("fbs", "sticker/print", newer)
    assert (status, pdf[:5], pdf[-6:]) == (200, b"%PDF-", b"%%EOF\n")
    assert code.encode() in pdf
    assert (await seller.call("fbs", "sticker/print", {"shipmentId": order.number, "boxCodes": ["1"]}))["success"] == 0


async def test_search_and_get(seller: Seller) -> None:
    """By time, status and count, one shop's own; 400 at most are read, unknown ones are missing, ids may be numbers."""
    orders = [seller.place("dbs", 2) for _ in range(3)]
    other = seller.place("cnc")
    await seller.done(orders[0], "reject", named(1))
    now = datetime.now(UTC)
    times = {"dateFrom": (now - timedelta(hours=1)).isoformat(), "dateTo": (now + timedelta(hours=1)).isoformat()}

    async def found(**more: object) -> list[str]:
        answer = await seller.call("dbs", "order/search", {**times, **more})
        return list(answer["data"]["shipments"])

    numbers = [order.number for order in orders]
    assert await found() == await found(statuses=["NEW"]) == numbers
    assert await found(statuses=["MERCHANT_CANCELED"]) == await found(count=1) == numbers[:1]
    assert await found(dateTo=times["dateFrom"]) == []
    for wrong in ({"dateFrom": "yesterday"}, {"dateTo": SOON.replace(tzinfo=None).isoformat()}, {"count": 1001}):
        assert (await seller.call("dbs", "order/search", {**times, **wrong}))["success"] == 0
    asked = {"shipments": [int(numbers[0]), other.number, "999"]}
    shown = (await seller.call("dbs", "order/get", asked))["data"]["shipments"]
    assert [order["shipmentId"] for order in shown] == numbers[:1]
    assert (await seller.call("dbs", "order/get", {"shipments": ["1"] * 401}))["success"] == 0


async def test_a_new_order_may_show_no_status_yet(seller: Seller) -> None:
    """For a moment it is empty, no search by status finds it and no call is taken."""
    order = seller.market.place("mm-dbs", blank=True)
    assert set(await seller.statuses(order)) == {""}
    await seller.refused(order, "packing", packed(1), orderCode="1")
    seller.later()
    assert set(await seller.statuses(order)) == {"NEW"}
