"""The judges judged: a correct client finds no fault with the marketplace, a careless one is found out."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from . import wire
from .checks import Findings, Report, in_hub
from .emulator import unseen, unsettled
from .faults import CALM, Rates
from .hooks import Hooks, stamp
from .market import Market
from .market_checks import details, market_state, truth
from .marks import script, storage_limit
from .onec import OneC
from .order import Order, now
from .scenario import BUSINESS, Scenario, scenario
from .spec import NOTIFICATIONS, Spec

pytestmark = pytest.mark.skipif(Spec.load() is None, reason="no official OpenAPI beside the checkout (OKNO_SPECS)")
Answer = tuple[int, Any]


def pick(**wanted: Any) -> Scenario:
    """The first scenario of seed 1 with these attributes."""
    every = (scenario(1, index) for index in range(3000))
    return next(one for one in every if all(getattr(one, name) == value for name, value in wanted.items()))


class Shop:
    """A client of the marketplace, as correct or careless as the test wants it."""

    def __init__(self, market: Market, http: aiohttp.ClientSession, one: Scenario) -> None:
        self.market, self.one, self._http = market, one, http
        market.orders[one.number] = Order(one)

    async def call(self, method: str, path: str, body: Any = None, key: str = "") -> Answer:
        headers = {"Api-Key": key or self.market.api_key}
        async with self._http.request(method, self.market.url + path, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def order(self, method: str, tail: str, body: Any = None) -> Answer:
        return await self.call(method, f"/v2/campaigns/{self.one.campaign}/orders/{self.one.number}{tail}", body)

    async def status(self, **wish: str) -> int:
        return (await self.order("PUT", "/status", {"order": wish}))[0]

    async def read(self) -> dict[str, Any]:
        _, page = await self.call("POST", f"/v1/businesses/{BUSINESS}/orders", {"orderIds": [self.one.number]})
        found: dict[str, Any] = page["orders"][0]
        return found


async def at_most_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from sending a PUT again by itself when the connection ends without an answer."""
    try:
        return await send(request)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        raise aiohttp.ClientPayloadError(f"no answer: {error}") from error


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    async with Market(1, CALM) as market:
        yield market


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2), middlewares=[at_most_once]) as session:
        yield session


def clean(market: Market) -> list[str]:
    journal = market.journal
    return [*journal.violations, *journal.sent_again(), *journal.blind(), *journal.refusals(set())]


async def test_a_pickup_order_lives_its_whole_life(market: Market, http: aiohttp.ClientSession) -> None:
    """Every call of a DBS pickup order is taken, answers pass the official schema, nothing is held against it."""
    one = replace(pick(model="dbs", pickup=True, ending="completed", fewer=True, late=False), registered=True,
                  keep_until=True, moved_by="shop", track="TRK1")  # fmt: skip
    shop = Shop(market, http, one)
    assert (await shop.order("GET", "/buyer"))[0] == 200
    keep = [{"id": line.id, "count": count} for line, count in zip(one.lines, one.kept, strict=True) if count]
    assert (await shop.order("POST", "/external-id", {"externalOrderId": one.document_number}))[0] == 200
    assert (await shop.order("PUT", "/items", {"items": keep, "reason": "PARTNER_REQUESTED_REMOVE"}))[0] == 200
    date = {"dates": {"toDate": one.moved_date.isoformat()}, "reason": "PARTNER_MOVED_DELIVERY_DATES"}
    assert (await shop.order("PUT", "/delivery/date", date))[0] == 200
    assert await shop.status(status="DELIVERY") == 200
    assert (await shop.order("POST", "/delivery/track", {"trackCode": "TRK1", "deliveryServiceId": 99}))[0] == 200
    assert await shop.status(status="PICKUP") == 200
    assert (await shop.order("PUT", "/delivery/storage-limit", {"newDate": storage_limit(one)}))[0] == 200
    batch = {"orders": [{"id": one.number, "status": "DELIVERED"}, {"id": 1, "status": "DELIVERED"}]}
    status, answer = await shop.call("POST", f"/v2/campaigns/{one.campaign}/orders/status-update", batch)
    assert (status, [o["updateStatus"] for o in answer["result"]["orders"]]) == (200, ["OK", "ERROR"])
    assert (await shop.read())["status"] == "DELIVERED"
    assert not clean(market)
    assert not list(unsettled([truth(market.orders[one.number], shadow=False)]))
    assert not list(details(market.orders[one.number], 1))


