"""`okno demo` and `okno sandbox` as a user starts them: in a folder, in a process of their own."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from service.demo.channels import shops
from service.demo.pace import PACE

OKNO = Path(sys.executable).with_name("okno")
TIMES = "10"
LINK = re.compile(r"(http://127\.0\.0\.1:\d+)/login\?token=(\S+)")
SANDBOX = re.compile(r"(?:\(|sandbox .*: )(http://127\.0\.0\.1:\d+)")
YANDEX = shops()["ym-dbs"]


class Command:
    """One running command; its output is in files, so that nothing fills a pipe."""

    def __init__(self, folder: Path, *words: str, pace: str = TIMES) -> None:
        self.folder = folder
        self._out, self._err = (folder / f"{words[0]}.{ending}" for ending in ("out", "err"))
        environment = {**os.environ, PACE: pace}
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen([OKNO, *words], cwd=folder, env=environment, stdout=out, stderr=err)

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def until_says(self, words: str) -> None:
        """Waits for words in its output."""
        deadline = time.monotonic() + 60
        while words not in self.out and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert words in self.out, self.err

    @property
    def hub(self) -> tuple[str, str]:
        """The hub's address and the token of the printed link."""
        found = LINK.search(self.out)
        assert found is not None, self.out
        return found[1], found[2]

    @property
    def sandbox(self) -> str:
        """The sandboxes' address, as it was printed."""
        found = SANDBOX.search(self.out)
        assert found is not None, self.out
        return found[1]

    async def api(self, path: str, **query: str) -> Any:
        """What the hub's API says to the token of the link."""
        url, token = self.hub
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}, raise_for_status=True) as session,
            session.get(url + path, params=query) as answer,
        ):
            return await answer.json()

    async def at_market(self, number: str) -> str:
        """The order's status at the sandbox Yandex Market, asked as any shop asks."""
        url = f"{self.sandbox}/yandex/v1/businesses/{YANDEX['business_id']}/orders"
        async with (
            aiohttp.ClientSession(headers={"Api-Key": YANDEX["api_key"]}, raise_for_status=True) as session,
            session.post(url, json={"orderIds": [int(number)]}) as answer,
        ):
            (order,) = (await answer.json())["orders"]
            return str(order["status"])

    def end(self) -> float:
        """SIGTERM; the seconds until it was gone."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return time.monotonic() - began

    def left(self) -> list[str]:
        """Processes that still run in its folder."""
        found = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
        return [" ".join(words) for words in found if words and any(str(self.folder) in word for word in words)]


def finished(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run([OKNO, *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


async def becomes(check: Callable[[], Awaitable[bool]], seconds: float = 40) -> bool:
    """Whether `check` becomes true in time."""
    deadline = time.monotonic() + seconds
    while True:
        if await check():
            return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.2)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Starts commands in one folder, and ends what a failed test leaves."""
    started: list[Command] = []

    def begin(*words: str, folder: Path = tmp_path, pace: str = TIMES) -> Command:
        started.append(Command(folder, *words, pace=pace))
        return started[-1]

    yield begin
    for command in started:
        if command.process.poll() is None:
            command.end()
