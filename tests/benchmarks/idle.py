"""What a hub costs that has nothing to do: `bin/benchmark idle [--seconds N] [--settle N] [--orders N]`.

One process with all roles, eight channels of three marketplaces that are polled once a minute (by default it would be
once in five), RabbitMQ and Postgres as servers of their own, some orders in the log. After it has settled: its CPU and
memory, and how often each loop sends each of its statements to Postgres, all channels together. There is no reference:
what is asked for stands beside each figure. The CPU that Postgres spends for it is told, too.

`UNASKED` are the pool's own words around other statements; they count towards the sum alone.
"""

import argparse
import asyncio
import pkgutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import asyncpg
import psutil

import events
import projections
import service
from tests.benchmarks import hub, shops
from tests.benchmarks.counted import Statement, noted
from tests.benchmarks.figures import Figures, database, parser, servers

MOST_ASKED, MOST_CPU, MOST_MEMORY = 1.0, 1.0, 120.0
"""Statements of a kind a second; percent of a core; MB."""

UNASKED = ("SELECT pg_advisory_unlock_all", "BEGIN", "COMMIT", "ROLLBACK")
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def names() -> dict[str, str]:
    """The statements of the hub by their text: module and name."""
    found = dict[str, str]()
    for package in (events, projections, service):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if module.name.startswith(("service.cli", "service.demo", "service.marketplaces")):
                continue
            for name, value in vars(import_module(module.name)).items():
                if name.isupper() and isinstance(value, str):
                    found.setdefault(value.strip(), f"{module.name.partition('.')[2]}.{name}")
    return found


async def measure(figures: Figures, url: str, process: psutil.Process, statements: Path, seconds: float) -> None:
    """Watches a hub for so long."""
    connection = await asyncpg.connect(url)
    backends = [psutil.Process(row["pid"]) for row in await connection.fetch(BACKENDS)]
    known = await connection.fetchval("SELECT count(*) FROM okno.orders")
    began, cpu, served = time.time(), hub.cpu(process), sum(map(hub.cpu, backends))
    await asyncio.sleep(seconds)
    ended, cpu = time.time(), hub.cpu(process) - cpu
    served = sum(hub.cpu(one) for one in backends if one.is_running()) - served
    await connection.close()
    memory = process.memory_full_info()
    took = ended - began
    figures.note(f"{known} orders; Postgres's backends used {100 * served / took:.2f} % of a core for it")
    figures.add("CPU of the hub's process", 100 * cpu / took, "% of a core", reach=MOST_CPU, at_most=True)
    figures.add("memory (RSS)", memory.rss / 1e6, "MB", reach=MOST_MEMORY, at_most=True)
    figures.add("memory of its own (USS)", memory.uss / 1e6, "MB")
    _say_statements(figures, list(noted(statements, began, ended)), took)


def _say_statements(figures: Figures, statements: Sequence[Statement], took: float) -> None:
    figures.add("all statements together", len(statements) / took, "/s")
    known, asked = names(), Counter[str]()
    for one in statements:
        if not one.text.lstrip().startswith(UNASKED):
            loop = one.loop.partition("/")[0]
            asked[f"{loop}: {known.get(one.text.strip(), ' '.join(one.text.split())[:60])}"] += 1
    for name, count in asked.most_common():
        figures.add(name, count / took, "/s", reach=MOST_ASKED, at_most=True)


async def _main(given: argparse.Namespace) -> None:
    figures = Figures("idle", given.json)
    async with (
        servers(given, broker=True) as (server, amqp),
        database(server, "okno_benchmark_idle") as url,
        shops.running(given.orders) as market,
    ):
        with tempfile.TemporaryDirectory(prefix="okno-idle-") as name:
            folder, statements = Path(name), Path(name) / "statements"
            parts = [f'[postgres]\nurl = "{url}"', f'[rabbitmq]\nurl = "{amqp}"', "[http]\nport = 0"]
            config = hub.configure(folder, "okno", [*parts, *shops.tables(market, poll_seconds=given.poll_seconds)])
            okno = (sys.executable, "-m", "tests.benchmarks.counted", str(statements))
            async with hub.running(config, log=folder / "log", okno=okno) as process:
                await asyncio.sleep(given.settle)
                if not process.is_running():
                    raise SystemExit((folder / "log").read_text())
                await measure(figures, url, process, statements, given.seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    """From the command line."""
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--settle", type=float, default=30.0)
    options.add_argument("--orders", type=int, default=25, help="in each of the eight shops")
    options.add_argument("--poll-seconds", type=int, default=60)
    asyncio.run(_main(options.parse_args(arguments)))


if __name__ == "__main__":
    main()
