"""Fills a database with a log of any length: `bin/benchmark fill --events N`.

An embedded Postgres lives in the folder and is used again the next time; a log that is long enough stays as it is.
The current-state rows are made by a rebuild, and the reactor's and the projections' marks stand at the end.
"""

import argparse
import asyncio
import sys
import time
from functools import partial
from itertools import islice

from events.log import Log
from projections.catalogue import PROJECTIONS
from projections.rebuild import rebuild
from service.database import Pool, close, open_pool
from tests.benchmarks.figures import parser, servers
from tests.benchmarks.histories import ABREAST, events
from tests.servers import BODY_KEY

BATCH = 500
# Where a new order's number and position begin.
ENDS = "SELECT (SELECT position FROM okno.head), (SELECT count(DISTINCT order_key) FROM okno.personal)"
REACTED = """
INSERT INTO okno.progress (name, position) SELECT 'reactor', position FROM okno.head
ON CONFLICT (name) DO UPDATE SET position = excluded.position
"""


async def fill(url: str, wanted: int, *, project: bool = True) -> int:
    """Appends until the log holds so many events; how many there are."""
    pool = await open_pool(url, size=4)
    try:
        position, number = (await pool.fetch(ENDS))[0]
        if position < wanted:
            log, began = Log(pool, BODY_KEY), time.monotonic()
            made = islice(events(number + 1, position + 1, min(ABREAST, wanted // 50 + 1)), wanted - position)
            count = 0
            while batch := list(islice(made, BATCH)):
                await log.append(batch)
                count += len(batch)
            sys.stderr.write(f"filled: {count} events, {count / (time.monotonic() - began):,.0f}/s\n")
            if project:
                await _project(pool, log, url)
        head = await pool.fetchval("SELECT position FROM okno.head")
        return int(head)
    finally:
        await close(pool)


async def _project(pool: Pool, log: Log, url: str) -> None:
    for projection in PROJECTIONS.values():
        await rebuild(pool, projection, workers=2, connect=partial(open_pool, url, size=2))
    await pool.execute(REACTED)


async def _main(given: argparse.Namespace) -> None:
    async with servers(given) as (url,):
        sys.stdout.write(f"{await fill(url, given.events)} events in {url}\n")


def main() -> None:
    """From the command line."""
    options = parser(__doc__)
    options.add_argument("--events", type=int, default=2_000_000)
    asyncio.run(_main(options.parse_args()))


if __name__ == "__main__":
    main()
