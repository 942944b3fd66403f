"""The work tables: lanes to dispatch, progress of loops; attempts are in `attempts`, reads that are due in `due_reads`.

They are no truth. If they are lost, the reactor begins at the first event again and asks for every lane that ever was;
a command whose attempts are not known is read back before it is sent.

All times that decide something are Postgres's own, so that hosts with different clocks agree.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from events.log import waits
from projections.store import Connection
from service.attempts import LEASE, Attempts, Expected

__all__ = ["LEASE", "Expected", "Lane", "Work"]

# Asks for a look at lanes, now.
ASK = """
INSERT INTO okno.dispatch AS d (order_key, target, due_at)
SELECT DISTINCT ON (k, t) k, t, clock_timestamp() FROM unnest($1::text[], $2::text[]) AS a(k, t) ORDER BY k, t
ON CONFLICT (order_key, target) DO UPDATE
SET asked = d.asked + 1, due_at = least(d.due_at, clock_timestamp())
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

# Gives a lane back: gone where nothing waits and nobody asked meanwhile, else due again.
RELEASE_IDLE = "DELETE FROM okno.dispatch WHERE order_key = $1 AND target = $2 AND owner = $3 AND asked = $4"
RELEASE_DUE = """
UPDATE okno.dispatch SET owner = NULL, leased_until = NULL,
    due_at = CASE WHEN asked = $4 AND $5::timestamptz IS NOT NULL THEN $5 ELSE clock_timestamp() END
WHERE order_key = $1 AND target = $2 AND owner = $3
"""

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


class Work(Attempts):
    """This process's hands on the work tables. `owner` is its name in leases, `lease` how long a lane is its own."""

    async def ask_in(self, connection: Connection, lanes: Iterable[tuple[str, str]]) -> None:
        """Asks for a look at lanes (order, target), in the caller's transaction."""
        asked = list(lanes)
        if asked:
            await connection.execute(ASK, [order for order, _ in asked], [target for _, target in asked])

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
