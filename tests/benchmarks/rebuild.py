"""How fast a projection is rebuilt, beside a plain read of the same rows: `bin/benchmark rebuild`.

The read fetches the same rows in the same order with asyncpg, in one process, and does nothing with them. `--folder`
and `--events` as for `tests.benchmarks.fill`, which makes the log.
"""

import argparse
import asyncio
import resource
import time
from functools import partial

from projections.bucket import CHUNK, EVENTS
from projections.catalogue import PROJECTIONS
from projections.differences import Found
from projections.filling import Report
from projections.projection import BUCKETS, Projection
from projections.rebuild import rebuild
from service.database import Pool, close, open_pool
from tests.benchmarks.figures import Figures, parser, servers
from tests.benchmarks.fill import fill

REACH = 0.5
MEMORY = 300


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


async def _main(given: argparse.Namespace) -> None:
    figures = Figures("rebuild", given.json)
    async with servers(given) as (url,):
        events = await fill(url, given.events)
        pool = await open_pool(url, size=4)
        try:
            read = await plain_read(pool)
            for name in given.names:
                took = await measured(pool, url, PROJECTIONS[name], given.workers)
                figures.note(f"{name}, seconds: " + ", ".join(f"{stage} {s:.1f}" for stage, s in took.items()))
                for what, seconds in (("filled", took["filling"]), ("up to the swap", took["all"])):
                    figures.add(
                        f"{name} {what}, {given.workers} workers", events / seconds, "events/s",
                        reference=events / read, against="plain read", reach=REACH,
                    )  # fmt: skip
        finally:
            await close(pool)
    for who, where, most in (
        (resource.RUSAGE_SELF, "here", None), (resource.RUSAGE_CHILDREN, "the largest worker", MEMORY),
    ):  # fmt: skip
        figures.add(f"memory, {where}", resource.getrusage(who).ru_maxrss / 1024, "MiB", reach=most, at_most=True)


def main() -> None:
    """From the command line."""
    options = parser(__doc__)
    options.add_argument("--events", type=int, default=2_000_000)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("names", nargs="*", default=list(PROJECTIONS))
    asyncio.run(_main(options.parse_args()))


if __name__ == "__main__":
    main()
