"""Megamarket's callbacks: what they say, who may send them, how they are answered."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from events.order import facts as f
from service.marketplaces import port
from service.marketplaces.megamarket import Megamarket, make
from service.passing import notice_message
from tests.acceptance.spec import specs_dir
from tests.megamarket.conftest import Hubs

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TAKEN = {"data": {}, "meta": {}, "success": 1}


def channel(model: str = "dbs", merchant: int = 7, **more: Any) -> Megamarket:
    return make("mm", model=model, base_url=None, options={"merchant_id": merchant, "token": "t", **more})


def basic(login: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()}


def body(*shipments: Any, merchant: Any = 7, source: str | None = "OMS") -> bytes:
    meta = {"source": source} if source else {}
    return json.dumps({"data": {"merchantId": merchant, "shipments": list(shipments)}, "meta": meta}).encode()


def order(number: Any, *lots: str) -> dict[str, Any]:
    return {"shipmentId": number, "items": [{"itemIndex": lot, "goodsId": "1", "offerId": "A"} for lot in lots]}


def test_official_answers_and_samples() -> None:
    """Each sample of a callback is taken, one notice an order, and answered as the known sellers do."""
    folder = specs_dir() / "megamarket" / "samples"
    if not folder.is_dir():
        pytest.skip(f"no samples of Megamarket in {folder}: reading them is NOT checked")
    expected = json.loads((folder / "callback.response.success.json").read_bytes())
    for name, model, merchant, tail, number in (
        ("order_new.dbs", "dbs", 175306, "order/new", "9324005526611"),
        ("order_new.fbs", "fbs", 5046, "order/new", "946032218"),
        ("order_new.click_collect", "cnc", 3333, "order/new", "smm-test-4242"),
        ("order_cancel.click_collect", "cnc", 1111, "order/cancel", "smm-test-4242"),
    ):
        raw = (folder / f"{name}.request.json").read_bytes()
        answer = channel(model, merchant).hook(tail, {}, raw, NOW)
        assert (answer.status, answer.body) == (200, expected), name
        assert [(notice.number, notice.notice) for notice in answer.notices] == [(number, tail)], name


@pytest.mark.parametrize("tail", ["order/new", "/order/new", "order/new/", "/order/new/"])
def test_several_orders_in_one_callback(tail: str) -> None:
    """A notice each; the address may have a slash more or less, and a number may come as a number."""
    placed = {**order("9", "1"), "shipmentDate": "2024-08-09T16:12:28+03:00"}
    answer = channel().hook(tail, {}, body(order(8, "1"), placed), NOW)
    assert (answer.status, answer.body) == (200, TAKEN)
    assert [notice.number for notice in answer.notices] == ["8", "9"]
    assert answer.notices[1].at == datetime(2024, 8, 9, 13, 12, 28, tzinfo=UTC)
    assert all(notice.hint is None for notice in answer.notices)


def test_of_several_orders_each_keeps_its_own_part() -> None:
    """What is kept of one order names no other one's buyer; a callback of one order is kept as it came."""
    buyers = [{**order(number, "1"), "customer": {"customerFullName": f"Buyer {number}"}} for number in ("8", "9")]
    answer = channel().hook("order/new", {}, body(*buyers), NOW)
    for notice, whose in zip(answer.notices, buyers, strict=True):
        kept = notice_message("mm", notice, body(*buyers)).body
        assert json.loads(kept) == json.loads(body(whose))
    (alone,) = channel().hook("order/new", {}, body(buyers[0]), NOW).notices
    assert notice_message("mm", alone, body(buyers[0])).body == body(buyers[0])


def test_a_repeat_is_told_from_another_one() -> None:
    """The same callback has the same key, whatever its meta; another order, kind or other lots another one."""

    def key(tail: str, raw: bytes) -> str:
        (notice,) = channel().hook(tail, {}, raw, NOW).notices
        return notice.key

    new, cancel = body(order("8", "1", "2")), body(order("8", "2"))
    assert key("order/new", new) == key("order/new", body(order("8", "1", "2"), source=None))
    assert key("order/cancel", cancel) == key("order/cancel", cancel)
    others = [
        key("order/new", new), key("order/new", body(order("9", "1"))), key("order/cancel", cancel),
        key("order/cancel", body(order("8", "1", "2"))),
    ]  # fmt: skip
    assert len(set(others)) == len(others)
    assert key("order/cancel", body(order("8", "2", "10", "1"))) == key(
        "order/cancel", body(order("8", "1", "2", "10"))
    )


