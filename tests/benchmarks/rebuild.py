"""How fast a projection is rebuilt, beside a plain read of the same rows: `python -m tests.benchmarks.rebuild`.

The read fetches the same rows in the same order with asyncpg, in one process, and does nothing with them. `--folder`
and `--events` as for `tests.benchmarks.fill`, which makes the log.
"""

import argparse
import asyncio
import resource
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from projections.bucket import CHUNK, EVENTS
from projections.catalogue import PROJECTIONS
from projections.differences import Found
from projections.filling import Report
from projections.projection import BUCKETS, Projection
from projections.rebuild import rebuild
from service.database import Pool, close, open_pool
from tests.benchmarks.figures import postgres
from tests.benchmarks.fill import fill


class Stages(Report):
    """How long each stage took."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.took: dict[str, float] = {}
        self._stage = "preparing"

    def stage(self, what: str) -> None:
        """The one before ends here."""
        now = time.monotonic()
        self.took[self._stage] = self.took.get(self._stage, 0.0) + now - self._began
        self._began, self._stage = now, what

    def compared(self, found: Found) -> None:
        """What differed."""
        self.found = found


async def plain_read(pool: Pool) -> float:
    """Seconds to read all buckets, order by order, and drop the rows."""
    began = time.monotonic()
    async with pool.acquire() as connection:
        for bucket in range(BUCKETS):
            async with connection.transaction():
                cursor = await connection.cursor(EVENTS, bucket)
                while await cursor.fetch(CHUNK):
                    pass
    return time.monotonic() - began


async def measured(pool: Pool, url: str, projection: Projection, workers: int) -> dict[str, float]:
    """Seconds by stage, the whole under `all`."""
    report, began = Stages(), time.monotonic()
    await rebuild(pool, projection, workers=workers, connect=partial(open_pool, url, size=2), report=report)
    report.stage("done")
    return {**report.took, "all": time.monotonic() - began}


async def _main(folder: Path, wanted: int, workers: int, names: list[str]) -> None:
    async with postgres(folder) as url:
        events = await fill(url, wanted)
        pool = await open_pool(url, size=4)
        try:
            read = await plain_read(pool)
            print(f"plain read: {events / read:,.0f} events/s")
            for name in names:
                took = await measured(pool, url, PROJECTIONS[name], workers)
                stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in took.items())
                of_read = f"{read / took['filling']:.2f} of the read filling, {read / took['all']:.2f} in all"
                print(f"{name}, {workers} workers: {events / took['all']:,.0f} events/s, {of_read}; seconds: {stages}")
        finally:
            await close(pool)
    largest = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"memory: {largest[0]:.0f} MB here, {largest[1]:.0f} MB the largest child")


def main(arguments: Sequence[str] | None = None) -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--folder", type=Path, default=Path("var/benchmark"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("names", nargs="*", default=list(PROJECTIONS))
    given = parser.parse_args(arguments)
    asyncio.run(_main(given.folder, given.events, given.workers, given.names))


if __name__ == "__main__":
    main()
