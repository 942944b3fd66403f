"""The end of a rebuild: tables filled beside catch up with the log and take the live ones' place."""

import asyncpg

from events.log import Log
from projections.follow import BATCH, TOUCHED
from projections.projection import Projection, belongs, make_all
from projections.store import BESIDE, Connection, write

# Forgets a rebuild under way.
FORGET = "DELETE FROM okno.projection_rebuilds WHERE projection = $1"
FORGET_FAILURES = "DELETE FROM okno.projection_failures WHERE projection = $1 AND generation <> $2"

# Stops the followers.
STOP = "SELECT position FROM okno.projection_progress WHERE projection = $1 ORDER BY slice FOR UPDATE"

# Starts them again on the new tables.
START = "UPDATE okno.projection_progress SET generation = $2, position = $3 WHERE projection = $1"
VERSION = "UPDATE okno.projections SET version = $2 WHERE name = $1"


class Beside:
    """Filled tables on their way to being the live ones. `reached`: up to where each bucket was filled."""

    def __init__(
        self, connection: Connection, log: Log, projection: Projection, generation: int, reached: dict[int, int]
    ) -> None:
        self._connection, self._log, self._projection = connection, log, projection
        self._generation, self._reached = generation, reached
        self._position = min(reached.values())

    async def catch_up(self) -> None:
        """Replaces the rows of orders touched since they were filled."""
        while events := await self._connection.fetch(TOUCHED, self._position, BATCH):
            touched = {
                event["order_key"]
                for event in events
                if belongs(event["order_key"]) and event["position"] > self._reached[event["bucket"]]
            }
            [made] = await make_all([self._projection], await self._log.histories(touched))
            await write(self._connection, self._projection, self._generation, made, BESIDE)
            self._position = events[-1]["position"]

    async def analyze(self) -> None:
        """Tells the planner what is in the tables, which else it would learn only minutes after the swap."""
        for table in self._projection.tables:
            await self._connection.execute(f"ANALYZE okno.{table.name}{BESIDE}")

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
                await connection.execute(VERSION, name, self._projection.version)
                await connection.execute(FORGET, name)
                await connection.execute(FORGET_FAILURES, name, self._generation)
        except asyncpg.LockNotAvailableError:
            self._position = position  # what was caught up inside went back with the transaction
            return False
        return True
