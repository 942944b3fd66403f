"""Readers of an HTTP server, in a process of their own: `python -m tests.benchmarks.load`.

Takes a turn a line from its input, as JSON, and says a line a turn: how long each request took. So many readers ask at
once over connections they keep, each the next address as soon as the last was answered.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from itertools import cycle

import aiohttp
import msgspec

WARM_SECONDS = 0.2


class Turn(msgspec.Struct, frozen=True):
    """What is asked of whom."""

    url: str
    paths: list[str]
    readers: int
    seconds: float
    headers: dict[str, str]


class Read(msgspec.Struct, frozen=True):
    """What came of it: seconds of each request, and of all; and how many there were with those to get warm."""

    latencies: list[float]
    seconds: float
    requests: int


async def read(turn: Turn) -> Read:
    """One turn."""
    paths = cycle(turn.paths)
    connector = aiohttp.TCPConnector(limit=turn.readers)
    async with aiohttp.ClientSession(turn.url, headers=turn.headers, connector=connector) as session:
        warm = await _until(session, paths, WARM_SECONDS, turn.readers)
        began = time.perf_counter()
        latencies = await _until(session, paths, turn.seconds, turn.readers)
        return Read(latencies, time.perf_counter() - began, len(warm) + len(latencies))


async def _until(session: aiohttp.ClientSession, paths: Iterator[str], seconds: float, readers: int) -> list[float]:
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def reader() -> None:
        while (began := time.perf_counter()) < end:
            async with session.get(next(paths)) as answer:
                await answer.read()
                if answer.status != 200:
                    raise SystemExit(f"{answer.url} answered {answer.status}")
            latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(reader() for _ in range(readers)))
    return latencies


def main() -> None:
    """Turn by turn, until there are no more."""
    for line in sys.stdin:
        said = asyncio.run(read(msgspec.json.decode(line, type=Turn)))
        sys.stdout.write(msgspec.json.encode(said).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
