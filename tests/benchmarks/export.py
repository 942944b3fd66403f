"""How fast events are exported: `bin/benchmark export [--rounds N]`.

The reference is a plain read by asyncpg of the columns an export holds, by position, in one process. Each way runs in a
process of its own, so that its memory is its own, several times in turns; the best of each counts.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import asyncpg

from events.log import READ
from service.database import close, open_reader
from service.exports import FORMATS, Asked, Export
from tests.benchmarks.figures import Figures, parser, servers

PLAIN = "plain read"
REACH = 0.6
PAGE = 5000


async def plain_read(url: str) -> int:
    """Reads the log as it lies; how many events."""
    connection = await asyncpg.connect(url)
    try:
        position = 0
        while rows := await connection.fetch(READ, position, PAGE):
            position = rows[-1]["position"]
        return position
    finally:
        await connection.close()


async def exported(url: str, form: str) -> int:
    """Exports the log to a file; how many events."""
    pool = await open_reader(url)
    try:
        made = Export(pool, Asked(format=form), {}, abreast=2)
        with tempfile.TemporaryFile() as file:
            async for piece in made.pieces():
                file.write(piece)
        return made.rows
    finally:
        await close(pool)


def timed(way: Callable[[], Coroutine[Any, Any, int]]) -> tuple[float, int]:
    """Events a second, and the most memory in MiB."""
    began = time.perf_counter()
    events = asyncio.run(way())
    return events / (time.perf_counter() - began), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(url: str, figures: Figures, rounds: int) -> None:
    """Says a figure a format."""
    ways = {PLAIN: partial(plain_read, url)} | {form: partial(exported, url, form) for form in FORMATS}
    best, memory = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as apart:
        for _ in range(rounds):
            for name, way in ways.items():
                rate, most = apart.submit(timed, way).result()
                best[name], memory[name] = max(best[name], rate), max(memory[name], most)
    for form in FORMATS:
        figures.add(form, best[form], "events/s", reference=best[PLAIN], against=PLAIN, reach=REACH)
        figures.add(f"{form}, memory", memory[form], "MiB")


async def _main(given: argparse.Namespace) -> None:
    async with servers(given) as (url,):
        await asyncio.to_thread(measure, url, Figures("export", given.json), given.rounds)


def main() -> None:
    """From the command line."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=3)
    asyncio.run(_main(options.parse_args()))


if __name__ == "__main__":
    main()
