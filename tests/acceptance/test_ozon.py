"""Ozon's judge judged: a careful client is found without fault, a careless one is found out."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .faults import CALM, Faults, Rates
from .ozon import Emulator
from .ozon.client import DELAY, Shop, set_codes
from .ozon.life import BAD, OzonLife, lives, script
from .spec import Spec

pytestmark = pytest.mark.skipif(Spec.load(Path("ozon") / "openapi.json") is None, reason="no official OpenAPI of Ozon")
LISTED = "/v4/posting/fbs/list"


def pick(**wanted: Any) -> OzonLife:
    """The first life of seed 1 with these attributes."""
    return next(one for one in lives(3000, 1) if all(getattr(one, name) == value for name, value in wanted.items()))


@pytest.fixture
async def ozon() -> AsyncIterator[Emulator]:
    async for one in emulator(CALM):
        yield one


async def emulator(rates: Rates) -> AsyncIterator[Emulator]:
    one = Emulator(Faults(1, rates), 1, delay=DELAY)
    await one.start()
    one.tables(lambda channel: f"http://127.0.0.1:9/{channel}", "live")
    try:
        yield one
    finally:
        await one.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        yield session


async def test_a_careful_client_is_found_without_fault(ozon: Emulator, http: aiohttp.ClientSession) -> None:
    """Own delivery, a moved date, a track: each step after the one before was seen, and nothing is held against it."""
    one = next(life for life in lives(3000, 1) if life.model == "rfbs" and life.ending == "completed" and life.moved
               and life.track and not life.bad_marks and not life.moved_away and life.kept ==
               tuple(line.count for line in life.lines))  # fmt: skip
    shop = Shop(ozon, http, one)
    if one.marked:
        await set_codes(shop)
    assert (await shop.ship())[0] == 200
    await shop.until("posting_transferring_to_delivery")
    start, end = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in one.timeslot)
    assert (await shop.of("/v1/posting/fbs/timeslot/set", new_timeslot={"from": start, "to": end}))[0] == 200
    track = {"posting_number": one.number, "tracking_number": one.track}
    assert (await shop.call("/v2/fbs/posting/tracking-number/set", {"tracking_numbers": [track]}))[0] == 200
    assert (await shop.row("delivering"))[0]
    await shop.until("posting_on_way_to_city")
    assert (await shop.row("last-mile"))[0]
    await shop.until("posting_driver_pick_up" if one.digits % 3 == 0 else "posting_in_courier_service")
    assert (await shop.row("delivered"))[0]
    await shop.until("posting_delivered")
    assert shop.faults() == {}
    assert ozon.unsettled() == []


async def test_goods_with_codes_are_not_packed_without_them(ozon: Emulator, http: aiohttp.ClientSession) -> None:
    """No codes, or wrong ones, and ship is refused; with the right ones it is taken and the codes have arrived."""
    one = next(life for life in lives(3000, 1) if life.marked and life.ending == "completed" and not life.moved
               and not life.track and not life.ship_fails)  # fmt: skip
    shop = Shop(ozon, http, one)
    assert (await shop.ship())[1]["message"] == "EXEMPLAR_INFO_NOT_FILLED_COMPLETELY"
    await set_codes(shop, BAD)
    assert shop.posting.marks_state == "ship_not_available"
    assert (await shop.ship())[0] == 400
    assert "ozon: goods, codes, tracks, timeslots, reasons" in shop.faults()
    await set_codes(shop)
    assert (await shop.ship())[0] == 200
    await shop.until("posting_transferring_to_delivery")
    assert "ozon: goods, codes, tracks, timeslots, reasons" not in shop.faults()


async def test_steps_out_of_order_and_done_twice_are_found(ozon: Emulator, http: aiohttp.ClientSession) -> None:
    """delivering before ship, ship after shipped, a wrong quantity: refused, and each is an offence."""
    one = pick(model="rfbs", ending="completed", ship_fails=False, marked=False, moved_away=(), split_from="")
    shop = Shop(ozon, http, one)
    assert await shop.row("delivering") == (False, "TRANSITION_IS_NOT_POSSIBLE")
    assert (await shop.ship(more=1))[1]["message"].startswith("HAS_INCORRECT_PRODUCT_QUANTITY")
    assert (await shop.ship())[0] == 200
    assert await shop.row("delivering") == (False, "TRANSITION_IS_NOT_POSSIBLE")  # only too early: no offence
    await shop.until("posting_transferring_to_delivery")
    assert (await shop.ship())[1]["message"] == "POSTING_ALREADY_SHIPPED"
    assert len(shop.faults()["ozon: no step refused as out of order"]) == 3
    assert len(shop.faults()["ozon: every step done once"]) == 1


async def test_ozon_drives_its_own_orders(ozon: Emulator, http: aiohttp.ClientSession) -> None:
    """FBS: the shop packs, Ozon does the rest; the calls of own delivery are refused row by row."""
    one = pick(model="fbs", ending="completed", marked=False, ship_fails=False, moved_away=(), split_from="")
    shop = Shop(ozon, http, one)
    assert (await shop.ship())[0] == 200
    await shop.until("posting_received")
    assert await shop.row("last-mile") == (False, "HAS_INCORRECT_TPL_INTEGRATION_TYPE")
    assert list(shop.faults()) == ["ozon: no step refused as out of order"]


async def test_what_adds_up_is_never_sent_again(http: aiohttp.ClientSession) -> None:
    """Two partial cancellations, though the first one's answer was lost, are an offence; the goods tell."""
    lost = Rates(error=0, lost=1, limit=0, late=0, read_error=0, hang_share=0)
    async for ozon in emulator(lost):
        one = next(life for life in lives(3000, 1) if life.lines[0].count > 2 and life.ending == "completed"
                   and not life.moved_away)  # fmt: skip
        shop = Shop(ozon, http, one)
        items = [{"sku": one.lines[0].id, "quantity": 1}]
        for _ in range(2):
            with pytest.raises(aiohttp.ClientError):
                await shop.of("/v2/posting/fbs/product/cancel", cancel_reason_id=352, cancel_reason_message="нет",
                              items=items)  # fmt: skip
        assert shop.posting.goods[one.lines[0].id] == one.lines[0].count - 2
        assert {"ozon: every step done once", "ozon: nothing sent blindly after an unknown outcome"} <= set(
            shop.faults()
        )


