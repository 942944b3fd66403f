"""A lane that is asked for where its dispatcher runs is the dispatcher's with the same commit, and nobody else's."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from events.order.reactions import ONEC
from service.work import Lane
from tests.dispatch.shop import Shop, key

OWNER = "SELECT owner FROM okno.dispatch WHERE target = 'ym'"


class KilledError(Exception):
    """The process ended here."""


async def test_it_is_worked_off_at_once(shop: Shop) -> None:
    """No dispatcher looks for lanes; the step is told all the same, once, and only 1C's lane is left to be claimed."""
    hub = shop.process(hands=True)
    order = await shop.place(hub)
    await hub.react()
    await shop.mark(order, "order.shipped")
    assert await hub.reactor.step()
    assert hub.reactor._news <= {ONEC}
    await shop.settled(hub, order)
    assert shop.done(order) == ["DELIVERY"]
    assert [e.changes for e in shop.market.journal].count(True) == 1


async def test_another_ones_lane_stays_his(shop: Shop) -> None:
    """Whoever holds the lane learns that it was asked for again, and keeps it."""
    hub = shop.process(hands=True)
    order = await shop.place(hub)
    await hub.react()
    await shop.process().work.reacted({(key(order), "ym"): True}, [], [], "test", 1)
    owner = await shop.pool.fetchval(OWNER)
    await shop.mark(order, "order.shipped")
    await hub.react()
    assert await shop.pool.fetchval("SELECT asked FROM okno.dispatch WHERE target = 'ym'") == 2
    assert await shop.pool.fetchval(OWNER) == owner
    assert shop.calls(order) == []
    hub.start()
    await shop.settled(hub, order)  # once that lease has run out
    assert shop.done(order) == ["DELIVERY"]


async def test_death_right_behind_the_commit(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease runs out, another process takes the lane; nothing was sent, so nothing is read back."""
    hub = shop.process(hands=True)
    order = await shop.place(hub)
    await hub.react()

    def killed(_: Sequence[Lane]) -> None:
        raise KilledError

    monkeypatch.setattr(hub.dispatcher, "take", killed)
    await shop.mark(order, "order.shipped")
    with pytest.raises(KilledError):
        await hub.reactor.step()
    assert await shop.pool.fetchval(OWNER) is not None
    journal = len(shop.market.journal)
    other = shop.process(hands=True)
    other.start()
    await shop.settled(other, order)
    assert shop.done(order) == ["DELIVERY"]
    assert shop.market.journal[journal].changes is True


async def test_who_has_no_hands_free_leaves_it_to_others(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the channel is held back, or as many lanes are in hand as there is room for."""
    hub = shop.process(hands=True)
    held, many = await shop.place(hub), [await shop.place(hub) for _ in range(3)]
    await hub.react()
    until = datetime.now(UTC) + timedelta(minutes=1)
    monkeypatch.setattr(hub.client, "held_until", lambda _: until)
    await shop.mark(held, "order.shipped")
    assert await hub.reactor.step()
    assert await shop.pool.fetchval(OWNER) is None
    assert "ym" in hub.reactor._news
    monkeypatch.undo()
    monkeypatch.setattr(hub.dispatcher, "_room", 2)
    for order in many:
        await shop.mark(order, "order.shipped")
    lanes: list[Lane] = []
    monkeypatch.setattr(hub.dispatcher, "take", lanes.extend)
    while await hub.reactor.step():
        pass
    assert len(lanes) == 2
    assert await shop.pool.fetchval("SELECT count(owner) FROM okno.dispatch WHERE target = 'ym'") == 2


async def test_a_lane_in_hand_is_not_given_away_with_its_lease(shop: Shop) -> None:
    """Its lease ran out under our own work: whoever asks for it without taking it leaves it ours."""
    hub, lane = shop.process(), ("ym/1", "ym")
    (claimed,) = (await hub.work.reacted({lane: True}, [], [], "test", 1))["ym"]
    assert (claimed.order, claimed.asked) == ("ym/1", 1)
    await asyncio.sleep(hub.work.lease.total_seconds() + 0.1)
    assert await hub.work.reacted({lane: False}, [], [], "test", 2) == {}
    assert await hub.work.claim("ym", 10, ["ym/1"]) == []
    other = shop.process()
    assert [one.asked for one in (await other.work.reacted({lane: True}, [], [], "test", 3))["ym"]] == [3]


async def test_a_lane_that_is_ours_already_is_not_taken_twice(shop: Shop) -> None:
    """Its dispatcher claimed it in the same moment: two works on one lane could send a step twice."""
    hub, lane = shop.process(), ("ym/1", "ym")
    assert set(await hub.work.reacted({lane: True}, [], [], "test", 1)) == {"ym"}
    assert await hub.work.reacted({lane: True}, [], [], "test", 2) == {}
