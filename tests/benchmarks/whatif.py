"""What-if over a whole log against a plain read of it: `bin/benchmark whatif`.

What differs is said beside: the filler's log is made by the reactions themselves, so nothing should but orders that are
cut off in their middle.
"""

import argparse
import asyncio
import resource
import time

from events.log import COLUMNS, Log
from service.audit import whatif as w
from service.database import Pool, close, open_reader
from tests.benchmarks.figures import Figures, parser, servers
from tests.benchmarks.histories import CHANNEL, plan

BATCH = 5000
READ = f"SELECT {COLUMNS} FROM okno.events WHERE position > $1 ORDER BY position LIMIT $2"  # a constant


async def measure(url: str, figures: Figures) -> None:
    """Says the figures."""
    pool = await open_reader(url)
    try:
        plain = await _plain(pool)
        log, began, summary = Log(pool, b""), time.monotonic(), w.Summary()
        async for one in w.whatif(pool, log, {CHANNEL: plan()}, await w.span(pool, log, None)):
            summary.add(one)
        rate = summary.events / (time.monotonic() - began)
    finally:
        await close(pool)
    figures.note(f"{summary.events:,} events of {summary.orders:,} orders: {summary.differing} orders differ")
    figures.add("every order compared", rate, "events/s", reference=plain, against="plain read")
    figures.add("memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB")
    figures.add("orders that failed", summary.failed, "orders", reach=0, at_most=True)


async def _plain(pool: Pool) -> float:
    """Events a second of asyncpg alone, one process, rows thrown away."""
    began, position, count = time.monotonic(), 0, 0
    while rows := await pool.fetch(READ, position, BATCH):
        position, count = rows[-1]["position"], count + len(rows)
    return count / (time.monotonic() - began)


async def _main(given: argparse.Namespace) -> None:
    async with servers(given) as (url,):
        await measure(url, Figures("whatif", given.json))


def main() -> None:
    """From the command line."""
    asyncio.run(_main(parser(__doc__).parse_args()))


if __name__ == "__main__":
    main()
