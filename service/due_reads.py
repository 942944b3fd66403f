"""Orders that are to be read at a marketplace, and when. Losing this table costs a poll's interval."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from events.joined import Joined
from events.log import waits
from service.database import Pool

# Makes reads due; see sql/0011_notes.sql.
ASK_READS = "SELECT okno.ask_reads($1, $2, $3)"

# Reads of some channels that are due.
DUE_READS = """
SELECT r.* FROM unnest($1::text[], $2::integer[]) AS w(channel, most), LATERAL (
    SELECT order_key, channel, hints, attempts, asked FROM okno.reads
    WHERE channel = w.channel AND due_at <= now() ORDER BY due_at LIMIT w.most
) AS r
"""

# Settles reads nobody asked for again meanwhile.
DONE_READS = """
DELETE FROM okno.reads USING unnest($1::text[], $2::bigint[]) AS n(k, a) WHERE order_key = n.k AND asked = n.a
"""

# Puts reads off.
LATER_READS = """
UPDATE okno.reads SET attempts = attempts + 1, due_at = clock_timestamp() + make_interval(secs => $2)
WHERE order_key = ANY($1)
"""


def reads_of(channel: str) -> str:
    """What a channel's reader is woken by."""
    return f"read/{channel}"


class DueRead(msgspec.Struct, frozen=True):
    """An order to be read; `asked` as it was when looked up."""

    order: str
    hints: tuple[str, ...]
    attempts: int
    asked: int


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows as Postgres's arrays take them, none of them included."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


class Reads:
    """This process's hands on the reads that are due."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._looking = Joined(self._due_reads)

    @waits
    async def ask_reads(self, reads: Iterable[tuple[str, float, str]]) -> None:
        """Makes reads due: (order, seconds from now, hint or '')."""
        if rows := list(reads):
            await self._pool.execute(ASK_READS, *columns(rows, 3))

    async def due_reads(self, channel: str, limit: int) -> list[DueRead]:
        """Orders of a channel to be read now."""
        return await self._looking((channel, limit))

    @waits
    async def _due_reads(self, asked: Sequence[tuple[str, int]]) -> list[list[DueRead]]:
        most = dict(asked)
        due: dict[str, list[DueRead]] = {channel: [] for channel in most}
        for r in await self._pool.fetch(DUE_READS, list(most), list(most.values())):
            due[r["channel"]].append(DueRead(r["order_key"], tuple(r["hints"]), r["attempts"], r["asked"]))
        return [due[channel] for channel, _ in asked]

    @waits
    async def done_reads(self, reads: Sequence[DueRead]) -> None:
        """Settles reads nobody asked for again meanwhile."""
        await self._pool.execute(DONE_READS, [r.order for r in reads], [r.asked for r in reads])

    @waits
    async def later_reads(self, orders: Sequence[str], seconds: float) -> None:
        """Puts reads off."""
        await self._pool.execute(LATER_READS, orders, seconds)
