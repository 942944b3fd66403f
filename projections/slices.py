"""Which slices of the orders this process follows: shared fairly by leases, a dead process's taken over in seconds.

A lease only spares double work. What keeps rows right when two follow the same slice is the compare-and-set of its
progress row, so nobody has to stop when a lease is lost.
"""

from projections.projection import BUCKETS
from projections.store import Pool

SLICES = 8
"""Parts the orders are followed in, of 32 buckets each. Progress rows are kept by their number: never change it."""

SECONDS = 5.0
"""How long a lease holds; renewed every third of it."""

# Says that this process lives, forgets the dead, counts the living.
ALIVE = """
WITH gone AS (
    DELETE FROM okno.leases
    WHERE name LIKE 'follower/%' AND name <> 'follower/' || $1 AND leased_until < clock_timestamp()
), me AS (
    INSERT INTO okno.leases (name, owner, leased_until)
    VALUES ('follower/' || $1, $1, clock_timestamp() + make_interval(secs => $2))
    ON CONFLICT (name) DO UPDATE SET leased_until = excluded.leased_until
)
SELECT 1 + count(*) FROM okno.leases
WHERE name LIKE 'follower/%' AND name <> 'follower/' || $1 AND leased_until >= clock_timestamp()
"""

# Renews the first of one's own slices, as many as one's share.
KEEP = """
UPDATE okno.leases SET leased_until = clock_timestamp() + make_interval(secs => $2)
WHERE name IN (SELECT name FROM okno.leases WHERE owner = $1 AND name LIKE 'slice/%' ORDER BY name LIMIT $3)
  AND owner = $1
RETURNING name
"""

# Gives back what is held beyond one's share.
GIVE_BACK = "DELETE FROM okno.leases WHERE owner = $1 AND name LIKE 'slice/%' AND name <> ALL($2)"

# Takes slices that nobody holds; one that somebody else took meanwhile comes back without a row.
TAKE = """
INSERT INTO okno.leases (name, owner, leased_until)
SELECT 'slice/' || n, $1, clock_timestamp() + make_interval(secs => $2) FROM generate_series(0, $3::integer - 1) AS n
WHERE NOT EXISTS (SELECT FROM okno.leases h WHERE h.name = 'slice/' || n AND h.leased_until >= clock_timestamp())
ORDER BY n LIMIT $4
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, leased_until = excluded.leased_until
WHERE leases.leased_until < clock_timestamp()
RETURNING name
"""

# Gives everything back.
LEAVE = "DELETE FROM okno.leases WHERE owner = $1 AND (name LIKE 'slice/%' OR name = 'follower/' || $1)"


def slice_of(bucket: int) -> int:
    """The slice a bucket is followed in."""
    return bucket * SLICES // BUCKETS


class Slices:
    """The slices 0…total-1 that `owner` holds."""

    def __init__(self, pool: Pool, owner: str, total: int) -> None:
        self._pool, self._owner, self._total = pool, owner, total

    async def renew(self) -> set[int]:
        """Keeps this process's fair share, takes what is missing, gives back what is more; says which it holds."""
        alive = await self._pool.fetchval(ALIVE, self._owner, SECONDS)
        share = -(-self._total // alive)
        mine = [row["name"] for row in await self._pool.fetch(KEEP, self._owner, SECONDS, share)]
        await self._pool.execute(GIVE_BACK, self._owner, mine)
        if len(mine) < share:
            taken = await self._pool.fetch(TAKE, self._owner, SECONDS, self._total, share - len(mine))
            mine += [row["name"] for row in taken]
        return {int(name.partition("/")[2]) for name in mine}

    async def leave(self) -> None:
        """Gives everything back, so that others need not wait."""
        await self._pool.execute(LEAVE, self._owner)
