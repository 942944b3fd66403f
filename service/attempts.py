"""Attempts at commands: the marks at the moment of an effect, as work tables. How lanes are shared out is in `work`.

A row comes with the request, and goes when the outcome is in the log.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from events import codec
from events.log import waits
from projections.store import Connection
from service.database import Pool
from service.decisions import Attempt
from service.due_reads import Reads

LEASE = timedelta(seconds=45)
"""A lane's lease: longer than the longest call. Renewed as an attempt is committed."""

DOUBT = timedelta(days=30)
"""So long after a restore everything is read before it is told for the first time."""

# Each command gets its row when it is asked for: one without a row later on means that the table was lost. What an
# operator brings back (`open`) is read before it is sent; so is, for a time, all that is asked for after the log was
# restored from a backup: it may have been told before, in what was lost. Messages to 1C can't be read back.
EXPECT = """
INSERT INTO okno.attempts (command, order_key, target, attempts, attempted_at, next_at, open)
SELECT c, k, t, 0, clock_timestamp(), clock_timestamp(),
       o OR (t <> '1c' AND coalesce(h.restored_at, '-infinity') > clock_timestamp() - $5::interval)
FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) AS n(c, k, t, o), okno.head h WHERE h.log_id = 0
ON CONFLICT DO NOTHING
"""

# Attempts at the commands of claimed lanes.
ATTEMPTS = """
SELECT command, attempts, attempted_at, next_at, open, refusals, reason, before, exchange, first_at FROM okno.attempts
WHERE target = $1 AND order_key = ANY($2)
"""

# The mark at the moment of an effect: only while the lane is ours, and the lease starts anew with it. Whoever locks
# several lanes locks them in the order of their keys, and lanes before attempts: else two could wait for each other.
RENEW = """
WITH own AS (
    SELECT order_key FROM okno.dispatch
    WHERE target = $1 AND order_key = ANY($2) AND owner = $3 AND leased_until > clock_timestamp()
    ORDER BY order_key FOR UPDATE
)
UPDATE okno.dispatch AS d SET leased_until = clock_timestamp() + $4 FROM own
WHERE d.target = $1 AND d.order_key = own.order_key
RETURNING d.order_key
"""
BEGIN = """
INSERT INTO okno.attempts AS a (command, order_key, target, attempts, attempted_at, next_at, open, before, first_at)
SELECT c, k, $3, 1, now, now, true, b, now
FROM unnest($1::text[], $2::text[], $4::text[]) AS n(c, k, b), clock_timestamp() AS now
ON CONFLICT (command) DO UPDATE
SET attempts = a.attempts + 1, attempted_at = excluded.attempted_at, next_at = excluded.next_at, open = true,
    before = excluded.before, first_at = coalesce(a.first_at, excluded.first_at)
RETURNING a.order_key, a.first_at, a.attempted_at
"""

# What an attempt left behind: open while nobody knows, not before `next_at` in any case. Without a row (the table was
# lost) there may have been an attempt this very moment.
LEAVE = """
INSERT INTO okno.attempts AS a
    (command, order_key, target, attempts, attempted_at, next_at, open, refusals, reason, exchange)
VALUES ($1, $2, $3, 1, clock_timestamp(), $4, $5, $6, $7, $8)
ON CONFLICT (command) DO UPDATE
SET open = excluded.open, next_at = excluded.next_at, reason = excluded.reason,
    refusals = a.refusals + excluded.refusals, exchange = coalesce(excluded.exchange, a.exchange)
"""

# No bytes left, or a limit sent them back: the attempt does not count. $4: the marketplace held it back.
UNDO = """
UPDATE okno.attempts SET open = false, attempts = attempts - 1, next_at = $2, reason = $3,
    first_at = CASE WHEN $4 OR attempts > 1 OR first_at < attempted_at THEN first_at END
WHERE command = $1
"""

# A command's turn has not come: the marketplace was asked, nothing was sent.
PUT_OFF = """
UPDATE okno.attempts SET next_at = $2, reason = $3, first_at = coalesce(first_at, clock_timestamp()) WHERE command = $1
"""

# A command that was never tried, or whose attempts are not known any more, was read back: it is not done.
KNOW_UNSENT = """
INSERT INTO okno.attempts (command, order_key, target, attempts, attempted_at, next_at, open)
VALUES ($1, $2, $3, 0, clock_timestamp(), clock_timestamp(), false)
ON CONFLICT (command) DO UPDATE SET open = false, next_at = excluded.next_at
"""

