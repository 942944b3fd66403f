"""Parts of a file on their way into the log: one is brought to Postgres while the one before is appended.

Appends keep the file's order: each is begun when the one before is committed. Where Postgres refuses events, those
behind them are put back until it is known which, since what is news among them was judged by all before.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from events.log import is_about_data
from service.importing.parts import Fault, Part, Row
from service.importing.staging import Staged, Staging, Written

Faulty = Callable[[Sequence[Fault]], None]


class Step(msgspec.Struct, frozen=True):
    """Events of one append, and the line of each; `end`: the byte the file is taken up to with them, if to any."""

    rows: Sequence[Row]
    lines: Sequence[int]
    end: int | None


class Writer:
    """Writes parts in order; what is `written` grows a step behind. `faults`: lines that were not taken."""

    def __init__(self, staging: Staging, faulty: Faulty, progress: Callable[[int], None]) -> None:
        self._staging, self._faulty, self._progress = staging, faulty, progress
        self._step: Step | None = None
        self._appending: asyncio.Task[Written] | None = None
        self.written, self.faults = Written(), 0

    async def write(self, part: Part) -> None:
        """Writes a part; one whose lines hold many events each in several appends."""
        if part.faults:
            self._put_aside(part.faults)
        begin, rows = 0, part.rows
        while begin == 0 or begin < len(rows):
            end = begin + self._staging.size
            offset = part.end if end >= len(rows) else None
            await self._begin(Step(rows[begin:end], part.lines_of[begin:end], offset))
            begin = end

    async def finish(self) -> None:
        """Waits for the last step."""
        await self._settle(None)

    async def give_up(self) -> None:
        """Leaves the last step as it is: committed or not."""
        if self._appending is not None:
            self._appending.cancel()
            await asyncio.gather(self._appending, return_exceptions=True)

    async def _begin(self, step: Step) -> None:
        staged: Staged | None = None
        try:
            staged = await self._staging.stage(step.rows)
        except Exception as error:
            if not is_about_data(error):
                raise
        if await self._settle(staged) and staged is not None:
            self._step, self._appending = step, asyncio.create_task(self._staging.append(staged, step.end))
        else:
            self._took(step, await self._taken(step))

    async def _settle(self, behind: Staged | None) -> bool:
        """Waits for the step before; whether what is staged behind it stands, or was put back."""
        step, appending = self._step, self._appending
        if step is None or appending is None:
            return True
        try:
            written = await appending
        except BaseException as error:
            if behind is not None:
                await behind.drop()
            if not (isinstance(error, Exception) and is_about_data(error)):
                raise
            self._step = self._appending = None
            self._took(step, await self._taken(step))
            return False
        self._step = self._appending = None
        self._took(step, written)
        return True

    def _took(self, step: Step, written: Written) -> None:
        self.written.appended += written.appended
        self.written.known += written.known
        if step.end is not None:
            self._progress(step.end)

    def _put_aside(self, faults: Sequence[Fault]) -> None:
        self.faults += len(faults)
        self._faulty(faults)

    async def _taken(self, step: Step) -> Written:
        """Writes events; where Postgres refuses them, by halves, until the culprit stands alone and is put aside."""
        rows, lines = step.rows, step.lines
        try:
            return await self._staging.write(rows, step.end)
        except Exception as error:
            if not rows or not is_about_data(error):
                raise
            if len(rows) == 1:
                row = rows[0]
                body = (row.body or row.data).decode(errors="backslashreplace")
                detail = f"Postgres refuses {row.order} {row.type}: {error}"
                self._put_aside([Fault(lines[0], "not_storable", detail, body)])
                return await self._staging.write([], step.end)
        middle = len(rows) // 2
        one = await self._taken(Step(rows[:middle], lines[:middle], None))
        other = await self._taken(Step(rows[middle:], lines[middle:], step.end))
        return Written(one.appended + other.appended, one.known + other.known)


@asynccontextmanager
async def writing(staging: Staging, faulty: Faulty, progress: Callable[[int], None]) -> AsyncIterator[Writer]:
    """Gives a writer, and waits for its last step; `faulty` is told of lines that are not taken, before what stands
    behind them is committed, `progress` of the byte that was come to."""
    writer = Writer(staging, faulty, progress)
    try:
        yield writer
        await writer.finish()
    finally:
        await writer.give_up()
