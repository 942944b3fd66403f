"""Who does to the log what its guards refuse."""

from typing import cast

import asyncpg

from service.audit import Verdict, verify
from service.database import Pool
from tests.servers import BODY_KEY

UNGUARDED = "ALTER TABLE okno.{0} DISABLE TRIGGER ALL"


class Tamperer:
    """A superuser who switches the guards off before each deed."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def do(self, *deeds: str) -> None:
        """Carries out what the triggers would refuse."""
        async with self._connection.transaction():
            for table in ("events", "seals", "documents"):
                await self._connection.execute(UNGUARDED.format(table))
            for deed in deeds:
                await self._connection.execute(deed)

    async def tried(self, *deeds: str) -> Verdict:
        """What is proved after the deeds; they are undone."""
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            await self.do(*deeds)
            return await verdict(cast("Pool", self._connection))  # it reads as a pool does, and sees the deeds
        finally:
            await transaction.rollback()


def unseen(done: int, total: int) -> None:
    """Progress nobody watches."""


async def verdict(pool: Pool) -> Verdict:
    """What one process proves, bodies included."""
    return await verify(pool, unseen, BODY_KEY)
