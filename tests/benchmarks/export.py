"""How fast events are exported: `python -m tests.benchmarks.export [--url URL | --folder DIR]`.

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
from pathlib import Path
from typing import Any

import asyncpg
from rich.console import Console
from rich.table import Table

from events.log import READ
from service.database import close, open_reader
from service.exports import FORMATS, Asked, Export
from tests.benchmarks.figures import postgres

PLAIN = "plain read"
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


def measure(url: str, rounds: int) -> None:
    """Prints a line a way."""
    ways = {PLAIN: partial(plain_read, url)} | {form: partial(exported, url, form) for form in FORMATS}
    best, memory = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as apart:
        for _ in range(rounds):
            for name, way in ways.items():
                rate, most = apart.submit(timed, way).result()
                best[name], memory[name] = max(best[name], rate), max(memory[name], most)
    shown = Table("way", "events/s", "of a plain read", "MiB", title=f"best of {rounds}")
    for name, rate in best.items():
        shown.add_row(name, f"{rate:,.0f}", f"{rate / best[PLAIN]:.2f}", str(memory[name]))
    Console().print(shown)


async def _main(url: str | None, folder: Path, rounds: int) -> None:
    if url is not None:
        await asyncio.to_thread(measure, url, rounds)
        return
    async with postgres(folder) as own:
        await asyncio.to_thread(measure, own, rounds)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--folder", type=Path, default=Path("var/benchmark"))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    asyncio.run(_main(given.url, given.folder, given.rounds))


if __name__ == "__main__":
    main()
