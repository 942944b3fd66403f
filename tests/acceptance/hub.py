"""The hub as its users see it: a configuration file, a process, a command line, an HTTP API."""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from .documents import STATUSES
from .emulator import HOOK_SECRET, POLL_SECONDS
from .servers import free_port

__all__ = ["HOOK_SECRET", "POLL_SECONDS", "Api", "Hub", "Places"]


@dataclass(frozen=True)
class Places:
    """Where the hub finds everything; `channels` is the TOML of its shops."""

    postgres: str
    amqp: str | None
    channels: str


def config(folder: Path, places: Places, port: int) -> str:
    """okno.toml."""
    parts = ['timezone = "Europe/Samara"', f'data_dir = "{folder}"', f'[postgres]\nurl = "{places.postgres}"']
    if places.amqp:
        parts.append(f'[rabbitmq]\nurl = "{places.amqp}"')
    parts.append(f'[http]\nhost = "127.0.0.1"\nport = {port}')
    parts.append("[onec.statuses]\n" + "\n".join(f'"{name}" = "{kind}"' for name, kind in STATUSES.items()))
    parts.append(places.channels)
    return "\n".join(parts) + "\n"


class Hub:
    """One `okno run` and the commands beside it. `command` is how okno is called, e.g. ["bin/run"]."""

    def __init__(self, command: list[str], folder: Path, name: str, places: Places) -> None:
        self.command, self.folder, self.name, self.port = command, folder, name, free_port()
        self.config = folder / f"{name}.toml"
        self.config.write_text(config(folder / f"{name}-data", places, self.port), "utf-8")
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self._log = (folder / f"{name}.log").open("ab")

    def hook(self, channel: str) -> str:
        return f"{self.url}/hooks/{channel}/{HOOK_SECRET}"

    def start(self) -> None:
        self.starts += 1
        self.process = subprocess.Popen([*self.command, "run", "--config", str(self.config)], stdout=self._log,
                                        stderr=self._log, cwd=self.folder, start_new_session=True)  # fmt: skip

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    async def ready(self, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
            while True:
                if not self.alive():
                    raise RuntimeError(f"{self.name} ended before it was ready: {self.tail()}")
                try:
                    async with http.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                except (aiohttp.ClientError, TimeoutError, OSError):
                    pass
                if time.monotonic() > until:
                    raise TimeoutError(f"{self.name} was not ready after {seconds:.0f} s: {self.tail()}")
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """SIGKILL to the hub and to whatever it was started through."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            await asyncio.to_thread(self.process.wait)

    async def terminate(self) -> tuple[float, int | None]:
        """SIGTERM, as an operator would; how long it took and the exit code (None: it had to be killed)."""
        if self.process is None or self.process.poll() is not None:
            return 0.0, self.process.returncode if self.process else None
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code: int | None = await asyncio.to_thread(self.process.wait, 15)
        except subprocess.TimeoutExpired:
            code = None
        await self.kill()
        return time.monotonic() - start, code

    async def cli(self, *args: str, seconds: float = 300) -> tuple[int, str]:
        """A command of okno: its exit code and what it printed."""
        code, out, err = await self._call(*args, seconds=seconds)
        return code, out + err

    async def _call(self, *args: str, seconds: float) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *self.command, *args, "--config", str(self.config), cwd=self.folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        try:
            out, err = await asyncio.wait_for(process.communicate(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
            return 124, "", f"`okno {' '.join(args)}` ran longer than {seconds:.0f} s"
        return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")

    async def token(self, name: str, role: str) -> str:
        """The last line of `okno token add`."""
        code, out, err = await self._call("token", "add", name, "--role", role, seconds=60)
        if code or not out.strip():
            raise RuntimeError(f"okno token add: exit {code}: {(out + err)[-400:]}")
        return out.strip().splitlines()[-1].strip()

    def tail(self) -> str:
        self._log.flush()
        return Path(self._log.name).read_text("utf-8", errors="replace")[-800:]

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._log.close()


class Api:
    """The hub's HTTP API, read whole: lists through their cursors, the log as NDJSON."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token

    async def __aenter__(self) -> "Api":
        headers = {"Authorization": f"Bearer {self._token}"}
        self._http = aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=60))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def get(self, path: str, **query: str) -> tuple[int, Any]:
        async with self._http.get(self._url + path, params=query) as response:
            text = await response.text()
            return response.status, json.loads(text) if text[:1] in "{[" and text else text

    async def items(self, path: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        after: dict[str, str] = {}
        while True:
            status, page = await self.get(path, **query, **after)
            if status != 200:
                raise RuntimeError(f"GET {path}: {status} {str(page)[:300]}")
            for item in page["items"]:
                yield item
            if page["next"] is None:
                return
            after = {"after": str(page["next"])}

    async def outbox(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            status, page = await self.get("/v1/outbox", limit="500", **cursor)
            if status != 200:
                raise RuntimeError(f"GET /v1/outbox: {status} {str(page)[:300]}")
            if not page["items"]:
                return found
            found += page["items"]
            cursor = {"after": page["cursor"]}

    async def log(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        while True:
            after = str(events[-1]["position"]) if events else "0"
            async with self._http.get(f"{self._url}/v1/events", params={"after": after, "limit": "1000"}) as response:
                text = await response.text()
            if response.status != 200:
                raise RuntimeError(f"GET /v1/events: {response.status} {text[:300]}")
            page = [json.loads(line) for line in text.splitlines() if line.strip()]
            if not page:
                return events
            events += page