async def test_ship_that_failed_is_called_again(ozon: Emulator, http: aiohttp.ClientSession) -> None:
    """The answer 200 promises nothing: the posting says ship_failed, and a second ship is no offence."""
    one = pick(ship_fails=True, marked=False, ending="completed", moved_away=(), split_from="")
    shop = Shop(ozon, http, one)
    assert (await shop.ship())[0] == 200
    await shop.until("ship_failed")
    assert (await shop.ship())[0] == 200
    await shop.until("posting_transferring_to_delivery")
    assert "ozon: every step done once" not in shop.faults()


async def test_a_split_posting_becomes_two(ozon: Emulator, http: aiohttp.ClientSession) -> None:
    """Before the shop may act, a line moves into a second posting that names the first as its parent."""
    every = lives(3000, 1)
    at = next(at for at, life in enumerate(every) if life.moved_away)
    shop = Shop(ozon, http, every[at])
    assert (await shop.ship())[1]["message"] == "HAS_INCORRECT_STATUS"
    both = await shop.read()
    second = Shop(ozon, http, every[at + 1])
    left, gone = await shop.read(), await second.read()
    assert gone["parent_posting_number"] == every[at].number
    skus = [{product["sku"] for product in posting["products"]} for posting in (both, left, gone)]
    assert skus[0] == skus[1] | skus[2]
    assert not skus[1] & skus[2]


async def test_the_buyers_request_is_answered_once(ozon: Emulator, http: aiohttp.ClientSession) -> None:
    """It is found by looking only; a second answer is an offence, and so is a call after the cancellation was read."""
    one = pick(model="rfbs", ending="request_accept", marked=False, ship_fails=False)
    shop = Shop(ozon, http, one)
    await shop.ship()
    await shop.until("posting_transferring_to_delivery")
    await shop.row("delivering")
    body = {"limit": 500, "filters": {"state": "ON_APPROVAL"}}
    rows: list[dict[str, Any]] = []
    while not rows:
        await asyncio.sleep(DELAY / 4)
        rows = (await shop.call("/v2/conditional-cancellation/list", body))[1]["result"]
    row = rows[0]
    assert dt.datetime.fromisoformat(row["auto_approve_date"]) == shop.posting.request.until
    answer = {"cancellation_id": row["cancellation_id"], "comment": "Согласны"}
    assert await shop.call("/v2/conditional-cancellation/approve", answer) == (200, None)
    await shop.until("posting_canceled")
    await shop.until("posting_canceled")  # the read that finds it may have begun before it was so
    assert shop.faults() == {}
    await asyncio.sleep(0.55)
    assert (await shop.call("/v2/conditional-cancellation/approve", answer))[0] == 400
    assert {"ozon: every step done once", "ozon: nothing sent for an order read as cancelled"} <= set(shop.faults())


@pytest.mark.parametrize(("reason", "message", "taken"), [(352, "", True), (402, "по вине", True), (402, "", False),
                                                          (665, "", False), (666, "", False)])  # fmt: skip
