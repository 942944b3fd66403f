"""Marking codes, buyers' requests to cancel, returns: what the sandbox Ozon knows of a posting besides its way."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.marketplaces.ozon.sandbox import Posting, work
from tests.ozon.sandboxed import KETTLE, Reply, Seller, sandboxed

Sellers = tuple[Seller, Seller]
CODE = "010460043993125621JgXJ5.T\x1d93dGVz"


@pytest.fixture
async def sellers() -> AsyncIterator[Sellers]:
    async with sandboxed() as made:
        yield made


@pytest.fixture
def rfbs(sellers: Sellers) -> Seller:
    return sellers[0]


async def put(seller: Seller, posting: Posting, *codes: str) -> Reply:
    """Gives the codes of the marked goods, the full set."""
    line = posting.lines[-1]
    exemplars = [
        {"exemplar_id": one.id, "marks": [{"mark": code, "mark_type": "mandatory_mark"}]}
        for one, code in zip(line.exemplars, codes, strict=False)
    ]
    products = [{"product_id": line.sku, "exemplars": exemplars}]
    body = {"posting_number": posting.number, "products": products}
    return await seller("/v6/fbs/posting/product/exemplar/set", body)


async def standing(seller: Seller, posting: Posting) -> Any:
    """The status of all exemplars."""
    return (await seller("/v5/fbs/posting/product/exemplar/status", {"posting_number": posting.number})).body["status"]


async def test_marked_goods_need_their_codes_first(rfbs: Seller) -> None:
    """Without them the posting can't be packed; the codes are checked some moments after they are taken."""
    posting = rfbs.place((KETTLE, 1), marked=True)
    found = await rfbs.get(posting)
    assert found["requirements"]["products_requiring_mandatory_mark"] == [posting.lines[-1].sku]
    assert "ship" not in found["available_actions"]
    assert "ship_with_additional_info" in found["available_actions"]
    assert (await rfbs.ship(posting)).message == "EXEMPLAR_INFO_NOT_FILLED_COMPLETELY"
    made = await rfbs("/v6/fbs/posting/product/exemplar/create-or-get", {"posting_number": posting.number})
    marked = made.body["products"][-1]
    assert marked["is_mandatory_mark_needed"]
    assert [one["exemplar_id"] for one in marked["exemplars"]] == [one.id for one in posting.lines[-1].exemplars]
    assert (await put(rfbs, posting, CODE)).body == {}
    assert await standing(rfbs, posting) == "validation_in_process"
    assert (await rfbs.ship(posting)).status == 400
    rfbs.settle(posting)
    assert await standing(rfbs, posting) == "ship_available"
    await rfbs.take(posting)
    assert await standing(rfbs, posting) == "update_not_available"
    assert (await put(rfbs, posting, CODE)).message == "Posting must have 'awaiting_packaging' status"


@pytest.mark.parametrize("code", ["two words", "0104600439931256\\u001d93dGVz"])
async def test_a_wrong_code_does_not_pass(rfbs: Seller, code: str) -> None:
    """`validate` says so at once, `set` later; another full set mends it."""
    posting = rfbs.place((KETTLE, 1), marked=True)
    products = [{"product_id": posting.lines[-1].sku, "exemplars": [{"marks": [{"mark": code}]}]}]
    body = {"posting_number": posting.number, "products": products}
    [judged] = (await rfbs("/v5/fbs/posting/product/exemplar/validate", body)).body["products"]
    assert not judged["valid"]
    await put(rfbs, posting, code)
    rfbs.settle(posting)
    assert await standing(rfbs, posting) == "ship_not_available"
    await put(rfbs, posting, CODE)
    rfbs.settle(posting)
    assert await standing(rfbs, posting) == "ship_available"
    await put(rfbs, posting)
    rfbs.settle(posting)
    assert await standing(rfbs, posting) == "ship_not_available", "a full set of none leaves none"


async def test_a_code_of_another_piece(rfbs: Seller) -> None:
    """An exemplar belongs to its product; what needs no code takes none."""
    posting = rfbs.place((KETTLE, 1), marked=True)
    kettle, coffee = posting.lines
    mark = [{"mark": CODE, "mark_type": "mandatory_mark"}]
    for line, exemplar, words in (
        (coffee, kettle.exemplars[0].id, f"{kettle.exemplars[0].id} does not belong to product {coffee.sku}"),
        (kettle, kettle.exemplars[0].id, "MANDATORY_MARK_REDUNDANT"),
    ):
        products = [{"product_id": line.sku, "exemplars": [{"exemplar_id": exemplar, "marks": mark}]}]
        body = {"posting_number": posting.number, "products": products}
        assert (await rfbs("/v6/fbs/posting/product/exemplar/set", body)).message == words


