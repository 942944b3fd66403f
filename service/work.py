"""The work tables: lanes to dispatch, progress of loops; attempts are in `attempts`, reads that are due in `due_reads`.

They are no truth. If they are lost, the reactor begins at the first event again and asks for every lane that ever was;
a command whose attempts are not known is read back before it is sent.

All times that decide something are Postgres's own, so that hosts with different clocks agree.

Claims, releases and progress do not wait for the disk (`synchronous_commit`, off for the one transaction): should the
machine fail, the last ones are lost, leases run out and events are looked at again. What may have left does wait: the
mark of an attempt is a later commit of the same log, and takes the claim before it to the disk with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from events.joined import Joined
from events.log import waits
from projections.store import Connection
from service.attempts import DOUBT, LEASE, Attempts, Expected, Mark, expected
from service.database import Pool
from service.due_reads import columns

__all__ = ["LEASE", "Expected", "Lane", "Mark", "Release", "Work"]

# Asks for a look at lanes, now.
ASK = "SELECT okno.ask_lanes($1, $2)"

# All that the reactor notes of some events, in one trip; the lanes that are ours now. See sql/0013_reacted.sql.
REACTED = "SELECT * FROM okno.reacted($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"

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

# Claims lanes of some targets that are due and nobody works on; $5: those this process has in hand, lease or no lease.
CLAIM = """
WITH due AS MATERIALIZED (
    SELECT d.order_key, d.target
    FROM set_config('synchronous_commit', 'off', true), unnest($1::text[], $2::integer[]) AS w(target, most), LATERAL (
        SELECT order_key, target FROM okno.dispatch
        WHERE target = w.target AND due_at <= now() AND (leased_until IS NULL OR leased_until < clock_timestamp())
          AND (owner IS DISTINCT FROM $3 OR order_key <> ALL($5))
        ORDER BY due_at LIMIT w.most FOR UPDATE SKIP LOCKED
    ) AS d
)
UPDATE okno.dispatch AS d SET owner = $3, leased_until = clock_timestamp() + $4
FROM due WHERE d.order_key = due.order_key AND d.target = due.target
RETURNING d.order_key, d.target, d.asked, clock_timestamp() AS claimed_at
"""

# Gives lanes back and forgets attempts whose outcome is in the log. A lane is gone where nothing waits in it (`idle`)
# and nobody asked meanwhile, else due again. Returns those that are due at once.
RELEASE = """
WITH given AS (
    SELECT n.* FROM set_config('synchronous_commit', 'off', true),
        unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::boolean[]) AS n(k, t, a, due, idle)
), own AS MATERIALIZED (
    SELECT d.order_key, d.target, d.asked = n.a AND n.idle AS gone, CASE WHEN d.asked = n.a THEN n.due END AS due
    FROM okno.dispatch d JOIN given n ON d.order_key = n.k AND d.target = n.t
    WHERE d.owner = $6 ORDER BY d.order_key, d.target FOR UPDATE OF d
), dropped AS (
    DELETE FROM okno.dispatch d USING own WHERE d.order_key = own.order_key AND d.target = own.target AND own.gone
), forgotten AS (
    DELETE FROM okno.attempts WHERE command = ANY($7)
), again AS (
    UPDATE okno.dispatch d SET owner = NULL, leased_until = NULL, due_at = coalesce(own.due, clock_timestamp())
    FROM own WHERE d.order_key = own.order_key AND d.target = own.target AND NOT own.gone
    RETURNING d.order_key, d.target, d.due_at
)
SELECT order_key, target FROM again WHERE due_at <= clock_timestamp()
"""

# What waits, by target: lanes that are due, and for how long the oldest of them is.
WAITING = """
SELECT target, count(*) AS lanes, extract(epoch FROM clock_timestamp() - min(due_at))::float8 AS oldest
FROM okno.dispatch WHERE due_at <= clock_timestamp() GROUP BY target
"""

PROGRESS = "SELECT position, moment FROM okno.progress WHERE name = $1"
ADVANCE = "SELECT okno.advance($1, $2, $3)"


class Lane(msgspec.Struct, frozen=True):
    """A claimed lane; `asked` as it was when claimed, `claimed_at` by Postgres's clock."""

    order: str
    asked: int
    claimed_at: datetime


