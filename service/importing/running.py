"""An import from end to end: lines are understood while those before are written, bad ones are put aside.

Killed at any moment and run again, it goes on behind the last part that is in the log: how far that is was committed
with it. A file is known by its size and its first bytes, not by where it lies; one that is whole is forgotten, and
taken anew it adds nothing.
"""

import asyncio
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from events.log import waits
from service.importing.lines import Past, Skipped, understood
from service.importing.staging import Staging, Written
from service.onec.cloudevents import Unreadable
from service.settings import Settings

if TYPE_CHECKING:
    from service.database import Pool

MAX_LINE = 16 << 20
"""Bytes of a line; a longer one is no event but another file."""

HEAD_BYTES = 65_536
"""What a file is known by besides its size."""

DATA_CLASSES = ("22", "23", "54")
"""SQLSTATE classes about a value: what it is, that it clashes with another, that it is too large for an index."""


class Fault(msgspec.Struct, frozen=True):
    """A line that can't be taken: which, why, and what to do. As a line of the file of rejected ones."""

    line: int
    reason: str
    detail: str
    body: str
    pointer: str = ""


class Imported(msgspec.Struct):
    """What became of a file. `known`: in the log before; `skipped` by type: what a hub decided itself; `faults`: lines
    that were not taken; `resumed`: the line an earlier run had come to."""

    lines: int = 0
    appended: int = 0
    known: int = 0
    skipped: Counter[str] = msgspec.field(default_factory=Counter)
    faults: int = 0
    resumed: int = 0


class Part(msgspec.Struct):
    """Some lines of a file, understood; `end`: the byte behind them."""

    events: list[Past]
    lines_of: list[int]
    faults: list[Fault]
    skipped: Counter[str]
    lines: int
    end: int


class Reader:
    """Reads a file's lines from a byte on, and says what they mean. `strict`: it is stopped at the first fault."""

    def __init__(self, file: BinaryIO, settings: Settings, actor: str, *, strict: bool = False) -> None:
        self._file, self._settings, self._actor, self._strict = file, settings, actor, strict
        self.offset = self.line = 0
        self.stopped = False

    def skip(self, offset: int) -> int:
        """Goes on behind a byte; how many lines lie before it."""
        while left := offset - self.offset:
            block = self._file.read(min(left, 1 << 20))
            if not block:
                break
            self.offset += len(block)
            self.line += block.count(b"\n")
        return self.line

    def part(self, size: int) -> Part | None:
        """The next lines that hold so many events or a few more; None at the end."""
        part = Part([], [], [], Counter(), 0, 0)
        before = self.line
        while not self.stopped and len(part.events) < size and self.line - before < 4 * size:
            line = self._file.readline(MAX_LINE)
            if not line:
                break
            self.line += 1
            length = len(line) + self._rest(part, line)
            if length == len(line):
                self._take(part, line.strip())
            self.stopped = self._strict and bool(part.faults)
            self.offset += 0 if self.stopped else length
        part.lines, part.end = self.line - before, self.offset
        return part if part.lines else None

    def _rest(self, part: Part, line: bytes) -> int:
        """How many bytes of a line there are behind its first `MAX_LINE`."""
        rest = 0
        while len(line) == MAX_LINE and not line.endswith(b"\n"):
            line = self._file.readline(MAX_LINE)
            rest += len(line)
        if rest:
            part.faults.append(Fault(self.line, "too_large", f"a line of {MAX_LINE + rest} bytes is no event", ""))
        return rest

    def _take(self, part: Part, line: bytes) -> None:
        if not line:
            return
        for one in understood(line, self._settings, self._actor):
            if isinstance(one, Past):
                part.events.append(one)
                part.lines_of.append(self.line)
            elif isinstance(one, Skipped):
                part.skipped[one.type] += 1
            else:
                part.faults.append(self._fault(one, line))

    def _fault(self, error: Unreadable, line: bytes) -> Fault:
        body = (error.body or line).decode(errors="backslashreplace")
        return Fault(self.line, error.reason, error.detail, body, error.pointer)


def name_of(file: BinaryIO) -> str | None:
    """What a file is known by in okno.progress; None for a pipe, which can't be gone on with."""
    if not file.seekable():
        return None
    head = file.read(HEAD_BYTES)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return f"import/{hashlib.sha256(b'%d:' % size + head).hexdigest()}"


@waits
async def run(
    pool: "Pool", body_key: bytes, reader: Reader, name: str | None, *,
    resumed: Callable[[int], None], faulty: Callable[[Sequence[Fault]], None], progress: Callable[[int], None],
) -> Imported:  # fmt: skip
    """Takes a file into the log. `resumed` is told from which line on, `faulty` of lines that were not taken, before
    what stands behind them is committed; `progress` of the byte that was come to."""
    found = Imported()
    async with pool.acquire() as connection:
        staging = Staging(connection, body_key, name)
        found.resumed = await asyncio.to_thread(reader.skip, await staging.begin())
        resumed(found.resumed)
        coming = asyncio.create_task(asyncio.to_thread(reader.part, staging.size))
        try:
            while (part := await coming) is not None:
                coming = asyncio.create_task(asyncio.to_thread(reader.part, staging.size))
                await _written(staging, part, found, faulty)
                progress(part.end)
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        if not reader.stopped:
            await staging.finish()
    return found


async def _written(
    staging: Staging, part: Part, found: Imported, faulty: Callable[[Sequence[Fault]], None]
) -> None:  # fmt: skip
    if part.faults:
        found.faults += len(part.faults)
        faulty(part.faults)
    written, refused = await _taken(staging, part.events, part.lines_of, part.end, faulty)
    found.appended += written.appended
    found.known += written.known
    found.faults += refused
    found.skipped += part.skipped
    found.lines += part.lines


async def _taken(
    staging: Staging, events: Sequence[Past], lines: Sequence[int], end: int | None,
    faulty: Callable[[Sequence[Fault]], None],
) -> tuple[Written, int]:  # fmt: skip
    """Writes events; where Postgres refuses them, by halves, until the culprit stands alone and is put aside."""
    try:
        return await staging.write(events, end), 0
    except Exception as error:
        if not events or not _is_about_data(error):
            raise
        if len(events) == 1:
            event = events[0].event
            body = (event.body or event.data).decode(errors="backslashreplace")
            faulty([Fault(lines[0], "not_storable", f"Postgres refuses {event.order} {event.type}: {error}", body)])
            return await staging.write([], end), 1
    middle = len(events) // 2
    one, first = await _taken(staging, events[:middle], lines[:middle], None, faulty)
    other, second = await _taken(staging, events[middle:], lines[middle:], end, faulty)
    return Written(one.appended + other.appended, one.known + other.known), first + second


def _is_about_data(error: Exception) -> bool:
    state = getattr(error, "sqlstate", None)
    return state[:2] in DATA_CLASSES if state else isinstance(error, ValueError | TypeError | OverflowError)
