"""Reading orders over HTTP: `bin/benchmark reading [--orders 2000000] [--seconds S] [--rounds R]`.

Eight readers in a process ask the hub's own web role (`okno run --role web`, another process) for single orders, for
lists as the orders page asks for them, and for that page. The reference is an aiohttp server, a process too, that
returns the very same bytes from memory; both are asked in turns. Postgres works for the hub alone, and that counts.

The database is filled once, with copies of some hundred orders that went through the log (`copies` says how), and kept
in the folder for the next run.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlencode

import aiohttp
import asyncpg
import msgspec
import psutil

from service import tokens
from service.database import close, open_pool
from tests.acceptance.servers import free_port
from tests.benchmarks.copies import APART, CHANNELS, copied
from tests.benchmarks.figures import Figures, parser, servers
from tests.benchmarks.hub import configure, cpu, running
from tests.benchmarks.load import Read, Turn
from tests.benchmarks.memory import Kept

NAME = "okno_reading"
READERS = 8
SAMPLE = 500
REACH, SLOWEST = 0.3, 3.0
"""What is asked for: this share of the reference's rate, and at most so many times its 99th percentile."""

KINDS = {
    "ym": 'kind = "yandex"\nmodel = "dbs"\nbusiness_id = 1\ncampaign_id = 2\napi_key = "k"',
    "oz": 'kind = "ozon"\nmodel = "rfbs"\nclient_id = "1"\napi_key = "k"',
    "mm": 'kind = "megamarket"\nmodel = "dbs"\nmerchant_id = 1\ntoken = "k"',
}

# The first order behind a position.
BEHIND = "SELECT order_key, number, position FROM okno.orders WHERE position > $1 ORDER BY position LIMIT 1"
LAST = "SELECT max(position) FROM okno.orders"

Questions = dict[str, list[str]]


@dataclass
class Side:
    """A server and what was seen of it. `cpu`: what it and Postgres for it have taken so far."""

    url: str
    cpu: Callable[[], tuple[float, float]]

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begins anew."""
        self.rates: list[float] = []
        self.p99s: list[float] = []
        self.requests, self.spent = 0, (0.0, 0.0)

    def add(self, read: Read, before: tuple[float, float]) -> None:
        """Another turn: requests a second, and milliseconds within which 99 of 100 were answered."""
        self.rates.append(len(read.latencies) / read.seconds)
        self.p99s.append(quantiles(read.latencies, n=100)[98] * 1000)
        self.requests += read.requests
        own, postgres = self.cpu()
        self.spent = (self.spent[0] + own - before[0], self.spent[1] + postgres - before[1])

    @property
    def cost(self) -> str:
        """CPU a request."""
        own, postgres = (seconds / self.requests * 1000 for seconds in self.spent)
        return f"{own:.2f} ms" + (f" and Postgres's {postgres:.2f}" if postgres else "")


class Readers:
    """The process that asks."""

    def __init__(self, process: asyncio.subprocess.Process, headers: dict[str, str], seconds: float) -> None:
        self._process, self._headers, self._seconds = process, headers, seconds

    async def ask(self, side: Side, paths: list[str]) -> None:
        """One turn."""
        turn = Turn(side.url, paths, READERS, self._seconds, self._headers)
        before = side.cpu()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(turn) + b"\n")
        read = msgspec.json.decode(await self._process.stdout.readline(), type=Read)
        side.add(read, before)


async def questions(url: str) -> Questions:
    """What is asked, by what it is called: addresses that differ as much as users' questions do."""
    chance, connection = random.Random(6), await asyncpg.connect(url)
    try:
        last = await connection.fetchval(LAST)
        some = [(await connection.fetch(BEHIND, chance.randrange(last - APART)))[0] for _ in range(SAMPLE)]
    finally:
        await connection.close()
    wanted: dict[str, list[dict[str, str]]] = {
        "first page": [{}],
        "by stage": [{"stage": stage} for stage in ("placed", "shipped", "completed", "cancelled")],
        "by channel": [{"channel": channel} for channel in CHANNELS],
        "by both": [{"channel": channel, "stage": "cancelled"} for channel in CHANNELS],
        "with attention": [{"attention": "any"}],
        "by number": [{"q": row["number"]} for row in some],
        "by document": [{"q": f"ЦСУТ-{row['number']}"} for row in some],
        "by article": [{"q": f"BORK-K{number}"} for number in range(100, 1000)],
        "deep in": [{"after": str(row["position"])} for row in some],
    }
    lists = {f"list, {name}": [_path("/v1/orders", query) for query in queries] for name, queries in wanted.items()}
    return {"one order": [f"/v1/orders/{row['order_key']}" for row in some], **lists, "page": ["/"]}


