"""A process beside the one that appends, which understands lines meanwhile: two cores then share an import.

It lives by its pipe: it ends when the other end is closed, however that came about. What one that died has left undone
the caller does himself, and says what he meets there.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import msgspec

from service.importing.parts import Lines, Part, Reading

LEAVE_SECONDS = 5.0
"""For the process to end by itself."""

_encode = msgspec.msgpack.Encoder().encode


class Beside:
    """Has lines understood by a process, which is started by the second part: a file of one needs none."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._asked = False
        self._pipe: Connection | None = None
        self._process: SpawnProcess | None = None

    async def part(self, lines: Lines) -> Part:
        """What lines mean; waited for in a thread, so that others may append."""
        if not self._asked:
            self._asked = True
            return await asyncio.to_thread(self._reading.part, lines)
        return await asyncio.to_thread(self._by_the_process, lines)

    def _by_the_process(self, lines: Lines) -> Part:
        if self._process is None:
            self._start()
        if self._pipe is not None:
            try:
                self._pipe.send_bytes(_encode(lines))
                return msgspec.msgpack.decode(self._pipe.recv_bytes(), type=Part)
            except (EOFError, OSError):
                self._pipe = None
        return self._reading.part(lines)

    def _start(self) -> None:
        spawn = get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_work, args=(theirs, _portable(self._reading)), daemon=True)
        self._process.start()
        theirs.close()

    def end(self) -> None:
        """Ends the process; what it is at is not wanted any more, and who still waits for it hears of the end."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.join(LEAVE_SECONDS)
        self._process.kill()
        self._process.join()
        if self._pipe is not None:
            self._pipe.close()


@asynccontextmanager
async def beside(reading: Reading) -> AsyncIterator[Callable[[Lines], Awaitable[Part]]]:
    """Gives a function that says what lines mean, by a process that ends when this is left."""
    helper = Beside(reading)
    try:
        yield helper.part
    finally:
        await asyncio.to_thread(helper.end)


def _portable(reading: Reading) -> Reading:
    """Of channels lines need the names, and what speaks to a marketplace goes through no pipe."""
    names = dict.fromkeys(reading.settings.channels)
    settings = msgspec.structs.replace(reading.settings, channels=names)
    return msgspec.structs.replace(reading, settings=settings)


def _work(pipe: Connection, reading: Reading) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to answer, by closing the pipe
    try:
        while True:
            lines = msgspec.msgpack.decode(pipe.recv_bytes(), type=Lines)
            pipe.send_bytes(_encode(reading.part(lines)))
    except (EOFError, OSError):
        pipe.close()
