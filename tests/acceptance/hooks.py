"""Notifications of Yandex Market to the hub: dropped, doubled, out of order, repeated until taken."""

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Callable
from random import Random
from typing import Any

import aiohttp

from .order import Order, now
from .spec import NOTIFICATIONS, Spec


def stamp(moment: dt.datetime) -> str:
    """Nine fraction digits and a Z, as the marketplace writes some of its times."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "017Z"


class Hooks:
    """Sends to `url(channel)`; what the hub answered wrongly is collected in `faults`."""

    def __init__(self, url: Callable[[str], str], seed: int, drop: float = 0.1, double: float = 0.1) -> None:
        self.url, self.faults = url, list[str]()
        self.sent = self.dropped = self.taken = 0
        self.slowest = 0.0
        self._rng = Random(f"hooks:{seed}")
        self._drop, self._double = drop, double
        self._tasks: set[asyncio.Task[None]] = set()
        self._spec = Spec.load(NOTIFICATIONS)

    async def __aenter__(self) -> "Hooks":
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()

    def created(self, order: Order) -> None:
        items = [{"offerId": line.sku, "count": line.count} for line in order.scenario.lines]
        self._about(order, "ORDER_CREATED", createdAt=stamp(order.scenario.placed), items=items)

    def status(self, order: Order) -> None:
        if order.status == "CANCELLED":
            items = [{"offerId": line.sku, "count": line.count} for line in order.scenario.lines]
            self._about(order, "ORDER_CANCELLED", cancelledAt=stamp(now()), items=items)
        fields = {"status": order.status, "substatus": order.substatus, "updatedAt": stamp(now())}
        self._about(order, "ORDER_STATUS_UPDATED", **fields)

    def cancellation_request(self, order: Order) -> None:
        self._about(order, "ORDER_CANCELLATION_REQUEST", requestedAt=stamp(now()))

    def returned(self, order: Order, record: dict[str, Any]) -> None:
        items = [{"offerId": record["sku"], "count": record["count"]}]
        self._about(order, "ORDER_RETURN_CREATED", returnId=record["id"], returnType=record["type"], items=items,
                    createdAt=stamp(record["at"]))  # fmt: skip

    def _about(self, order: Order, kind: str, **fields: Any) -> None:
        about = {"campaignId": order.scenario.campaign, "orderId": order.scenario.number}
        self.send(order.scenario.channel, {"notificationType": kind, **about, **fields})

    def send(self, channel: str, body: dict[str, Any]) -> None:
        if self._rng.random() < self._drop:
            self.dropped += 1
            return
        for _ in range(2 if self._rng.random() < self._double else 1):
            delay = self._rng.choice([0.0, 0.0, 0.0, self._rng.uniform(0.2, 3)])
            task = asyncio.create_task(self._send(channel, body, delay))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, channel: str, body: dict[str, Any], delay: float) -> None:
        await asyncio.sleep(delay)
        self.sent += 1
        for attempt in range(12):  # the marketplace goes on for days; here a dozen tries a second apart stand for it
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                if await self.once(channel, body):
                    self.taken += 1
                    return
            await asyncio.sleep(1 + attempt % 3)

    async def until(self, channel: str, body: dict[str, Any], tries: int = 12) -> bool:
        """Attempts a second apart until the hub answers at all; True when it was taken."""
        for _ in range(tries):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                return await self.once(channel, body)
            await asyncio.sleep(1)
        return False

    async def answer(self, url: str, body: dict[str, Any]) -> int:
        """What a notification to any address is answered with; nothing is held against the hub."""
        async with self._http.post(url, json=body) as response:
            return response.status

    async def once(self, channel: str, body: dict[str, Any]) -> bool:
        """One attempt; True when it was taken as the documents ask."""
        start = time.monotonic()
        async with self._http.post(f"{self.url(channel)}/notification", json=body) as response:
            text = await response.text()
            took = time.monotonic() - start
            self.slowest = max(self.slowest, took)
            what = f"{body['notificationType']} answered {response.status} in {took:.2f} s: {text[:120]}"
            if response.status != 200:
                if response.status < 500:
                    self.faults.append(what)
                return False
            limit = 1.0 if body["notificationType"] == "PING" else 10.0
            if response.content_type != "application/json" or took > limit or not await self._form(response):
                self.faults.append(what)
            return True

    async def _form(self, response: aiohttp.ClientResponse) -> bool:
        try:
            body = await response.json()
            moment = dt.datetime.fromisoformat(body["time"])
            sizes = 1 <= len(body["version"]) <= 100 and 1 <= len(body["name"]) <= 100
        except (ValueError, KeyError, TypeError):
            return False
        return sizes and moment.tzinfo is not None and abs(moment - now()) < dt.timedelta(minutes=1)
