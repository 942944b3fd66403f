"""Processes that prove ranges of the log beside the caller.

A worker lives by its pipe: it ends when the other end is closed, however that came about. What one that died, or that
lost its Postgres, has left undone is the caller's to do.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TypeAlias

from service.audit.chain import Proved, Range, prove
from service.database import Pool, close

Connect: TypeAlias = Callable[[], Awaitable[Pool]]
Prove: TypeAlias = Callable[[Range], Awaitable[Proved]]

LEAVE_SECONDS = 5.0
"""For a worker to close its connection."""


@asynccontextmanager
async def crew(pool: Pool, workers: int, connect: Connect) -> AsyncIterator[Prove]:
    """Starts workers, and gives a function that has one of them prove a range; they end when it is left.

    `connect` opens a pool in a process of its own, so it must be picklable.
    """
    spawn = get_context("spawn")
    processes, free, busy = dict[Connection, SpawnProcess](), asyncio.Queue[Connection | None](), set[Connection]()
    for _ in range(workers):
        ours, theirs = spawn.Pipe()
        processes[ours] = spawn.Process(target=_work, args=(theirs, connect), daemon=True)
        processes[ours].start()
        theirs.close()
        free.put_nowait(ours)

    async def by_a_worker(part: Range) -> Proved:
        pipe = await free.get()
        if pipe is not None:
            busy.add(pipe)
            try:
                found = await asyncio.to_thread(_asked, pipe, part)
            except (EOFError, OSError):
                pipe = None
            else:
                busy.remove(pipe)
                free.put_nowait(pipe)
                return found
        free.put_nowait(None)  # in the dead one's place
        return await prove(pool, part)

    try:
        yield by_a_worker
    finally:
        for pipe, process in processes.items():
            if pipe in busy:
                process.terminate()
            else:
                pipe.close()  # it takes leave of Postgres and ends
        await asyncio.to_thread(_ended, list(processes.values()))


def _ended(processes: list[SpawnProcess]) -> None:
    for process in processes:
        process.join(LEAVE_SECONDS)
        process.kill()
        process.join()


def _asked(pipe: Connection, part: Range) -> Proved:
    pipe.send(part)
    found = pipe.recv()
    assert isinstance(found, Proved)
    return found


def _work(pipe: Connection, connect: Connect) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to answer, by closing the pipe

    async def work() -> None:
        pool = await connect()
        try:
            while True:
                pipe.send(await prove(pool, pipe.recv()))
        finally:
            await close(pool)

    try:
        asyncio.run(work())
    except Exception:  # the caller does the range himself, and says what he meets there
        pipe.close()
