"""How fast the log is proved: `bin/benchmark verify [--workers N…]`.

The reference is a plain read by asyncpg of the same rows: all columns, by position, in batches of the same size, in one
process. Each is measured several times in turns, and the best of each counts: what else the machine does slows both.
"""

import argparse
import asyncio
import resource
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import asyncpg

from service.audit import verify
from service.audit.proof import BATCH
from service.database import close, open_reader
from tests.audit.tampering import unseen
from tests.benchmarks.figures import Figures, parser, servers
from tests.servers import BODY_KEY

PLAIN = 0
"""Processes that prove, where the log is only read."""

REACH = 0.6

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


async def measure(url: str, figures: Figures, workers: Sequence[int], rounds: int) -> None:
    """Says a figure for each number of processes, without and with raw bodies."""
    ways: dict[tuple[int, bool], Callable[[], Awaitable[int]]] = {}
    for bodies in (False, True):
        ways[PLAIN, bodies] = partial(plain_read, url, bodies=bodies)
        ways |= {(n, bodies): partial(proved, url, n, bodies=bodies) for n in workers}
    best, events = dict.fromkeys(ways, 0.0), 0
    for _ in range(rounds):
        for way, run in ways.items():
            began = time.perf_counter()
            events = await run()
            best[way] = max(best[way], events / (time.perf_counter() - began))
    figures.note(f"{events:,} events, best of {rounds}")
    for (processes, bodies), rate in best.items():
        if processes != PLAIN:
            figures.add(
                f"{processes} process{'es' * (processes > 1)}{', raw bodies too' * bodies}", rate, "events/s",
                reference=best[PLAIN, bodies], against="plain read", reach=None if bodies else REACH,
            )  # fmt: skip
    for who, where in ((resource.RUSAGE_SELF, "here"), (resource.RUSAGE_CHILDREN, "in a worker")):
        figures.add(f"memory {where}", resource.getrusage(who).ru_maxrss / 1024, "MiB")


async def _main(given: argparse.Namespace) -> None:
    async with servers(given) as (url,):
        await measure(url, Figures("verify", given.json), given.workers, given.rounds)


def main() -> None:
    """From the command line."""
    options = parser(__doc__)
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options.add_argument("--rounds", type=int, default=3)
    asyncio.run(_main(options.parse_args()))


if __name__ == "__main__":
    main()
