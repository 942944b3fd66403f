"""The pretend 1C takes up what the hub tells it of an order that is under way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec
import pytest

from service.demo.onec import OneC
from service.demo.pace import Pace
from service.demo.roads import Api, Hear
from service.marketplaces.trial import Way
from tests.demo.conftest import becomes

KEY = "shop/0132112277-0101-1"
WASHER, HOSES = {"sku": "WASHER", "quantity": 1, "price": "38990.00"}, {"sku": "HOSE", "quantity": 2, "price": "590.00"}
ENDS = {"order.completed", "order.cancelled"}


class Desk:
    """A road whose other end is the test: what the hub tells, what 1C has said. No order was left open."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.said: list[dict[str, Any]] = []

    def tell(self, type: str, **data: Any) -> None:
        self.told.put_nowait({"subject": KEY, "type": type, "data": data})

    async def listen(self, hear: Hear) -> None:
        while True:
            await hear(await self.told.get())

    async def say(self, subject: str, body: bytes, /) -> None:
        with suppress(msgspec.DecodeError):  # nonsense is said too
            event = msgspec.json.decode(body)
            self.said += [event] if event["subject"] == subject == KEY else []

    async def close(self) -> None:
        pass

    async def get(self, path: str, **_: str) -> Any:
        return {"items": [], "next": None} if path == "/v1/orders" else None

    def types(self) -> list[str]:
        return [event["type"] for event in self.said]


@asynccontextmanager
async def working(seed: int, way: Way) -> AsyncIterator[Desk]:
    """1C at work, for as long as a test looks."""
    desk = Desk()
    onec = OneC(
        desk, cast("Api", desk), {"shop": way}, ZoneInfo("Europe/Samara"), Pace(100), Random(seed), lambda _: None
    )
    task = asyncio.create_task(onec.run(lambda: None))
    try:
        yield desk
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(check: Callable[[], bool]) -> None:
    """Waits for something 1C does."""

    async def true() -> bool:
        return check()

    assert await becomes(true, seconds=10)


@pytest.mark.parametrize("seed", range(4))
async def test_goods_that_are_gone_are_told_no_more(seed: int) -> None:
    """After `order.changed` 1C speaks of the goods that are left only, and brings the order to its end."""
    async with working(seed, Way(shop=True)) as desk:
        desk.tell("order.placed", lines=[WASHER, HOSES])
        await until(lambda: "order.registered" in desk.types())
        before = len(desk.said)
        desk.tell("order.changed", lines=[WASHER])
        await until(lambda: bool({*desk.types()} & ENDS))
    later = [line["sku"] for event in desk.said[before + 1 :] for line in event["data"].get("lines", ())]
    assert "HOSE" not in later


async def answered(seed: int, **wish: Any) -> list[str]:
    """What 1C says of an order with a wish to cancel, to its end."""
    async with working(seed, Way(shop=True)) as desk:
        desk.tell("order.placed", lines=[WASHER, HOSES])
        await until(lambda: "order.registered" in desk.types())
        desk.tell("order.cancellation_requested", **wish)
        await until(lambda: any(type.startswith("order.cancellation_") for type in desk.types()))
        if "order.cancellation_accepted" in desk.types() and not wish:
            await asyncio.sleep(1)  # longer than the rest would take
        else:
            await until(lambda: bool({*desk.types()} & ENDS))
    return desk.types()


async def test_a_wish_for_all_and_for_some() -> None:
    """A wish for the whole order that is granted ends it; one for some goods leaves the rest to be brought."""
    whole = await asyncio.gather(*(answered(seed) for seed in range(8)))
    some = await asyncio.gather(*(answered(seed, lines=[{"sku": "HOSE", "quantity": 2}]) for seed in range(8)))
    granted = [types for types in whole if "order.cancellation_accepted" in types]
    assert granted
    assert [types for types in granted if "order.completed" in types] == []
    assert [types for types in some if {"order.cancellation_accepted", "order.completed"} <= {*types}]
