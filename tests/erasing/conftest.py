"""A log with a planted buyer."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from events.log import Log
from service.database import Pool
from service.intake import Intake
from tests.erasing.planted import owning, plant
from tests.onec.making import SETTINGS


@pytest.fixture
def intake(log: Log) -> Intake:
    return Intake(log, SETTINGS)


@pytest_asyncio.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The database's owner."""
    async with owning(database_url) as connection:
        yield connection


@pytest_asyncio.fixture
async def planted(intake: Intake, log: Log, pool: Pool) -> None:
    """The order of `planted`, everywhere."""
    await plant(intake, log, pool)
