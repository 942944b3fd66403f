"""A log of the test's own, a virtual host of its own, and hands to publish and to look into queues."""

from collections.abc import AsyncIterator

import pytest

from events.log import Log
from service.database import Pool
from service.intake import Intake
from tests.onec.broker import Rabbit
from tests.onec.making import KEY, SETTINGS, opened


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with opened(database_url) as pool:
        yield pool


@pytest.fixture
def log(pool: Pool) -> Log:
    return Log(pool, KEY)


@pytest.fixture
def intake(log: Log) -> Intake:
    return Intake(log, SETTINGS)


@pytest.fixture
async def rabbit(amqp_url: str) -> AsyncIterator[Rabbit]:
    async with Rabbit.at(amqp_url) as rabbit:
        yield rabbit
