"""The work tables: lanes to dispatch, attempts, progress of loops; reads that are due are in `due_reads`.

They are no truth. If they are lost, the reactor begins at the first event again and asks for every lane that ever was;
a command whose attempts are not known is read back before it is sent.

All times that decide something are Postgres's own, so that hosts with different clocks agree.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from asyncpg import Record

from events import codec
from events.log import waits
from projections.store import Connection
from service.database import Pool
from service.decisions import Attempt
from service.due_reads import Reads

LEASE = timedelta(seconds=45)
"""A lane's lease: longer than the longest call. Renewed as an attempt is committed."""

# Asks for a look at lanes, now.
ASK = """
INSERT INTO okno.dispatch AS d (order_key, target, due_at)
SELECT DISTINCT ON (k, t) k, t, clock_timestamp() FROM unnest($1::text[], $2::text[]) AS a(k, t) ORDER BY k, t
ON CONFLICT (order_key, target) DO UPDATE
SET asked = d.asked + 1, due_at = least(d.due_at, clock_timestamp())
"""

# Each command gets its row when it is asked for: one without a row later on means that the table was lost. What an
# operator brings back (`open`) is read before it is sent.
EXPECT = """
INSERT INTO okno.attempts (command, order_key, target, attempts, attempted_at, next_at, open)
SELECT c, k, t, 0, clock_timestamp(), clock_timestamp(), o
FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) AS n(c, k, t, o)
ON CONFLICT DO NOTHING
"""

# Lanes of all commands that wait, as far as the projection knows: what was lost with the table comes back.
REFILL = """
INSERT INTO okno.dispatch (order_key, target, due_at)
SELECT DISTINCT c.order_key, c.target, clock_timestamp() FROM okno.commands c WHERE c.state = 'waiting'
ON CONFLICT DO NOTHING
"""

# Orders the reactor could not react to, and the position behind which it is still to.
SET_ASIDE = "INSERT INTO okno.progress (name, position) VALUES ('aside/' || $1, $2) ON CONFLICT DO NOTHING"
ASIDE = "SELECT substr(name, 7) AS order_key, position FROM okno.progress WHERE name LIKE 'aside/%'"
TAKEN_BACK = "DELETE FROM okno.progress WHERE name = 'aside/' || $1"

# Claims lanes of one target that are due and nobody works on; $5: those this process has in hand, lease or no lease.
CLAIM = """
UPDATE okno.dispatch AS d SET owner = $2, leased_until = clock_timestamp() + $3
FROM (
    SELECT order_key FROM okno.dispatch
    WHERE target = $1 AND due_at <= clock_timestamp() AND (leased_until IS NULL OR leased_until < clock_timestamp())
      AND order_key <> ALL($5)
    ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
) AS due
WHERE d.order_key = due.order_key AND d.target = $1
RETURNING d.order_key, d.asked, clock_timestamp() AS claimed_at
"""

# Attempts at the commands of claimed lanes.
ATTEMPTS = """
SELECT command, attempts, attempted_at, next_at, open, refusals, reason, before, exchange FROM okno.attempts
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
INSERT INTO okno.attempts AS a (command, order_key, target, attempts, attempted_at, next_at, open, before)
SELECT c, k, $3, 1, clock_timestamp(), clock_timestamp(), true, b
FROM unnest($1::text[], $2::text[], $4::text[]) AS n(c, k, b)
ON CONFLICT (command) DO UPDATE
SET attempts = a.attempts + 1, attempted_at = excluded.attempted_at, next_at = excluded.next_at, open = true,
    before = excluded.before
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

# No bytes left: the attempt does not count.
UNDO = "UPDATE okno.attempts SET open = false, attempts = attempts - 1, next_at = $2, reason = $3 WHERE command = $1"

# A command's turn has not come: nothing was sent.
PUT_OFF = "UPDATE okno.attempts SET next_at = $2, reason = $3 WHERE command = $1"

# A command that was never tried, or whose attempts are not known any more, was read back: it is not done.
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

# What waits, by target: lanes that are due, and for how long the oldest of them is.
WAITING = """
SELECT target, count(*) AS lanes, extract(epoch FROM clock_timestamp() - min(due_at))::float8 AS oldest
FROM okno.dispatch WHERE due_at <= clock_timestamp() GROUP BY target
"""

PROGRESS = "SELECT position, moment FROM okno.progress WHERE name = $1"
ADVANCE = """
INSERT INTO okno.progress AS p (name, position, moment) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET position = greatest(p.position, excluded.position), moment = excluded.moment
"""


class Lane(msgspec.Struct, frozen=True):
    """A claimed lane; `asked` as it was when claimed, `claimed_at` by Postgres's clock."""

    order: str
    asked: int
    claimed_at: datetime


