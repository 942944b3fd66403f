"""Around the calls: whose they are, how they are refused, how they fail, and the journal of them."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from service.marketplaces.megamarket.sandbox import SHOPS
from service.marketplaces.trial import Faults
from tests.megamarket.sandbox_shop import Seller, named, one, packed, problems, quiet, serving


@pytest.fixture
async def seller() -> AsyncIterator[Seller]:
    async with serving(quiet()) as found:
        yield found


async def test_whose_call_it_is(seller: Seller) -> None:
    """The token in the body says; another shop's order is not found."""
    order = seller.place("dbs")
    status, body = await seller.post("dbs", "order/get", {"token": "another", "shipments": [order.number]})
    assert (status, json.loads(body)["success"]) == (401, 0)
    answer = await seller.call("cnc", "order/reject", one(order, named(1)))
    assert (answer["success"], order.status) == (0, "NEW")
    status, _ = await seller.post("dbs", "order/get", {"shipments": [order.number]}, meta="text")
    assert status == 200
    async with seller.session.post(f"{seller.url}/api/market/v1/orderService/order/get", data=b"{") as broken:
        assert broken.status == 400
    async with seller.session.get(f"{seller.url}/api/market/v1/orderService/order/get") as unknown:
        assert unknown.status == 404


async def test_all_or_nothing_and_both_forms_of_error(seller: Seller) -> None:
    """One wrong lot leaves all as they were; `error` is now an object, now an array that names order and lot."""
    order, forms = seller.place("fbs", 2), set()
    for _ in range(20):
        answer = await seller.call("fbs", "order/confirm", one(order, named(1, 7)))
        forms.add(type(answer["error"]))
        assert answer["success"] == 0
        for problem in problems(answer) if isinstance(answer["error"], list) else ():
            assert (problem["shipmentId"], problem["itemIndex"]) == (order.number, "7")
    assert forms == {dict, list}
    assert await seller.statuses(order) == ["NEW", "NEW"]
    await seller.refused(order, "confirm", named(1, "1"))


@pytest.mark.parametrize(
    ("faults", "answers", "acted"),
    [
        (Faults(error=1), {500, "result 0"}, False),
        (Faults(broken=1), {500, "success 0"}, True),
        (Faults(limit=1), {429}, False),
        (Faults(lost=1, hang=0.01), {"none"}, True),
    ],
)
async def test_faults(seller: Seller, faults: Faults, answers: set[object], *, acted: bool) -> None:
    """Each fault acts or not, as it says; packing may answer an error for lots that do become PACKED."""
    seller.market.faults = faults
    seen: set[object] = set()
    for _ in range(1 if len(answers) == 1 else 20):
        order = seller.place("dbs")
        try:
            status, body = await seller.post("dbs", "order/packing", one(order, packed(1), orderCode="1"))
        except aiohttp.ClientError:
            seen.add("none")
        else:
            told = json.loads(body) if status == 200 else {}
            seen.add(
                status if status != 200 else "success 0" if told["success"] == 0 else f"result {told['data']['result']}"
            )
        seller.later()
        assert order.status == ("PACKED" if acted else "NEW")
        assert seller.market.journal[-1].done == ([order.number] if acted else [])
    assert seen == answers


async def test_reads_fail_only_where_asked(seller: Seller) -> None:
    """`Faults.reads` spares them."""
    order, seller.market.faults = seller.place("dbs"), Faults(error=1)
    status, _ = await seller.post("dbs", "order/get", {"shipments": [order.number]})
    assert status == 500
    seller.market.faults.reads = False
    assert await seller.statuses(order) == ["NEW"]


async def test_calls_are_journaled(seller: Seller) -> None:
    """Each with what it changed; repeated or refused ones changed nothing."""
    order = seller.place("dbs")
    await seller.done(order, "reject", named(1))
    await seller.refused(order, "reject", named(1))
    entries = [(entry.changes, entry.status, entry.done) for entry in seller.market.journal]
    assert entries == [(True, 200, [order.number]), (True, 200, [])]
    assert seller.market.journal[0].body["data"]["token"] == SHOPS["mm-dbs"].token
