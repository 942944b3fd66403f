"""Sessions of the exchange, and how far each base was told. They stand in Postgres, so that any process may go on.

A session's cookie is 256 random bits, kept as a hash like a token; it ends with its token, and when nothing was asked
for `IDLE`. If the process dies between `success` and its answer, 1C asks again or begins a new session: a cursor that
has moved says the same again, one that has not tells the same orders again.
"""

import hashlib
import secrets
from datetime import timedelta
from typing import Final

import msgspec

from events.log import waits
from service.database import Pool
from service.tokens import Identity

COOKIE: Final = "okno_exchange"
IDLE: Final = timedelta(hours=1)

BEGIN = """
INSERT INTO okno.exchange_sessions (id, token, token_hash, source, channels, sessid)
SELECT $1, t.name, t.hash, $3, $4, $5 FROM okno.tokens t WHERE t.name = $2
"""
# A session that goes on; it is over with its token.
SEEN = """
UPDATE okno.exchange_sessions s SET seen_at = now() FROM okno.tokens t
WHERE s.id = $1 AND s.seen_at > now() - $2::interval AND t.name = s.token AND t.hash = s.token_hash
RETURNING s.id, s.source, s.channels, s.sessid, s.version, s.sent_epoch, s.sent_position
"""
VERSION = "UPDATE okno.exchange_sessions SET version = $2 WHERE id = $1"
SENT = "UPDATE okno.exchange_sessions SET sent_epoch = $2, sent_position = $3 WHERE id = $1"
OVER = "DELETE FROM okno.exchange_sessions WHERE seen_at <= now() - $1::interval"

# How far a base was told; the first time it asks, everything is behind it.
CURSOR = """
INSERT INTO okno.exchange_cursors AS c (source, channels, epoch, position, began)
SELECT $1, $2, h.epoch, 0, h.position FROM okno.head h WHERE h.log_id = 0
ON CONFLICT (source, channels) DO UPDATE SET source = c.source
RETURNING epoch, position, began
"""
# It never moves back within an epoch: two sessions may confirm in either order.
MOVE = """
UPDATE okno.exchange_cursors
SET position = CASE WHEN epoch = $3 THEN greatest(position, $4) ELSE $4 END, epoch = $3, confirmed_at = now()
WHERE source = $1 AND channels = $2 AND epoch <= $3
"""

# Sets a base's cursors of this life of the log back to before a position, so that it asks for what is behind it again.
SET_BACK = """
UPDATE okno.exchange_cursors SET position = least(position, $2)
WHERE source = $1 AND epoch = (SELECT h.epoch FROM okno.head h WHERE h.log_id = 0) RETURNING 1
"""


class Place(msgspec.Struct, frozen=True):
    """A place in the log, in one of its lives."""

    epoch: int
    position: int


class Cursor(msgspec.Struct, frozen=True):
    """How far a base was told; it had nothing of what was told up to `began`."""

    place: Place
    began: int


class Session(msgspec.Struct, frozen=True):
    """Who asks. `source`: the base, as `1c/ut11`; `channels`: as the address has them; `sent`: told, unconfirmed."""

    id: bytes
    source: str
    channels: str
    sessid: str
    version: str | None
    sent: Place | None


class Sessions:
    """The sessions of all bases."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @waits
    async def begin(self, who: Identity, channels: str) -> tuple[str, str]:
        """A new session; the cookie's value and the sessid."""
        cookie, sessid = secrets.token_urlsafe(32), secrets.token_hex(16)
        await self._pool.execute(BEGIN, _hash(cookie), who.name, who.base, channels, sessid)
        return cookie, sessid

    @waits
    async def find(self, cookie: str) -> Session | None:
        """The session of a cookie; None where there is none, or it is over."""
        row = await self._pool.fetchrow(SEEN, _hash(cookie), IDLE)
        if row is None:
            return None
        sent = None if row["sent_epoch"] is None else Place(row["sent_epoch"], row["sent_position"])
        return Session(row["id"], row["source"], row["channels"], row["sessid"], row["version"], sent)

    @waits
    async def speaks(self, session: Session, version: str | None) -> None:
        """Notes the version of the protocol; None for the old one."""
        await self._pool.execute(VERSION, session.id, version)

    @waits
    async def cursor(self, session: Session) -> Cursor:
        """How far the base was told."""
        row = await self._pool.fetchrow(CURSOR, session.source, session.channels)
        assert row is not None
        return Cursor(Place(row["epoch"], row["position"]), row["began"])

    @waits
    async def told(self, session: Session, place: Place) -> None:
        """Notes up to where the session was told."""
        await self._pool.execute(SENT, session.id, place.epoch, place.position)

    @waits
    async def confirm(self, session: Session, place: Place) -> None:
        """Moves the base's cursor."""
        await self._pool.execute(MOVE, session.source, session.channels, place.epoch, place.position)

    @waits
    async def set_back(self, source: str, position: int) -> int:
        """Sets the base's cursors back, so that it is told again what lies behind a position; how many it has."""
        return len(await self._pool.fetch(SET_BACK, source, position))

    @waits
    async def end_idle(self) -> None:
        """Removes sessions that are over, and what was kept of their files."""
        await self._pool.execute(OVER, IDLE)


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
