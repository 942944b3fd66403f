"""`okno` in this process, with every statement it sends to Postgres noted in a file: when, which loop, and its text.

`python -m tests.benchmarks.counted FILE run --config okno.toml`: the words behind the file are those of `okno`.
"""

import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

import asyncpg
import msgspec
from asyncpg.connection import LoggedQuery

from service import loops
from service.cli import main as okno

LOOP = ContextVar("loop", default="start")
forever = loops.forever


async def named(name: str, run: Callable[[], Awaitable[object]]) -> None:
    """The same as `forever`, in a context that names the loop to whatever it begins."""
    LOOP.set(name)
    await forever(name, run)


class Statement(msgspec.Struct, frozen=True):
    """One statement; `at` by the clock of the machine, `loop` as `service.app` names it."""

    at: float
    loop: str
    text: str


def noted(path: Path, since: float, until: float) -> Iterator[Statement]:
    """What was noted between two moments."""
    with path.open("rb") as file:
        for line in file:
            one = msgspec.json.decode(line, type=Statement)
            if since <= one.at < until:
                yield one


def _note_in(file: TextIO) -> None:
    """Has every connection made from now on note what it is asked."""
    begin = asyncpg.Connection.__init__

    def noting(connection: Any, *args: Any, **kwargs: Any) -> None:
        begin(connection, *args, **kwargs)
        connection.add_query_logger(note)

    def note(query: LoggedQuery) -> None:
        # The driver calls this in the context of who asked.
        file.write(msgspec.json.encode(Statement(time.time(), LOOP.get(), query.query)).decode() + "\n")

    setattr(asyncpg.Connection, "__init__", noting)  # noqa: B010  # there is no such hook for pools


def main() -> None:
    """From the command line."""
    path, *words = sys.argv[1:]
    with Path(path).open("a", buffering=1) as file:
        _note_in(file)
        loops.forever = named
        okno(words)


if __name__ == "__main__":
    main()
