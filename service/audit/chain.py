"""The chain of seals, proved link by link over a range of the log.

Each link begins where the last one ended and is no older; each row has the next position, and its hash is that of what
it holds; at the link's end its seal is recomputed, and its time is that of its rows.

A walk may begin at any link's end, a `Cut`: it takes that link's stored seal, and the few that later links reach back
to, at their word. Whoever walks the range before ends at the same cut, with what he computed himself.
"""

from collections import deque
from typing import Any, Final

import msgspec

from events import seal
from events.log import waits
from service.audit.sealed import ROWS, Fault, Rows, microseconds
from service.database import Pool

# The links that end in a part of the log, and the one that reaches beyond it.
LINKS = """
(SELECT number, first_position, last_position, seal, timestamptz_send(recorded_at) AS recorded_at, root
 FROM okno.seals WHERE last_position > $1 AND last_position <= $2 ORDER BY last_position)
UNION ALL
(SELECT number, first_position, last_position, seal, timestamptz_send(recorded_at), root
 FROM okno.seals WHERE last_position > $2 ORDER BY last_position LIMIT 1)
"""

# Raw bodies of a part of the log; erased ones are not there.
BODIES = "SELECT position, body FROM okno.bodies WHERE position > $1 AND position <= $2"

# Where the log goes on behind a hole.
NEXT = "SELECT min(position) FROM okno.events WHERE position > $1"

# The first link that ends at a position or behind it.
ENDING = """
SELECT number, last_position, seal, timestamptz_send(recorded_at) AS recorded_at FROM okno.seals
WHERE last_position >= $1 ORDER BY last_position LIMIT 1
"""

# Seals of links up to a position.
REACHED = "SELECT number, seal FROM okno.seals WHERE number = ANY($1) AND last_position <= $2"


class Cut(msgspec.Struct, frozen=True):
    """The end of a link. `recorded` is its time in microseconds; `seals` are those that later links may reach back to,
    by number, the link's own last."""

    position: int
    recorded: int
    seals: tuple[tuple[int, bytes], ...]

    @property
    def number(self) -> int:
        """Which link it is."""
        return self.seals[-1][0]

    @property
    def seal(self) -> bytes:
        """Its seal."""
        return self.seals[-1][1]


START: Final = Cut(0, 0, ((0, seal.GENESIS),))
"""Before the first link."""


class Range(msgspec.Struct, frozen=True):
    """A part of the log to prove: behind a cut, up to a position. `kept` is a seal to look out for."""

    begin: Cut
    end: int
    batch: int
    body_key: bytes | None = None
    kept: bytes | None = None


class Proved(msgspec.Struct, frozen=True):
    """How far a range held: its rows up to `position`, its links up to `cut`; `kept` is the link with that seal, its
    number and last position. With a fault, where it is and what."""

    position: int
    cut: Cut
    kept: tuple[int, int] | None = None
    at: int | None = None
    fault: str | None = None


def lineage(number: int) -> list[int]:
    """The links that those behind this one may reach back to, itself included, ascending."""
    found = [number]
    while number > 0:
        number = seal.skipped_to(number)
        found.append(number)
    return found[::-1]


@waits
async def cut_at(pool: Pool, position: int) -> Cut | None:
    """The first link's end at a position or behind it; None where no link reaches that far."""
    row = await pool.fetchrow(ENDING, position)
    if row is None:
        return None
    numbers = lineage(row["number"] or 0)
    rows = await pool.fetch(REACHED, numbers[:-1], row["last_position"])
    seals = {0: seal.GENESIS, **{found["number"]: found["seal"] for found in rows}, numbers[-1]: row["seal"]}
    # A seal that is missing is found missing in a range before.
    kept = tuple((number, seals.get(number, b"")) for number in numbers)
    return Cut(row["last_position"], microseconds(row["recorded_at"]), kept)


@waits
async def prove(pool: Pool, part: Range) -> Proved:
    """Proves a range, in one process; ends at the first fault."""
    chain = Chain(part)
    try:
        while chain.rows.position < part.end:
            await _window(pool, part, chain)
    except Fault as fault:
        return Proved(chain.rows.position, chain.cut(), chain.kept, fault.position, str(fault))
    return Proved(chain.rows.position, chain.cut(), chain.kept)


async def _window(pool: Pool, part: Range, chain: "Chain") -> None:
    """Proves the next few rows."""
    after = chain.rows.position
    upto = min(after + part.batch, part.end)
    rows = await pool.fetch(ROWS, after, upto)
    if not rows:
        found = await pool.fetchval(NEXT, upto)
        hole = f"missing: the next event is at {found}" if found else "missing, with all behind it"
        raise Fault(after + 1, hole)
    links = deque(await pool.fetch(LINKS, chain.sealed, upto))
    bodies = {}
    if part.body_key is not None:
        bodies = {row["position"]: row["body"] for row in await pool.fetch(BODIES, after, upto)}
    done = 0
    while done < len(rows):
        link = chain.open(links[0] if links else None)
        count = link["last_position"] - chain.rows.position
        chain.rows.add(rows[done : done + count], bodies)
        done += count
        if link["last_position"] == chain.rows.position:
            chain.close(links.popleft())


class Chain:
    """The chain so far: rows read up to `rows.position`, sealed up to `sealed`."""

    def __init__(self, part: Range) -> None:
        self.sealed, self.recorded = part.begin.position, part.begin.recorded
        self.rows = Rows(part.begin.position, part.body_key)
        self.kept: tuple[int, int] | None = None
        self._seals = list(part.begin.seals)
        self._wanted = part.kept

    def cut(self) -> Cut:
        """The end of the last link that held."""
        return Cut(self.sealed, self.recorded, tuple(self._seals))

    def open(self, link: Any) -> Any:
        """Proves that the link over the next row begins where the last one ended; returns it."""
        if link is None:
            raise Fault(self.sealed + 1, "not sealed, though the log goes on")
        if link["first_position"] != self.sealed + 1 or link["last_position"] <= self.rows.position:
            raise Fault(self.sealed + 1, f"not sealed: the next seal begins at {link['first_position']}")
        return link

    def close(self, link: Any) -> None:
        """Proves the link that ends here."""
        first, last = link["first_position"], link["last_position"]
        number, before = self._seals[-1][0] + 1, self._seals[-1][1]
        reached = len(self._seals)
        while self._seals[reached - 1][0] > seal.skipped_to(number):
            reached -= 1
        skip, root = self._seals[reached - 1][1], seal.root(self.rows.hashes)
        recorded = microseconds(link["recorded_at"] or b"")
        made = seal.next_seal(before, skip, number, first, last, recorded, root)
        if (made, number, root) != (link["seal"], link["number"], link["root"]):
            raise Fault(first, f"altered: the seal over {first} to {last} is not that of the rows before and in it")
        if self.rows.times != {link["recorded_at"]}:
            raise Fault(first, f"altered: the seal over {first} to {last} has another time than its rows")
        if recorded < self.recorded:
            raise Fault(first, f"altered: the seal over {first} to {last} is older than the one before it")
        self._seals[reached:] = [(number, made)]
        self.sealed, self.recorded = last, recorded
        self.rows.hashes, self.rows.times = [], set()
        if made == self._wanted:
            self.kept = (number, last)
