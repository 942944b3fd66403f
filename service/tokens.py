"""Bearer tokens: who may call, and as what. Only a token's hash is kept.

A token holds 256 random bits, so a plain hash of it can't be searched for.
"""

import hashlib
import secrets
from typing import Final

import msgspec

from events.log import waits
from service.database import Pool

ROLES: Final = ("onec", "operator", "auditor", "admin")

# A name has one token: a new one takes the old one's place.
ADD = """
INSERT INTO okno.tokens (name, role, hash, source) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE
SET role = excluded.role, hash = excluded.hash, source = excluded.source, created_at = now()
"""
FIND = "SELECT name, role, source FROM okno.tokens WHERE hash = $1"


class Identity(msgspec.Struct, frozen=True):
    """Who calls. `name` stands as actor in what he does; `source`: the base of 1C he speaks for, None: for any."""

    name: str
    role: str
    source: str | None = None

    @property
    def base(self) -> str:
        """The source of events that name none, as CloudEvents name it: `1c/ut11`."""
        return f"1c/{self.source or self.name}"

    def may(self, *roles: str) -> bool:
        """Whether one of these roles is his; an admin has all of them."""
        return self.role == "admin" or self.role in roles


@waits
async def add(pool: Pool, name: str, role: str, source: str | None = None) -> str:
    """Makes a token and returns it; it can't be shown again."""
    token = f"okno_{secrets.token_urlsafe(32)}"
    await pool.execute(ADD, name, role, _hash(token), source)
    return token


@waits
async def find(pool: Pool, token: str) -> Identity | None:
    """Whose token this is."""
    row = await pool.fetchrow(FIND, _hash(token))
    return None if row is None else Identity(row["name"], row["role"], row["source"])


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