async def asked_to_cancel(seller: Seller) -> tuple[Posting, int]:
    """A posting under way whose buyer has asked; the request's number."""
    posting = seller.place()
    await seller.take(posting, "delivering")
    request = seller.ozon.buyer_cancels(posting)
    assert request is not None
    return posting, request.id


async def requests(seller: Seller, **filters: Any) -> Any:
    """What is asked, with the counter."""
    body = {"limit": 500, "filters": filters, "with": {"counter": True}}
    return (await seller("/v2/conditional-cancellation/list", body)).body


async def test_a_buyer_asks_to_cancel_what_is_under_way(rfbs: Seller) -> None:
    """It is listed with its automatic date; approved it cancels, rejected it changes nothing; answered once."""
    posting, first = await asked_to_cancel(rfbs)
    found = await requests(rfbs, state="ON_APPROVAL", posting_number=[posting.number])
    assert [one["cancellation_id"] for one in found["result"]] == [first]
    assert found["result"][0]["auto_approve_date"]
    assert (found["counter"], found["last_id"], posting.status) == (1, first, "delivering")
    other, second = await asked_to_cancel(rfbs)
    for id, verb in ((first, "approve"), (second, "reject")):
        path, body = f"/v2/conditional-cancellation/{verb}", {"cancellation_id": id, "comment": "Хорошо"}
        assert (await rfbs(path, body)).body is None, "the documents name no body"
        assert (await rfbs(path, body)).status == 400
    assert (posting.status, other.status) == ("cancelled", "delivering")
    states = {one["cancellation_id"]: one["state"]["state"] for one in (await requests(rfbs))["result"]}
    assert states == {first: "APPROVED", second: "REJECTED"}


async def test_a_request_nobody_answers(rfbs: Seller) -> None:
    """It is approved by itself, on its date and not before."""
    posting, id = await asked_to_cancel(rfbs)
    auto = rfbs.ozon.requests[id].auto
    work(rfbs.ozon, auto - timedelta(seconds=1))
    assert posting.status == "delivering"
    work(rfbs.ozon, auto)
    assert posting.status == "cancelled"


async def test_delivered_before_it_was_answered(rfbs: Seller) -> None:
    """The request is closed with it."""
    posting, id = await asked_to_cancel(rfbs)
    for name in ("last-mile", "delivered"):
        await rfbs.step(name, posting)
        rfbs.settle(posting)
    assert rfbs.ozon.requests[id].state == "REJECTED"


async def test_a_fresh_posting_is_cancelled_by_its_buyer_at_once(sellers: Sellers) -> None:
    """Whatever the model; in FBS until the hand-over. A change under way is forgotten with it."""
    rfbs, fbs = sellers
    for seller in (rfbs, fbs):
        posting = seller.place()
        await seller.ship(posting)
        assert seller.ozon.buyer_cancels(posting) is None
        work(seller.ozon, datetime.now(UTC) + timedelta(hours=9))
        found = await seller.get(posting)
        assert (found["status"], found["cancellation"]["cancellation_type"]) == ("cancelled", "client")


async def test_another_cabinets_are_not_there(sellers: Sellers) -> None:
    """Neither its postings nor its requests nor its returns."""
    rfbs, fbs = sellers
    posting, id = await asked_to_cancel(rfbs)
    record = rfbs.ozon.buyer_returns(posting)
    assert (await requests(fbs))["result"] == []
    assert (await fbs("/v2/conditional-cancellation/approve", {"cancellation_id": id})).status == 404
    assert (await fbs("/v2/returns/rfbs/list", {"limit": 10})).body["returns"] == []
    assert (await fbs("/v2/returns/rfbs/get", {"return_id": record.id})).status == 404
    assert (await fbs("/v3/posting/fbs/get", {"posting_number": posting.number})).status == 404


async def test_returns(rfbs: Seller) -> None:
    """Listed by group, date and posting, page by page; each with what may be done about it."""
    now = datetime.now(UTC)
    posting = rfbs.place()
    made = [rfbs.ozon.buyer_returns(posting, now + timedelta(days=n)) for n in range(3)]
    made[2].group = "Approved"

    async def found(after: int = 0, **filters: Any) -> list[int]:
        body = {"limit": 2, "last_id": after, "filter": filters}
        reply = await rfbs("/v2/returns/rfbs/list", body)
        return [one["return_id"] for one in reply.body["returns"]]

    assert await found() == [made[0].id, made[1].id]
    assert await found(made[1].id) == [made[2].id]
    assert await found(group_state=["Approved"]) == [made[2].id]
    assert await found(posting_number="1-0001-1") == []
    later = (now + timedelta(hours=1)).isoformat()
    assert await found(created_at={"from": later, "to": "2099-01-01T00:00:00Z"}) == [made[1].id, made[2].id]
    one = (await rfbs("/v2/returns/rfbs/get", {"return_id": made[0].id})).body["returns"]
    assert (one["posting_number"], one["available_actions"][0]["name"]) == (posting.number, "Одобрить")
