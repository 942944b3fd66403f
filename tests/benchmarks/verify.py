"""How fast the log is proved: `python -m tests.benchmarks.verify [--url URL | --folder DIR] [--workers N]`.

The reference is a plain read by asyncpg of the same rows: all columns, by position, in batches of the same size, in one
process. Each is measured several times in turns, and the best of each counts: what else the machine does slows both.
"""

import argparse
import asyncio
import resource
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.table import Table

from service.audit import verify
from service.audit.proof import BATCH
from service.database import close, open_reader
from tests.audit.tampering import unseen
from tests.benchmarks.figures import postgres
from tests.servers import BODY_KEY

ROWS = "SELECT * FROM okno.events WHERE position > $1 ORDER BY position LIMIT $2"
BODIES = "SELECT position, body FROM okno.bodies WHERE position > $1 AND position <= $2"


async def plain_read(url: str, *, bodies: bool = False) -> int:
    """Reads the log as it lies; how many events."""
    connection = await asyncpg.connect(url)
    try:
        position = 0
        while rows := await connection.fetch(ROWS, position, BATCH):
            if bodies:
                await connection.fetch(BODIES, position, rows[-1]["position"])
            position = rows[-1]["position"]
        return position
    finally:
        await connection.close()


async def proved(url: str, workers: int, *, bodies: bool = False) -> int:
    """Proves the log; how many events."""
    pool = await open_reader(url)
    try:
        found = await verify(
            pool, unseen, BODY_KEY if bodies else None, workers=workers, connect=partial(open_reader, url, size=1)
        )
        assert found.whole, found
        return found.events
    finally:
        await close(pool)


async def measure(url: str, workers: Sequence[int], rounds: int) -> None:
    """Prints a line a way."""
    ways: dict[str, Callable[[], Awaitable[int]]] = {"plain read": partial(plain_read, url)}
    ways |= {f"verify, {n} processes": partial(proved, url, n) for n in workers}
    ways |= {"plain read with raw bodies": partial(plain_read, url, bodies=True)}
    ways |= {f"verify with raw bodies, {n} processes": partial(proved, url, n, bodies=True) for n in workers}
    best, events = dict.fromkeys(ways, 0.0), 0
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            events = await way()
            best[name] = max(best[name], events / (time.perf_counter() - began))
    shown = Table("way", "events/s", "of a plain read", title=f"{events:,} events, best of {rounds}")
    for name, rate in best.items():
        reference = best["plain read with raw bodies" if "bodies" in name else "plain read"]
        shown.add_row(name, f"{rate:,.0f}", f"{rate / reference:.2f}")
    Console().print(shown)
    sizes = [resource.getrusage(who).ru_maxrss // 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    Console().print(f"memory at most: {sizes[0]} MiB here, {sizes[1]} MiB in a worker")


async def _main(url: str | None, folder: Path, workers: Sequence[int], rounds: int) -> None:
    if url is not None:
        await measure(url, workers, rounds)
        return
    async with postgres(folder) as own:
        await measure(own, workers, rounds)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--folder", type=Path, default=Path("var/benchmark"))
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    asyncio.run(_main(given.url, given.folder, given.workers, given.rounds))


if __name__ == "__main__":
    main()
