"""A hub's log to reconcile with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service import database
from tests.onec.broker import Rabbit
from tests.reconcile.seeded import Hub


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[Hub]:
    made = await Hub.at(database_url, tmp_path)
    yield made
    await database.close(made.pool)


@pytest.fixture
async def rabbit(amqp_url: str) -> AsyncIterator[Rabbit]:
    async with Rabbit.at(amqp_url) as rabbit:
        yield rabbit
