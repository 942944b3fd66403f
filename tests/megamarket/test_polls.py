"""Polls, the check of the token, the survey of a live account, labels."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.order import facts as f
from service.marketplaces import port
from service.marketplaces.megamarket import Megamarket, make
from service.marketplaces.megamarket.sandbox.forms import order_get
from service.marketplaces.megamarket.statuses import FINAL, OPEN
from tests.megamarket.conftest import Hubs
from tests.megamarket.hub import Hub
from tests.megamarket.sandbox_shop import Seller
from tests.megamarket.talking import bad, good, talked

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def channel(model: str = "dbs") -> Megamarket:
    return make("mm", model=model, base_url=None, options={"merchant_id": 1, "token": "t"})


class Orders:
    """An order/search that gives at most so many numbers, of orders placed at these times."""

    def __init__(self, placed: Mapping[str, datetime], most: int = 1000) -> None:
        self.placed, self.most = placed, most
        self.searches: list[dict[str, Any]] = []

    def answer(self, call: port.Call) -> port.Reply:
        data = call.body["data"]
        if call.resource == "order/get":
            assert len(data["shipments"]) <= 400
            items = [{"itemIndex": 1, "offerId": "A", "status": "NEW"}]
            return good({"shipments": [{"shipmentId": n, "items": items} for n in data["shipments"]]})
        self.searches.append(data)
        first, last = (datetime.fromisoformat(data[name]) for name in ("dateFrom", "dateTo"))
        wanted = "NEW" in data["statuses"]
        found = [number for number, at in self.placed.items() if wanted and first <= at <= last]
        return good({"shipments": found[: self.most]})

    def polled(self, since: datetime | None = None, now: datetime = NOW) -> set[str]:
        return {seen.number for seen in talked(channel().poll(since, now), self.answer)}


def placed(count: int, over: timedelta) -> dict[str, datetime]:
    return {str(n): NOW - over * n / count for n in range(1, count + 1)}


def test_the_first_poll_asks_for_what_is_open() -> None:
    """90 days back, and beyond now: clocks differ."""
    orders = Orders(placed(3, timedelta(days=80)))
    assert orders.polled() == set(orders.placed)
    (search,) = orders.searches
    assert (search["statuses"], search["count"]) == (list(OPEN), 1000)
    assert (search["dateFrom"], search["dateTo"]) == ("2026-08-26T15:00:00+03:00", "2026-11-25T15:00:00+03:00")


def test_later_polls_ask_for_what_is_over_too() -> None:
    """The last seven days, as far as since the last poll, once a day all 90; open ones always all 90."""
    for since, days in ((timedelta(minutes=5), 7), (timedelta(hours=16), 90), (timedelta(days=20), 90)):
        orders = Orders({})
        orders.polled(NOW - since)
        opened, over = orders.searches
        assert (opened["statuses"], over["statuses"]) == (list(OPEN), list(FINAL))
        assert opened["dateFrom"] == "2026-08-26T15:00:00+03:00"
        assert datetime.fromisoformat(over["dateFrom"]) == NOW - timedelta(days=days)


@pytest.mark.parametrize(
    ("count", "over", "most"),
    [
        (3000, timedelta(days=60), 1000), (3000, timedelta(hours=5), 1000), (2500, timedelta(days=30), 100),
        (130, timedelta(minutes=40), 50), (1000, timedelta(seconds=2), 1000),
    ],
)  # fmt: skip
def test_a_full_window_is_halved_until_all_are_found(count: int, over: timedelta, most: int) -> None:
    """However many a search gives at most, every order is found, in few enough calls."""
    orders = Orders(placed(count, over), most)
    assert orders.polled() == set(orders.placed)
    assert len(orders.searches) < 60 + 6 * count / most


def test_a_search_that_looks_at_no_dates_comes_to_an_end() -> None:
    """Where both halves give what the whole gave, the window is not what decides."""
    searches: list[Any] = []

    def answer(call: port.Call) -> port.Reply:
        if call.resource == "order/get":
            return good({"shipments": []})
        searches.append(call.body)
        return good({"shipments": [str(n) for n in range(200)]})

    assert talked(channel().poll(None, NOW), answer) == []
    assert len(searches) == 3


async def test_polls_find_what_no_callback_told(hub: Hubs, shop: Seller) -> None:
    """Orders of the shop alone, in whatever status they are."""
    mm, other = await hub("dbs", 1), shop.place("dbs", 2)
    shop.place("cnc", 1)
    other.lots[0].enter("PACKED", datetime.now(UTC))
    over = shop.place("dbs", 1)
    over.lots[0].enter("CUSTOMER_CANCELED", datetime.now(UTC))
    now = datetime.now(UTC)
    first = await mm.talk(mm.megamarket.poll(None, now))
    assert {seen.number for seen in first} == {mm.there.number, other.number}
    later = await mm.talk(mm.megamarket.poll(now, now))
    assert {seen.number for seen in later} == {mm.there.number, other.number, over.number}


async def test_check_tells_a_wrong_token(hub: Hubs) -> None:
    """Nothing where all is well; else the key and what to do. No answer at all is the hub's to tell."""
    mm = await hub("dbs", 1)
    assert await mm.talk(mm.megamarket.check()) == []
    options = {"merchant_id": 1, "token": "wrong"}
    mm.megamarket = make("mm", model="dbs", base_url=mm.seller.url, options=options)
    (wrong,) = await mm.talk(mm.megamarket.check())
    assert wrong.startswith("token: Megamarket refuses the token")
    talk = mm.megamarket.check()
    next(talk)
    with pytest.raises(port.AnswerFailed):
        talk.send(port.Reply(500, {}, b""))


