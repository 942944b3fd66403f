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
from service.importing.beside import beside
from service.importing.parts import Fault, Lines, Part, Reading
from service.importing.staging import Staging
from service.importing.writing import writing
from service.settings import Settings

if TYPE_CHECKING:
    from service.database import Pool

MAX_LINE = 16 << 20
"""Bytes of a line; a longer one is no event but another file."""

PART_BYTES = 4 << 20
"""Bytes of lines that are understood at a time, the last line not counted."""

HEAD_BYTES = 65_536
"""What a file is known by besides its size."""


class Imported(msgspec.Struct):
    """What became of a file. `known`: in the log before; `skipped` by type: what a hub decided itself; `faults`: lines
    that were not taken; `resumed`: the line an earlier run had come to."""

    lines: int = 0
    appended: int = 0
    known: int = 0
    skipped: Counter[str] = msgspec.field(default_factory=Counter)
    faults: int = 0
    resumed: int = 0


class Reader:
    """Reads a file's lines from a byte on; `settings` and `actor` say what they mean and whose they are. `strict`: an
    import is stopped at the first fault."""

    def __init__(self, file: BinaryIO, settings: Settings, actor: str, *, strict: bool = False) -> None:
        self._file, self._settings, self._actor, self._strict = file, settings, actor, strict
        self.offset = self.line = 0

    def reading(self, body_key: bytes) -> Reading:
        """How the lines are read."""
        return Reading(self._settings, self._actor, body_key, self._strict)

    def skip(self, offset: int) -> int:
        """Goes on behind a byte; how many lines lie before it."""
        while left := offset - self.offset:
            block = self._file.read(min(left, 1 << 20))
            if not block:
                break
            self.offset += len(block)
            self.line += block.count(b"\n")
        return self.line

    def lines(self, size: int) -> Lines | None:
        """The next lines, so many at most, fewer where they are long; None at the end."""
        found, bytes_ = Lines(self.line + 1, self.offset, [], [], {}), 0
        while len(found.texts) < size and bytes_ < PART_BYTES and (text := self._file.readline(MAX_LINE)):
            self.line += 1
            rest = self._rest(text)
            if rest:
                fault = Fault(self.line, "too_large", f"a line of {len(text) + rest} bytes is no event", "")
                found.large[self.line] = fault
            self.offset += len(text) + rest
            bytes_ += len(text)
            found.texts.append(b"" if rest else text)
            found.ends.append(self.offset)
        return found if found.texts else None

    def _rest(self, text: bytes) -> int:
        """How many bytes of a line there are behind its first `MAX_LINE`, which are passed over."""
        rest = 0
        while len(text) == MAX_LINE and not text.endswith(b"\n"):
            text = self._file.readline(MAX_LINE)
            rest += len(text)
        return rest


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
    async with pool.acquire() as one, pool.acquire() as other, beside(reader.reading(body_key)) as understand:
        staging = Staging((one, other), name)
        found.resumed = await asyncio.to_thread(reader.skip, await staging.begin())
        resumed(found.resumed)

        async def understood() -> Part | None:
            lines = await asyncio.to_thread(reader.lines, staging.size)
            return None if lines is None else await understand(lines)

        coming, stopped = asyncio.create_task(understood()), False
        try:
            async with writing(staging, faulty, progress) as writer:
                while not stopped and (part := await coming) is not None:
                    stopped = part.stopped
                    if not stopped:
                        coming = asyncio.create_task(understood())
                    await writer.write(part)
                    found.skipped.update(part.skipped)
                    found.lines += part.lines
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        found.appended, found.known, found.faults = writer.written.appended, writer.written.known, writer.faults
        if not stopped:
            await staging.finish()
    return found