async def test_an_fbs_order_needs_boxes_and_marks(market: Market, http: aiohttp.ClientSession) -> None:
    """READY_TO_SHIP without boxes, or with boxes that lack codes, is refused; with both it is taken."""
    one = pick(model="fbs", ending="completed", marked=True)
    shop = Shop(market, http, one)
    assert await shop.status(status="PROCESSING", substatus="READY_TO_SHIP") == 400
    bare = [{"items": [{"id": line.id, "fullCount": line.count} for line in one.lines]}]
    assert (await shop.order("PUT", "/boxes", {"boxes": bare}))[0] == 200
    assert await shop.status(status="PROCESSING", substatus="READY_TO_SHIP") == 400
    coded = [{"items": [{"id": line.id, "fullCount": line.count}
                        | ({"instances": [{"cis": mark} for mark in line.marks]} if line.marks else {})
                        for line in one.lines]}]  # fmt: skip
    assert (await shop.order("PUT", "/boxes", {"boxes": coded}))[0] == 200
    assert await shop.status(status="PROCESSING", substatus="READY_TO_SHIP") == 200
    assert (await shop.order("PUT", "/boxes", {"boxes": coded}))[0] == 400
    assert (await shop.read())["substatus"] == "READY_TO_SHIP"
    assert len(list(market.journal.refusals(set()))) == 3


async def test_misuse_is_counted(market: Market, http: aiohttp.ClientSession) -> None:
    """Deprecated reads, wrong keys, unknown fields and bad dates are violations, each one of them."""
    one = pick(model="dbs", ending="completed", pickup=False)
    shop = Shop(market, http, one)
    assert (await shop.order("GET", ""))[0] == 403
    assert (await shop.call("GET", f"/v2/campaigns/{one.campaign}/orders"))[0] == 403
    assert (await shop.call("POST", f"/v1/businesses/{BUSINESS}/orders", {}, key="ACMA:other"))[0] == 401
    assert (await shop.call("POST", f"/v1/businesses/{BUSINESS}/orders", {"fromDate": "2026-01-01"}))[0] == 400
    assert await shop.status(status="NO_SUCH") == 400
    assert (await shop.order("PUT", "/delivery/date", {"dates": {"toDate": "01-02-2026"}}))[0] == 400
    many = {"orders": [{"id": one.number, "status": "DELIVERY"}] * 31}
    assert (await shop.call("POST", f"/v2/campaigns/{one.campaign}/orders/status-update", many))[0] == 400
    assert (await shop.call("GET", f"/v2/campaigns/{one.campaign}/shipments/reception-transfer-act"))[0] == 404
    assert len(market.journal.violations) == 8


async def test_steps_out_of_order_and_done_twice_are_found(market: Market, http: aiohttp.ClientSession) -> None:
    """A courier order may not skip DELIVERY or take PICKUP; a status set twice is refused and reported."""
    one = pick(model="dbs", ending="completed", pickup=False, late=False)
    shop = Shop(market, http, one)
    assert await shop.status(status="DELIVERED") == 400
    assert await shop.status(status="DELIVERY") == 200
    assert await shop.status(status="PICKUP") == 400
    assert await shop.status(status="DELIVERY") == 400
    assert len(list(market.journal.refusals(set()))) == 3
    assert len(list(market.journal.sent_again())) == 1
    assert market_state(one) == {"DELIVERED/DELIVERY_SERVICE_DELIVERED"}
    assert list(unsettled([truth(market.orders[one.number], shadow=False)]))


