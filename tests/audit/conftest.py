"""A log that is about to be tampered with."""

import asyncpg
import pytest_asyncio

from events.log import Log
from tests.audit.tampering import Tamperer
from tests.events.conftest import owner
from tests.events.said import new

__all__ = ["owner"]  # a fixture

BATCHES = ((1, 2, 3, 4), (5, 6), (7, 8, 9, 10), (11,))
"""Positions of the log under test, append by append."""


@pytest_asyncio.fixture
async def tamperer(log: Log, owner: asyncpg.Connection) -> Tamperer:
    """Stands before a log of several batches, of three orders."""
    for positions in BATCHES:
        await log.append([
            new(n, order=f"shop/{n % 3}", cause=n - 1 or None, body=b"raw %d" % n, personal=b"{}") for n in positions
        ])  # fmt: skip
    return Tamperer(owner)
