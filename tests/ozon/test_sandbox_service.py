"""The sandbox Ozon as a service: keys, limits, faults, the account the demo meets."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from service.marketplaces.invented import CATALOGUE
from service.marketplaces.ozon.sandbox import Chances, Ozon, OzonTrial, api, cabinets, trial
from service.marketplaces.ozon.sandbox.methods import CHANGING, READING
from service.marketplaces.trial import Faults, Trial
from tests.ozon.sandboxed import FAST, PACE, WIDE, Seller, sandboxed, shipment, until

ROLES = "/v1/roles"
NO_KEY = {"code": 16, "message": "Client-Id and Api-Key headers are required"}
TOO_MANY = {"code": 8, "message": "You have reached request rate limit per second"}
UNFULFILLED = {"filter": WIDE, "limit": 100}


async def test_keys() -> None:
    """None: 401; a foreign one, one that is over, one of another role: 403. `roles` says until when it is good."""
    async with sandboxed() as (rfbs, _):
        cabinet = rfbs.ozon.cabinets["ozon-rfbs"]
        assert (await rfbs(ROLES)).body["expires_at"] == f"{cabinet.expires_at:%Y-%m-%dT%H:%M:%SZ}"
        unknown, foreign = await rfbs(ROLES, key=""), await rfbs(ROLES, key="sandbox-fbs-key")
        cabinet.expires_at = datetime.now(UTC)
        late = await rfbs(ROLES)
        assert (unknown.status, unknown.body) == (401, NO_KEY)
        assert [(one.status, one.body["code"]) for one in (foreign, late)] == [(403, 7), (403, 7)]
        assert "deactivated" in late.message
        cabinet.api_key, cabinet.expires_at = "another", datetime.now(UTC) + timedelta(days=90)
        assert (await rfbs(ROLES)).status == 200
        cabinet.roles = ("Product",)
        assert (await rfbs(ROLES)).message == "Api-Key is missing a required role for a method"


async def test_fifty_calls_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more of the same client gets 429, with no word about when; others do not, nor he a second later."""
    gate, now = api.Gate(), datetime.now(UTC)
    assert [gate.let_in("1", now) for _ in range(51)] == [True] * 50 + [False]
    assert [gate.let_in("1", now + timedelta(seconds=n)) for n in (0.99, 1)] == [False, True]
    monkeypatch.setattr(api, "PER_SECOND", 1)
    async with sandboxed() as (rfbs, fbs):
        _, over, other = await rfbs(ROLES), await rfbs(ROLES), await fbs(ROLES)
        assert (over.status, other.status) == (429, 200)
        assert over.body == TOO_MANY


async def blocked(rfbs: Seller) -> None:
    """Calls until its circle is open; then there are no more faults."""
    rfbs.ozon.faults = Faults(limit=1)
    while (await rfbs(ROLES)).message != "Circle is open":
        pass
    rfbs.ozon.faults = Faults()


async def test_a_method_may_be_blocked() -> None:
    """For this method alone, and for a while only."""
    async with sandboxed() as (rfbs, _):
        await blocked(rfbs)
        assert (await rfbs(ROLES)).message == "Circle is open"
        assert (await rfbs("/v4/posting/fbs/unfulfilled/list", UNFULFILLED)).status == 200
    async with sandboxed(ozon=Ozon(cabinets(), pace=FAST)) as (rfbs, _):
        await blocked(rfbs)
        async with asyncio.timeout(5):
            while (await rfbs(ROLES)).status != 200:  # noqa: ASYNC110 - only a call can tell
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("faults", "statuses", "acted"),
    [
        (Faults(error=1), {503}, False),
        (Faults(limit=1), {429, 503}, False),
        (Faults(broken=1), {500}, True),
        (Faults(lost=1, hang=0.05), {0}, True),
    ],
)
async def test_faults(faults: Faults, statuses: set[int], *, acted: bool) -> None:
    """Each says whether Ozon acted by what it did; the journal holds it; reads fail only where they may."""
    async with sandboxed() as (rfbs, _):
        rfbs.ozon.faults = faults
        posting = rfbs.place()
        with suppress(aiohttp.ClientError):
            assert (await rfbs.ship(posting)).status in statuses
        entry = rfbs.ozon.journal[-1]
        assert (entry.path, entry.changes, entry.fault is not None) == ("/v4/posting/fbs/ship", True, True)
        assert entry.status in statuses
        assert (posting.change is not None, entry.done) == (acted, [posting.number] if acted else [])
        faults.reads = False
        assert (await rfbs("/v4/posting/fbs/unfulfilled/list", UNFULFILLED)).status == 200