@pytest.mark.parametrize("careful", [True, False])
async def test_a_blind_resend_is_found(http: aiohttp.ClientSession, careful: bool) -> None:
    """After an answer that never came the next call for that order must follow a read of it."""
    lost = Rates(error=0, lost=1, limit=0, late=0, read_error=0, hang_share=0)
    async with Market(1, lost) as market:
        shop = Shop(market, http, pick(model="dbs", ending="completed", pickup=False, late=False))
        with pytest.raises(aiohttp.ClientError):
            await shop.status(status="DELIVERY")
        if careful:
            assert (await shop.read())["status"] == "DELIVERY"
        with pytest.raises(aiohttp.ClientError):
            await shop.status(status="DELIVERED")
        assert bool(list(market.journal.blind())) is not careful


async def test_a_resend_by_the_http_library_is_found() -> None:
    """aiohttp repeats a PUT whose connection was cut, unseen by its caller: the journal has both."""
    lost = Rates(error=0, lost=1, limit=0, late=0, read_error=0, hang_share=0)
    async with Market(1, lost) as market, aiohttp.ClientSession() as plain:
        shop = Shop(market, plain, pick(model="dbs", ending="completed", pickup=False, late=False))
        with pytest.raises(aiohttp.ClientError):
            await shop.status(status="DELIVERY")
        assert len(market.journal.changing()) == 2
        assert list(market.journal.sent_again())
        assert list(market.journal.blind())


async def test_faults_of_the_marketplace(http: aiohttp.ClientSession) -> None:
    """Half of the 5xx come after the thing was done; a 420 names the moment until which to wait and does nothing."""
    async with Market(1, Rates(error=1, lost=0, limit=0, late=0, read_error=0)) as market:
        ones = [one for index in range(60) if (one := scenario(1, index)).model == "dbs"]
        answers = {await Shop(market, http, one).status(status="DELIVERY") for one in ones}
        done = [one for one in ones if market.orders[one.number].status == "DELIVERY"]
        assert answers == {500, 503}
        assert 0 < len(done) < len(ones)
    async with Market(1, Rates(error=0, lost=0, limit=1, late=0, read_error=0)) as market:
        shop = Shop(market, http, ones[0])
        headers = {"Api-Key": market.api_key}
        url = f"{market.url}/v2/campaigns/{ones[0].campaign}/orders/{ones[0].number}/status"
        async with http.put(url, json={"order": {"status": "DELIVERY"}}, headers=headers) as response:
            assert response.status == 420
            assert response.headers["X-RateLimit-Resource-Until"].endswith(" GMT")
        assert shop.market.orders[ones[0].number].status == "PROCESSING"


async def test_the_buyers_request_is_answered_once(market: Market, http: aiohttp.ClientSession) -> None:
    """Accepting cancels the order; a second answer is refused and counted as sent again."""
    one = pick(model="dbs", ending="request_accept")
    shop = Shop(market, http, one)
    assert await shop.status(status="DELIVERY") == 200
    market.orders[one.number].cancel_requested = True
    body = {"waitingForCancellationApprove": True, "campaignIds": [one.campaign], "fake": False}
    _, page = await shop.call("POST", f"/v1/businesses/{BUSINESS}/orders", body)
    assert [order["orderId"] for order in page["orders"]] == [one.number]
    assert (await shop.order("PUT", "/cancellation/accept", {"accepted": True}))[0] == 200
    assert (await shop.read())["substatus"] == "USER_CHANGED_MIND"
    assert (await shop.order("PUT", "/cancellation/accept", {"accepted": True}))[0] == 400
    assert len(list(market.journal.sent_again())) == 1


async def test_pages_and_date_ranges(market: Market, http: aiohttp.ClientSession) -> None:
    """Pages hold 50 at most and hang together by tokens; ranges are 30 days at most, the end is excluded."""
    shop, *_ = [Shop(market, http, scenario(1, index)) for index in range(120)]
    path, seen, token = f"/v1/businesses/{BUSINESS}/orders?limit=100", [], ""
    while True:
        _, page = await shop.call("POST", path + (f"&pageToken={token}" if token else ""), {"fake": False})
        seen += [order["orderId"] for order in page["orders"]]
        token = page["paging"].get("nextPageToken", "")
        if not token:
            break
    assert (len(seen), len(set(seen))) == (120, 120)
    long = {"dates": {"updateDateFrom": "2026-01-01T00:00:00Z", "updateDateTo": "2026-02-01T00:00:00Z"}}
    assert (await shop.call("POST", path, long))[0] == 400
    later = {"dates": {"updateDateFrom": stamp(now())[:19] + "Z", "updateDateTo": "2099-01-01T00:00:00Z"}}
    assert (await shop.call("POST", path, later))[0] == 400


