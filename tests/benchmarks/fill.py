"""Fills a database with a log of any length: `python -m tests.benchmarks.fill --events N [--url URL | --folder DIR]`.

An embedded Postgres lives in the folder and is used again the next time; a log that is long enough stays as it is.
The current-state rows are made by a rebuild, and the reactor's and the projections' marks stand at the end.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from events.log import Log
from projections.catalogue import PROJECTIONS
from projections.rebuild import rebuild
from service.database import Pool, close, open_pool
from tests.benchmarks.figures import FOLDER, postgres
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
            print(f"filled: {count} events, {count / (time.monotonic() - began):,.0f}/s", flush=True)
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


def main(arguments: Sequence[str] | None = None) -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--url")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args(arguments)
    asyncio.run(_main(given.url, given.folder, given.events))


async def _main(url: str | None, folder: Path, wanted: int) -> None:
    if url is not None:
        print(f"{await fill(url, wanted)} events")
        return
    async with postgres(folder) as own:
        print(f"{await fill(own, wanted)} events in {own}")


if __name__ == "__main__":
    main()
