"""Whether the log is whole and unaltered.

`verify` walks from the first event to the head as it stands at the beginning. A long log is cut at links' ends into
ranges that several processes prove at the same time; each range must end at the very cut the next one began with, so
the first fault is the same one whoever finds it. In the end the head holds the last seal, and nothing lies before the
first position or behind the head. Where the key of body hashes is given and its mark matches, raw bodies that are not
erased are hashed anew. Memory does not grow with the log.

Someone who cut the log's end off and put the head back, or who recomputed the whole chain, is found only by a seal kept
outside: `since`. Personal data beside the log are not sealed: they can be erased.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from events import seal
from events.log import waits
from service.audit.chain import START, Proved, Range, cut_at, prove
from service.audit.crew import Connect, Prove, crew
from service.audit.sealed import Fault
from service.database import Pool

BATCH: Final = 5000
"""Events read at a time."""

SPAN: Final = 50_000
"""Events in a range, more where a link is longer. For a log of fewer no process is started: that would take longer."""

# What the log says of itself, all at one moment.
ENDS = """
SELECT h.position, h.seal, h.recorded_at, h.epoch, h.links, (SELECT min(e.position) FROM okno.events e) AS first_event,
       (SELECT max(e.position) FROM okno.events e) AS last_event,
       (SELECT min(s.last_position) FROM okno.seals s) AS first_seal,
       (SELECT max(s.last_position) FROM okno.seals s) AS last_seal
FROM okno.head h WHERE h.log_id = 0
"""


class Kept(msgspec.Struct, frozen=True):
    """A seal kept outside, and whether the chain passes through it: at which link, and its last position."""

    seal: str
    holds: bool
    position: int | None = None
    link: int | None = None


class Verdict(msgspec.Struct, frozen=True):
    """What was proved. `seal` in hex, of link `links`, is the one to keep outside; at a fault the last that held."""

    whole: bool
    events: int
    seal: str
    position: int | None = None
    fault: str | None = None
    links: int = 0
    recorded_at: datetime | None = None
    epoch: int | None = None
    since: Kept | None = None


async def verify(
    pool: Pool, progress: Callable[[int, int], None], body_key: bytes | None = None, *, since: bytes | None = None,
    workers: int = 1, connect: Connect | None = None, batch: int = BATCH, span: int = SPAN,
) -> Verdict:  # fmt: skip
    """Proves the log from its first event to its head, or says where the first fault is.

    `since`: a seal kept outside, to be found on the way. More than one of `workers` takes `connect`, as `crew` does.
    """
    ends = await _ends(pool)
    if ends is None:
        return Verdict(False, 0, seal.GENESIS.hex(), 0, "the head row is missing")
    whole = Range(START, ends["position"], batch, body_key, since)
    walk = _Walk(since)
    try:
        _nothing_before(ends)
        async with AsyncExitStack() as stack:
            proving: Prove = partial(prove, pool)
            abreast = 0
            if workers > 1 and connect is not None and whole.end > span:
                proving, abreast = await stack.enter_async_context(crew(pool, workers, connect)), workers
            proved = _proved(_ranges(pool, whole, span), proving, abreast)
            await stack.enter_async_context(aclosing(proved))
            async for part, found in proved:
                walk.join(part, found)
                progress(walk.position, whole.end)
        walk.end(ends)
    except Fault as fault:
        return walk.verdict(ends, fault.position, str(fault))
    return walk.verdict(ends)


@waits
async def _ends(pool: Pool) -> Any:
    return await pool.fetchrow(ENDS)


def _nothing_before(ends: Any) -> None:
    """Proves that nothing lies before the first position, where no reader by position would see it."""
    first = min((p for p in (ends["first_event"], ends["first_seal"]) if p is not None), default=1)
    if first < 1:
        raise Fault(first, "inserted before the first position")


async def _ranges(pool: Pool, whole: Range, span: int) -> AsyncIterator[Range]:
    """The log in ranges that end where links end, made as they are needed."""
    begin = whole.begin
    while begin.position < whole.end:
        cut = await cut_at(pool, begin.position + span)
        if cut is None or cut.position >= whole.end:
            yield replace(whole, begin=begin)
            return
        yield replace(whole, begin=begin, end=cut.position)
        begin = cut


async def _proved(
    ranges: AsyncIterator[Range], proving: Prove, abreast: int
) -> AsyncGenerator[tuple[Range, Proved], None]:
    """Each range with what came of it, in order, while `abreast` more are worked on."""
    waiting = deque[tuple[Range, asyncio.Task[Proved]]]()
    try:
        async for part in ranges:
            waiting.append((part, asyncio.ensure_future(proving(part))))
            if len(waiting) > abreast:
                first, task = waiting.popleft()
                yield first, await task
        while waiting:
            first, task = waiting.popleft()
            yield first, await task
    finally:
        for _, task in waiting:
            task.cancel()
        await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)


class _Walk:
    """The ranges proved so far, joined."""

    def __init__(self, since: bytes | None) -> None:
        self.position, self._cut, self._since = 0, START, since
        self._kept = (0, 0) if since == seal.GENESIS else None

    def join(self, part: Range, found: Proved) -> None:
        """Takes the next range; proves that it began where the last one ended."""
        if part.begin != self._cut:
            raise Fault(self._cut.position + 1, "altered while it was read: the seal before is another one now")
        self.position, self._cut, self._kept = found.position, found.cut, found.kept or self._kept
        if found.fault is not None and found.at is not None:
            raise Fault(found.at, found.fault)

    def end(self, ends: Any) -> None:
        """Proves that the chain ends where the head says."""
        cut = self._cut
        if cut.position != self.position:
            raise Fault(cut.position + 1, "not sealed, though the log goes on")
        behind = max(ends["last_event"] or 0, ends["last_seal"] or 0)
        if behind > self.position:
            raise Fault(self.position + 1, f"something lies behind the head, up to {behind}")
        if (ends["seal"], ends["links"], ends["recorded_at"]) != (cut.seal, cut.number, moment(cut.recorded)):
            raise Fault(self.position, "the head is not that of the last seal")

    def verdict(self, ends: Any, at: int | None = None, fault: str | None = None) -> Verdict:
        """What came of it."""
        cut, since = self._cut, None
        if self._since is not None:
            link, position = self._kept or (None, None)
            since = Kept(self._since.hex(), self._kept is not None, position, link)
        return Verdict(
            fault is None, self.position, cut.seal.hex(), at, fault, cut.number, moment(cut.recorded), ends["epoch"],
            since,
        )  # fmt: skip


def moment(microseconds: int) -> datetime:
    """A time from whole microseconds since 1970, exact."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
