"""Files that 1C sends, piece by piece, as they are kept until they are taken.

A name comes from outside and is nothing but a name: no path is made of it. Once a file is taken, or can't be, its
pieces go; that it ended stays until the session is over, so that asking for it once more has the same answer.
"""

from collections.abc import AsyncIterator, Iterator
from typing import IO, Final

import msgspec

from events.log import waits
from service.database import Pool
from service.exchange.answers import Failure
from service.exchange.sessions import IDLE, Session

PIECE: Final = 1024 * 1024
"""Bytes of a file held in memory at a time."""

LARGEST: Final = 512 * 1024 * 1024
"""Bytes of a file; 1C's orders of a year have a tenth of that."""

MOST: Final = 100
"""Files of a session."""

NAME: Final = 200

# A file that ended begins anew under its name.
OPEN = """
INSERT INTO okno.exchange_files AS f (session, name) VALUES ($1, $2)
ON CONFLICT (session, name) DO UPDATE SET
    bytes = CASE WHEN f.ended THEN 0 ELSE f.bytes END, sound = false, taken = 0, ended = false, fault = NULL
RETURNING bytes, (SELECT count(*) FROM okno.exchange_files o WHERE o.session = $1) AS files
"""
ADD = """
INSERT INTO okno.exchange_pieces (session, name, number, piece)
SELECT $1, $2, coalesce((SELECT max(number) FROM okno.exchange_pieces WHERE session = $1 AND name = $2), 0) + 1, $3
"""
GROWN = "UPDATE okno.exchange_files SET bytes = $3 WHERE session = $1 AND name = $2"
FIND = "SELECT name, bytes, sound, taken, ended, fault FROM okno.exchange_files WHERE session = $1 AND name = $2"
READ = "SELECT piece FROM okno.exchange_pieces WHERE session = $1 AND name = $2 AND number = $3"
# The end of a file, however small the pieces it came in.
TAIL = """
SELECT string_agg(substring(piece FROM greatest(length(piece) - 199, 1)), '' ORDER BY number) FROM (
    SELECT number, piece FROM okno.exchange_pieces WHERE session = $1 AND name = $2 ORDER BY number DESC LIMIT 100
) last
"""
SOUND = "UPDATE okno.exchange_files SET sound = true WHERE session = $1 AND name = $2"
TAKEN = "UPDATE okno.exchange_files SET taken = $3 WHERE session = $1 AND name = $2"
END = "UPDATE okno.exchange_files SET ended = true, fault = $3 WHERE session = $1 AND name = $2 AND NOT ended"
DROP = "DELETE FROM okno.exchange_pieces WHERE session = $1 AND name = $2"
CLEAR = "DELETE FROM okno.exchange_files WHERE session = $1"

# Files of the old protocol that were never whole, in sessions that are over: 1C was told that they were kept.
LEFT = """
SELECT s.id, s.source, f.name FROM okno.exchange_files f JOIN okno.exchange_sessions s ON s.id = f.session
WHERE s.seen_at <= now() - $1::interval AND s.version IS NULL AND NOT f.ended
"""


class File(msgspec.Struct, frozen=True):
    """A file as far as it came.

    `sound`: known to be well-formed; `taken`: so many of its parts; `ended`: all of it was, or `fault` says why not.
    """

    name: str
    bytes: int
    sound: bool
    taken: int
    ended: bool
    fault: str | None


def name(asked: str) -> str:
    """A file's name without the folders that 1C's servers put before it."""
    found = asked.replace("\\", "/").rstrip("/").rpartition("/")[2].strip()
    if not found or found in (".", "..") or not found.isprintable() or len(found) > NAME:
        raise Failure("нет имени файла: передайте filename=… без пути, не длиннее 200 знаков")
    return found


class Files:
    """What sessions sent."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @waits
    async def add(self, session: Session, name: str, body: IO[bytes]) -> None:
        """Adds a request's body to a file, whole or not at all."""
        async with self._pool.acquire() as connection, connection.transaction():
            opened = await connection.fetchrow(OPEN, session.id, name)
            assert opened is not None
            if opened["files"] > MOST:
                raise Failure(f"в одном сеансе больше {MOST} файлов: начните новый сеанс обмена")
            size = opened["bytes"]
            if not size:
                await connection.execute(DROP, session.id, name)
            for piece in _pieces(body):
                size += len(piece)
                if size > LARGEST:
                    raise Failure(f"файл больше {LARGEST // PIECE} МБ: выгружайте заказы за меньший период")
                await connection.execute(ADD, session.id, name, piece)
            await connection.execute(GROWN, session.id, name, size)

    @waits
    async def find(self, session: Session, name: str) -> File | None:
        """A file by its name."""
        row = await self._pool.fetchrow(FIND, session.id, name)
        return None if row is None else File(*row.values())

    async def pieces(self, session: bytes, name: str) -> AsyncIterator[bytes]:
        """A file's content, one piece in memory at a time."""
        number = 1
        while (piece := await self._piece(session, name, number)) is not None:
            yield piece
            number += 1

    @waits
    async def _piece(self, session: bytes, name: str, number: int) -> bytes | None:
        piece: bytes | None = await self._pool.fetchval(READ, session, name, number)
        return piece

    @waits
    async def tail(self, session: Session, name: str) -> bytes:
        """How a file ends."""
        end: bytes | None = await self._pool.fetchval(TAIL, session.id, name)
        return end or b""

    @waits
    async def sound(self, session: Session, name: str) -> None:
        """Notes that a file is well-formed."""
        await self._pool.execute(SOUND, session.id, name)

    @waits
    async def taken(self, session: Session, name: str, parts: int) -> None:
        """Notes how many of a file's parts were taken."""
        await self._pool.execute(TAKEN, session.id, name, parts)

    @waits
    async def end(self, session: Session, name: str, fault: str | None = None) -> None:
        """Ends a file: it was taken, or can't be."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(END, session.id, name, fault)
            await connection.execute(DROP, session.id, name)

    @waits
    async def clear(self, session: Session) -> None:
        """Forgets what a session sent so far."""
        await self._pool.execute(CLEAR, session.id)

    @waits
    async def left(self) -> list[tuple[bytes, str, str]]:
        """Session, base and name of files of the old protocol that were cut off and nobody goes on with."""
        return [tuple(row.values()) for row in await self._pool.fetch(LEFT, IDLE)]


def _pieces(body: IO[bytes]) -> Iterator[bytes]:
    while piece := body.read(PIECE):
        yield piece