async def test_what_is_not_served_and_what_is_no_json() -> None:
    """404 and 400, with Ozon's bodies."""
    async with sandboxed() as (rfbs, _):
        assert (await rfbs("/v3/posting/fbs/list", {})).status == 404
        assert (await rfbs("/v3/posting/fbs/get", ["1-0001-1"])).body["code"] == 3
        assert (await rfbs("/v3/posting/fbs/get", {"posting_number": 7})).body["code"] == 3


async def test_nothing_breaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a body holds in whatever field, it is refused or taken, never an error of the sandbox's own."""
    monkeypatch.setattr(api, "PER_SECOND", 10**6)
    junk: list[Any] = [None, 5, -1, "", "x", [], {}, [[]], [{}], ["x"], [5], {"a": 1}, True, 1.5, 2**70]
    async with sandboxed() as (rfbs, _):
        good = {**shipment(rfbs.place()), "limit": 10, "cancel_reason_id": 352, "cancel_reason_message": "Нет"}
        names = {*good, "filter", "filters", "cursor", "with", "products", "items", "new_timeslot", "tracking_numbers"}
        for path in (*READING, *CHANGING):
            for name in names:
                body = {**good, name: junk[(len(path) + len(name)) % len(junk)]}
                assert (await rfbs(path, body)).status < 500, (path, body)


async def test_a_batch_is_done_for_those_it_was_accepted_for() -> None:
    """The journal names them and no other."""
    async with sandboxed() as (rfbs, _):
        good, early = rfbs.place(), rfbs.place()
        await rfbs.take(good)
        await rfbs.step("delivering", early, good)
        assert rfbs.ozon.journal[-1].done == [good.number]


async def test_other_envelopes_words_and_numbers() -> None:
    """Lists under `result`, refusals with more words around, numbers as text: seen by somebody, or feared."""
    async with sandboxed() as (rfbs, _):
        posting = rfbs.place()
        plain = await rfbs.get(posting)
        rfbs.ozon.chances = Chances(wrapped=1, wordy=1, strings=1, fractions=1)
        other = await rfbs.get(posting)
        assert (other["order_id"], other["products"][0]["sku"]) == (
            str(plain["order_id"]),
            str(plain["products"][0]["sku"]),
        )
        assert other["in_process_at"].startswith(f"{plain['in_process_at'][:-1]}.")
        listed = (await rfbs("/v4/posting/fbs/unfulfilled/list", UNFULFILLED)).body
        assert [one["posting_number"] for one in listed["result"]["postings"]] == [posting.number]
        await rfbs.ship(posting)
        again = await rfbs.ship(posting)
        assert again.status == 409
        assert "POSTING_ALREADY_SHIPPED" in again.message
        assert len(again.message) > len("POSTING_ALREADY_SHIPPED")


def made(**more: Any) -> OzonTrial:
    """The account, as the demo makes it."""
    found: Trial = trial(seed=3, pace=PACE, first=7, **more)
    assert isinstance(found, OzonTrial)
    return found