def surveyed(row: Any, model: str = "dbs") -> list[str]:
    def answer(call: port.Call) -> port.Reply:
        return good({"shipments": ["1"] if call.resource == "order/search" else [row] if row else []})

    return talked(channel(model).survey(NOW), answer)


def test_the_survey_names_what_differs_and_nobody() -> None:
    """Fields and statuses by name, never what is in personal ones."""
    row = {
        "shipmentId": "1", "status": "PARTLY", "customerFullName": "Тестов", "serviceScheme": "COLLECT_BY_CUSTOMER",
        "passport": "4509", "customer": {"phone": "79990000001", "inn": 77},
        "items": [{"itemIndex": "1", "quantity": 3, "status": "NEW", "goodsData": {"colour": "red"}}],
    }  # fmt: skip
    found = surveyed(row)
    assert {
        "field passport is not known here (str)", "field customer.inn is not known here (int)",
        "field items.goodsData.colour is not known here (str)", "status 'PARTLY' is not known here",
        "serviceScheme 'COLLECT_BY_CUSTOMER' in a shop of the model dbs", "a lot's quantity is other than 1",
        "field deliveryDateFrom is empty in an order",
    } <= set(found)  # fmt: skip
    assert not any(word in " ".join(found) for word in ("Тестов", "4509", "7999", "red"))
    assert surveyed(None) == ["order/get showed 0 of 1 orders that order/search named"]


async def test_the_sandbox_differs_in_nothing_unknown(hub: Hubs, shop: Seller) -> None:
    """All it shows is known here."""
    for model in ("dbs", "cnc", "fbs"):
        mm = await hub(model, 2)
        shop.market.place(f"mm-{model}")
        found = await mm.talk(mm.megamarket.survey(datetime.now(UTC)))
        assert [line for line in found if "not known" in line or "quantity" in line or "showed" in line] == []


async def packed(hub: Hubs) -> Hub:
    mm = await hub("fbs", 2)
    await mm.mark("order.registered", f.Registered(document=f.Document("1", "ЦС-1")))
    await mm.mark("order.assembled", f.Assembled(boxes=2))
    return mm


async def test_labels_are_a_pdf(hub: Hubs) -> None:
    """For each box of a packed order; before that, with what to do; none where Megamarket does not deliver."""
    mm = await hub("fbs", 2)
    early = mm.megamarket.label(mm.state)
    assert early is not None
    refused = await mm.talk(early)
    assert isinstance(refused, port.Refused)
    assert "order.assembled" in (refused.hint or "")
    mm = await packed(hub)
    talk = mm.megamarket.label(mm.state)
    assert talk is not None
    found = await mm.talk(talk)
    assert isinstance(found, port.Label)
    assert (found.content_type, found.content[:4]) == ("application/pdf", b"%PDF")
    for number in (1, 2):
        assert f"17003*_C_S-1*{number}".encode() in found.content
    assert channel("dbs").label(mm.state) is None


@pytest.mark.parametrize("older", [True, False])
async def test_labels_fall_back_to_the_older_form(hub: Hubs, older: bool) -> None:
    """A marketplace that knows only the older form gives a page; one that gives neither says why."""
    mm = await packed(hub)
    page = port.Reply(200, {}, json.dumps({"success": 1, "data": "<html>5*1*2</html>"}).encode())

    def answer(call: port.Call) -> port.Reply:
        if call.resource == "order/get":
            return good({"shipments": [order_get(mm.there, 17003)]})
        assert call.resource == "sticker/print"
        if "printAsPdf" in call.body["data"]:
            return bad("unknown field printAsPdf")
        assert call.body["data"] == {
            "shipmentId": mm.there.number, "boxCodes": ["17003*_C_S-1*1", "17003*_C_S-1*2"]
        }  # fmt: skip
        return page if older else bad("")

    talk = mm.megamarket.label(mm.state)
    assert talk is not None
    found = talked(talk, answer)
    if older:
        assert found == port.Label("text/html; charset=utf-8", b"<html>5*1*2</html>")
    else:
        assert isinstance(found, port.Refused)
        assert found.message == "unknown field printAsPdf"