# Forgets attempts at commands that have their outcome.
FORGET = "DELETE FROM okno.attempts WHERE command = ANY($1)"


class Expected(msgspec.Struct, frozen=True):
    """A command to be tried; `read_first`: an operator brings it back."""

    command: str
    order: str
    target: str
    read_first: bool = False


class Begun(msgspec.Struct, frozen=True):
    """When the first attempt at a command was begun, and the last one."""

    tried_at: datetime
    sent_at: datetime


class Attempts(Reads):
    """This process's hands on the attempts. `owner` is its name in leases, `lease` how long a lane is its own."""

    def __init__(self, pool: Pool, owner: str, lease: timedelta = LEASE) -> None:
        super().__init__(pool)
        self._owner = owner
        self.lease = lease

    async def expect_in(self, connection: Connection, commands: Sequence[Expected]) -> None:
        """Notes commands that are to be tried, in the caller's transaction."""
        if commands:
            columns = zip(*((c.command, c.order, c.target, c.read_first) for c in commands), strict=True)
            await connection.execute(EXPECT, *(list(column) for column in columns), DOUBT)

    @waits
    async def attempts(self, target: str, orders: Sequence[str]) -> dict[str, Attempt]:
        """The last attempts at these lanes' commands, by command."""
        rows = await self._pool.fetch(ATTEMPTS, target, orders)
        return {r["command"]: _attempt(r) for r in rows}

    @waits
    async def begin(self, target: str, commands: Sequence[tuple[str, str, Any]]) -> dict[str, Begun]:
        """Commits attempts, one an order: (command, order, what was seen before); returns those whose lanes are still
        ours, by order. Only for these an attempt was noted, and only they may be sent."""
        async with self._pool.acquire() as connection, connection.transaction():
            orders = [order for _, order, _ in commands]
            rows = await connection.fetch(RENEW, target, orders, self._owner, self.lease)
            kept = {row["order_key"] for row in rows}
            mine = [one for one in commands if one[1] in kept]
            befores = [codec.encode(b).decode() if b is not None else None for _, _, b in mine]
            begun = await connection.fetch(BEGIN, [c for c, _, _ in mine], [o for _, o, _ in mine], target, befores)
        return {row["order_key"]: Begun(row["first_at"], row["attempted_at"]) for row in begun}

    @waits
    async def leave(
        self,
        command: str,
        order: str,
        target: str,
        *,
        next_at: datetime,
        open: bool,
        reason: str,
        refused: bool = False,
        exchange: bytes | None = None,
    ) -> None:
        """Notes that an attempt brought nothing final."""
        await self._pool.execute(LEAVE, command, order, target, next_at, open, int(refused), reason, exchange)

    @waits
    async def put_off(self, command: str, next_at: datetime, reason: str) -> None:
        """Notes that a command's turn has not come yet, and why."""
        await self._pool.execute(PUT_OFF, command, next_at, reason)

    @waits
    async def undo(self, command: str, next_at: datetime, reason: str, *, held: bool) -> None:
        """Takes an attempt back: no bytes left, or (`held`) the marketplace's limit sent them back."""
        await self._pool.execute(UNDO, command, next_at, reason, held)

    @waits
    async def know_unsent(self, command: str, order: str, target: str) -> None:
        """Notes that a read showed a command not done which no attempt is known for."""
        await self._pool.execute(KNOW_UNSENT, command, order, target)

    @waits
    async def renew(self, target: str, orders: Sequence[str]) -> set[str]:
        """Renews leases; returns the orders whose lanes are still ours."""
        return {row["order_key"] for row in await self._pool.fetch(RENEW, target, orders, self._owner, self.lease)}

    @waits
    async def forget(self, commands: Sequence[str]) -> None:
        """Forgets attempts at commands whose outcome is in the log."""
        await self._pool.execute(FORGET, commands)


def _attempt(row: Any) -> Attempt:
    before = codec.loads(row["before"].encode()) if row["before"] is not None else None
    return Attempt(
        row["attempts"], row["attempted_at"], row["next_at"], row["open"], row["refusals"], row["reason"], before,
        row["exchange"], row["first_at"],
    )  # fmt: skip
