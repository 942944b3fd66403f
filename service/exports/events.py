"""Events as they are exported. Postgres writes the lines itself: that is as fast as reading the rows, and what the
driver has to make of each row is most of the time otherwise.

Read by position in pieces, a connection held for a piece at a time; nothing is missed, since what a reader has passed
never appears behind it, and the export ends where the log ended when it began.
"""

import asyncio
import csv
import io
from collections import deque
from collections.abc import AsyncIterator
from itertools import islice
from typing import Any

from events.log import RECORDED_BEFORE, waits
from service.database import Pool
from service.exports.asked import Asked, NothingThere
from service.exports.formats import BOM, Plain, Writer, cells, parquet

PIECE = 20_000
"""Positions read at a time: a few megabytes."""

KINDS = {
    "position": "whole", "order": "text", "version": "whole", "type": "text", "source": "text", "id": "text",
    "cause": "whole", "actor": "text", "occurred_at": "time", "recorded_at": "time", "data": "text",
}  # fmt: skip
"""One column a field of the API's event."""

# The events of a piece: behind $1 up to $2, of the orders $3 or of the channel $4 where these are given.
FROM = """
FROM okno.events e {personal}
WHERE e.position > $1 AND e.position <= $2 AND ($3::text[] IS NULL OR e.order_key = ANY($3))
  AND ($4::text IS NULL OR starts_with(e.order_key, $4 || '/') OR (starts_with(e.order_key, '1c/') AND EXISTS (
      SELECT FROM okno.documents d
      WHERE d.document_id = substr(e.order_key, 4) AND starts_with(d.order_key, $4 || '/'))))
ORDER BY e.position
"""
PERSONAL = "LEFT JOIN okno.personal p ON p.position = e.position AND p.position > $1 AND p.position <= $2"

# A time as the API writes it.
TIME = """replace(to_char(e.{0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z')"""

# An event as the API writes it, a line each.
LINES = f"""
SELECT concat('{{"position":', e.position, ',"order":', to_json(e.order_key), ',"version":', e.version,
    ',"type":', to_json(e.type), ',"source":', to_json(e.source), ',"id":', to_json(e.id),
    ',"cause":', coalesce(e.cause::text, 'null'), ',"actor":', to_json(e.actor),
    ',"occurred_at":"', {TIME.format("occurred_at")}, '","recorded_at":"', {TIME.format("recorded_at")},
    '","data":', convert_from(e.data, 'UTF8'), {{personal}}, '}}')
"""

# The same in columns: as spreadsheets take it, and as it is.
GUARDED = "CASE WHEN left({0}, 1) IN ('=', '+', '-', '@', E'\\t', E'\\r', E'\\n') THEN '''' || {0} ELSE {0} END"
COLUMNS = """
SELECT e.position, {order_key}, e.version, {type}, {source}, {id}, e.cause, {actor}, {occurred_at}, {recorded_at},
       convert_from(e.data, 'UTF8') {personal}
"""

# An order's own key and those of its documents, where there are events of them.
KEYS = """
SELECT array_agg(k.key) FROM (
    SELECT $1 AS key UNION ALL SELECT '1c/' || d.document_id FROM okno.documents d WHERE d.order_key = $1
) k WHERE EXISTS (SELECT FROM okno.events e WHERE e.order_key = k.key)
"""

END = "SELECT position FROM okno.head WHERE log_id = 0"

LINE = {"format": "csv", "delimiter": "\x02", "quote": "\x01"}
"""COPY's way to write one text column as it is: no JSON holds these characters raw."""