class Expected(msgspec.Struct, frozen=True):
    """A command to be tried; `read_first`: an operator brings it back."""

    command: str
    order: str
    target: str
    read_first: bool = False


class Work(Reads):
    """This process's hands on the work tables. `owner` is its name in leases, `lease` how long a lane is its own."""

    def __init__(self, pool: Pool, owner: str, lease: timedelta = LEASE) -> None:
        super().__init__(pool)
        self._owner = owner
        self.lease = lease

    async def ask_in(self, connection: Connection, lanes: Iterable[tuple[str, str]]) -> None:
        """Asks for a look at lanes (order, target), in the caller's transaction."""
        asked = list(lanes)
        if asked:
            await connection.execute(ASK, [order for order, _ in asked], [target for _, target in asked])

    async def expect_in(self, connection: Connection, commands: Sequence[Expected]) -> None:
        """Notes commands that are to be tried, in the caller's transaction."""
        if commands:
            columns = zip(*((c.command, c.order, c.target, c.read_first) for c in commands), strict=True)
            await connection.execute(EXPECT, *(list(column) for column in columns))

    @waits
    async def refill(self) -> None:
        """Asks for a look at every lane in which something waits."""
        await self._pool.execute(REFILL)

    @waits
    async def set_aside(self, order: str, after: int) -> None:
        """Notes that nothing was requested for what happened to an order behind a position."""
        await self._pool.execute(SET_ASIDE, order, after)

    @waits
    async def aside(self) -> list[tuple[str, int]]:
        """Orders set aside, and the position behind which they are to be looked at."""
        return [(row["order_key"], row["position"]) for row in await self._pool.fetch(ASIDE)]

    async def take_back_in(self, connection: Connection, order: str) -> None:
        """An order set aside was looked at, in the caller's transaction."""
        await connection.execute(TAKEN_BACK, order)

    @waits
    async def claim(self, target: str, limit: int, in_hand: Iterable[str] = ()) -> list[Lane]:
        """Lanes of a target that are ours now; never one `in_hand`, whose lease may have run out under our own work."""
        rows = await self._pool.fetch(CLAIM, target, self._owner, self.lease, limit, list(in_hand))
        return [Lane(row["order_key"], row["asked"], row["claimed_at"]) for row in rows]

    @waits
    async def attempts(self, target: str, orders: Sequence[str]) -> dict[str, Attempt]:
        """The last attempts at these lanes' commands, by command."""
        rows = await self._pool.fetch(ATTEMPTS, target, orders)
        return {r["command"]: _attempt(r) for r in rows}

    @waits
    async def begin(self, target: str, commands: Sequence[tuple[str, str, Any]]) -> set[str]:
        """Commits attempts: (command, order, what was seen before); returns the orders whose lanes are still ours.

        Only for these an attempt was noted, and only they may be sent.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            orders = [order for _, order, _ in commands]
            rows = await connection.fetch(RENEW, target, orders, self._owner, self.lease)
            kept = {row["order_key"] for row in rows}
            mine = [one for one in commands if one[1] in kept]
            befores = [codec.encode(b).decode() if b is not None else None for _, _, b in mine]
            await connection.execute(BEGIN, [c for c, _, _ in mine], [o for _, o, _ in mine], target, befores)
        return kept

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
        return {row["order_key"] for row in await self._pool.fetch(RENEW, target, orders, self._owner, self.lease)}

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

    @waits
    async def waiting(self) -> list[tuple[str, int, float]]:
        """Lanes that are due, by target, and the seconds the oldest has waited."""
        return [(row["target"], row["lanes"], row["oldest"]) for row in await self._pool.fetch(WAITING)]

    @waits
    async def progress(self, name: str) -> tuple[int, datetime | None]:
        """How far a loop has come; (0, None) at the beginning."""
        row = await self._pool.fetchrow(PROGRESS, name)
        return (0, None) if row is None else (row["position"], row["moment"])

    async def advance_in(self, connection: Connection, name: str, position: int) -> None:
        """Notes how far a loop has come, in the caller's transaction."""
        await connection.execute(ADVANCE, name, position, None)

    @waits
    async def advance(self, name: str, position: int, moment: datetime | None = None) -> None:
        """Notes how far a loop has come."""
        await self._pool.execute(ADVANCE, name, position, moment)


def _attempt(row: Record) -> Attempt:
    before = codec.loads(row["before"].encode()) if row["before"] is not None else None
    return Attempt(
        row["attempts"], row["attempted_at"], row["next_at"], row["open"], row["refusals"], row["reason"], before,
        row["exchange"],
    )  # fmt: skip
