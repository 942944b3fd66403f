"""What-if over a whole log against a plain read of it: `python -m tests.benchmarks.whatif [--url URL | --folder DIR]`.

Prints events a second of both and their ratio, the memory what-if took, and what differs: the filler's log is made by
the reactions themselves, so nothing should.
"""

import argparse
import asyncio
import resource
import time
from pathlib import Path

from events.log import COLUMNS, Log
from service.audit import whatif as w
from service.database import Pool, close, open_reader
from tests.benchmarks.figures import postgres
from tests.benchmarks.histories import CHANNEL, plan

BATCH = 5000
READ = f"SELECT {COLUMNS} FROM okno.events WHERE position > $1 ORDER BY position LIMIT $2"  # a constant


async def measure(url: str) -> None:
    """Prints the figures."""
    pool = await open_reader(url)
    try:
        plain = await _plain(pool)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        log, began, summary = Log(pool, b""), time.monotonic(), w.Summary()
        async for one in w.whatif(pool, log, {CHANNEL: plan()}, await w.span(pool, log, None)):
            summary.add(one)
        rate = summary.events / (time.monotonic() - began)
    finally:
        await close(pool)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"plain read {plain:,.0f} events/s; what-if {rate:,.0f} events/s, ratio {rate / plain:.2f}")
    print(f"{summary.events:,} events of {summary.orders:,} orders in {summary.events / rate:,.0f} s")
    print(f"memory {after} MB at most, {before} MB before; {summary.differing} orders differ, {summary.failed} failed")


async def _plain(pool: Pool) -> float:
    """Events a second of asyncpg alone, one process, rows thrown away."""
    began, position, count = time.monotonic(), 0, 0
    while rows := await pool.fetch(READ, position, BATCH):
        position, count = rows[-1]["position"], count + len(rows)
    return count / (time.monotonic() - began)


async def _main(url: str | None, folder: Path) -> None:
    if url is not None:
        await measure(url)
        return
    async with postgres(folder) as own:
        await measure(own)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--folder", type=Path, default=Path("var/benchmark"))
    given = parser.parse_args()
    asyncio.run(_main(given.url, given.folder))


if __name__ == "__main__":
    main()
