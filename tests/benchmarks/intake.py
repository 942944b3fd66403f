"""How fast a backlog is worked off: `bin/benchmark intake [--messages N] [--rounds N] [--ways NAME…]`.

Messages wait in RabbitMQ; a hub process starts, and is measured until each is a committed event and the current-state
rows stand at the last one. The reference consumes the very same messages from a queue of the same kind, bound beside
the hub's: bare aio-pika in a process of its own, batches acknowledged at once, nothing done. Hub and reference take
turns, and medians count. RabbitMQ, Postgres and all processes share the machine.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aio_pika
import asyncpg
from aio_pika.abc import AbstractConnection
from pamqp.common import FieldValue

from events.log import Log
from service.database import close, open_pool
from service.embedded.folders import free_port
from service.onec import topology
from tests.benchmarks import backlog, hub
from tests.benchmarks.figures import Figures, database, parser, servers
from tests.benchmarks.fill import REACTED
from tests.benchmarks.histories import CHANNEL
from tests.servers import BODY_KEY, project

ROLES = "intake,project"
SIZE = 50
SHOP = 'kind = "yandex"\nmodel = "dbs"\nmode = "shadow"\nbusiness_id = 1\ncampaign_id = 2\napi_key = "k"\n'
"""A channel that decides and records, and sends nothing: marketplaces have benchmarks of their own."""

# Where the log ends, and how many of the last marks are recorded; up to where the current-state rows are made.
STATE = f"""
SELECT (SELECT position FROM okno.head) AS head,
       (SELECT count(*) FROM okno.events WHERE source = '{backlog.SOURCE}' AND id = ANY($1)) AS recorded
"""  # a constant
PROJECTED = "SELECT min(position) FROM okno.projection_progress"
LOOK_SECONDS = 0.05
LAST = 100
"""How many of the last marks are looked for: of two partitions one may end sooner."""

BARE = (sys.executable, "-m", "tests.benchmarks.bare")
GAIN = 0.9
REACH = {"single": 0.5, "arrays": 2.0}
BESIDE = "bare.hash"
LIKE_OURS: dict[str, FieldValue] = {"x-queue-type": "quorum", "x-single-active-consumer": True}
FIRST = 100_000_000
"""Where the numbers of orders begin that were placed for a backlog."""


@dataclass(frozen=True)
class Way:
    """A way to work a backlog off; `size`: events a message."""

    name: str
    roles: str = ROLES
    partitions: int = 1
    size: int = 1


WAYS = {
    "single": Way("one process, roles intake and project"),
    "all": Way("one process, all roles", roles=""),
    "arrays": Way(f"one process, messages of {SIZE} events", size=SIZE),
    "two": Way("two processes, two partitions", partitions=2),
}


class Bench:
    """A broker and a database, and a backlog worked off on them."""

    def __init__(self, url: str, amqp: str, folder: Path) -> None:
        self._url, self._amqp, self._folder = url, amqp, folder
        self.cpu = 0.0

    async def run(self, way: Way, events: int, *, bare: bool) -> tuple[float, float]:
        """Events a second by the hub, and messages a second by bare consumers; 0 where they were not asked for."""
        orders = events // len(backlog.MARKS)
        first = await self._placed(orders)
        marks = list(backlog.marks(first, orders))
        connection = await aio_pika.connect(self._amqp)
        async with connection:
            beside = await _queues(connection, way.partitions, bare=bare)
            await backlog.publish(connection, backlog.messages(marks, way.size))
            reference = await self._bare(connection, beside) if bare else 0.0
            return await self._hub(way, [mark.id for mark in marks[-LAST:]], len(marks)), reference

    async def _placed(self, orders: int) -> int:
        """Records orders and their rows behind whatever the log holds; the number of the first."""
        pool = await open_pool(self._url, size=4)
        try:
            log = Log(pool, BODY_KEY)
            first = FIRST + (await log.head()).position
            await backlog.place(log, first, orders)
            await project(pool, log)
            await pool.execute(REACTED)
        finally:
            await close(pool)
        owner = await asyncpg.connect(self._url)
        await owner.execute("VACUUM ANALYZE")
        await owner.execute("CHECKPOINT")
        await owner.close()
        return first

    async def _bare(self, connection: AbstractConnection, queues: Sequence[str]) -> float:
        """The rate of bare consumers, a process a queue."""
        counts = [await _waiting(connection, queue) for queue in queues]
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.benchmarks.bare",
                self._amqp,
                queue,
                str(count),
                stdout=asyncio.subprocess.PIPE,
            )
            for queue, count in zip(queues, counts, strict=True)
        ]
        said = [(await process.communicate())[0].split() for process in processes]
        return sum(counts) / (max(float(end) for _, end in said) - min(float(begin) for begin, _ in said))

    async def _hub(self, way: Way, last: Sequence[str], events: int) -> float:
        """The rate of the hub, from the first look that shows more in the log to the last mark's rows."""
        shop = f"[channels.{CHANNEL}]\n{SHOP}"
        parts = [f'[postgres]\nurl = "{self._url}"', f'[rabbitmq]\nurl = "{self._amqp}"\npartitions = {way.partitions}']
        owner = await asyncpg.connect(self._url)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(owner.close)
            base, _ = await _state(owner, last)
            processes = []
            for number in range(way.partitions):
                http = f'[http]\nhost = "127.0.0.1"\nport = {free_port()}'
                config = hub.configure(self._folder, f"hub{number}", [*parts, http, shop])
                log = self._folder / f"hub{number}.log"
                processes.append(await stack.enter_async_context(hub.running(config, way.roles, log=log)))
            began, spent, taken, end = 0.0, 0.0, 0, 0
            while not end or (await owner.fetchval(PROJECTED)) < end:
                await asyncio.sleep(LOOK_SECONDS)
                head, recorded = await _state(owner, last)
                if not began and head > base:
                    began, taken = time.perf_counter(), head - base
                    spent = sum(map(hub.cpu, processes))
                if not end and recorded == len(last):
                    end = head
            seconds = time.perf_counter() - began
            self.cpu = (sum(map(hub.cpu, processes)) - spent) / (events - taken) * 1e6
            return (events - taken) / seconds


