"""What the reactor remembers of orders never shows in what it asks for: it is what their whole histories call for."""

import asyncio
from collections.abc import Iterable, Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.order import facts as f
from events.order.reactions import Request
from events.order.state import OrderState
from events.recorded import Recorded
from service import considered
from service.considered import Considered, Orders
from tests.dispatch.shop import Process, Shop, key
from tests.events.given import (
    DOCUMENT,
    LINES,
    OPEN,
    ORDER,
    PLACED,
    REGISTERED,
    START,
    Said,
    event,
    hub,
    mark,
    market,
    seen,
)
from tests.events.test_properties import SAID
from tests.test_supposing import SAYING

PLANS = {"shop": SAYING}
OLD = market("placed", f.Placed(number="1", lines=LINES, placed_at=START - timedelta(days=30)))
TELLING = (PLACED, OLD, OPEN, seen("delivered"), REGISTERED, mark("assembled", order=DOCUMENT), mark("shipped"))
"""Those whose meaning depends on what stands around them most."""

LIVES = st.lists(st.one_of(st.sampled_from(TELLING), SAID), min_size=1, max_size=25)
WAYS = ("through", "through", "through", "anew", "elsewhere")


class Kept:
    """A log of one order and of its document, which counts for it once it is linked."""

    def __init__(self) -> None:
        self.events: list[Recorded] = []

    def append(self, said: Iterable[Said]) -> None:
        """Records what was said."""
        for told in said:
            one = told._replace(order=ORDER) if self.linked else told
            versions = sum(e.order == one.order for e in self.events)
            self.events.append(msgspec.structs.replace(event(one, len(self.events) + 1), version=versions + 1))

    async def histories(self, orders: Sequence[str]) -> dict[str, list[Recorded]]:
        """As `Log.histories`."""
        assert orders == [ORDER]
        return {ORDER: [e for e in self.events if e.order == ORDER or self.linked]}

    @property
    def linked(self) -> bool:
        """Whether the document is the order's."""
        return any(e.type == "order.registered" for e in self.events)

    def news(self, after: int, upto: int) -> dict[str, list[Recorded]]:
        """The order's news between two positions."""
        news = [e for e in self.events[after:upto] if e.order == ORDER]
        return {ORDER: news} if news else {}


def one(orders: Orders, log: Any, after: int, upto: int) -> tuple[OrderState, list[Request]] | None:
    """What is found of the order; None where nothing can follow from its news."""
    found = asyncio.run(orders.consider(log.news(after, upto), after)).get(ORDER)
    if found is None:
        return None
    assert isinstance(found, Considered), found
    return deepcopy(found.state), found.requests


@given(LIVES, st.data())
def test_what_is_remembered_calls_for_the_same(said: list[Said], data: st.DataObject) -> None:
    """However the log grows and is read, whether requests are refused, and whoever looked meanwhile."""
    log: Any = Kept()
    remembering, looked = Orders(log, PLANS), 0
    while said or looked < len(log.events):
        many = data.draw(st.integers(0 if looked < len(log.events) else 1, 4))
        log.append(said[:many])
        said, upto = said[many:], min(looked + data.draw(st.integers(1, 5)), len(log.events))
        way = data.draw(st.sampled_from(WAYS))
        found = fresh = one(Orders(log, PLANS), log, looked, upto)
        if way != "elsewhere":
            found = one(remembering, log, looked, upto)
            if fresh is None or found is None:
                assert fresh is None
                assert found is None or found[1] == []
            elif found[0].version == fresh[0].version:
                assert found == fresh
            elif found[1]:  # refused: decided on a version the order has left behind
                remembering.drop(ORDER)
                continue
        if way == "anew":
            remembering.forget()
        log.append([hub("command.requested", r.fact, r.cause) for r in (found[1] if found is not None else [])])
        looked = upto


def test_an_order_that_was_over_long_ago_is_no_news_though_its_status_comes_with_the_next_batch() -> None:
    """Whether it was, its status right behind it says."""
    log: Any = Kept()
    orders = Orders(log, PLANS)
    log.append([OLD])
    assert one(orders, log, 0, 1) is not None
    log.append([seen("delivered")])
    found = one(orders, log, 1, 2)
    assert found is not None
    assert found[1] == []


def test_what_another_reactor_asked_for_because_of_the_same_news_is_not_asked_for_again() -> None:
    """Its request comes with them, behind them."""
    log: Any = Kept()
    here, elsewhere = Orders(log, PLANS), Orders(log, PLANS)
    log.append([PLACED, OPEN])
    assert one(here, log, 0, 2) is not None
    log.append([seen("delivered")])
    found = one(elsewhere, log, 2, 3)
    assert found is not None
    assert found[1] != []
    log.append([hub("command.requested", r.fact, r.cause) for r in found[1]])
    assert one(here, log, 2, 4) == one(Orders(log, PLANS), log, 2, 4)


async def test_what_follows_is_read_from_the_log_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark's order is read with the mark; its command, the outcome and what a read saw then bring only themselves."""
    hub = shop.process()
    order = await shop.place(hub)
    await hub.react()
    read = counted(hub, monkeypatch)
    await shop.mark(order, "order.shipped")
    hub.start()
    await shop.settled(hub, order)
    assert read == [] or read == [key(order)]
    assert await shop.outcomes(order) == {"delivery": "done"}
    monkeypatch.setattr(considered, "MOST", 0)
    other = await shop.place(hub)
    await hub.react()
    await hub.react()
    assert hub.reactor._orders._known == {}
    await shop.mark(other, "order.shipped")
    await shop.settled(hub, other)
    assert await shop.outcomes(other) == {"delivery": "done"}


def counted(hub: Process, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The orders whose histories the reactor reads from now on."""
    read: list[str] = []
    histories = hub.reactor._orders._log.histories

    async def counting(orders: Iterable[str]) -> dict[str, list[Recorded]]:
        read.extend(orders)
        return await histories(orders)

    class Counting:
        """The log, with one of its ways counted."""

        histories = staticmethod(counting)

    monkeypatch.setattr(hub.reactor._orders, "_log", Counting())
    return read