async def test_notifications_pass_their_schema() -> None:
    """What Hooks sends is what the official schemas of notifications describe."""
    spec = Spec.load(NOTIFICATIONS)
    assert spec is not None
    order, sent = Order(pick(ending="returned")), list[dict[str, Any]]()
    order.returns.append({"id": 1, "at": now(), "type": "RETURN", "sku": "CASE-RED", "count": 1, "amount": 790})

    class Heard(Hooks):
        def send(self, channel: str, body: dict[str, Any]) -> None:
            sent.append(body)

    hooks = Heard(str, 1)
    hooks.created(order)
    hooks.cancellation_request(order)
    hooks.returned(order, order.returns[0])
    order.market_moves_to(0, "CANCELLED", "USER_CHANGED_MIND")
    hooks.status(order)
    for body in sent:
        name = "".join(part.capitalize() for part in body["notificationType"].split("_"))
        assert not spec.schema_faults(f"{name}NotificationDTO", body), body
    assert len(sent) == 5


def test_1c_writes_what_the_contract_names() -> None:
    """Structured bodies are JSON after the BOM, ids repeat only by design, ten messages are broken."""
    types: set[str] = set()
    for index in range(400):
        one = scenario(1, index)
        writer = wire.Writer(one, 1, over_http=one.over_http)
        for mark in script(one, 1):
            message = writer.write(mark)
            types |= message.types
            value = json.loads(message.body.removeprefix(wire.BOM))
            assert message.properties.get("type") or message.headers.get("ce-type") or value
            assert writer.again(mark, message).identity == message.identity
    assert {"order.registered", "order.status", "order.rescheduled", "order.cancellation_declined"} <= types
    assert len({message.body for message in wire.broken("ym-dbs/1", 1)}) == 10


async def test_a_forgetful_hub_fails_the_checks(market: Market) -> None:
    """Messages doubled in the log, a wrong stage, gaps, broken messages lost: each is an offender."""
    one = pick(model="dbs", ending="completed")
    order = market.orders[one.number] = Order(one)
    onec = OneC([(one, script)], 1, 0, "amqp://unused", lambda: ("", ""))
    writer = wire.Writer(one, 1, over_http=False)
    for mark in script(one, 1):
        message = writer.write(mark)
        onec.sent[message.identity], onec.marks[message.identity] = message, 1
    event = {"order": one.key, "source": wire.SOURCE, "id": "", "type": "", "occurred_at": "2026-01-01T00:00:00Z"}
    log = [event | {"position": at, "version": at, "id": m.id, "type": m.type}
           for at, m in enumerate(onec.sent.values(), 1)]  # fmt: skip
    row = {"order": one.key, "stage": "placed", "lines": [], "marketplace": {"status": order.state}}
    sound = Findings({one.key: row | {"stage": "completed"}}, log, [], [], [])
    doubled = [*log, log[-1] | {"position": len(log) + 2}]
    faulty = Findings({one.key: row}, doubled, [], [], [{"state": "given_up", "target": "ym-dbs"}])
    names = {}
    for found in (sound, faulty):
        report = Report()
        report.add("every order where it belongs", unseen([truth(order, shadow=False)], found))
        in_hub(report, found, onec, shadow=False)
        names[found is faulty] = set(report.failed)
    assert "hub: every message of 1C in the log exactly once" not in names[False]
    assert "every order where it belongs" not in names[False]
    assert "hub: every broken message among the rejected, nothing else" in names[False]
    assert {
        "every order where it belongs", "hub: versions per order without gaps, positions without gaps",
        "hub: every message of 1C in the log exactly once", "hub: no command left over", "hub: every order placed once",
        "hub: times of 1C without a zone understood",
    } <= names[True]  # fmt: skip
