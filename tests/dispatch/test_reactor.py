"""The reactor requests everything once, wherever it is stopped and however many there are."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest

from events.order import facts as f
from events.order.reactions import ONEC, reacted
from service import considered
from tests.dispatch.shop import Process, Shop, key

MARKS = ("order.confirmed", "order.assembled", "order.shipped", "order.arrived", "order.delivered", "order.completed")


class KilledError(Exception):
    """The process ended here."""


async def told(shop: Shop) -> Counter[tuple[str, str]]:
    """How often each command was requested, by order and action."""
    events = await shop.log.read(0, 5000)
    found: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event.type == "command.requested":
            found[event.order, msgspec.json.decode(event.data)["command"]] += 1
    return found


async def eight_events(shop: Shop, hub: Process) -> None:
    order = await shop.place(hub, pickup=True)
    await shop.mark(order, "order.registered", f.Registered(document=f.Document(id="d1", number="N-1")))
    for mark in MARKS:
        await shop.mark(order, mark)


async def test_killed_anywhere(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the append, between append and checkpoint, or after: the same commands, each once."""
    await eight_events(shop, shop.process())
    real = Process(shop).reactor
    for step in ("_react", "_checkpoint"):
        for late in (False, True):
            reactor, method = Process(shop).reactor, getattr(real, step)

            async def killed(*args: Any, method: Any = method, late: bool = late) -> None:
                if late and method.__name__ == "_react":
                    await method(*args)
                raise KilledError

            monkeypatch.setattr(reactor, step, killed)
            with pytest.raises(KilledError):
                await reactor.step()
    await Process(shop).react()
    requested = await told(shop)
    assert set(requested.values()) == {1}
    actions = Counter(
        c.action for c in (await shop.state(next(iter(shop_orders(shop))))).commands.values() if c.target == "ym"
    )
    assert actions == Counter(["external_id", "delivery", "pickup", "delivered"])


def shop_orders(shop: Shop) -> list[Any]:
    return list(shop.market.orders.values())


async def test_two_at_once(shop: Shop) -> None:
    """Two reactors over one log, and one that begins again from the first event, request nothing twice."""
    hubs = [shop.process() for _ in range(2)]
    for _ in range(3):
        await eight_events(shop, hubs[0])
    await asyncio.gather(*(hub.react() for hub in hubs))
    before = await told(shop)
    assert set(before.values()) == {1}
    await shop.admin("DELETE FROM okno.progress")
    await shop.process().react()
    assert await told(shop) == before


async def test_a_command_is_noted_with_its_request(shop: Shop) -> None:
    """Whoever claims a lane finds a row for each command the reactor has just requested, messages to 1C too."""
    hub = shop.process()
    order = await shop.place(hub)
    await shop.mark(order, "order.shipped")
    await hub.reactor.step()
    lanes = {
        (r["order_key"], r["target"]) for r in await shop.pool.fetch("SELECT order_key, target FROM okno.dispatch")
    }
    assert lanes == {(key(order), "ym"), (key(order), ONEC)}
    rows = await shop.pool.fetch("SELECT command, open, attempts FROM okno.attempts WHERE target = 'ym'")
    assert [tuple(r) for r in rows] == [((await shop.commands(order))["delivery"].id, False, 0)]


async def test_a_lane_is_asked_for_once(shop: Shop) -> None:
    """The reactor that meets its own request in the log has asked for the lane already; another one asks again."""
    hub = shop.process()
    order = await shop.place(hub)
    await hub.react()
    await shop.mark(order, "order.shipped")
    await hub.react()
    asked = "SELECT asked FROM okno.dispatch WHERE target = 'ym'"
    assert await shop.pool.fetchval(asked) == 1
    await shop.admin("DELETE FROM okno.progress")
    await shop.process().react()
    assert await shop.pool.fetchval(asked) == 2


async def test_a_mark_for_an_order_never_seen_makes_a_read_due(shop: Shop) -> None:
    """1C was faster than Market's notification: the order is read at once, and then told."""
    hub = shop.process()
    order = shop.market.place(shop.campaign, pickup=False)
    await shop.mark(order, "order.shipped")
    await hub.react()
    assert await shop.outcomes(order) == {}
    (due,) = await hub.work.due_reads("ym", 10)
    assert due.order == key(order)
    await hub.reader._work_off([due])
    hub.start()
    await shop.settled(hub, order)
    assert shop.done(order) == ["DELIVERY"]


async def test_an_order_it_fails_on_stops_no_other(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is set aside, loudly; the next start, with mended code, requests what was missing."""
    hub = shop.process()
    good, bad = await shop.place(hub), await shop.place(hub)
    real = reacted

    def failing(order: str, *arguments: Any) -> Any:
        if order == key(bad):
            raise ZeroDivisionError
        return real(order, *arguments)

    monkeypatch.setattr(considered, "reacted", failing)
    for order in (bad, good):
        await shop.mark(order, "order.shipped")
    await hub.react()
    assert set(await shop.outcomes(good)) == {"delivery"}
    assert await shop.outcomes(bad) == {}
    monkeypatch.setattr(considered, "reacted", real)
    other = shop.process()
    reacting = asyncio.create_task(other.reactor.run(asyncio.Event(), other.told))
    other.start()
    await shop.settled(other, good, bad)
    reacting.cancel()
    await asyncio.gather(reacting, return_exceptions=True)
    assert shop.done(bad) == ["DELIVERY"]
    assert await other.work.aside() == []
