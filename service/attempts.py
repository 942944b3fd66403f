"""Attempts at commands: the marks at the moment of an effect, as work tables. How lanes are shared out is in `work`.

A row comes with the request, and goes when the outcome is in the log.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from events import codec
from events.joined import Joined
from events.log import waits
from projections.store import Connection
from service.database import Pool
from service.decisions import Attempt
from service.due_reads import Reads, columns

LEASE = timedelta(seconds=45)
"""A lane's lease: longer than the longest call. Renewed as an attempt is committed."""

DOUBT = timedelta(days=30)
"""So long after a restore everything is read before it is told for the first time."""

# Notes commands that are to be tried; see sql/0011_notes.sql.
EXPECT = "SELECT okno.expect_commands($1, $2, $3, $4, $5)"

# Attempts at the commands of claimed lanes.
ATTEMPTS = """
SELECT command, attempts, attempted_at, next_at, open, refusals, reason, before, exchange, first_at FROM okno.attempts
WHERE target = $1 AND order_key = ANY($2)
"""

# Renews leases that have not run out. Whoever locks several lanes locks them in the order of their keys, and lanes
# before attempts: else two could wait for each other.
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

# The marks at the moment of an effect: only while a lane is ours, whose lease starts anew with it, and only where
# nothing has happened to the order since it was looked at (`p`: up to where the log was read; null: no matter what).
BEGIN = """
WITH given AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS n(c, k, t, b, p)),
own AS MATERIALIZED (
    SELECT d.order_key, d.target FROM okno.dispatch d JOIN given n ON d.order_key = n.k AND d.target = n.t
    WHERE d.owner = $6 AND d.leased_until > clock_timestamp()
      AND NOT EXISTS (SELECT FROM okno.events e WHERE e.order_key = n.k AND e.position > n.p)
    ORDER BY d.order_key, d.target FOR UPDATE OF d
), renewed AS (
    UPDATE okno.dispatch AS d SET leased_until = clock_timestamp() + $7 FROM own
    WHERE d.order_key = own.order_key AND d.target = own.target
)
INSERT INTO okno.attempts AS a (command, order_key, target, attempts, attempted_at, next_at, open, before, first_at)
SELECT n.c, n.k, n.t, 1, now, now, true, n.b, now
FROM own JOIN given n ON own.order_key = n.k AND own.target = n.t, clock_timestamp() AS now
ON CONFLICT (command) DO UPDATE
SET attempts = a.attempts + 1, attempted_at = excluded.attempted_at, next_at = excluded.next_at, open = true,
    before = excluded.before, first_at = coalesce(a.first_at, excluded.first_at)
RETURNING a.command, a.first_at, a.attempted_at
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


class Expected(msgspec.Struct, frozen=True):
    """A command to be tried; `read_first`: an operator brings it back."""

    command: str
    order: str
    target: str
    read_first: bool = False


def expected(commands: Iterable[Expected]) -> list[list[Any]]:
    """Commands as columns."""
    return columns(((c.command, c.order, c.target, c.read_first) for c in commands), 4)


class Begun(msgspec.Struct, frozen=True):
    """When the first attempt at a command was begun, and the last one."""

    tried_at: datetime
    sent_at: datetime


class Mark(msgspec.Struct, frozen=True):
    """An attempt to be made: `before` is what was seen before it, `seen` the order's last event that was looked at."""

    command: str
    order: str
    before: Any = None
    seen: int | None = None


class Attempts(Reads):
    """This process's hands on the attempts. `owner` is its name in leases, `lease` how long a lane is its own."""

    def __init__(self, pool: Pool, owner: str, lease: timedelta = LEASE) -> None:
        super().__init__(pool)
        self._owner = owner
        self.lease = lease
        self._beginning = Joined(self._begin)

    async def expect_in(self, connection: Connection, commands: Sequence[Expected]) -> None:
        """Notes commands that are to be tried, in the caller's transaction."""
        await connection.execute(EXPECT, *expected(commands), DOUBT)

    @waits
    async def attempts(self, target: str, orders: Sequence[str]) -> dict[str, Attempt]:
        """The last attempts at these lanes' commands, by command."""
        rows = await self._pool.fetch(ATTEMPTS, target, orders)
        return {r["command"]: _attempt(r) for r in rows}

    async def begin(self, target: str, marks: Sequence[Mark]) -> dict[str, Begun]:
        """Commits attempts, one an order; returns those that were, by order. Where the lane is not ours any more, or
        something happened to the order, none was noted, and nothing may be sent."""
        begun = await self._beginning([(target, mark) for mark in marks])
        return {mark.order: begun[mark.command] for mark in marks if mark.command in begun}

    @waits
    async def _begin(self, asked: Sequence[Sequence[tuple[str, Mark]]]) -> list[dict[str, Begun]]:
        all_ = [one for marks in asked for one in marks]
        rows = await self._pool.fetch(
            BEGIN, [m.command for _, m in all_], [m.order for _, m in all_], [target for target, _ in all_],
            [codec.encode(m.before).decode() if m.before is not None else None for _, m in all_],
            [m.seen for _, m in all_], self._owner, self.lease,
        )  # fmt: skip
        begun = {row["command"]: Begun(row["first_at"], row["attempted_at"]) for row in rows}
        return [begun for _ in asked]

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


def _attempt(row: Any) -> Attempt:
    before = codec.loads(row["before"].encode()) if row["before"] is not None else None
    return Attempt(
        row["attempts"], row["attempted_at"], row["next_at"], row["open"], row["refusals"], row["reason"], before,
        row["exchange"], row["first_at"],
    )  # fmt: skip
