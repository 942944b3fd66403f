"""A pretend 1C of a shop chain: it works off every order the hub tells it of, through the public face alone.

Its base is its memory, so after a restart it asks the hub's API which orders were left open, and goes on with them.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from service.demo.pace import Pace
from service.demo.roads import Api, Event, Road
from service.demo.script import STAGES, Lines, Placed, placed, script, without
from service.marketplaces.trial import Way

SOURCE: Final = "1c/demo"
THINKS: Final = (2.0, 5.0)
"""Seconds before a buyer's wish to cancel is answered."""

NONSENSE: Final = (60.0, 180.0)
"""Seconds between messages nobody can understand."""

Ask = Callable[[str], str | None]


class OneC:
    """`ways`: how each channel's goods get to the buyer; `ask_courier`: the code a courier at the door says aloud."""

    def __init__(
        self, road: Road, api: Api, ways: Mapping[str, Way], zone: ZoneInfo, at: Pace, random: Random, ask_courier: Ask
    ) -> None:
        self._road, self._api, self._ways, self._zone = road, api, ways, zone
        self._pace, self._random, self._ask_courier = at, random, ask_courier
        self._known: dict[str, Placed] = {}
        self._over: set[str] = set()

    async def run(self, ready: Callable[[], None]) -> None:
        """Works until cancelled; `ready` is called once the hub has answered."""
        async with asyncio.TaskGroup() as self._group:
            for order, stage in await self._left_open():
                self._begin(order, stage)
            ready()
            self._group.create_task(self._talk_nonsense())
            await self._road.listen(self._hear)

    async def _left_open(self) -> list[tuple[Placed, str]]:
        """Orders that had not ended when 1C was closed, and how far each was."""
        found = []
        for stage in STAGES[:-1]:
            after: dict[str, str] = {}
            while True:
                page = await self._api.get("/v1/orders", stage=stage, limit="500", **after)
                found += [(row["order"], row) for row in page["items"] if row["channel"] in self._ways]
                if page["next"] is None:
                    break
                after = {"after": page["next"]}
        return [
            (order, row["stage"] if await self._registered(key) else "")
            for key, row in dict(found).items()
            if (order := await self._stored(key)) is not None
        ]

    async def _history(self, key: str) -> list[tuple[str, Any]]:
        """What happened to an order, from the log: rows may be a moment behind it."""
        history = await self._api.get(f"/v1/orders/{key}/history")
        return [(event["type"], event["data"]) for event in history["items"]] if history is not None else []

    async def _registered(self, key: str) -> bool:
        """Whether 1C has made its document for it."""
        return any(type == "order.registered" for type, _ in await self._history(key))

    async def _stored(self, key: str) -> Placed | None:
        """The order as it was placed, with the goods that are still in it."""
        told = await self._history(key)
        data = next((data for type, data in told if type == "order.placed"), None)
        lines = [data["lines"] for type, data in told if type in ("order.placed", "order.changed") and "lines" in data]
        return self._placed(key, {**data, "lines": lines[-1]}) if data is not None and lines else None

    def _placed(self, key: str, data: Mapping[str, Any]) -> Placed:
        return placed(key, self._ways[key.partition("/")[0]], data)

    async def _hear(self, event: Event) -> None:
        """Takes one message: a new order is worked off, a wish answered, an end is an end.

        A courier's code that the marketplace did not take is for people: without it the goods do not leave the shop.
        """
        key, type, data = event["subject"], event["type"], event["data"]
        way = self._ways.get(key.partition("/")[0])
        if way is None:
            return
        if type == "order.placed" and key not in self._known:
            await self._greet(self._placed(key, data))
        elif type == "order.cancelled" or (
            way.code and type == "marketplace.refused" and data.get("stage") == "handed_over"
        ):
            self._over.add(key)
        elif key not in self._known:
            return
        elif type == "order.changed" and data.get("lines"):
            self._left(key, data["lines"])
        elif type == "order.cancellation_requested":
            self._group.create_task(self._answer(key, data.get("lines") or []))
        elif type == "order.returned" and not data.get("asked"):
            self._group.create_task(self._take_back(key, data))

    def _left(self, key: str, lines: Lines) -> None:
        """The goods that are still in an order; without any it is over."""
        if not lines:
            self._over.add(key)
        elif _counts(lines) != _counts(self._known[key].lines):
            self._known[key] = replace(self._known[key], lines=lines)

    async def _greet(self, order: Placed) -> None:
        """A message may come again after 1C has closed: an order the hub knows to be further is not begun anew."""
        if not await self._registered(order.key):
            self._begin(order, "")

    def _begin(self, order: Placed, stage: str) -> None:
        self._known[order.key] = order
        self._group.create_task(self._work(order, stage or None))

    async def _work(self, order: Placed, after: str | None) -> None:
        """Says mark after mark; where goods have gone meanwhile, goes on with those that are left."""
        for mark in script(order, self._random, datetime.now(self._zone), after):
            await asyncio.sleep(self._pace(mark.pause))
            code = await self._code(order) if mark.code else {}
            if order.key in self._over or code is None:
                return
            if self._known[order.key] is not order:
                await self._work(self._known[order.key], after)
                return
            await self._tell(order.key, mark.type, {**mark.data, **code}, twice=mark.twice)
            if mark.type == "order.cancelled":
                return
            after = mark.stage or after

    async def _code(self, order: Placed) -> dict[str, str] | None:
        """What the courier says when he comes; None where the order is over before."""
        while order.key not in self._over:
            code = self._ask_courier(order.key)
            if code is not None:
                return {"code": code, "courier": "Курьер маркетплейса"}
            await asyncio.sleep(self._pace(1))
        return None

    async def _answer(self, key: str, gone: Lines) -> None:
        """Says yes or no to a wish to cancel these goods, or all where none are named."""
        await asyncio.sleep(self._pace(self._random.uniform(*THINKS)))
        if self._random.random() < 0.5:
            self._left(key, without(self._known[key].lines, gone) if gone else [])
            await self._tell(key, "order.cancellation_accepted", {})
        else:
            await self._tell(key, "order.cancellation_declined", {"reason": "in_delivery"})

    async def _take_back(self, key: str, data: Any) -> None:
        await asyncio.sleep(self._pace(self._random.uniform(*THINKS)))
        lines = [{"sku": line["sku"], "quantity": line["quantity"]} for line in data.get("lines") or ()]
        await self._tell(key, "order.returned", {"lines": lines})

    async def _tell(self, key: str, type: str, data: dict[str, Any], *, twice: bool = False) -> None:
        body = msgspec.json.encode({
            "specversion": "1.0", "id": str(uuid.uuid4()), "source": SOURCE, "type": type, "subject": key,
            "time": datetime.now(self._zone).replace(tzinfo=None).isoformat(timespec="seconds"), "data": data,
        })  # fmt: skip
        for _ in range(2 if twice else 1):
            await self._road.say(key, body)

    async def _talk_nonsense(self) -> None:
        """A developer tries something out in the shop's own base."""
        while True:
            await asyncio.sleep(self._pace(self._random.uniform(*NONSENSE)))
            subject = self._random.choice([*sorted(self._known)[-20:], "no-such-shop/1"])
            await self._road.say(subject, self._random.choice([
                b'{"specversion": "1.0", "type": "order.confirmed", "subject": ',
                msgspec.json.encode({"specversion": "1.0", "id": str(uuid.uuid4()), "source": SOURCE,
                                     "type": "order.registered", "subject": subject, "data": {}}),
                msgspec.json.encode({"specversion": "1.0", "id": str(uuid.uuid4()), "source": SOURCE,
                                     "type": "order.confirmed", "subject": "no-such-shop/1", "data": {}}),
            ]))  # fmt: skip


def _counts(lines: Lines) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        found[line["sku"]] = found.get(line["sku"], 0) + line["quantity"]
    return found