class Events:
    """The events asked for, in the form their writer takes; `abreast` pieces are read at a time."""

    def __init__(self, pool: Pool, asked: Asked, abreast: int) -> None:
        self._pool, self._asked, self._abreast = pool, asked, abreast
        self._keys: list[str] | None = None
        self._after = self._upto = self.total = 0

    @waits
    async def begin(self) -> None:
        """Finds out where to begin and where to end."""
        asked = self._asked
        self._upto = await self._pool.fetchval(END) or 0
        if asked.order is not None:
            self._keys = await self._pool.fetchval(KEYS, asked.order)
            if self._keys is None:
                raise NothingThere(f"no events of {asked.order}: an order is named as CHANNEL/NUMBER")
        if asked.since is not None:
            self._after = await self._pool.fetchval(RECORDED_BEFORE, asked.since)
        if asked.until is not None:
            self._upto = min(await self._pool.fetchval(RECORDED_BEFORE, asked.until), self._upto)
        self.total = max(self._upto - self._after, 0)

    def writer(self) -> Writer:
        """What makes a file of the blocks."""
        kinds = KINDS | ({"personal": "text"} if self._asked.personal else {})
        if self._asked.format == "parquet":
            return parquet(kinds, of_csv=True)
        if self._asked.format == "csv":
            return Plain((BOM if self._asked.bom else b"") + cells([list(kinds)]))
        return Plain()

    async def blocks(self) -> AsyncIterator[tuple[bytes, int, int]]:
        """Blocks, each with its rows and how much of `total` is done."""
        step = max(self.total, 1) if self._keys is not None else PIECE
        starts = iter(range(self._after, self._upto, step))
        coming: deque[asyncio.Future[tuple[bytes, int, int]]] = deque()
        try:
            while True:
                for start in islice(starts, self._abreast - len(coming)):
                    coming.append(asyncio.ensure_future(self._piece(start, min(start + step, self._upto))))
                if not coming:
                    return
                raw, rows, end = await coming.popleft()
                yield _crlf(raw, rows) if self._asked.format == "csv" else raw, rows, end - self._after
        finally:
            for task in coming:
                task.cancel()
            await asyncio.gather(*coming, return_exceptions=True)

    def summary(self, rows: int) -> str:
        """What was exported."""
        return f"exported {rows} events, of the log up to position {self._upto}"

    @waits
    async def _piece(self, start: int, end: int) -> tuple[bytes, int, int]:
        query, how = _query(self._asked)
        parts: list[bytes] = []

        async def take(part: bytes) -> None:
            parts.append(part)

        async with self._pool.acquire() as connection:
            status = await connection.copy_from_query(
                query, start, end, self._keys, self._asked.channel, output=take, **how
            )
        return b"".join(parts), int(status.rpartition(" ")[2]), end


def _query(asked: Asked) -> tuple[str, dict[str, Any]]:
    """The statement for a piece, and how Postgres is to write it out."""
    joined = FROM.format(personal=PERSONAL if asked.personal else "")
    personal = "convert_from(p.data, 'UTF8')"
    if asked.format == "jsonl":
        more = f""", ',"personal":', coalesce({personal}, 'null')""" if asked.personal else ""
        return LINES.replace("{personal}", more.removeprefix(", ") or "''") + joined, LINE
    texts = {name: f"e.{name}" for name in ("order_key", "type", "source", "id", "actor")}
    times = {name: f"e.{name}" for name in ("occurred_at", "recorded_at")}
    if asked.format == "csv":
        texts = {name: GUARDED.format(column) for name, column in texts.items()}
        times = {name: TIME.format(name) for name in times}
    columns = COLUMNS.format(**texts, **times, personal=f", {personal}" if asked.personal else "")
    return columns + joined, {"format": "csv"}


def _crlf(raw: bytes, rows: int) -> bytes:
    """CSV with the ends of line that RFC 4180 wants: Postgres writes its own."""
    if raw.count(b"\n") == rows:
        return raw.replace(b"\n", b"\r\n")
    read = csv.reader(io.StringIO(raw.decode(), newline=""))
    made = io.StringIO()  # an id with a line's end within
    csv.writer(made).writerows(read)
    return made.getvalue().encode()
