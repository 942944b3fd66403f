"""The sandbox is as strict as the documents: limits, faults, notifications, refusals."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from jsonschema import Draft202012Validator

from service.marketplaces import port
from service.marketplaces.yandex.sandbox import Faults, Market, application
from service.marketplaces.yandex.sandbox import api as sandbox_api
from tests.acceptance.spec import NOTIFICATIONS, specs_dir
from tests.yandex.conftest import DBS, EXPRESS, FBS
from tests.yandex.hub import Hub

Hubs = Callable[[int], Hub]


async def test_a_wrong_key_and_another_shop(market: Market, hub: Hubs) -> None:
    """401 and 403, nothing done."""
    ym = hub(DBS)
    order = market.place(DBS)
    assert (await ym.call(port.Call("GET", "/v2/campaigns/999/returns", "returns"))).status == 403
    assert (await ym.call(port.Call("GET", f"/v2/campaigns/{FBS}/orders/{order.number}/buyer", "buyer"))).status == 404
    assert (await ym.call(port.Call("POST", "/v1/businesses/1/orders", "orders", body={}))).status == 403
    market.api_key = "another"
    assert (await ym.call(port.Call("GET", f"/v2/campaigns/{DBS}/returns", "returns"))).status == 401
    ym.faults.clear()


async def test_no_more_than_four_at_once(market: Market, hub: Hubs) -> None:
    """The fifth call at once gets 420, and a moment later it is taken."""
    market.faults = Faults(lost=1, hang=0.3)
    orders = [market.place(DBS) for _ in range(5)]
    ym = hub(DBS)

    async def ship(number: int) -> int:
        path = f"/v2/campaigns/{DBS}/orders/{number}/status"
        with suppress(aiohttp.ClientError):
            return (await ym.call(port.Call("PUT", path, "status", body={"order": {"status": "DELIVERY"}}))).status
        return 0

    statuses = await asyncio.gather(*(ship(order.number) for order in orders))
    assert sorted(statuses) == [0, 0, 0, 0, 420]
    assert sorted(order.status for order in orders) == ["DELIVERY"] * 4 + ["PROCESSING"], "lost answers, but done"


async def test_the_hourly_limit(market: Market, hub: Hubs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted per shop and method, told in the headers of every answer."""
    monkeypatch.setitem(sandbox_api.HOURLY, "returns", 2)
    ym, call = hub(DBS), port.Call("GET", f"/v2/campaigns/{DBS}/returns", "returns")
    replies = [await ym.call(call) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 420]
    left = [limit.remaining for reply in replies if (limit := ym.yandex.limit(reply, datetime.now(UTC))) is not None]
    assert left == [1, 0, 0]
    with pytest.raises(port.AnswerFailed) as failed:
        await ym.talk(ym.yandex.poll(datetime.now(UTC), datetime.now(UTC)))
    assert failed.value.limit
    assert failed.value.until is not None


@pytest.mark.parametrize(
    ("faults", "status", "acted"),
    [(Faults(error=1), 503, False), (Faults(limit=1), 420, False), (Faults(broken=1), 500, True)],
)
async def test_faults(market: Market, hub: Hubs, faults: Faults, status: int, *, acted: bool) -> None:
    """Each fault says whether Market acted, by what it did; the journal holds it."""
    order, ym = market.place(DBS), hub(DBS)
    market.faults = faults
    path = f"/v2/campaigns/{DBS}/orders/{order.number}/status"
    reply = await ym.call(port.Call("PUT", path, "status", body={"order": {"status": "DELIVERY"}}))
    assert (reply.status, order.status == "DELIVERY") == (status, acted)
    assert market.journal[-1].done == ([order.number] if acted else [])


async def test_a_status_twice_and_out_of_order(market: Market, hub: Hubs) -> None:
    """What the documents leave open is refused."""
    order, ym = market.place(DBS, pickup=True), hub(DBS)
    path = f"/v2/campaigns/{DBS}/orders/{order.number}/status"
    asked = (("PICKUP", 400), ("DELIVERY", 200), ("DELIVERY", 400), ("DELIVERED", 400), ("UNPAID", 400))
    for status, expected in asked:
        reply = await ym.call(port.Call("PUT", path, "status", body={"order": {"status": status}}))
        assert reply.status == expected
    reply = await ym.call(port.Call("PUT", path, "status", body={}))
    assert reply.status == 400
    ym.faults.clear()


async def test_notifications_are_sent_until_answered(session: aiohttp.ClientSession) -> None:
    """Each one reaches the shop in the official form; one not answered well comes again, a 400 does not."""
    market = Market({DBS: "dbs", FBS: "fbs", EXPRESS: "express"})
    got: list[dict[str, Any]] = []

    async def shop(request: web.Request) -> web.Response:
        told = await request.json()
        got.append(told)
        if len(got) == 1:
            return web.Response(status=500)
        if told["notificationType"] == "ORDER_RETURN_CREATED":
            return web.json_response({"error": {"type": "UNKNOWN"}}, status=400)
        return web.json_response({"version": "1", "name": "okno", "time": "2026-01-01T00:00:00Z"})

    receiver = web.Application()
    receiver.router.add_post("/hooks/ym/secret/notification", shop)
    async with TestServer(receiver) as hooks:
        url = str(hooks.make_url("/hooks/ym/secret"))
        async with TestServer(application(market, {DBS: url}, retry_seconds=0.05)):
            order = market.place(DBS, pickup=False)
            market.place(FBS)
            market.move(order, "DELIVERY", "DELIVERY_SERVICE_RECEIVED")
            market.buyer_cancels(order)
            market.buyer_returns(order)
            for _ in range(100):
                if len({told["notificationType"] for told in got}) == 4 and len(got) >= 5:
                    break
                await asyncio.sleep(0.05)
    assert {told["orderId"] for told in got} == {order.number}
    kinds = {told["notificationType"] for told in got}
    assert kinds == {"ORDER_CREATED", "ORDER_STATUS_UPDATED", "ORDER_CANCELLATION_REQUEST", "ORDER_RETURN_CREATED"}
    bundle = specs_dir() / NOTIFICATIONS
    if not bundle.exists():
        pytest.skip(f"no official OpenAPI of Yandex Market's notifications in {bundle}: their form is NOT checked")
    document = json.loads(bundle.read_text("utf-8"))
    for told in got:
        form = told["notificationType"].title().replace("_", "")
        schema = {"$ref": f"#/components/schemas/{form}NotificationDTO", "components": document["components"]}
        assert [error.message for error in Draft202012Validator(schema).iter_errors(told)] == []


async def test_a_wish_never_answered(market: Market, hub: Hubs) -> None:
    """After its patience Market cancels by itself."""
    order = market.place(DBS)
    market.move(order, "DELIVERY", "DELIVERY_SERVICE_RECEIVED")
    market.buyer_cancels(order)
    market.work(datetime.now(UTC) + timedelta(hours=47))
    assert order.status == "DELIVERY"
    market.work(datetime.now(UTC) + timedelta(hours=49))
    assert order.state == "CANCELLED/USER_CHANGED_MIND"
