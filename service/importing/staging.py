"""Writes events of the past beside live traffic: by COPY into a table of the session's own, from there by one append.

The append is the live one, under the head's lock; all that can be done before is: the transfer, the comparison with
what is known. There are two connections for it, so that one brings events while the other appends those before. `SIZE`
events at most hold the lock at a time, fewer where Postgres is slow, so that live events come in between. What is told
of a file's progress commits with the events: killed at any moment, an import goes on where it was.

COPY instead of arrays moves 5 of 14 microseconds an event from Python to Postgres, which takes 3 for it.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from service.importing.parts import Row

SIZE, LEAST = 2000, 100
"""Events of one append, at most and at least."""

HELD_SECONDS = 0.06
"""How long the head's lock should be held at a time."""

STAGE = """
CREATE TEMP TABLE IF NOT EXISTS okno_import (
    n integer, order_key text, type text, source text, id text, actor text, occurred_at timestamptz, digest bytea,
    data bytea, body_hash bytea, content bytea, document text, body bytea, personal bytea, exported boolean
) ON COMMIT DELETE ROWS
"""
COLUMNS = (
    "n", "order_key", "type", "source", "id", "actor", "occurred_at", "digest", "data", "body_hash", "content",
    "document", "body", "personal", "exported",
)  # fmt: skip

# Exported events that this log knows, under another digest: it exported them itself.
PINNED = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
KNOWN = """
DELETE FROM okno_import i WHERE i.exported AND EXISTS (
    SELECT FROM okno.events e WHERE e.source = i.source AND e.id = i.id AND e.type = i.type AND e.data = i.data
    AND (e.order_key = i.order_key OR starts_with(i.order_key, '1c/')))
"""

# One append of all that is staged.
APPEND = f"""
SELECT count(*) FILTER (WHERE r.outcome = 'appended') AS appended, count(*) AS all
FROM (SELECT {", ".join(f"array_agg(i.{name} ORDER BY i.n) AS {name}" for name in COLUMNS[1:-1])},
             array_agg(NULL::integer) AS expected, array_agg(NULL::bigint) AS cause FROM pg_temp.okno_import i) s
CROSS JOIN LATERAL okno.append_batch(
    s.order_key, s.expected, s.type, s.source, s.id, s.cause, s.actor, s.occurred_at, s.digest, s.data, s.body_hash,
    s.content, s.document, s.body, s.personal, '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}') r
WHERE s.type IS NOT NULL
"""  # noqa: S608  # constants of this module

# How far a file was taken.
PROGRESS = "SELECT position FROM okno.progress WHERE name = $1"
ADVANCE = """
INSERT INTO okno.progress (name, position) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET position = excluded.position
"""
FINISH = "DELETE FROM okno.progress WHERE name = $1"

# What these orders' marketplace is known to have shown, and when last.
SHOWN = """
SELECT e.order_key, bool_or(e.type = 'order.placed') AS placed,
       max(e.occurred_at) FILTER (WHERE e.type <> 'marketplace.seen') AS changed,
       max(e.occurred_at) FILTER (WHERE e.type = 'marketplace.seen') AS seen
FROM okno.events e
WHERE e.order_key = ANY($1) AND e.type IN ('order.placed', 'order.changed', 'marketplace.seen') GROUP BY e.order_key
"""


class Written(msgspec.Struct):
    """What became of events: new ones, and those the log knew."""

    appended: int = 0
    known: int = 0


class Staged(msgspec.Struct):
    """Events that lie in a session's table, in a transaction that has yet to append them; `rows`: how many were given,
    `fresh`: how many of them are news."""

    connection: Any
    transaction: Any
    rows: int
    fresh: int
    exported: bool

    async def drop(self) -> None:
        """Forgets them; nothing of them was written."""
        if not self.connection.is_closed():
            await self.transaction.rollback()


