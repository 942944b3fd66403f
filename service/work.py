"""The work tables: lanes to dispatch, attempts, reads that are due, progress of loops. The only module that writes them.

They are no truth. If `dispatch` is lost, the reactor's next start fills it from the log; a command whose attempt is not
known is read back before it is sent.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from events.log import waits
from service.database import Pool

LEASE = timedelta(seconds=45)
"""A lane's lease: longer than the longest call and the time it takes to settle. Renewed when an attempt is committed."""

# Asks for a look at lanes; `hurry` brings them up at once, else a lane that waits goes on waiting.
ASK = """
INSERT INTO okno.dispatch AS d (order_key, target, due_at)
SELECT DISTINCT ON (k, t) k, t, clock_timestamp() FROM unnest($1::text[], $2::text[]) AS a(k, t) ORDER BY k, t
ON CONFLICT (order_key, target) DO UPDATE
SET asked = d.asked + 1, due_at = least(d.due_at, clock_timestamp())
"""

# Each command gets its row when it is asked for: one without a row later on means that the table was lost.
EXPECT = """
INSERT INTO okno.attempts (command, order_key, target, attempts, attempted_at, next_at, open)
SELECT c, k, t, 0, clock_timestamp(), clock_timestamp(), false
FROM unnest($1::text[], $2::text[], $3::text[]) AS n(c, k, t)
ON CONFLICT DO NOTHING
"""

# Claims lanes of one target that are due and nobody works on.
CLAIM = """
UPDATE okno.dispatch AS d SET owner = $2, leased_until = clock_timestamp() + $3
FROM (
    SELECT order_key FROM okno.dispatch
    WHERE target = $1 AND due_at <= clock_timestamp() AND (leased_until IS NULL OR leased_until < clock_timestamp())
    ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
) AS due
WHERE d.order_key = due.order_key AND d.target = $1
RETURNING d.order_key, d.asked
"""

# Attempts at the commands of claimed lanes.
ATTEMPTS = """
SELECT command, order_key, attempts, attempted_at, next_at, open FROM okno.attempts
WHERE target = $1 AND order_key = ANY($2)
"""

# The mark at the moment of an effect: only while the lane is ours, and the lease starts anew with it.
RENEW = """
UPDATE okno.dispatch SET leased_until = clock_timestamp() + $4
WHERE target = $1 AND order_key = ANY($2) AND owner = $3 AND leased_until > clock_timestamp()
RETURNING order_key
"""
BEGIN = """
INSERT INTO okno.attempts AS a (command, order_key, target, attempts, attempted_at, next_at, open)
SELECT c, k, $3, 1, clock_timestamp(), clock_timestamp(), true FROM unnest($1::text[], $2::text[]) AS n(c, k)
ON CONFLICT (command) DO UPDATE
SET attempts = a.attempts + 1, attempted_at = excluded.attempted_at, next_at = excluded.next_at, open = true
"""

# What an attempt left behind: open while nobody knows, not before `next_at` in any case.
LEAVE = """
UPDATE okno.attempts SET open = $2, next_at = $3, reason = $4 WHERE command = $1
"""

# No bytes left: the attempt does not count.
UNDO = "UPDATE okno.attempts SET open = false, attempts = attempts - 1, next_at = $2, reason = $3 WHERE command = $1"

# A command that was never tried, or whose attempt is not known any more, was read back: it is not done.
KNOW_UNSENT = """
INSERT INTO okno.attempts (command, order_key, target, attempts, attempted_at, next_at, open)
VALUES ($1, $2, $3, 0, clock_timestamp(), clock_timestamp(), false)
ON CONFLICT (command) DO UPDATE SET open = false, next_at = excluded.next_at
"""

# Gives a lane back: gone where nothing waits and nobody asked meanwhile, else due again.
RELEASE_IDLE = "DELETE FROM okno.dispatch WHERE order_key = $1 AND target = $2 AND owner = $3 AND asked = $4"
RELEASE_DUE = """
UPDATE okno.dispatch SET owner = NULL, leased_until = NULL,
    due_at = CASE WHEN asked = $4 AND $5::timestamptz IS NOT NULL THEN $5 ELSE clock_timestamp() END
WHERE order_key = $1 AND target = $2 AND owner = $3
"""

# Forgets attempts at commands that have their outcome.
FORGET = "DELETE FROM okno.attempts WHERE command = ANY($1)"

# Reads that are due soon; a second hint joins the first.
ASK_READS = """
INSERT INTO okno.reads AS r (order_key, channel, due_at, hints)
SELECT n.k, n.c, clock_timestamp() + make_interval(secs => n.s), CASE WHEN n.h = '' THEN '{}' ELSE ARRAY[n.h] END
FROM unnest($1::text[], $2::text[], $3::float8[], $4::text[]) AS n(k, c, s, h)
ON CONFLICT (order_key) DO UPDATE
SET asked = r.asked + 1, due_at = least(r.due_at, excluded.due_at), hints = (
    SELECT coalesce(array_agg(DISTINCT h), '{}') FROM unnest(r.hints || excluded.hints) AS h)
"""
DUE_READS = """
SELECT order_key, hints, attempts, asked FROM okno.reads
WHERE channel = $1 AND due_at <= clock_timestamp() ORDER BY due_at LIMIT $2
"""
DONE_READS = (
    "DELETE FROM okno.reads USING unnest($1::text[], $2::bigint[]) AS n(k, a) WHERE order_key = n.k AND asked = n.a"
)
LATER_READS = """
UPDATE okno.reads SET attempts = attempts + 1, due_at = clock_timestamp() + make_interval(secs => $2)
WHERE order_key = ANY($1)
"""

