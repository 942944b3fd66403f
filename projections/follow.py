"""Follows the log live: replaces the rows of the orders that new events touch.

A step reads the events behind the oldest position of this process's slices and applies them to the states of the orders
touched: those `known` from steps before, the others folded from their whole histories, each once for all projections.
Per projection one transaction moves the slices' progress rows from the
positions read to the new ones (compare-and-set, generation included) and replaces the orders' rows. So: rows and
checkpoint agree after any crash; of two followers of one slice one wins and the other's work is thrown away; a follower
of tables that a rebuild has replaced writes nothing. States hold at least the events up to the new position, hence a
row never goes back. Tables of another version or shape than this program's are left alone (`shape`): their rows stay as
they are until a rebuild. Orders set aside are tried again once for each slice that a process takes: new code comes with
a start.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from events.log import Log, LogUnavailable, is_transient
from events.recorded import Recorded
from projections import shape
from projections.known import States, Which
from projections.mend import try_again
from projections.projection import Made, Projection, belongs, bucket_of
from projections.slices import SECONDS, SLICES, Slices, slice_of
from projections.store import Pool, write

logger = logging.getLogger(__name__)

BATCH = 10_000
"""Events a step looks at, at most: who is behind writes the rows of an order with several events among them once."""

POLL = 1.0
"""Seconds between looks at the log when no signal comes."""

REST = 0.2
"""Seconds behind a step that took everything: what comes meanwhile shares the next one, which costs hardly more."""

CHECK = 30.0
"""Seconds after which tables that fitted are looked at again; those that do not, at each renewal of the slices."""

# First rows of a projection nobody followed yet.
BEGIN = """
WITH known AS (INSERT INTO okno.projections (name, version, columns) VALUES ($1, $2, $4) ON CONFLICT DO NOTHING)
INSERT INTO okno.projection_progress (projection, slice, generation, position)
SELECT $1, n, 1, 0 FROM generate_series(0, $3::integer - 1) AS n ON CONFLICT DO NOTHING
"""

# What columns rows were made with, where that was not noted in their time.
NOTE_COLUMNS = "UPDATE okno.projections SET columns = $3 WHERE name = $1 AND version = $2 AND columns IS NULL"

# Where slices stand, and by which version their rows were made: a swap changes generation and version together.
PROGRESS = """
SELECT p.projection, p.slice, p.generation, p.position, p.mended, n.version
FROM okno.projection_progress p JOIN okno.projections n ON n.name = p.projection
WHERE p.projection = ANY($1) AND p.slice = ANY($2)
"""

# Locks progress rows, always in the same order.
LOCK_PROGRESS = """
SELECT slice, generation, position, mended FROM okno.projection_progress
WHERE projection = $1 AND slice = ANY($2) ORDER BY slice FOR UPDATE
"""

# Moves slices on.
MOVE = "UPDATE okno.projection_progress SET position = $3 WHERE projection = $1 AND slice = ANY($2)"

# Up to where all slices of some projections have come.
SLOWEST = "SELECT min(position) FROM okno.projection_progress WHERE projection = ANY($1)"


class Stand(NamedTuple):
    """How far a slice of a projection is, and how often orders of it were mended."""

    projection: str
    slice: int
    generation: int
    position: int
    mended: int

    @property
    def rows(self) -> Which:
        """Which rows stand there, besides what following changes in them."""
        return self.generation, self.mended


class Follower:
    """Keeps projections up with the log, together with other processes that do the same."""

    def __init__(self, pool: Pool, log: Log, projections: Sequence[Projection], owner: str) -> None:
        self._pool, self._log = pool, log
        self._projections = {projection.name: projection for projection in projections}
        self._slices = Slices(pool, owner, SLICES)
        self._faults: dict[str, str | None] = {}
        self._said: set[tuple[str, str]] = set()
        self._tried: set[int] = set()
        self._states = States(log)

    async def run(self, wake: asyncio.Event) -> None:
        """Follows until cancelled; waits for as long as there is no Postgres."""
        pause, mine, renew_at, check_at = POLL, set[int](), 0.0, 0.0
        try:
            while True:
                wake.clear()
                try:
                    if time.monotonic() >= check_at:
                        await begin(self._pool, list(self._projections.values()))
                        self._faults, check_at = {}, time.monotonic() + CHECK
                    if time.monotonic() >= renew_at:
                        mine, renew_at = await self._slices.renew(), time.monotonic() + SECONDS / 3
                        self._faults = {name: None for name, fault in self._faults.items() if fault is None}
                        await self._try_again(mine)
                    more, pause = await self.step(mine), POLL
                except Exception as error:
                    if not isinstance(error, LogUnavailable) and not is_transient(error):
                        raise
                    logger.warning("projections wait for Postgres: %s", error)
                    self._states.forget()  # it may be another one that comes back
                    more, pause = False, min(pause * 2, 5.0)
                    await asyncio.sleep(pause)
                if not more:
                    await asyncio.sleep(REST)
                    await _wait(wake, POLL)
        finally:
            await self._leave()

    async def step(self, slices: set[int]) -> bool:
        """Takes one batch of events into some slices' rows; whether there is more to do."""
        more = False
        for group in _abreast(await self._stands(slices)):
            more = await self._advance(group) or more
        return more

    async def _stands(self, slices: set[int]) -> list[Stand]:
        """Where slices stand, of the projections whose tables have this program's version and shape."""
        found = []
        for row in await self._pool.fetch(PROGRESS, list(self._projections), sorted(slices)):
            *at, version = row
            if await self._fits(self._projections[row["projection"]], version):
                found.append(Stand(*at))
        return found

    async def _fits(self, projection: Projection, version: int) -> bool:
        name = projection.name
        if name not in self._faults:
            self._faults[name] = await shape.fault(self._pool, projection)
        fault = self._faults[name]
        if fault is None and version != projection.version:  # since a moment
            fault = shape.outdated(projection, version)
        if fault is not None and (name, fault) not in self._said:
            self._said.add((name, fault))
            logger.warning("projection %s stands still: %s", name, fault)
        return fault is None

    async def _try_again(self, slices: set[int]) -> None:
        """Makes the rows of orders that were set aside, once for each slice this process takes."""
        if new := slices - self._tried:
            for projection in self._projections.values():
                if await shape.fault(self._pool, projection) is None:
                    tried = await try_again(self._pool, projection, new)
                    if tried:
                        logger.info("projection %s: tried %s orders again that were set aside", projection.name, tried)
            self._tried |= new

    async def _advance(self, group: list[Stand]) -> bool:
        events = await self._log.read(group[0].position, BATCH)
        if not events:
            return False
        upto = events[-1].position
        behind = {(at.projection, at.slice): at for at in group if at.position < upto}
        touched = _touched(behind, events)
        states = await self._states.upto(set().union(*touched.values()), events)
        for name, orders in touched.items():
            projection, before = self._projections[name], [at for at in behind.values() if at.projection == name]
            made = await self._states.made(projection, orders, states)
            stored = await self._store(projection, before, upto, made)
            self._states.stored(projection, orders, stored)
        return len(events) == BATCH

    async def _store(
        self, projection: Projection, before: list[Stand], upto: int, made: dict[str, Made]
    ) -> dict[str, Made]:
        """Moves slices on from where they stood and replaces the orders' rows, both or nothing; those that stand."""
        numbers = [at.slice for at in before]
        async with self._pool.acquire() as connection, connection.transaction():
            now = await connection.fetch(LOCK_PROGRESS, projection.name, numbers)
            if {Stand(projection.name, *row) for row in now} != set(before):
                return {}  # somebody else was here
            await connection.execute(MOVE, projection.name, numbers, upto)
            aside = await write(connection, projection, before[0].generation, made)
        return {order: one for order, one in made.items() if order not in aside}

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(2):
                await self._slices.leave()
        except Exception as error:
            if not is_transient(error):
                raise