class Staging:
    """Writes events through two connections in turns. `name` is the file's, None where nobody goes on with it later."""

    def __init__(self, connections: Sequence[Any], name: str | None) -> None:
        self._connection, self._other = connections
        self._name = name
        self._shown: dict[str, _Shown] = {}
        self.size = SIZE // 4

    async def begin(self) -> int:
        """Makes the sessions' tables, and says how far the file was taken."""
        for connection in (self._connection, self._other):
            await connection.execute(STAGE)
        return await self._connection.fetchval(PROGRESS, self._name) or 0

    async def stage(self, rows: Sequence[Row]) -> Staged:
        """Brings events to Postgres, while those staged before may still be on their way into the log."""
        connection, self._connection, self._other = self._connection, self._other, self._connection
        fresh = await self._news(connection, rows)
        staged = Staged(connection, connection.transaction(), len(rows), len(fresh), any(one.exported for one in fresh))
        await staged.transaction.start()
        try:
            if fresh:
                await connection.copy_records_to_table(
                    "okno_import",
                    columns=COLUMNS,
                    records=[(n, *msgspec.structs.astuple(one)) for n, one in enumerate(fresh)],
                )
        except BaseException:
            await staged.drop()
            raise
        return staged

    async def append(self, staged: Staged, offset: int | None) -> Written:
        """Appends what was staged and notes how far the file is taken with it, in one commit.

        `offset` None: not all of this part of the file is written with these events.
        """
        connection, written = staged.connection, Written()
        try:
            if staged.exported:
                await connection.execute(PINNED)
                await connection.execute(KNOWN)
            if offset is not None and self._name is not None:
                await connection.execute(ADVANCE, self._name, offset)
            if staged.fresh:  # last, for from here on the head is locked
                began = time.monotonic()
                row = await connection.fetchrow(APPEND)
                self._adapt(row["all"], time.monotonic() - began)
                written.appended = row["appended"]
        except BaseException:
            await staged.drop()
            raise
        await staged.transaction.commit()
        written.known = staged.rows - written.appended
        return written

    async def write(self, rows: Sequence[Row], offset: int | None) -> Written:
        """Both, where nothing else is on its way."""
        self._shown = {}
        return await self.append(await self.stage(rows), offset)

    async def finish(self) -> None:
        """Forgets how far the file was taken: it is taken whole."""
        if self._name is not None:
            await self._connection.execute(FINISH, self._name)

    def _adapt(self, events: int, seconds: float) -> None:
        """Fewer events at a time where Postgres holds the lock for long, more where it does not."""
        if events:
            fit = int(events * HELD_SECONDS / max(seconds, 0.001))
            self.size = max(LEAST, min(SIZE, fit, self.size * 2))

    async def _news(self, connection: Any, rows: Sequence[Row]) -> list[Row]:
        """The events that are news, what a marketplace showed earlier than is known marked as stale.

        What was staged before counts as known, though the log may not show it yet. A live event that comes at this very
        moment is not seen here; the next read of that order mends what follows.
        """
        orders = {one.order for one in rows if one.type in _STATED}
        before, self._shown = self._shown, {}
        if not orders:
            return list(rows)
        logged = {row["order_key"]: _Shown(*list(row.values())[1:]) for row in await connection.fetch(SHOWN, orders)}
        self._shown = {order: before.get(order) or logged.get(order) or _Shown() for order in orders}
        found = []
        for one in rows:
            kept = self._shown[one.order].take(one) if one.type in _STATED else one
            if kept is not None:
                found.append(kept)
        return found


_STATED = frozenset({"order.placed", "order.changed", "marketplace.seen"})
"""Facts that take the place of earlier ones."""


class _Shown(msgspec.Struct):
    """What the log knows of an order's marketplace."""

    placed: bool = False
    changed: datetime | None = None
    seen: datetime | None = None

    def take(self, one: Row) -> Row | None:
        """The event as it may be recorded; None where a later state of the same is known."""
        at = one.occurred_at
        if one.type == "marketplace.seen":
            late = self.seen is not None and at < self.seen
            self.seen = self.seen if late else at
            return one.stale() if late else one
        late = self.changed is not None and at < self.changed
        if self.placed and (late or one.type == "order.placed"):
            return None
        self.placed = self.placed or one.type == "order.placed"
        self.changed = self.changed if late else at
        return one
