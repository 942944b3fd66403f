"""The log: one way in, three ways to read.

Order promise: positions have no gaps, and what a reader has passed never appears behind it, because every append holds
the head row's lock from numbering to commit. A reader therefore keeps one integer.

Errors are those of `errors`: `LogUnavailable` (wait and try again), or asyncpg's about the batch itself.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import islice
from typing import Any, TypeAlias

import asyncpg
import msgspec

from events import seal
from events.errors import LogUnavailable, is_about_data, is_transient, waits
from events.joined import Joined, side_by_side
from events.recorded import Appended, NewEvent, Recorded, Rejected

__all__ = [
    "Connection", "Head", "Log", "LogUnavailable", "Story", "is_about_data", "is_transient", "recorded", "waits",
]  # fmt: skip

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

# Every column of an event, in the order of `Recorded`.
COLUMNS = "position, order_key, version, type, source, id, cause, actor, occurred_at, recorded_at, id_reused, data"

# Appends a batch, in the order of `Appended`; see sql/0008_append.sql.
APPEND = """
SELECT outcome, coalesce(at_position, 0), at_version FROM okno.append_batch(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
"""

# The log by position.
READ = f"""
SELECT {COLUMNS} FROM okno.events WHERE position > $1 ORDER BY position LIMIT $2
"""  # noqa: S608  # a constant of this module

# Requests of commands, by position.
REQUESTS = f"""
SELECT {COLUMNS} FROM okno.events WHERE type = 'command.requested' AND position > $1 ORDER BY position LIMIT $2
"""  # noqa: S608  # a constant of this module

# Whole histories of some orders; marks sent under a document count for the order it was linked to. OFFSET keeps the
# subquery as it is, so that each key is sought in the index: of a young table Postgres believes that to read it all
# takes less.
OF_ORDERS = """
WITH keys AS (
    SELECT k AS owner, k AS order_key FROM unnest($1::text[]) AS k
    UNION ALL
    SELECT d.order_key, '1c/' || d.document_id FROM okno.documents d WHERE d.order_key = ANY($1)
)
SELECT keys.owner, h.* FROM keys, LATERAL (
    SELECT {} FROM okno.events e WHERE order_key = keys.order_key OFFSET 0
) AS h ORDER BY h.position
"""
HISTORIES = OF_ORDERS.format(COLUMNS)

# The same, each event with the personal data that came with it.
PERSONAL = "(SELECT p.data FROM okno.personal p WHERE p.position = e.position)"
STORIES = OF_ORDERS.format(f"{COLUMNS}, {PERSONAL}")

# Documents linked to an order.
LINKED = "SELECT '1c/' || document_id FROM okno.documents WHERE order_key = $1"

# The order a document is linked to.
ORDER_OF = "SELECT order_key FROM okno.documents WHERE document_id = $1"

# The raw bodies of some orders' events that came with one; null where it is gone.
BODIES = """
SELECT e.position, b.body FROM okno.events e LEFT JOIN okno.bodies b ON b.position = e.position
WHERE e.order_key = ANY($1) AND e.body_hash IS NOT NULL
"""

# Where the log ends, in the order of `Head`.
HEAD = "SELECT position, seal, recorded_at, epoch, links, restored_at FROM okno.head WHERE log_id = 0"

# Behind which position the log is of which epoch; the first one has no row.
RESTORES = "SELECT after, epoch FROM okno.restores ORDER BY epoch"

# Lets nobody else write to the log until the transaction's end, and says where the log ends.
LOCK = "SELECT okno.lock_head()"

# The last position recorded before a moment, 0 for none; an append's events were all recorded at the time of its seal.
RECORDED_BEFORE = """
SELECT coalesce((SELECT s.last_position FROM okno.seals s WHERE s.number = okno.link_before($1)), 0)
"""


SMALL = 100
"""A batch of more events has nothing to gain from being appended together with others."""


class Head(msgspec.Struct, frozen=True):
    """Where the log ends. `links`: how many seals there are. `epoch` rises, and `restored_at` is then, when the log was
    restored from a backup."""

    position: int
    seal: bytes
    recorded_at: datetime
    epoch: int
    links: int
    restored_at: datetime | None


class Story(msgspec.Struct, frozen=True):
    """An order's whole history, and its personal data by the position they came with; none after they were erased."""

    events: list[Recorded]
    personal: dict[int, Any]


def recorded(row: Iterable[Any]) -> Recorded:
    """A row of `COLUMNS` as an event; by place, which is twice as fast as by name."""
    position, order, version, type, source, id, cause, actor, occurred_at, recorded_at, id_reused, data = row
    return Recorded(
        position=position, order=order, version=version, type=type, source=source, id=id, cause=cause, actor=actor,
        occurred_at=occurred_at, recorded_at=recorded_at, id_reused=id_reused, data=data,
    )  # fmt: skip


class Log:
    """The event log in one Postgres database. `body_key` is for the keyed hash of raw bodies, and lives outside of it.

    `appended` is called after each append with what was to be appended (nothing: whatever it was), to wake who follows.
    """

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", body_key: bytes,
        appended: Callable[[Sequence[NewEvent]], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._pool = pool
        self._body_key = body_key
        self._appended = appended
        self._together = Joined(self._append_together, side_by_side)

    async def append(self, events: Sequence[NewEvent], rejected: Sequence[Rejected] = ()) -> list[Appended]:
        """Writes all of a batch in one commit and says, in the same order, what became of each event.

        Small batches of callers that come at the same time share a commit, and no caller can tell.
        """
        if rejected or len(events) > SMALL:
            return await self._append_alone(events, rejected)
        return await self._together(events)

    @waits
    async def _append_alone(self, events: Sequence[NewEvent], rejected: Sequence[Rejected] = ()) -> list[Appended]:
        async with self._pool.acquire() as connection:
            outcomes = await self.append_in(connection, events, rejected)
        self._appended(events)
        return outcomes

    async def _append_together(self, batches: Sequence[Sequence[NewEvent]]) -> list[list[Appended] | Exception]:
        """Where the batches of several callers are refused, each is tried alone: one at fault spoils no other."""
        try:
            outcomes = iter(await self._append_alone([event for batch in batches for event in batch]))
        except LogUnavailable:
            raise
        except Exception as error:
            return [error] if len(batches) == 1 else [await self._tried(batch) for batch in batches]
        return [list(islice(outcomes, len(batch))) for batch in batches]

    async def _tried(self, batch: Sequence[NewEvent]) -> list[Appended] | Exception:
        try:
            return await self._append_alone(batch)
        except Exception as error:
            return error

    async def append_in(
        self, connection: Connection, events: Sequence[NewEvent], rejected: Sequence[Rejected] = ()
    ) -> list[Appended]:
        """The same in the caller's transaction, such as that of `locked`."""
        hashes = [None if e.body is None else seal.body_hash(self._body_key, e.body) for e in events]
        contents = [
            seal.content_hash(e.source, e.id, e.actor, e.cause, e.digest, e.data, h)
            for e, h in zip(events, hashes, strict=True)
        ]
        rows = await connection.fetch(
            APPEND,
            [e.order for e in events], [e.expected for e in events], [e.type for e in events],
            [e.source for e in events], [e.id for e in events], [e.cause for e in events],
            [e.actor for e in events], [e.occurred_at for e in events], [e.digest for e in events],
            [e.data for e in events], hashes, contents, [e.document for e in events],
            [e.body for e in events], [e.personal for e in events],
            [r.id for r in rejected], [r.via for r in rejected], [r.reason for r in rejected],
            [r.detail for r in rejected], [r.body for r in rejected],
            [msgspec.json.encode(r.envelope) for r in rejected],
        )  # fmt: skip
        return [Appended(*row) for row in rows]

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[tuple[Connection, int]]:
        """A transaction in which nobody else writes to the log, and the position it ends at: to be kept short."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection, await connection.fetchval(LOCK)
        self._appended(())

    @waits
    async def head(self) -> Head:
        """Where the log ends now."""
        async with self._pool.acquire() as connection:
            row = await connection.fetchrow(HEAD)
        assert row is not None
        return Head(*row.values())

    @waits
    async def restores(self) -> list[tuple[int, int]]:
        """Where the log was restored from a backup: what was recorded behind that position is of that epoch."""
        async with self._pool.acquire() as connection:
            return [(row["after"], row["epoch"]) for row in await connection.fetch(RESTORES)]

    @waits
    async def read(self, after: int, limit: int = 1000) -> list[Recorded]:
        """Up to `limit` events behind a position, in order."""
        async with self._pool.acquire() as connection:
            return [recorded(row) for row in await connection.fetch(READ, after, limit)]

    @waits
    async def requests(self, after: int, limit: int) -> list[Recorded]:
        """Up to `limit` requests of commands behind a position, in order."""
        async with self._pool.acquire() as connection:
            return [recorded(row) for row in await connection.fetch(REQUESTS, after, limit)]

    @waits
    async def histories(self, orders: Iterable[str]) -> dict[str, list[Recorded]]:
        """Whole histories by order; an order nobody ever heard of has an empty one."""
        wanted = list(orders)
        found: defaultdict[str, list[Recorded]] = defaultdict(list)
        async with self._pool.acquire() as connection:
            for owner, *row in await connection.fetch(HISTORIES, wanted):
                found[owner].append(recorded(row))
        return {order: found.get(order, []) for order in wanted}

    @waits
    async def stories(self, orders: Iterable[str]) -> dict[str, Story]:
        """Whole histories by order, with orders' personal data."""
        found = {order: Story([], {}) for order in orders}
        async with self._pool.acquire() as connection:
            for owner, *row, personal in await connection.fetch(STORIES, list(found)):
                event = recorded(row)
                found[owner].events.append(event)
                if personal is not None:
                    found[owner].personal[event.position] = msgspec.json.decode(personal)
        return found

    @waits
    async def body(self, position: int) -> bytes | None:
        """The raw body an event came with; None where there was none or it was erased."""
        async with self._pool.acquire() as connection:
            value = await connection.fetchval("SELECT body FROM okno.bodies WHERE position = $1", position)
        return None if value is None else bytes(value)

    @waits
    async def bodies(self, order: str) -> dict[int, bytes | None]:
        """The raw bodies an order's events came with, by position; None for one that is gone."""
        async with self._pool.acquire() as connection:
            linked = [row[0] for row in await connection.fetch(LINKED, order)]
            rows = await connection.fetch(BODIES, [order, *linked])
        return {row["position"]: None if row["body"] is None else bytes(row["body"]) for row in rows}

    @waits
    async def order_of(self, order: str) -> str:
        """The order a document of 1C's (`1c/DOCUMENT`) is linked to; the key itself where it is none, or not yet."""
        channel, _, document = order.partition("/")
        if channel != "1c":
            return order
        async with self._pool.acquire() as connection:
            found = await connection.fetchval(ORDER_OF, document.casefold())
        return order if found is None else str(found)

    async def follow(self, after: int, limit: int = 1000) -> AsyncIterator[list[Recorded]]:
        """Batches from a position up to the head as it stands at each read; ends there."""
        while batch := await self.read(after, limit):
            yield batch
            after = batch[-1].position