def test_lots_of_a_wish_to_cancel_come_back_as_a_hint() -> None:
    """Sorted by number; nothing for FBS, where the lots are cancelled already."""
    raw = body(order("8", "10", "9"))
    for model, hint in (("dbs", "cancel:9,10"), ("cnc", "cancel:9,10"), ("fbs", None)):
        (notice,) = channel(model).hook("order/cancel", {}, raw, NOW).notices
        assert notice.hint == hint
    (whole,) = channel().hook("order/cancel", {}, body({"shipmentId": "8"}), NOW).notices
    assert whole.hint == "cancel:"
    (odd,) = channel().hook("order/cancel", {}, body({"shipmentId": "8", "items": [{"goodsId": "1"}]}), NOW).notices
    assert odd.hint is None  # lots that can't be read are no wish to cancel everything


def test_only_who_knows_the_password_is_heard() -> None:
    """Wrong, missing and garbled credentials get 401 and leave nothing; without a password the path is enough."""
    mm, raw = channel(hook_login="логин", hook_password=lambda: "пароль:1"), body(order("8", "1"))
    assert mm.hook("order/new", basic("логин", "пароль:1"), raw, NOW).status == 200
    lower = {"authorization": basic("логин", "пароль:1")["authorization"].replace("Basic", "basic")}
    assert mm.hook("order/new", lower, raw, NOW).status == 200
    for headers in (
        {},
        basic("логин", "x"),
        basic("", ""),
        {"authorization": "Basic ы"},
        {"authorization": "Bearer x"},
    ):
        answer = mm.hook("order/new", headers, raw, NOW)
        assert (answer.status, answer.body["success"], list(answer.notices)) == (401, 0, [])
    assert channel().hook("order/new", basic("any", "body"), raw, NOW).status == 200


def test_another_shop_s_orders_are_left_to_it() -> None:
    """Answered well, so that they do not come again, and not noted; a callback that names no shop is this one's."""
    answer = channel().hook("order/new", {}, body(order("8", "1"), merchant=8), NOW)
    assert (answer.status, answer.body, list(answer.notices)) == (200, TAKEN, [])
    for merchant in ("7", 7, None):
        assert channel().hook("order/new", {}, body(order("8", "1"), merchant=merchant), NOW).notices


@pytest.mark.parametrize(
    ("tail", "raw", "status"),
    [
        ("order/new", b"{", 400), ("order/new", b"[]", 400), ("order/new", body(), 400),
        ("order/new", body({"items": []}), 400), ("order/new", body(order("../8", "1")), 400),
        ("order/other", body(order("8", "1")), 404), ("", body(order("8", "1")), 404),
    ],
)  # fmt: skip
def test_what_can_t_be_read_is_asked_for_again(tail: str, raw: bytes, status: int) -> None:
    """A bad HTTP status makes Megamarket call again; success 0 with 200 could be taken for the shop's refusal."""
    answer = channel().hook(tail, {}, raw, NOW)
    assert (answer.status, answer.body["success"], list(answer.notices)) == (status, 0, [])


def test_one_order_that_can_t_be_read_holds_up_no_other() -> None:
    """What can be read is noted and answered well: refusing it all could lose the rest; polls find the other."""
    answer = channel().hook("order/new", {}, body(order("8", "1"), {"shipmentId": None}), NOW)
    assert (answer.status, [notice.number for notice in answer.notices]) == (200, ["8"])


async def test_a_wish_to_cancel_becomes_a_request(hub: Hubs) -> None:
    """The lots' goods, as lines; no lines where it is the whole order, its delivery too; none for cancelled lots."""
    mm = await hub("dbs", 3, delivery=True)
    assert mm.state.request is None
    some = await mm.see("cancel:2,3")
    assert some.request is not None
    assert [(line.id, line.quantity) for line in some.request.lines or ()] == [("2,3", 2)]
    assert mm.state.request == some.request
    await mm.see()
    assert mm.state.request == some.request  # a read without the hint says nothing of it
    whole, goods = await mm.see("cancel:1,2,3,4"), await mm.see("cancel:3", "cancel:1,2")
    assert whole.request == f.CancellationRequested()
    assert goods.request is not None
    assert [line.id for line in goods.request.lines or ()] == ["1,2,3"]
    assert (await mm.see("cancel:")).request == f.CancellationRequested()
    mm.there.lots[1].enter("CUSTOMER_CANCELED", NOW)
    assert (await mm.see("cancel:2")).request is None
    assert (await mm.see("cancel:77")).request is None
    fbs = await hub("fbs", 2)
    assert (await fbs.see("cancel:1")).request is None


async def test_callbacks_of_a_new_order_are_read_with_it(hub: Hubs) -> None:
    """Both kinds, of whichever orders, in any order: what order/new said is found; broken ones do no harm."""
    mm = await hub("dbs", 1)
    told = {**order(mm.there.number, "1"), "shipmentDate": "2024-08-09T16:12:28+03:00", "customerOrderId": 5}
    notices = (body(order("77", "1")), b"{", body(told), body(order(mm.there.number, "1")))
    (seen,) = await mm.talk(mm.megamarket.read([port.Wanted(mm.there.number, new=True, notices=notices)]))
    assert isinstance(seen, port.Seen)
    assert seen.order.details["customer_order_id"] == "5"