async def _queues(connection: AbstractConnection, partitions: int, *, bare: bool) -> list[str]:
    """Declares the hub's queues anew, and beside each an equal one for a bare consumer; the latter's names."""
    channel = await connection.channel()
    for exchange in (topology.IN, topology.HASH, BESIDE):
        await channel.exchange_delete(exchange)
    for number in range(2):
        for name in (topology.partition(number), f"bare.{number}"):
            await channel.queue_delete(name)
    await topology.declare(connection, partitions, [])
    if not bare:
        return []
    if partitions > 1:
        hashing = await channel.declare_exchange(BESIDE, "x-consistent-hash")
        await hashing.bind(topology.IN, "#")
    names = [f"bare.{number}" for number in range(partitions)]
    for name in names:
        queue = await channel.declare_queue(name, durable=True, arguments=LIKE_OURS)
        await queue.bind(*((BESIDE, "1") if partitions > 1 else (topology.IN, "#")))
    await channel.close()
    return names


async def _state(connection: asyncpg.Connection, last: Sequence[str]) -> tuple[int, int]:
    row = await connection.fetchrow(STATE, last)
    assert row is not None
    return row["head"], row["recorded"]


async def _waiting(connection: AbstractConnection, name: str) -> int:
    async with connection.channel() as channel:
        return (await channel.declare_queue(name, passive=True)).declaration_result.message_count or 0


async def measure(figures: Figures, server: str, amqp: str, folder: Path, given: argparse.Namespace) -> None:
    """Says a figure a way; each is measured in turns with the reference."""
    rates: defaultdict[str, list[float]] = defaultdict(list)
    bare: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(given.rounds):
        for name in given.ways:
            async with database(server, "okno_benchmark_intake") as url:
                bench = Bench(url, amqp, folder)
                rate, reference = await bench.run(WAYS[name], given.messages, bare=WAYS[name].size == 1)
            rates[name].append(rate)
            if reference:
                bare[name].append(reference)
            figures.note(f"{name}: {rate:,.0f}/s, bare {reference:,.0f}/s, {bench.cpu:.0f} us of CPU an event")
    for name in given.ways:
        _say(figures, name, rates, bare)


def _say(
    figures: Figures, name: str, rates: Mapping[str, Sequence[float]], bare: Mapping[str, Sequence[float]]
) -> None:
    """Medians; the ratio is the median of the rounds' own, since the machine's pace changes from round to round."""
    own, beside = rates[name], bare[name] or bare["single"]
    reach: float | None
    if name == "two" and rates["single"]:
        own = [two / one for two, one in zip(own, rates["single"], strict=True)]
        beside = [two / one for two, one in zip(beside, bare["single"], strict=True)]
        what, unit, against, reach = "two processes, gain", "times", "of bare ones", GAIN
    else:
        against = "bare aio-pika" if bare[name] else "bare aio-pika, single messages"
        what, unit, reach = WAYS[name].name, "events/s", REACH.get(name)
    ratio = median(mine / other for mine, other in zip(own, beside, strict=True)) if beside else None
    reference = median(beside) if beside else None
    figures.add(what, median(own), unit, reference=reference, against=against, ratio=ratio, reach=reach)


async def _main(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="okno-intake-") as folder:
        async with servers(given, broker=True) as (url, amqp):
            await measure(Figures("intake", given.json), url, amqp, Path(folder), given)


def main() -> None:
    """From the command line."""
    options = parser(__doc__)
    options.add_argument("--messages", type=int, default=50_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    asyncio.run(_main(options.parse_args()))


if __name__ == "__main__":
    main()
