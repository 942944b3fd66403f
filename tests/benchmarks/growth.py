"""Whether intake stays as fast as the log grows: `bin/benchmark growth [--sizes N…] [--rounds N] [--png FILE]`.

A database a size, filled once and kept in the folder (the smallest is filled anew each time); a backlog is worked off
in each of them by turns, as the benchmark `intake` does it with one process. The reference is the smallest log. The
`shared_buffers` of the Postgres are said with the figures: what does not fit there is read from the system's cache.
"""

import argparse
import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import asyncpg

from tests.benchmarks.figures import Figures, database_url, parser, servers
from tests.benchmarks.fill import fill
from tests.benchmarks.intake import WAYS, Bench

SIZES = (50_000, 500_000, 2_000_000, 5_000_000)
NEW = 200_000
"""A log of fewer events is filled anew each time: a backlog would make it another size."""

REACH = 0.8


async def filled(server: str, size: int) -> str:
    """A database with a log of at least so many events and its current-state rows; its URL."""
    name = f"okno_growth_{size}"
    admin = await asyncpg.connect(server)
    try:
        if size < NEW:
            await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            await admin.execute(f"CREATE DATABASE {name}")
    finally:
        await admin.close()
    url = database_url(server, name)
    await fill(url, size)
    return url


async def shared_buffers(server: str) -> str:
    """How much memory Postgres has for its pages."""
    connection = await asyncpg.connect(server)
    try:
        return str(await connection.fetchval("SHOW shared_buffers"))
    finally:
        await connection.close()


async def measure(figures: Figures, server: str, amqp: str, given: argparse.Namespace) -> dict[int, list[float]]:
    """Says a figure a size; the rates by size, a round each."""
    for size in given.sizes:
        await filled(server, size)
    rates: defaultdict[int, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="okno-intake-") as folder:
        for _ in range(given.rounds):
            for size in given.sizes:
                bench = Bench(await filled(server, size), amqp, Path(folder))
                rate, _ = await bench.run(WAYS["single"], given.messages, bare=False)
                rates[size].append(rate)
                figures.note(f"{size:,} events: {rate:,.0f}/s, {bench.cpu:.0f} us of the hub's CPU an event")
    buffers, smallest = await shared_buffers(server), min(given.sizes)
    for size in given.sizes:
        if size != smallest:
            figures.add(
                f"intake behind {size:,} events, shared_buffers {buffers}", median(rates[size]), "events/s",
                reference=median(rates[smallest]), against=f"behind {smallest:,}",
                reach=REACH if size == max(given.sizes) else None,
            )  # fmt: skip
    return dict(rates)


def draw(path: Path, rates: Mapping[int, Sequence[float]]) -> None:
    """The plot: medians, and each round."""
    from matplotlib import pyplot as plt  # the plot is not all of it: figures come without matplotlib

    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    sizes = sorted(rates)
    axes.plot(sizes, [median(rates[size]) for size in sizes], marker="o", color="tab:blue", label="median")
    for size in sizes:
        axes.scatter([size] * len(rates[size]), rates[size], s=12, color="tab:blue", alpha=0.4)
    axes.set(
        xscale="log", ylim=(0, None), xlabel="events in the log", ylabel="events a second",
        title="Intake as the log grows: one process, from RabbitMQ to current-state rows",
    )  # fmt: skip
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, dpi=110)


async def _main(given: argparse.Namespace) -> None:
    async with servers(given, broker=True) as (url, amqp):
        rates = await measure(Figures("growth", given.json), url, amqp, given)
    if given.png:
        draw(given.png, rates)


def main() -> None:
    """From the command line."""
    options = parser(__doc__)
    options.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    options.add_argument("--messages", type=int, default=25_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--png", type=Path)
    asyncio.run(_main(options.parse_args()))


if __name__ == "__main__":
    main()