async def test_the_account() -> None:
    """Two shops, each with its own key and way; numbers begin where they are told to and never come twice."""
    account = made()
    assert {name: one["model"] for name, one in account.channels.items()} == {"ozon-rfbs": "rfbs", "ozon-fbs": "fbs"}
    assert len({one["api_key"] for one in account.channels.values()}) == 2
    assert [account.ways[name].shop for name in account.channels] == [True, False]
    placed = [account.place(name) for name in ("ozon-rfbs", "ozon-fbs", "ozon-rfbs")]
    assert placed == ["00000007-0001-1", "00000008-0001-1", "00000009-0001-1"]
    assert account.open() == [
        f"{name}/{number}" for name, number in zip(("ozon-rfbs", "ozon-fbs", "ozon-rfbs"), placed, strict=True)
    ]
    assert account.code(placed[0]) is None
    async with TestServer(account.application({})) as server, aiohttp.ClientSession() as session:
        shop = account.channels["ozon-rfbs"]
        headers = {"Client-Id": shop["client_id"], "Api-Key": shop["api_key"]}
        async with session.post(server.make_url(ROLES), json={}, headers=headers) as answer:
            assert answer.status == 200
    assert [entry.path for entry in account.journal] == [ROLES]


async def test_it_goes_on_where_it_was() -> None:
    """What is kept comes back: states, codes, requests, what is accepted and not applied; numbers never fall."""
    account = made()
    async with sandboxed(ozon=account.ozon) as (rfbs, _):
        account.ozon.pace, account.ozon.chances = PACE, Chances()
        await rfbs.take(rfbs.place(), "delivering")
        way = next(iter(account.ozon.postings.values()))
        account.ozon.buyer_cancels(way)
        account.ozon.buyer_returns(way)
        await rfbs.step("last-mile", way)
        marked = rfbs.place(marked=True)
        marked.lines[-1].exemplars[0].check = "passed"
        await rfbs.ship(marked)
        kept = account.dump()
    again = made()
    again.restore(kept)
    assert again.ozon.postings == account.ozon.postings
    assert [one.change is None for one in again.ozon.postings.values()] == [False, False]
    assert again.dump() == kept
    assert again.place("ozon-fbs") == "00000009-0001-1"
    other = made()
    other.ozon.next_number = 100
    other.restore(kept)
    assert other.place("ozon-fbs") == "00000100-0001-1"
    with pytest.raises(ValueError, match="truncated"):
        other.restore(b"{")


async def test_what_a_call_changes_is_kept_before_its_answer() -> None:
    """`changed` is called for what was accepted, and not for what was refused."""
    calls: list[str] = []
    account = made(changed=lambda: calls.append("changed"))
    account.ozon.pace, account.ozon.chances = PACE, Chances()
    async with sandboxed(ozon=account.ozon) as (rfbs, _):
        posting = rfbs.place()
        await until(lambda: calls and not account.ozon.pushes)
        calls.clear()
        assert [(await rfbs.ship(posting)).status for _ in range(2)] == [200, 400]
        assert calls == ["changed"]


async def test_its_clock_goes_by_itself() -> None:
    """What is accepted is applied while it is served, and FBS is delivered to the end."""
    async with sandboxed(ozon=Ozon(cabinets(), pace=FAST)) as (_, fbs):
        posting = fbs.place()
        await fbs.ship(posting)
        await until(lambda: posting.status == "delivered")


def test_buyers_live() -> None:
    """In time they cancel, ask to cancel and send back; the forgotten end, and the oldest ended are forgotten."""
    account = made(left_lying=timedelta(hours=1))
    ozon, random = account.ozon, Random(5)
    for n in range(300):
        posting = ozon.place("ozon-rfbs", lines=[(CATALOGUE[5], 1)])
        if n % 3:
            posting.enter(
                *(("delivered", "posting_received") if n % 3 == 1 else ("awaiting_deliver", "x")), posting.placed
            )
    for _ in range(200):
        account.live(random)
    types = {one.cancellation.type for one in ozon.postings.values() if one.cancellation}
    assert types == {"client"}
    assert ozon.requests
    assert ozon.returns
    for posting in ozon.postings.values():
        posting.updated -= timedelta(hours=2)
    account.live(random)
    assert account.open() == []
    assert len(ozon.postings) == 200
    assert {one.posting for one in ozon.returns.values()} <= set(ozon.postings)
