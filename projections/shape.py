"""Whether live tables have the shape this program writes, and what to do where they have not.

A projection whose tables have another shape stands still: its old rows are read, nothing is written into them.
"""

from collections.abc import Sequence

from projections.projection import Projection
from projections.store import Connection, Pool

# By which version, and with which columns, live rows were made.
MADE = "SELECT version, columns FROM okno.projections WHERE name = $1"

# A projection's columns as they are in Postgres; `needed`: a row can't be written without it.
COLUMNS = """
SELECT t.name || '.' || a.attname AS name,
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '' AS needed
FROM unnest($1::text[]) AS t(name) JOIN pg_attribute a ON a.attrelid = to_regclass('okno.' || t.name)
WHERE a.attnum > 0 AND NOT a.attisdropped
"""


class OtherShape(Exception):
    """The live tables can't hold what this program makes; the message says what to do."""


def columns(projection: Projection) -> list[str]:
    """The columns a projection writes, with their tables' names."""
    return [f"{table.name}.{column}" for table in projection.tables for column in table.columns]


async def fault(pool: Pool, projection: Projection) -> str | None:
    """Why live tables can't be followed by this program, and what to do; None where they can."""
    unfit = await _unfit(pool, projection)
    if unfit is not None:
        return unfit
    made = await pool.fetchrow(MADE, projection.name)
    if made is None:
        return None  # nobody made a row yet
    if made["version"] != projection.version:
        return outdated(projection, made["version"])
    return _changed(projection, made["columns"])


def outdated(projection: Projection, version: int) -> str:
    """What to do about rows of another version."""
    mend = f"run `okno rebuild {projection.name}`" if version < projection.version else "run the program that made them"
    return f"its rows are of version {version}, this program's of {projection.version}: {mend}"


async def refuse_unfit(connection: "Connection | Pool", projection: Projection) -> None:
    """`OtherShape` where not even a rebuild could write this program's rows."""
    unfit = await _unfit(connection, projection)
    if unfit is not None:
        raise OtherShape(f"projection {projection.name}: {unfit}")


async def _unfit(connection: "Connection | Pool", projection: Projection) -> str | None:
    rows = await connection.fetch(COLUMNS, [table.name for table in projection.tables])
    there, wanted = {row["name"]: row["needed"] for row in rows}, columns(projection)
    missing = [name for name in wanted if name not in there]
    strange = [name for name, needed in there.items() if needed and name not in wanted]
    then = f"in a new migration, then run `okno rebuild {projection.name}`"
    if missing:
        return f"the database has no {', '.join(missing)}: add it {then}"
    if strange:
        return f"this program does not fill {', '.join(strange)}: drop it, or let it be null, {then}"
    return None


def _changed(projection: Projection, before: Sequence[str] | None) -> str | None:
    """What is said of rows made with other columns under the same version; None before columns were noted."""
    now = columns(projection)
    if before is None or sorted(before) == sorted(now):
        return None
    changes = [f"+{name}" for name in now if name not in before] + [f"-{name}" for name in before if name not in now]
    return f"its rows were made with other columns ({', '.join(changes)}): run `okno rebuild {projection.name}`"
