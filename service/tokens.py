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
INSERT INTO okno.tokens (name, role, hash) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET role = excluded.role, hash = excluded.hash, created_at = now()
"""
FIND = "SELECT name, role FROM okno.tokens WHERE hash = $1"


class Identity(msgspec.Struct, frozen=True):
    """Who calls. `name` stands as actor in what he does."""

    name: str
    role: str

    def may(self, *roles: str) -> bool:
        """Whether one of these roles is his; an admin has all of them."""
        return self.role == "admin" or self.role in roles


@waits
async def add(pool: Pool, name: str, role: str) -> str:
    """Makes a token and returns it; it can't be shown again."""
    token = f"okno_{secrets.token_urlsafe(32)}"
    await pool.execute(ADD, name, role, _hash(token))
    return token


@waits
async def find(pool: Pool, token: str) -> Identity | None:
    """Whose token this is."""
    row = await pool.fetchrow(FIND, _hash(token))
    return None if row is None else Identity(row["name"], row["role"])


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
