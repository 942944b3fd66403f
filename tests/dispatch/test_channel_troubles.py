"""Limits, a refused key, an outage, a bug one order's data brings out: what the dispatcher makes of them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from events.log import LogUnavailable
from service import backoff, dispatcher
from service.marketplaces.port import Call, Job, Refused
from service.marketplaces.yandex.sandbox import Faults
from tests.dispatch.shop import Shop, key, until


async def test_a_held_resource_burns_no_attempt(shop: Shop) -> None:
    """A step whose limit is used up waits for its end; a step of another kind goes on meanwhile."""
    hub = shop.process()
    orders = [await shop.place(hub) for _ in range(2)]
    until = datetime.now(UTC) + timedelta(seconds=1)
    hub.client._until["orders/status-update"] = until
    for order in orders:
        await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await shop.settled(hub, *orders)
    for order in orders:
        assert shop.done(order) == ["DELIVERY"]
        assert shop.calls(order)[0].at >= until
        assert (await shop.commands(order))["delivery"].attempts == 1


@pytest.mark.parametrize("trouble", ["outage", "key"])
async def test_nothing_is_given_up_in_an_outage(shop: Shop, trouble: str) -> None:
    """Market is down, or refuses the key: a call now and then, every step waits, and all are told when it is over."""
    hub = shop.process()
    orders = [await shop.place(hub) for _ in range(12)]
    key = shop.market.api_key
    if trouble == "key":
        shop.market.api_key = "revoked"
    else:
        shop.market.faults = Faults(error=1.0)
    for order in orders:
        await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    while hub.client.circuit.openings < 3:
        await asyncio.sleep(0.02)
        await hub.react()
    tried = [e for e in shop.market.journal if e.changes]
    assert len(tried) < 12, "the circuit spares Market a call for each order"
    assert {state for order in orders for state in (await shop.outcomes(order)).values()} == {"waiting"}
    shop.market.api_key, shop.market.faults = key, Faults()
    await shop.settled(hub, *orders)
    assert {state for order in orders for state in (await shop.outcomes(order)).values()} == {"done"}
    assert all(shop.done(order) == ["DELIVERY"] for order in orders)


async def test_a_bug_stops_one_order_only(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order whose data the adapter can't handle is put aside, loudly; the others are told."""
    monkeypatch.setattr(dispatcher, "PUT_ASIDE", timedelta(seconds=3600))
    hub = shop.process()
    poison, *orders = [await shop.place(hub) for _ in range(4)]
    market = shop.channel.marketplace
    request, batchable = market.request, market.batchable

    def broken(job: Job, now: datetime) -> Call | Refused:
        if job.state.number == str(poison.number):
            raise KeyError("a bug")
        return request(job, now)

    monkeypatch.setattr(market, "request", broken)
    monkeypatch.setattr(
        market, "batchable", lambda job, now: job.state.number != str(poison.number) and batchable(job, now)
    )
    for order in (poison, *orders):
        await shop.mark(order, "order.delivered")
    await hub.react()
    hub.start()
    await shop.settled(hub, *orders)
    assert await shop.outcomes(poison) == {"delivery": "waiting", "delivered": "waiting"}
    assert shop.calls(poison) == []
    aside = "SELECT due_at > now() + interval '1000 s' FROM okno.dispatch WHERE order_key = $1 AND target = 'ym'"
    await until(lambda: shop.pool.fetchval(aside, key(poison)))


async def test_a_refused_batch_does_not_take_the_good_ones_along(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Market refuses a whole call for one order in it: each goes alone then, and the good ones are done."""
    hub = shop.process()
    bad, *orders = [await shop.place(hub) for _ in range(4)]
    bad.enter("PROCESSING", "SHIPPED")
    market, request_batch = shop.channel.marketplace, shop.channel.marketplace.request_batch

    def spoiled(jobs: list[Job], now: datetime) -> Call:
        call = request_batch(jobs, now)
        return Call(call.method, call.path, call.resource, body={"orders": []}, changes=True)

    monkeypatch.setattr(market, "request_batch", spoiled)
    for order in (bad, *orders):
        await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await shop.settled(hub, bad, *orders)
    assert await shop.outcomes(bad) == {"delivery": "refused"}
    assert all([await shop.outcomes(order) == {"delivery": "done"} for order in orders])


async def test_a_partial_outage_is_not_hammered(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Market reads well and fails each change: the pauses between the tries grow by the schedule."""
    monkeypatch.setattr(backoff, "SCHEDULE", (0.1, 2.2, 5.0))
    monkeypatch.setattr(backoff, "JITTER", 0.0)
    hub = shop.process()
    order = await shop.place(hub)
    shop.market.faults = Faults(error=1.0, reads=False)
    await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await until(lambda: shop.called(order, 3))
    first, second, third = (e.at for e in shop.calls(order))
    assert third - second > timedelta(seconds=2) > second - first


async def test_postgres_is_away_while_an_answer_comes(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that can't be recorded is held until it can: it is not asked for a second time."""
    hub = shop.process()
    order = await shop.place(hub)
    await shop.mark(order, "order.shipped")
    await hub.react()
    append = shop.log.append
    failures: list[int] = []

    async def away(events: list[object], rejected: list[object] = []) -> object:  # noqa: B006 - never written to
        if len(failures) < 2 and any(getattr(e, "type", "") == "command.done" for e in events):
            failures.append(1)
            raise LogUnavailable("down")
        return await append(events, rejected)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(shop.log, "append", away)
    hub.start()
    await shop.settled(hub, order)
    assert len(failures) == 2
    assert len(shop.calls(order)) == 1
    assert (await shop.commands(order))["delivery"].message is None, "told by Market's answer, not by a read"
