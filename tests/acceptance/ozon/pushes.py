"""Ozon's push notifications: hints that come late, doubled, out of order or never, repeated until taken."""

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Callable
from random import Random
from typing import Any

import aiohttp

from tests.acceptance.order import now

from .form import TPL, WAREHOUSE, shipment_date, stamp
from .posting import Posting

SLOW = 5.0
STATES = {"posting_transferring_to_delivery", "posting_in_carriage", "posting_on_way_to_city", "posting_delivered",
          "posting_in_courier_service", "posting_in_pickup_point", "posting_conditionally_delivered", "posting_created",
          "posting_driver_pick_up", "posting_received", "posting_canceled"}  # fmt: skip


def milli(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Pushes:
    """Sends to `url(channel)`; wrong answers are collected in `faults`."""

    def __init__(self, url: Callable[[str], str], seed: int, seller: Callable[[str], int]) -> None:
        self.url, self._seller = url, seller
        self.faults: list[str] = []
        self.sent = self.dropped = 0
        self._rng = Random(f"ozon pushes:{seed}")
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: aiohttp.ClientSession | None = None

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    def placed(self, posting: Posting, channels: list[str]) -> None:
        life = posting.life
        lines = (*life.lines, *life.moved_away)
        fields = {
            "products": [{"sku": line.id, "offer_id": line.sku, "quantity": line.count} for line in lines],
            "in_process_at": milli(life.placed) if life.digits % 5 else "",
            "shipment_date": stamp(shipment_date(posting)),
            "tpl_integration_type": TPL[life.model], "is_express": False, "tracking_number": "",
            "delivery_date_begin": stamp(posting.interval[0]), "delivery_date_end": stamp(posting.interval[1]),
        }  # fmt: skip
        self._about(posting, channels, "TYPE_NEW_POSTING", **fields)

    def moved(self, posting: Posting, channels: list[str]) -> None:
        if posting.status == "cancelled":
            products = [{"sku": sku, "quantity": count} for sku, count in posting.goods.items() if count]
            reason = {"id": posting.cancellation["cancel_reason_id"], "message": "Отмена"}
            states = {"old_state": posting.previous, "new_state": "posting_canceled"}
            self._about(posting, channels, "TYPE_POSTING_CANCELLED", products=products, reason=reason, **states,
                        changed_state_date=milli(posting.changed))  # fmt: skip
        elif posting.substatus in STATES:
            self._about(posting, channels, "TYPE_STATE_CHANGED", new_state=posting.substatus,
                        changed_state_date=milli(posting.changed))  # fmt: skip

    def _about(self, posting: Posting, channels: list[str], kind: str, **fields: Any) -> None:
        about = {"message_type": kind, "posting_number": posting.life.number}
        for channel in channels:
            body = {
                **about,
                **fields,
                "warehouse_id": WAREHOUSE[posting.life.model],
                "seller_id": self._seller(channel),
            }
            self._send(channel, body)

    def _send(self, channel: str, body: dict[str, Any]) -> None:
        if self._rng.random() < 0.1:
            self.dropped += 1
            return
        for _ in range(2 if self._rng.random() < 0.1 else 1):
            delay = self._rng.choice([0.0, 0.0, 0.0, self._rng.uniform(0.2, 3)])
            task = asyncio.create_task(self._until_taken(channel, body, delay))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _until_taken(self, channel: str, body: dict[str, Any], delay: float) -> None:
        await asyncio.sleep(delay)
        self.sent += 1
        for attempt in range(12):  # Ozon's gaps grow to ten minutes; here a dozen tries a second apart stand for it
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                if await self.once(channel, body):
                    return
            await asyncio.sleep(1 + attempt % 3)

    async def ping(self, channel: str, wrong_secret_for: str = "") -> bool:
        """Whether TYPE_PING is taken; with `wrong_secret_for` (the true secret) the address has another one."""
        body = {"message_type": "TYPE_PING", "time": stamp(now())}
        for _ in range(12):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                if not wrong_secret_for:
                    return await self.once(channel, body)
                url = self.url(channel).replace(wrong_secret_for, "not-the-secret")
                async with self._session().post(url, json=body) as response:
                    return response.status == 200
            await asyncio.sleep(1)
        return False

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        return self._http

    async def once(self, channel: str, body: dict[str, Any]) -> bool:
        """One attempt; True when it was taken as the documents ask."""
        start = time.monotonic()
        async with self._session().post(self.url(channel), json=body) as response:
            text, took = await response.text(), time.monotonic() - start
            what = f"{body['message_type']} to {channel} answered {response.status} in {took:.2f} s: {text[:120]}"
            if response.status != 200:
                if response.status < 500:
                    self.faults.append(what)
                return False
            good = response.content_type == "application/json" and took <= SLOW
            if not good or not _form(body["message_type"], await response.json()):
                self.faults.append(what)
            return True


def _form(kind: str, answer: Any) -> bool:
    if kind != "TYPE_PING":
        return bool(answer == {"result": True})
    try:
        moment = dt.datetime.fromisoformat(answer["time"])
        return bool(answer["version"] and answer["name"]) and abs(moment - now()) < dt.timedelta(minutes=1)
    except (ValueError, KeyError, TypeError):
        return False