def _abreast(stands: Iterable[Stand]) -> list[list[Stand]]:
    """Slices by how far they are, the last first: who is far behind catches up by itself and keeps nobody waiting."""
    groups: list[list[Stand]] = []
    for at in sorted(stands, key=lambda at: at.position):
        if groups and at.position - groups[-1][-1].position <= BATCH:
            groups[-1].append(at)
        else:
            groups.append([at])
    return groups


def _touched(behind: Mapping[tuple[str, int], Stand], events: Sequence[Recorded]) -> dict[str, dict[str, Which]]:
    """By projection the orders with events that its slice has not seen, each with which rows of it stand."""
    touched: dict[str, dict[str, Which]] = {name: {} for name, _ in behind}
    for event in events:
        if belongs(event.order):
            number = slice_of(bucket_of(event.order))
            for name, orders in touched.items():
                at = behind.get((name, number))
                if at is not None and at.position < event.position:
                    orders[event.order] = at.rows
    return touched


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):  # wait_for of Python 3.11 loses a cancellation that meets the wake-up
            await wake.wait()


async def begin(pool: Pool, projections: Sequence[Projection]) -> None:
    """Makes the progress rows of projections nobody followed yet."""
    for projection in projections:
        name, version, columns = projection.name, projection.version, shape.columns(projection)
        await pool.execute(BEGIN, name, version, SLICES, columns)
        await pool.execute(NOTE_COLUMNS, name, version, columns)


async def slowest(pool: Pool, projections: Sequence[Projection]) -> int:
    """Up to which position all of these projections have come."""
    position = await pool.fetchval(SLOWEST, [projection.name for projection in projections])
    return int(position or 0)
