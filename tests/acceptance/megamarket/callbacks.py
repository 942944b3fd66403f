"""Callbacks of Megamarket to the hub: dropped, doubled, late, out of order, repeated until taken."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from random import Random
from typing import Any

import aiohttp

LOGIN, PASSWORD = "megamarket", "judge-callback-password"
TRIES = 12
SLOW = 10.0


class Callbacks:
    """Sends to `url(channel)`; what the hub answered wrongly is collected in `faults`."""

    def __init__(self, seed: int, drop: float = 0.1, double: float = 0.1) -> None:
        self.url: Callable[[str], str] | None = None
        self.faults: list[str] = []
        self.sent = self.dropped = self.taken = 0
        self._rng = Random(f"callbacks:{seed}")
        self._drop, self._double = drop, double
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SLOW))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()

    def send(self, channel: str, what: str, body: dict[str, Any], *, sure: bool = False,
             then: Callable[[], None] = lambda: None) -> None:  # fmt: skip
        """`sure`: never lost for good, since nothing else would tell of it; `then` is called when it was taken."""
        if not sure and self._rng.random() < self._drop:
            self.dropped += 1
            return
        for _ in range(2 if self._rng.random() < self._double else 1):
            delay = self._rng.choice([0.0, 0.0, 0.0, self._rng.uniform(0.2, 3)])
            task = asyncio.create_task(self._send(channel, what, body, delay, sure, then))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, channel: str, what: str, body: dict[str, Any], delay: float, sure: bool,
                    then: Callable[[], None]) -> None:  # fmt: skip
        await asyncio.sleep(delay)
        self.sent += 1
        attempt = 0
        while sure or attempt < TRIES:  # how often Megamarket repeats is not known
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                if await self.once(channel, what, body):
                    self.taken += 1
                    then()
                    return
            attempt += 1
            await asyncio.sleep(1 + attempt % 3)

    async def once(self, channel: str, what: str, body: dict[str, Any], password: str = PASSWORD) -> bool:
        """One attempt; True when it was answered with success 1."""
        assert self.url is not None, "tables() says where the hub listens; callbacks come after it"
        start, auth = time.monotonic(), aiohttp.encode_basic_auth(LOGIN, password)
        url = f"{self.url(channel)}/{what}"
        async with self._http.post(url, json=body, headers={"Authorization": auth}) as response:
            text = await response.text()
        took = time.monotonic() - start
        fault = f"{what} to {channel} answered {response.status} in {took:.1f} s: {text[:120]}"
        if password != PASSWORD:
            return response.status == 200 and '"success":1' in text.replace(" ", "")
        with contextlib.suppress(ValueError):
            answer = json.loads(text)
            if response.status == 200 and isinstance(answer, dict) and answer.get("success") == 1:
                if response.content_type != "application/json" or took > SLOW / 2:
                    self.faults.append(fault)
                return True
        if response.status < 500:
            self.faults.append(fault)
        return False
