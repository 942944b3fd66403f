"""An order's or a period's history out of the log, with the proof that it is in there: the lines, as they are read.

The head is read first, and what lies behind it is left alone: the log only grows, so all that follows is of one moment.
Memory holds a few thousand events, or the row hashes of one link, however long the period.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from events.log import COLUMNS, HEAD, LINKED, Head, waits
from service.audit import inclusion
from service.audit.inclusion import NoProof, way
from service.database import Pool

BATCH: Final = 2000
"""Events read at a time."""

LINKS_AT_ONCE: Final = 200
"""Links read at a time."""

# All events of some keys, up to a position.
HISTORY = f"""
SELECT {COLUMNS}, digest, body_hash FROM okno.events WHERE order_key = ANY($1) AND position <= $2 ORDER BY position
"""  # noqa: S608  # a constant of this module

# The log between two positions.
EVENTS = f"""
SELECT {COLUMNS}, digest, body_hash FROM okno.events WHERE position > $1 AND position <= $2 ORDER BY position
"""  # noqa: S608  # a constant of this module

# The links that positions lie in.
HOLDING = """
SELECT DISTINCT found.number FROM unnest($1::bigint[]) AS wanted(position)
CROSS JOIN LATERAL (SELECT s.number FROM okno.seals s WHERE s.last_position >= wanted.position
                    ORDER BY s.last_position LIMIT 1) found
ORDER BY found.number
"""

# Links, each with the seals it holds.
LINKS = """
SELECT s.number, s.first_position, s.last_position, s.recorded_at, s.root,
       CASE WHEN s.number = 1 THEN decode(repeat('00', 32), 'hex') ELSE b.seal END AS before,
       CASE WHEN s.number & (s.number - 1) = 0 THEN decode(repeat('00', 32), 'hex') ELSE k.seal END AS skip
FROM okno.seals s LEFT JOIN okno.seals b ON b.number = s.number - 1
LEFT JOIN okno.seals k ON k.number = s.number - (s.number & -s.number)
WHERE s.number = ANY($1) ORDER BY s.number
"""

# The hashes of a link's rows.
HASHES = "SELECT position, hash FROM okno.events WHERE position BETWEEN $1 AND $2 ORDER BY position"

# The last link recorded before a moment.
BEFORE = "SELECT okno.link_before($1)"

# Which link has a seal.
SEALED = "SELECT number FROM okno.seals WHERE seal = $1"

Progress = Callable[[int, int], None]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to prove: an order, or what was recorded from `since` on and before `until`. `through`: a seal kept outside,
    which the way to the head is to pass."""

    order: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    through: bytes | None = None


def silent(done: int, total: int) -> None:
    """Shows no progress."""


async def extracted(pool: Pool, wanted: Wanted, progress: Progress = silent) -> AsyncGenerator[bytes, None]:
    """The file, some lines at a time; `NoProof` before the first of them where there is nothing to prove."""
    head = Head(*(await _row(pool, HEAD)).values())
    if head.links == 0:
        raise NoProof("the log is empty: there is nothing to prove yet")
    through = [] if wanted.through is None else [await _passed(pool, wanted.through, head)]
    ending = inclusion.Ending()
    if wanted.order is not None:
        parts = _order(pool, head, wanted.order, through)
    else:
        parts = _period(pool, head, wanted, through, progress)
    first: bytes | None = inclusion.header(
        head, datetime.now(UTC), order=wanted.order, since=wanted.since, until=wanted.until
    )
    async for lines in parts:
        if first is not None:
            yield ending.pass_on(first)
            first = None
        yield ending.pass_on(lines)
    yield ending.line()


async def _order(pool: Pool, head: Head, order: str, through: list[int]) -> AsyncIterator[bytes]:
    keys = [order, *(row[0] for row in await _rows(pool, LINKED, order))]
    events = {row["position"]: row for row in await _rows(pool, HISTORY, keys, head.position)}
    if not any(row["order_key"] == order for row in events.values()):
        raise NoProof(f"no events of {order}: an order is named as CHANNEL/NUMBER, `okno events` shows what there is")
    holding = [row["number"] for row in await _rows(pool, HOLDING, list(events))]
    async for link in _led(pool, 0, {*holding, *through, head.links}):
        yield await _with_events(pool, link, events) if link["number"] in holding else inclusion.link(link)


