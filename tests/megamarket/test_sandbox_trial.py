"""The sandbox tells shops of orders, lives by its own clock, and is a trial marketplace like any other."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from service.marketplaces.megamarket.sandbox import PREFIX, SHOPS, Market, application, trial
from service.marketplaces.megamarket.sandbox.forms import order_new
from service.marketplaces.trial import MakeTrial, Trial
from tests.megamarket.sandbox_shop import PACE, SOME_DAY, Seller, boxed, closed, named, packed, quiet, serving, tyres


class Hooks:
    """A shop's side of the callbacks: what came, and how the first of each is answered."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Any]] = []
        self.auth: set[str] = set()
        self.answers: list[tuple[int, Any]] = []
        self.more = asyncio.Event()

    async def hear(self, request: web.Request) -> web.Response:
        self.got.append((request.path, await request.json()))
        self.more.set()
        self.auth.add(request.headers.get("Authorization", ""))
        status, body = self.answers.pop(0) if self.answers else (200, {"success": 1, "data": {}, "meta": {}})
        return web.json_response(body, status=status)

    async def count(self, wanted: int) -> None:
        async with asyncio.timeout(5):
            while len(self.got) < wanted:
                await self.more.wait()
                self.more.clear()


@asynccontextmanager
async def heard(market: Market) -> AsyncIterator[tuple[Seller, Hooks]]:
    """The sandbox with a shop that hears it."""
    hooks, receiver = Hooks(), web.Application()
    receiver.router.add_post("/hooks/{tail:.*}", hooks.hear)
    async with TestServer(receiver) as server:
        urls = {channel: str(server.make_url(f"/hooks/{channel}/secret")) for channel in SHOPS}
        async with serving(market, urls) as seller:
            yield seller, hooks


async def test_a_new_order_is_told_until_it_is_answered_well() -> None:
    """With Basic; any answer but HTTP 200 with success 1 brings it again, the same."""
    market = quiet()
    async with heard(market) as (seller, hooks):
        hooks.answers = [(503, {}), (200, {"success": 0}), (200, [])]
        order = seller.place("dbs")
        await hooks.count(4)
        assert [path for path, _ in hooks.got] == ["/hooks/mm-dbs/secret/order/new"] * 4
        assert all(body == order_new(order, 17001) for _, body in hooks.got)
        assert hooks.auth == {"Basic " + base64.b64encode(b"megamarket:sandbox-hook").decode()}
        seller.place("cnc")
        await hooks.count(5)
        assert [path for path, _ in hooks.got[4:]] == ["/hooks/mm-cnc/secret/order/new"], "answered well: no more of it"


async def test_it_gives_up_at_last() -> None:
    """A callback never answered well comes so many times, no more."""
    market = quiet()
    market.telling.tries = 3
    async with heard(market) as (seller, hooks):
        hooks.answers = [(500, {})] * 3
        seller.place("dbs")
        await hooks.count(3)
        seller.place("cnc")
        await hooks.count(4)
        assert hooks.got[3][0] == "/hooks/mm-cnc/secret/order/new"


async def test_some_come_twice_and_some_new_orders_never() -> None:
    """Repeats are equal; an order never told of is found by a search, and its cancellation is told all the same."""
    market = quiet()
    market.telling.twice = 1
    async with heard(market) as (seller, hooks):
        seller.place("fbs")
        await hooks.count(2)
        assert hooks.got[0] == hooks.got[1]
        market.telling.twice, market.telling.unsaid = 0, 1
        order, now = seller.place("fbs"), datetime.now(UTC)
        market.buyer_cancels(order)
        await hooks.count(3)
        assert hooks.got[2][0].endswith("/order/cancel")
        window = {"dateFrom": (now - timedelta(hours=1)).isoformat(), "dateTo": now.isoformat()}
        answer = await seller.call("fbs", "order/search", {**window, "statuses": ["CUSTOMER_CANCELED"]})
        assert answer["data"]["shipments"] == [order.number]


