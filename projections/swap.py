"""The end of a rebuild: tables filled beside catch up with the log and take the live ones' place."""

import asyncpg

from projections.projection import Projection, belongs, make_all
from projections.shape import columns
from projections.store import BESIDE, PATIENT, Connection, histories, write

BATCH = 1000
"""Events caught up with at a time: the histories of all their orders are held."""

# Forgets a rebuild under way.
FORGET = "DELETE FROM okno.projection_rebuilds WHERE projection = $1"
FORGET_FAILURES = "DELETE FROM okno.projection_failures WHERE projection = $1 AND generation <> $2"

# Notes up to where all buckets are caught up, in the transaction of their rows: who goes on later begins there.
CAUGHT_UP = "UPDATE okno.projection_rebuilds SET position = $2 WHERE projection = $1 AND position < $2"

# Which orders were touched behind a position.
TOUCHED = "SELECT position, bucket, order_key FROM okno.events WHERE position > $1 ORDER BY position LIMIT $2"

# Stops the followers.
STOP = "SELECT position FROM okno.projection_progress WHERE projection = $1 ORDER BY slice FOR UPDATE"

# Starts them again on the new tables.
START = "UPDATE okno.projection_progress SET generation = $2, position = $3 WHERE projection = $1"
VERSION = "UPDATE okno.projections SET version = $2, columns = $3 WHERE name = $1"

# A table's indexes: names, and definitions from the table's name on. What is unique is kept while a table is filled, so
# that an order whose rows clash is set aside alone.
INDEXES = """
SELECT c.relname AS name, i.indisunique AS is_unique,
       substring(pg_get_indexdef(i.indexrelid) FROM ' (USING .*)') AS definition
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass('okno.' || $1)
"""


async def make_tables(connection: Connection, projection: Projection) -> None:
    """Empty tables beside, with no more indexes than filling needs: the rest is made faster at once than row by row."""
    for table in projection.tables:
        beside = table.name + BESIDE
        await connection.execute(f"DROP TABLE IF EXISTS okno.{beside}")
        await connection.execute(f"CREATE TABLE okno.{beside} (LIKE okno.{table.name} INCLUDING ALL)")
        for index in await connection.fetch(INDEXES, beside):
            if not index["is_unique"]:
                await connection.execute(f'DROP INDEX okno."{index["name"]}"')


class Beside:
    """Filled tables on their way to being the live ones. `reached`: up to where each bucket was filled."""

    def __init__(
        self, connection: Connection, projection: Projection, generation: int, reached: dict[int, int]
    ) -> None:
        self._connection, self._projection = connection, projection
        self._generation, self._reached = generation, reached
        self._position = min(reached.values())

    async def index(self) -> None:
        """Makes the indexes that the live tables have and these have not yet."""
        for table in self._projection.tables:
            beside = table.name + BESIDE
            there = [row["definition"] for row in await self._connection.fetch(INDEXES, beside)]
            for row in await self._connection.fetch(INDEXES, table.name):
                if row["definition"] in there:
                    there.remove(row["definition"])
                    continue
                unique = "UNIQUE " if row["is_unique"] else ""
                statement = f"CREATE {unique}INDEX ON okno.{beside} {row['definition']}"
                await self._connection.execute(statement, timeout=PATIENT)

    async def catch_up(self) -> None:
        """Replaces the rows of orders touched since they were filled, up to where the log ended as the last of them
        was read; what is done is kept."""
        while events := await self._connection.fetch(TOUCHED, self._position, BATCH):
            touched = {
                event["order_key"]
                for event in events
                if belongs(event["order_key"]) and event["position"] > self._reached[event["bucket"]]
            }
            upto = events[-1]["position"]
            async with self._connection.transaction():
                [made] = await make_all([self._projection], await histories(self._connection, touched))
                await write(self._connection, self._projection, self._generation, made, BESIDE)
                await self._connection.execute(CAUGHT_UP, self._projection.name, upto)
            self._position = upto
            if len(events) < BATCH:  # or it would run after a busy log for ever
                return

    async def analyze(self) -> None:
        """Tells the planner what is in the tables, which else it would learn only minutes after the swap."""
        for table in self._projection.tables:
            await self._connection.execute(f"ANALYZE okno.{table.name}{BESIDE}", timeout=PATIENT)

    async def swap(self) -> bool:
        """Puts the new tables in the live ones' place; False where somebody holds those for longer than 100 ms."""
        connection, name = self._connection, self._projection.name
        position = self._position
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '100ms'")
                await connection.execute(STOP, name)
                await self.catch_up()
                for table in self._projection.tables:
                    await connection.execute(f"DROP TABLE okno.{table.name}")
                    await connection.execute(f"ALTER TABLE okno.{table.name}{BESIDE} RENAME TO {table.name}")
                await connection.execute(START, name, self._generation, self._position)
                await connection.execute(VERSION, name, self._projection.version, columns(self._projection))
                await connection.execute(FORGET, name)
                await connection.execute(FORGET_FAILURES, name, self._generation)
        except asyncpg.LockNotAvailableError:
            self._position = position  # what was caught up inside went back with the transaction
            return False
        return True

    async def drop(self) -> None:
        """Leaves nothing beside."""
        async with self._connection.transaction():
            await self._connection.execute(FORGET, self._projection.name)
            for table in self._projection.tables:
                await self._connection.execute(f"DROP TABLE okno.{table.name}{BESIDE}")
