"""Orders that are to be read at a marketplace, and when. Losing this table costs a poll's interval."""

from collections.abc import Iterable, Sequence

import msgspec

from events.log import waits
from projections.store import Connection
from service.database import Pool

# Reads that are due soon: the earliest time counts, and every hint.
ASK_READS = """
INSERT INTO okno.reads AS r (order_key, channel, due_at, hints)
SELECT n.k, split_part(n.k, '/', 1), clock_timestamp() + make_interval(secs => min(n.s)),
       coalesce(array_agg(DISTINCT n.h) FILTER (WHERE n.h <> ''), '{}')
FROM unnest($1::text[], $2::float8[], $3::text[]) AS n(k, s, h) GROUP BY n.k ORDER BY n.k
ON CONFLICT (order_key) DO UPDATE
SET asked = r.asked + 1, due_at = least(r.due_at, excluded.due_at), hints = (
    SELECT coalesce(array_agg(DISTINCT h), '{}') FROM unnest(r.hints || excluded.hints) AS h)
"""

# Reads of a channel that are due.
DUE_READS = """
SELECT order_key, hints, attempts, asked FROM okno.reads
WHERE channel = $1 AND due_at <= clock_timestamp() ORDER BY due_at LIMIT $2
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


class DueRead(msgspec.Struct, frozen=True):
    """An order to be read; `asked` as it was when looked up."""

    order: str
    hints: tuple[str, ...]
    attempts: int
    asked: int


class Reads:
    """This process's hands on the reads that are due."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def ask_reads_in(self, connection: Connection, reads: Iterable[tuple[str, float, str]]) -> None:
        """Makes reads due: (order, seconds from now, hint or '')."""
        rows = list(reads)
        if rows:
            await connection.execute(ASK_READS, *(list(column) for column in zip(*rows, strict=True)))

    @waits
    async def ask_reads(self, reads: Iterable[tuple[str, float, str]]) -> None:
        """Makes reads due: (order, seconds from now, hint or '')."""
        async with self._pool.acquire() as connection:
            await self.ask_reads_in(connection, reads)

    @waits
    async def due_reads(self, channel: str, limit: int) -> list[DueRead]:
        """Orders of a channel to be read now."""
        rows = await self._pool.fetch(DUE_READS, channel, limit)
        return [DueRead(r["order_key"], tuple(r["hints"]), r["attempts"], r["asked"]) for r in rows]

    @waits
    async def done_reads(self, reads: Sequence[DueRead]) -> None:
        """Settles reads nobody asked for again meanwhile."""
        await self._pool.execute(DONE_READS, [r.order for r in reads], [r.asked for r in reads])

    @waits
    async def later_reads(self, orders: Sequence[str], seconds: float) -> None:
        """Puts reads off."""
        await self._pool.execute(LATER_READS, orders, seconds)