def _path(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


async def remembered(url: str, asked: Questions, headers: dict[str, str], path: Path) -> None:
    """Writes what the hub answers into a file, for the reference."""
    answers = {}
    async with aiohttp.ClientSession(url, headers=headers, auto_decompress=False) as session:
        for address in dict.fromkeys(address for some in asked.values() for address in some):
            async with session.get(address) as answer:
                assert answer.status == 200, (address, await answer.text())
                kept = {k: v for k, v in answer.headers.items() if k in ("Content-Type", "Content-Encoding")}
                answers[address] = Kept(kept, await answer.read())
    path.write_bytes(msgspec.msgpack.encode(answers))


@asynccontextmanager
async def program(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of this Python with its input and output at hand, ended when left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**26
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def hub(url: str, folder: Path) -> AsyncIterator[tuple[str, psutil.Process]]:
    """The hub's web role on a database: its address and process, once it has reached Postgres."""
    port = free_port()
    channels = [f"[channels.{name}]\n{KINDS[name[:2]]}" for name in CHANNELS]
    config = configure(folder, "reading", [f'[postgres]\nurl = "{url}"\n[http]\nport = {port}', *channels])
    address = f"http://127.0.0.1:{port}"
    async with running(config, "web", log=folder / "reading.log") as process, aiohttp.ClientSession() as session:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                async with session.get(f"{address}/readyz") as answer:
                    if answer.status == 200:
                        break
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
        yield address, process


async def kept_database(server: str, orders: int) -> str:
    """The filled database of a server, filled now where it was not; its URL."""
    name, admin = f"{NAME}_{orders}", await asyncpg.connect(server)
    try:
        if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            await admin.execute(f"CREATE DATABASE {name}")
    finally:
        await admin.close()
    base, _, query = server.partition("?")
    url = f"{base.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
    await copied(url, orders)
    return url


async def measure(given: argparse.Namespace) -> None:
    """Asks both in turns, question by question."""
    async with AsyncExitStack() as stack:
        (server,) = await stack.enter_async_context(servers(given))
        url = await kept_database(server, given.orders)
        asked = {name: paths for name, paths in (await questions(url)).items() if given.only in name}
        pool = await open_pool(url, size=1)
        headers = {"Authorization": f"Bearer {await tokens.add(pool, 'reader', 'auditor')}"}
        postmaster = psutil.Process(await pool.fetchval("SELECT pg_backend_pid()")).parent()
        await close(pool)
        address, process = await stack.enter_async_context(hub(url, given.folder))
        answers = given.folder / "answers"
        await remembered(address, asked, headers, answers)
        memory = await stack.enter_async_context(program("tests.benchmarks.memory", str(answers)))
        readers = Readers(await stack.enter_async_context(program("tests.benchmarks.load")), headers, given.seconds)
        assert memory.stdout is not None
        there = (await memory.stdout.readline()).decode().strip()
        bare = psutil.Process(memory.pid)
        sides = (
            Side(address, lambda: (cpu(process), backends(postmaster))),
            Side(there, lambda: (cpu(bare), 0.0)),
        )
        await compare(readers, sides, asked, given.rounds, Figures("reading", given.json))


def backends(postmaster: psutil.Process | None) -> float:
    """CPU seconds that Postgres's processes for the filled databases have taken so far."""
    found = [] if postmaster is None else postmaster.children()
    return sum(cpu(one) for one in found if NAME in " ".join(one.cmdline()))


async def compare(
    readers: Readers, sides: tuple[Side, Side], asked: Questions, rounds: int, figures: Figures
) -> None:  # fmt: skip
    """Says two figures a question."""
    ours, bare = sides
    for name, paths in asked.items():
        for side in sides:
            side.forget()
        for number in range(rounds):
            for side in sides if number % 2 else sides[::-1]:
                await readers.ask(side, paths)
        reach = REACH if name != "page" else None
        said(figures, f"{name}, rate", "requests/s", ours.rates, bare.rates, reach)
        said(figures, f"{name}, p99", "ms", ours.p99s, bare.p99s, reach and SLOWEST, at_most=True)
        figures.note(f"  CPU a request: {ours.cost}; from memory {bare.cost}")


def said(
    figures: Figures, name: str, unit: str, ours: list[float], bare: list[float], reach: float | None, *,
    at_most: bool = False,
) -> None:  # fmt: skip
    """Says a figure: medians over the rounds, since a turn may be disturbed; the ratio is that of each round's two."""
    figures.add(
        name, median(ours), unit, reference=median(bare), against="from memory", reach=reach, at_most=at_most,
        ratio=median(one / other for one, other in zip(ours, bare, strict=True)),
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """From the command line."""
    options = parser(__doc__)
    options.add_argument("--orders", type=int, default=2_000_000)
    options.add_argument("--seconds", type=float, default=1.0, help="of a turn")
    options.add_argument("--rounds", type=int, default=6, help="turns of each server a question")
    options.add_argument("--only", default="", help="questions whose name holds this")
    given = options.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(measure(given))


if __name__ == "__main__":
    main()