async def _with_events(pool: Pool, link: Any, events: dict[int, Any]) -> bytes:
    """A link that events lie in, and these."""
    hashes = await _rows(pool, HASHES, link["first_position"], link["last_position"])
    rows = [None if row["position"] in events else row["hash"] for row in hashes]
    shown = (inclusion.event(events[row["position"]]) for row in hashes if row["position"] in events)
    return b"".join((inclusion.link(link, rows), *shown))


async def _period(
    pool: Pool, head: Head, wanted: Wanted, through: list[int], progress: Progress
) -> AsyncIterator[bytes]:
    """The link before the period, all in it, the one behind it, and those from there to the head."""
    begin = 1 if wanted.since is None else await _first(pool, head, wanted.since)
    end = head.links + 1 if wanted.until is None else await _first(pool, head, wanted.until)
    before = {number for number in (begin - 1, *through) if 0 < number < begin}
    async for link in _led(pool, 0, before):
        yield inclusion.link(link)
    for first in range(begin, end, LINKS_AT_ONCE):
        chunk = await _links(pool, range(first, min(first + LINKS_AT_ONCE, end)))
        async for lines in _whole(pool, chunk):
            yield lines
        progress(min(first + LINKS_AT_ONCE, end) - begin, end - begin)
    behind = {number for number in (end, *through, head.links) if end <= number <= head.links}
    async for link in _led(pool, max(begin, end) - 1, behind):
        yield inclusion.link(link)


async def _led(pool: Pool, at: int, targets: set[int]) -> AsyncIterator[Any]:
    """Links from one on through all that are targets; from the first of these where there is none to begin at."""
    for number in sorted(targets):
        for link in await _links(pool, way(at, number) if at else [number]):
            yield link
        at = number


async def _whole(pool: Pool, links: Sequence[Any]) -> AsyncIterator[bytes]:
    """Links with all that lies in them."""
    waiting = list(reversed(links))
    after, upto = links[0]["first_position"] - 1, links[-1]["last_position"]
    while after < upto:
        lines = []
        rows = await _rows(pool, EVENTS, after, min(after + BATCH, upto))
        for row in rows:
            while waiting and waiting[-1]["first_position"] <= row["position"]:
                link = waiting.pop()
                lines.append(inclusion.link(link, [None] * (link["last_position"] - link["first_position"] + 1)))
            lines.append(inclusion.event(row))
        if not rows:
            raise NoProof(f"the event at {after + 1} is not there: `okno verify` says what is wrong")
        after = rows[-1]["position"]
        yield b"".join(lines)


async def _first(pool: Pool, head: Head, moment: datetime) -> int:
    """The first link recorded at a moment or later; one behind the head where there is none."""
    return min(int((await _row(pool, BEFORE, moment))[0]), head.links) + 1


async def _passed(pool: Pool, kept: bytes, head: Head) -> int:
    row = await _row(pool, SEALED, kept)
    if row is None or row["number"] > head.links:
        raise NoProof(f"no link has the seal {kept.hex()}: `okno verify --since` says more")
    return int(row["number"])


async def _links(pool: Pool, numbers: Sequence[int]) -> Sequence[Any]:
    found = await _rows(pool, LINKS, list(numbers))
    if len(found) != len(numbers):
        missing = min(set(numbers) - {row["number"] for row in found}, default=0)
        raise NoProof(f"link {missing} is not there: `okno verify` says what is wrong")
    return found


@waits
async def _rows(pool: Pool, query: str, *arguments: Any) -> Sequence[Any]:
    return await pool.fetch(query, *arguments)


@waits
async def _row(pool: Pool, query: str, *arguments: Any) -> Any:
    return await pool.fetchrow(query, *arguments)