class Release(msgspec.Struct, frozen=True):
    """A lane to be given back. `idle`: nothing waits in it; else it is due again, at once where `due` is None. `done`:
    commands of it that have their outcome."""

    target: str
    lane: Lane
    due: datetime | None = None
    idle: bool = False
    done: Sequence[str] = ()


class Work(Attempts):
    """This process's hands on the work tables. `owner` is its name in leases, `lease` how long a lane is its own."""

    def __init__(self, pool: Pool, owner: str, lease: timedelta = LEASE) -> None:
        super().__init__(pool, owner, lease)
        self._claiming, self.release = Joined(self._claim), Joined(self._release)

    async def ask_in(self, connection: Connection, lanes: Iterable[tuple[str, str]]) -> None:
        """Asks for a look at lanes (order, target), in the caller's transaction."""
        await connection.execute(ASK, *columns(lanes, 2))

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

    async def claim(self, target: str, limit: int, in_hand: Iterable[str] = ()) -> list[Lane]:
        """Lanes of a target that are ours now; never one `in_hand`, whose lease may have run out under our own work."""
        return await self._claiming((target, limit, in_hand))

    @waits
    async def _claim(self, asked: Sequence[tuple[str, int, Iterable[str]]]) -> list[list[Lane]]:
        in_hand = [order for *_, orders in asked for order in orders]
        wanted = [target for target, *_ in asked], [limit for _, limit, _ in asked]
        lanes: dict[str, list[Lane]] = {target: [] for target, *_ in asked}
        for row in await self._pool.fetch(CLAIM, *wanted, self._owner, self.lease, in_hand):
            lanes[row["target"]].append(Lane(row["order_key"], row["asked"], row["claimed_at"]))
        return [lanes.pop(target, []) for target, *_ in asked]  # where two ask for one target, the first has all

    @waits
    async def _release(self, given: Sequence[Release]) -> list[bool]:
        """Gives lanes back; True for one that is due at once."""
        rows = await self._pool.fetch(
            RELEASE, [r.lane.order for r in given], [r.target for r in given], [r.lane.asked for r in given],
            [r.due for r in given], [r.idle for r in given], self._owner, [c for r in given for c in r.done],
        )  # fmt: skip
        due = {(row["order_key"], row["target"]) for row in rows}
        return [(r.lane.order, r.target) in due for r in given]

    @waits
    async def waiting(self) -> list[tuple[str, int, float]]:
        """Lanes that are due, by target, and the seconds the oldest has waited."""
        return [(row["target"], row["lanes"], row["oldest"]) for row in await self._pool.fetch(WAITING)]

    @waits
    async def progress(self, name: str) -> tuple[int, datetime | None]:
        """How far a loop has come; (0, None) at the beginning."""
        row = await self._pool.fetchrow(PROGRESS, name)
        return (0, None) if row is None else (row["position"], row["moment"])

    @waits
    async def reacted(
        self, lanes: Mapping[tuple[str, str], bool], commands: Sequence[Expected],
        reads: Sequence[tuple[str, float, str]], name: str, position: int,
    ) -> dict[str, list[Lane]]:  # fmt: skip
        """Notes lanes to be looked at, commands to be tried, reads that are due, and how far a loop has come.

        Of the lanes (order, target) those that this process would work off (True) are claimed for it, as far as nobody
        else has them: returned by target.
        """
        asked = columns(((*lane, here) for lane, here in lanes.items()), 3)
        noted = *asked, self._owner, self.lease, *expected(commands), DOUBT, *columns(reads, 3)
        claimed: dict[str, list[Lane]] = {}
        for row in await self._pool.fetch(REACTED, *noted, name, position):
            claimed.setdefault(row["target"], []).append(Lane(row["order_key"], row["asked"], row["claimed_at"]))
        return claimed

    @waits
    async def advance(self, name: str, position: int, moment: datetime | None = None) -> None:
        """Notes how far a loop has come."""
        await self._pool.execute(ADVANCE, name, position, moment)