@pytest.mark.parametrize("model", ["fbs", "dbs", "cnc"])
async def test_a_buyer_cancels(model: str) -> None:
    """FBS: the lots are cancelled already, and told; DBS and C&C: the shop is asked; what is over is not in it."""
    market = quiet()
    async with heard(market) as (seller, hooks):
        order = seller.place(model, 3)
        await seller.done(order, "reject", named(3))
        market.buyer_cancels(order, order.lots[1:])
        await hooks.count(2)
        expected = "CUSTOMER_CANCELED" if model == "fbs" else "NEW"
        assert await seller.statuses(order) == ["NEW", expected, "MERCHANT_CANCELED"]
        path, body = hooks.got[1]
        assert path == f"/hooks/mm-{model}/secret/order/cancel"
        assert [item["itemIndex"] for item in body["data"]["shipments"][0]["items"]] == ["2"]


async def test_what_is_left_lying_ends() -> None:
    """Each status in its own way, and none before its time."""
    market = quiet()
    market.left_lying = timedelta(days=3)
    async with serving(market) as seller:
        new, late, packed_fbs, dbs, cnc = (seller.place(model) for model in ("fbs", "fbs", "fbs", "dbs", "cnc"))
        for order in (late, packed_fbs):
            await seller.done(order, "confirm", named(1))
        await seller.done(cnc, "packing", packed(1), orderCode="1")
        seller.later()
        await seller.done(packed_fbs, "packing", boxed(packed_fbs, 1), orderCode=packed_fbs.number)
        seller.later()
        orders, now = (new, late, packed_fbs, dbs, cnc), datetime.now(UTC)
        before = [order.status for order in orders]
        market.end_forgotten(now + timedelta(days=2))
        assert [order.status for order in orders] == before
        market.end_forgotten(now + timedelta(days=4))
        assert [(order.status, order.lots[0].sub) for order in orders] == [
            ("MERCHANT_CANCELED", "CONFIRMATION_EXPIRED"), ("PACKING_EXPIRED", "PACKING_EXPIRED"),
            ("SHIPPING_EXPIRED", None), ("PACKING_EXPIRED", "PACKING_EXPIRED"), ("CUSTOMER_CANCELED", None),
        ]  # fmt: skip
        await seller.refused(dbs, "packing", packed(1), orderCode="1")
        market.work(now + timedelta(days=5))
        assert dbs.status == "MERCHANT_CANCELED"


async def test_a_wish_never_answered_is_granted() -> None:
    """After the same time, whatever was done with the other lots; what is not settled yet ends as well."""
    market = quiet()
    async with serving(market) as seller:
        order = seller.place("dbs", 2)
        market.buyer_cancels(order, order.lots[:1])
        market.end_forgotten(datetime.now(UTC) + timedelta(days=2))
        assert await seller.statuses(order) == ["CUSTOMER_CANCELED", "PACKING_EXPIRED"]
        blank = market.place("mm-dbs", lots=tyres(1), blank=True)
        market.end_forgotten(datetime.now(UTC) + timedelta(days=2))
        assert await seller.statuses(blank) == ["PACKING_EXPIRED"]


def test_it_is_a_trial() -> None:
    """Three shops with all their keys; numbers of digits that count on over all of them."""
    make: MakeTrial = trial
    one: Trial = make(seed=1, first=5_000)
    assert {name: table["model"] for name, table in one.channels.items()} == {
        "mm-dbs": "dbs", "mm-cnc": "cnc", "mm-fbs": "fbs"
    }  # fmt: skip
    wanted = {"kind": str, "model": str, "merchant_id": int, "token": str, "hook_login": str, "hook_password": str}
    for table in one.channels.values():
        assert {name: type(value) for name, value in table.items()} == wanted
    assert {name: (way.shop, way.partly) for name, way in one.ways.items()} == {
        "mm-dbs": (True, True), "mm-cnc": (True, True), "mm-fbs": (False, False)
    }  # fmt: skip
    assert len({(table["merchant_id"], table["token"]) for table in one.channels.values()}) == 3
    placed = [one.place(channel) for channel in ("mm-dbs", "mm-cnc", "mm-fbs", "mm-dbs")]
    assert placed == ["5000", "5001", "5002", "5003"]
    assert one.open() == ["mm-dbs/5000", "mm-cnc/5001", "mm-fbs/5002", "mm-dbs/5003"]
    assert one.code("5000") is None