PROGRESS = "SELECT position, moment FROM okno.progress WHERE name = $1"
ADVANCE = """
INSERT INTO okno.progress AS p (name, position, moment) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET position = greatest(p.position, excluded.position), moment = excluded.moment
"""


class Lane(msgspec.Struct, frozen=True):
    """A claimed lane; `asked` as it was when claimed."""

    order: str
    asked: int


class Attempt(msgspec.Struct, frozen=True):
    """The last attempt at a command."""

    attempts: int
    attempted_at: datetime
    next_at: datetime
    open: bool


class DueRead(msgspec.Struct, frozen=True):
    """An order to be read; `asked` as it was when looked up."""

    order: str
    hints: tuple[str, ...]
    attempts: int
    asked: int


class Work:
    """This process's hands on the work tables. `owner` is its name in leases."""

    def __init__(self, pool: Pool, owner: str) -> None:
        self._pool = pool
        self._owner = owner

    async def ask_in(
        self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", lanes: Iterable[tuple[str, str]]
    ) -> None:
        """Asks for a look at lanes (order, target), in the caller's transaction."""
        asked = list(lanes)
        if asked:
            await connection.execute(ASK, [order for order, _ in asked], [target for _, target in asked])

    async def expect_in(
        self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", commands: Sequence[tuple[str, str, str]]
    ) -> None:
        """Notes commands (id, order, target) nobody has tried yet, in the caller's transaction."""
        if commands:
            await connection.execute(
                EXPECT, [c for c, _, _ in commands], [o for _, o, _ in commands], [t for _, _, t in commands]
            )

    @waits
    async def ask(self, lanes: Iterable[tuple[str, str]]) -> None:
        """Asks for a look at lanes (order, target)."""
        async with self._pool.acquire() as connection:
            await self.ask_in(connection, lanes)

    @waits
    async def claim(self, target: str, limit: int) -> list[Lane]:
        """Lanes of a target that are ours now."""
        rows = await self._pool.fetch(CLAIM, target, self._owner, LEASE, limit)
        return [Lane(row["order_key"], row["asked"]) for row in rows]

    @waits
    async def attempts(self, target: str, orders: Sequence[str]) -> dict[str, Attempt]:
        """The last attempts at these lanes' commands, by command."""
        rows = await self._pool.fetch(ATTEMPTS, target, orders)
        return {r["command"]: Attempt(r["attempts"], r["attempted_at"], r["next_at"], r["open"]) for r in rows}

    @waits
    async def begin(self, target: str, commands: Sequence[tuple[str, str]]) -> set[str]:
        """Commits attempts at (command, order) pairs; returns the orders whose lanes are still ours: only they may be sent."""
        async with self._pool.acquire() as connection, connection.transaction():
            orders = [order for _, order in commands]
            rows = await connection.fetch(RENEW, target, orders, self._owner, LEASE)
            kept = {row["order_key"] for row in rows}
            mine = [(command, order) for command, order in commands if order in kept]
            await connection.execute(BEGIN, [c for c, _ in mine], [o for _, o in mine], target)
        return kept

    @waits
    async def leave(self, command: str, *, open: bool, next_at: datetime, reason: str) -> None:
        """Notes that an attempt brought nothing final."""
        await self._pool.execute(LEAVE, command, open, next_at, reason)

    @waits
    async def undo(self, command: str, next_at: datetime, reason: str) -> None:
        """Takes an attempt back: no bytes left."""
        await self._pool.execute(UNDO, command, next_at, reason)

    @waits
    async def know_unsent(self, command: str, order: str, target: str) -> None:
        """Notes that a read showed a command not done which no attempt is known for."""
        await self._pool.execute(KNOW_UNSENT, command, order, target)

    @waits
    async def renew(self, target: str, orders: Sequence[str]) -> set[str]:
        """Renews leases; returns the orders whose lanes are still ours."""
        return {row["order_key"] for row in await self._pool.fetch(RENEW, target, orders, self._owner, LEASE)}

    @waits
    async def forget(self, commands: Sequence[str]) -> None:
        """Forgets attempts at commands whose outcome is in the log."""
        await self._pool.execute(FORGET, commands)

    @waits
    async def release(self, target: str, lane: Lane, due: datetime | None, *, idle: bool) -> None:
        """Gives a lane back; `idle`: nothing waits in it; else it is due again, at once where `due` is None."""
        if idle:
            await self._pool.execute(RELEASE_IDLE, lane.order, target, self._owner, lane.asked)
        await self._pool.execute(RELEASE_DUE, lane.order, target, self._owner, lane.asked, due)

    async def ask_reads_in(
        self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", reads: Iterable[tuple[str, float, str]]
    ) -> None:
        """Makes reads due: (order, seconds from now, hint or '')."""
        merged: dict[str, tuple[float, str]] = {}
        for order, seconds, hint in reads:
            merged[order] = (seconds, hint or merged.get(order, (0.0, ""))[1])
        if merged:
            await connection.execute(
                ASK_READS, list(merged), [order.partition("/")[0] for order in merged],
                [seconds for seconds, _ in merged.values()], [hint for _, hint in merged.values()],
            )  # fmt: skip

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

    @waits
    async def progress(self, name: str) -> tuple[int, datetime | None]:
        """How far a loop has come; (0, None) at the beginning."""
        row = await self._pool.fetchrow(PROGRESS, name)
        return (0, None) if row is None else (row["position"], row["moment"])

    async def advance_in(
        self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", name: str, position: int
    ) -> None:
        """Notes how far a loop has come, in the caller's transaction."""
        await connection.execute(ADVANCE, name, position, None)

    @waits
    async def advance(self, name: str, position: int, moment: datetime | None = None) -> None:
        """Notes how far a loop has come."""
        await self._pool.execute(ADVANCE, name, position, moment)
