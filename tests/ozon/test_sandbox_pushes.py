"""The sandbox Ozon tells the shop's hub of everything, as badly as Ozon may."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from service.marketplaces.ozon.sandbox import Chances, Ozon, cabinets, notify
from tests.ozon.sandboxed import FAST, Seller, sandboxed, slot, until

Answer = Callable[[dict[str, Any]], web.Response]
PONG = {"version": "1", "name": "okno", "time": "2026-01-01T00:00:00Z"}


def well(told: dict[str, Any]) -> web.Response:
    """What Ozon wants to hear."""
    return web.json_response(PONG if told["message_type"] == "TYPE_PING" else {"result": True})


@asynccontextmanager
async def told(answer: Answer = well, chances: Chances | None = None) -> AsyncIterator[tuple[Seller, list[Any]]]:
    """A seller of rFBS and the pushes that reach his address; at any other address nobody is."""
    got: list[dict[str, Any]] = []

    async def hook(request: web.Request) -> web.Response:
        push = await request.json()
        got.append(push)
        return answer(push)

    receiver = web.Application()
    receiver.router.add_post("/hooks/ozon-rfbs/secret", hook)
    ozon = Ozon(cabinets(), pace=FAST, chances=chances)
    async with TestServer(receiver) as server:
        hooks = {"ozon-rfbs": str(server.make_url("/hooks/ozon-rfbs/secret"))}
        async with sandboxed(hooks, ozon) as (seller, _):
            yield seller, got


def kinds(got: list[Any]) -> Counter[str]:
    return Counter(push["message_type"] for push in got)


async def test_everything_is_told_at_exactly_the_address() -> None:
    """Orders, statuses whoever set them, dates, cancellations; other shops' are not told here."""
    async with told() as (rfbs, got):
        posting = rfbs.place()
        rfbs.ozon.place("ozon-fbs")
        await rfbs.take(posting, "delivering")
        await rfbs("/v1/posting/fbs/timeslot/set", slot(posting, 3))
        rfbs.ozon.move_cutoff(rfbs.place(), posting.shipment + timedelta(days=1))
        await rfbs("/v2/posting/fbs/cancel", {"posting_number": posting.number, "cancel_reason_id": 667})
        await until(lambda: len(kinds(got)) == 6 and len(got) >= 8)
        assert kinds(got) == {
            "TYPE_PING": 1, "TYPE_NEW_POSTING": 2, "TYPE_STATE_CHANGED": 2, "TYPE_DELIVERY_DATE_CHANGED": 1,
            "TYPE_CUTOFF_DATE_CHANGED": 1, "TYPE_POSTING_CANCELLED": 1,
        }  # fmt: skip
        assert {push["seller_id"] for push in got if "seller_id" in push} == {510001}
        states = [push["new_state"] for push in got if push["message_type"] == "TYPE_STATE_CHANGED"]
        assert sorted(states) == ["posting_on_way_to_city", "posting_transferring_to_delivery"]
        [end] = [push for push in got if push["message_type"] == "TYPE_POSTING_CANCELLED"]
        assert (end["old_state"], end["reason"]["id"]) == ("posting_on_way_to_city", 667)


async def test_what_is_told_is_kept_before() -> None:
    """`changed` is called before a push is sent."""
    events: list[str] = []

    def answer(push: dict[str, Any]) -> web.Response:
        events.append(push["message_type"])
        return well(push)

    async with told(answer) as (rfbs, _):
        rfbs.ozon.changed = lambda: events.append("kept")
        rfbs.place()
        await until(lambda: "TYPE_NEW_POSTING" in events)
        assert "kept" in events[: events.index("TYPE_NEW_POSTING")]


async def test_pinged_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start, and again after a while."""
    monkeypatch.setattr(notify, "PING_SECONDS", 0.05)
    async with told() as (_, got):
        await until(lambda: kinds(got)["TYPE_PING"] >= 3)


@pytest.mark.parametrize(
    "bad",
    [
        web.Response(status=500),
        web.json_response({"result": True}, status=202),
        web.json_response({"result": False}),
        web.json_response(PONG),
        web.Response(text='{"result": true}', content_type="text/plain"),
        web.json_response({"error": {"code": "ERROR_REQUEST_DUPLICATED", "message": "", "details": None}}, status=409),
    ],
    ids=["500", "202", "false", "a pong", "plain text", "duplicated"],
)
async def test_a_push_is_sent_until_it_is_answered_well(bad: web.Response) -> None:
    """What is not 200 with JSON `{"result": true}` is no answer; the good one ends it."""
    answers = [bad]

    def answer(push: dict[str, Any]) -> web.Response:
        return answers.pop() if push["message_type"] == "TYPE_NEW_POSTING" and answers else well(push)

    async with told(answer) as (rfbs, got):
        rfbs.place()
        await until(lambda: kinds(got)["TYPE_NEW_POSTING"] == 2)
        first, second = (push for push in got if push["message_type"] == "TYPE_NEW_POSTING")
        assert first == second


async def test_a_ping_wants_its_own_answer() -> None:
    """`{"result": true}` is none for it."""
    answers = [web.json_response({"result": True})]
    async with told(lambda push: answers.pop() if answers else well(push)) as (_, got):
        await until(lambda: kinds(got)["TYPE_PING"] == 2)


async def test_an_unanswered_push_is_lost_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many tries nobody speaks of it again; the next one is told as if nothing had been."""
    monkeypatch.setattr(notify, "TRIES", 3)
    monkeypatch.setattr(notify, "SLOWEST", 0.03)
    deaf = True
    async with told(lambda push: web.Response(status=500) if deaf else well(push)) as (rfbs, got):
        first = rfbs.place()
        await until(lambda: kinds(got) == {"TYPE_PING": 3, "TYPE_NEW_POSTING": 3})
        deaf = False
        second = rfbs.place()
        await until(lambda: got[-1].get("posting_number") == second.number)
        assert sum(push.get("posting_number") == first.number for push in got) == 3


@pytest.mark.parametrize(
    ("chances", "expected"),
    [(Chances(twice=1), ["a", "a", "b", "b"]), (Chances(late=1), ["a", "b"]), (Chances(dropped=1), [])],
    ids=["twice", "late", "dropped"],
)
async def test_twice_late_and_never(chances: Chances, expected: list[str]) -> None:
    """Each by its share."""
    async with told(chances=chances) as (rfbs, got):
        names = {rfbs.place().number: "a", rfbs.place().number: "b"}
        await until(lambda: not rfbs.ozon.pushes and kinds(got)["TYPE_NEW_POSTING"] >= len(expected))
        await asyncio.sleep(0.05)
        seen = [names[push["posting_number"]] for push in got if push["message_type"] == "TYPE_NEW_POSTING"]
        assert sorted(seen) == expected