def test_buyers_live() -> None:
    """They cancel fresh FBS orders, ask to cancel others wholly or in part; forgotten ones end, old ones are let go."""
    one, random = trial(seed=1), Random(2)
    for _ in range(30):
        for channel in one.channels:
            one.place(channel)
    for _ in range(300):
        one.live(random)
    orders = list(one.market.orders.values())
    assert [order for order in orders if order.model == "fbs" and order.status == "CUSTOMER_CANCELED"]
    asked = [[lot.asked for lot in order.lots] for order in orders if any(lot.asked for lot in order.lots[:-1])]
    assert {all(wishes) for wishes in asked} == {True, False}
    assert all(lot.status in ("", "NEW") for order in orders if order.model != "fbs" for lot in order.lots)
    for _ in range(250):
        one.place("mm-dbs")
    one.market.work(datetime.now(UTC) + PACE)
    one.market.left_lying = timedelta(days=-1)
    one.live(random)
    assert one.open() == []
    assert len(one.market.orders) == 200
    assert one.market.orders[str(one.market.next_number - 1)].ended


def test_it_remembers() -> None:
    """All of its orders; wishes that wait are told again; numbers never fall; nonsense is refused."""
    one, other, far = trial(seed=1, first=10), trial(seed=2, first=1), trial(seed=3, first=900)
    one.market.telling.unsaid = 0
    numbers = [one.place(channel) for channel in one.channels for _ in range(5)]
    wish = one.market.orders[numbers[0]]
    one.market.buyer_cancels(wish, wish.lots[:1])
    other.restore(one.dump())
    far.restore(one.dump())
    assert other.market.orders == one.market.orders
    assert [callback.body for callback in other.market.callbacks] == [one.market.callbacks[-1].body]
    assert (other.place("mm-dbs"), far.place("mm-dbs")) == ("25", "900")
    for nonsense in (b"", b"{}", b'{"next_number": "x", "orders": []}'):
        with pytest.raises(ValueError, match=r"."):
            other.restore(nonsense)


async def test_changes_are_kept_before_anybody_sees_them() -> None:
    """`changed` is called before a callback goes out, and before an answer does."""
    market, kept = quiet(), list[str]()
    market.changed = lambda: kept.append(";".join(order.status for order in market.orders.values()))
    async with heard(market) as (seller, hooks):
        order = seller.place("dbs")
        await hooks.count(1)
        assert kept == ["NEW"]
        await seller.done(order, "packing", packed(1), orderCode="1")
        assert kept == ["NEW", "PENDING_PACKING"]
        seller.later()
        assert await seller.statuses(order) == ["PACKED"]
        await seller.refused(order, "packing", packed(1), orderCode="1")
        assert kept == ["NEW", "PENDING_PACKING", "PACKED"], "once each, and not where nothing changed"


async def test_its_own_clock_runs() -> None:
    """What is PENDING settles while it serves, without anybody's doing."""
    market = quiet()
    market.pace = timedelta(milliseconds=20)
    async with serving(market) as seller:
        order = seller.place("cnc")
        await seller.done(order, "packing", packed(1), orderCode="1")
        await seller.until(order, "PACKED")
        await seller.done(order, "close", closed(1), closeDate=SOME_DAY)


async def test_it_is_served_beside_others() -> None:
    """As a sub-application under a path it answers and keeps its clock as ever."""
    market, outer = quiet(), web.Application()
    market.pace = timedelta(0)
    order = market.place("mm-dbs", lots=tyres(1), blank=True)
    outer.add_subapp("/megamarket", application(market))
    async with TestServer(outer) as server, aiohttp.ClientSession() as session:
        seller = Seller(market, session, str(server.make_url("/megamarket")))
        await seller.until(order, "NEW")
        assert market.journal[0].path == f"/megamarket{PREFIX}order/get"
