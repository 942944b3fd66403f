"""How projections stand: what operators and scrapers ask."""

from collections.abc import Sequence

import msgspec

from projections import shape
from projections.follow import begin
from projections.projection import Projection
from projections.store import Pool

# What there is to say of a projection besides its rows.
STATUS = """
SELECT min(p.position) AS position, min(n.version) AS version,
       (SELECT count(*) FROM okno.projection_rebuilds r WHERE r.projection = $1) AS total,
       (SELECT count(r.position) FROM okno.projection_rebuilds r WHERE r.projection = $1) AS done,
       (SELECT count(*) FROM okno.projection_failures f
        WHERE f.projection = $1 AND f.generation = p.generation) AS failures
FROM okno.projection_progress p JOIN okno.projections n ON n.name = p.projection
WHERE p.projection = $1 GROUP BY p.generation
"""


class Rebuilding(msgspec.Struct, frozen=True):
    """Buckets done of all buckets."""

    done: int
    total: int


class ProjectionStatus(msgspec.Struct, frozen=True):
    """How a projection stands. `failures`: orders set aside. `outdated`: its rows were made by another version or have
    another shape, and stand still; `wants` says why, and what to do."""

    name: str
    position: int
    lag: int
    rows: int
    rebuild: Rebuilding | None
    failures: int
    outdated: bool
    wants: str | None = None


async def status(pool: Pool, projections: Sequence[Projection], head_position: int) -> list[ProjectionStatus]:
    """How each projection stands, for the log's end at `head_position`."""
    await begin(pool, projections)
    found = []
    for projection in projections:
        row = await pool.fetchrow(STATUS, projection.name)
        wants = await shape.fault(pool, projection)
        table = f"okno.{projection.tables[0].name}"
        there = await pool.fetchval("SELECT to_regclass($1) IS NOT NULL", table)
        rows = await pool.fetchval(f"SELECT count(*) FROM {table}") if there else 0  # noqa: S608  # our own names
        assert row is not None
        found.append(ProjectionStatus(
            name=projection.name, position=row["position"], lag=max(head_position - row["position"], 0), rows=rows,
            rebuild=Rebuilding(row["done"], row["total"]) if row["total"] else None,
            failures=row["failures"], outdated=wants is not None, wants=wants,
        ))  # fmt: skip
    return found