async def test_reasons_of_cancellation(
    ozon: Emulator, http: aiohttp.ClientSession, reason: int, message: str, taken: bool
) -> None:
    """402 needs words; not collected (665) is no reason before the goods are on their way."""
    shop = Shop(ozon, http, pick(ending="shop_cancel", moved_away=()))
    fields = {"cancel_reason_id": reason} | ({"cancel_reason_message": message} if message else {})
    status, _ = await shop.of("/v2/posting/fbs/cancel", **fields)
    assert (status == 200) is taken
    if taken:
        assert (await shop.until("posting_canceled"))["cancellation"]["cancel_reason_id"] == reason


async def test_misuse_is_counted(ozon: Emulator, http: aiohttp.ClientSession) -> None:
    """Old methods, wrong keys, unknown fields, batches above 20, two packages, no period: each is a violation."""
    one = pick(model="rfbs", ending="completed", marked=False)
    shop = Shop(ozon, http, one)
    goods = [{"product_id": sku, "quantity": count} for sku, count in shop.posting.goods.items()]
    assert (await shop.call("/v3/posting/fbs/list", {}))[0] == 404
    assert (await shop.call("/v3/posting/fbs/get", {"posting_number": one.number}, key="other"))[0] == 401
    assert (await shop.of("/v3/posting/fbs/get", fields="all"))[0] == 400
    assert (await shop.call("/v2/fbs/posting/delivering", {"posting_number": one.number}))[0] == 400
    assert (await shop.call("/v2/fbs/posting/delivering", {"posting_number": [f"{n}" for n in range(21)]}))[0] == 400
    assert (await shop.of("/v4/posting/fbs/ship", packages=[{"products": goods}] * 2))[0] == 400
    assert (await shop.call("/v4/posting/fbs/unfulfilled/list", {"filter": {}, "limit": 100}))[0] == 400
    assert (await shop.call("/v4/posting/fbs/unfulfilled/list", {"filter": {}, "limit": 1000}))[0] == 400
    assert (await shop.of("/v3/posting/fbs/get", posting_number="no-such"))[0] == 404
    assert len(shop.faults()["ozon: no protocol violation"]) == 9


async def test_pages_hang_together(ozon: Emulator, http: aiohttp.ClientSession) -> None:
    """A hundred at most on a page, the cursor filled to the last one, both envelopes."""
    shops = [Shop(ozon, http, one) for one in lives(150, 1)]
    for model, wrapped in (("rfbs", False), ("fbs", True)):
        shop = next(one for one in shops if one.one.model == model)
        period = {"since": "2026-01-01T00:00:00Z", "to": "2026-12-31T00:00:00Z"}
        seen, cursor, more = list[str](), "", True
        while more:
            _, page = await shop.call(LISTED, {"filter": period, "limit": 40, "cursor": cursor})
            assert ("result" in page) is wrapped, page
            page = page.get("result", page)
            assert "postings" in page, page
            seen += [row["posting_number"] for row in page["postings"]]
            cursor, more = page["cursor"], page["has_next"]
        assert cursor
        assert sorted(seen) == sorted(one.one.number for one in shops if one.one.model == model)


async def test_the_51st_call_of_a_second_is_refused(ozon: Emulator, http: aiohttp.ClientSession) -> None:
    """Fifty a second for one Client-Id, whatever the method."""
    shop = Shop(ozon, http, pick(model="rfbs", ending="completed"))
    answers = await asyncio.gather(*(shop.of("/v3/posting/fbs/get") for _ in range(60)))
    assert sorted(status for status, _ in answers) == [200] * 50 + [429] * 10
    assert len(shop.faults()["ozon: at most 50 calls a second of one Client-Id"]) == 10


def test_every_kind_of_life_occurs_and_is_told_by_1c() -> None:
    """300 lives hold every ending and every extra; each script ends, splits come in pairs."""
    every = lives(300, 1)
    assert len({one.number for one in every}) == len(every) == 300
    assert {one.ending for one in every} == {
        "completed", "shop_cancel", "buyer_cancel", "request_accept", "request_decline", "request_expire", "returned"
    }  # fmt: skip
    for name in ("moved", "track", "bad_marks", "ship_fails", "registered", "by_document", "over_http", "moved_away"):
        assert any(getattr(one, name) for one in every), name
    assert [one.number for one in every if one.moved_away] == [one.split_from for one in every if one.split_from]
    assert {mark.type for one in every for mark in script(one, 1)} >= {
        "order.registered", "order.confirmed", "order.assembled", "order.rescheduled", "order.shipped",
        "order.handed_over", "order.delivered", "order.completed", "order.cancelled", "order.cancellation_accepted",
        "order.cancellation_declined",
    }  # fmt: skip
