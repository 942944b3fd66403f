"""An intake into a log of the test's own, and hands to publish and to look into queues of its own virtual host."""

from collections.abc import AsyncIterator

import pytest

from events.log import Log
from service.intake import Intake
from tests.onec.broker import Rabbit
from tests.onec.making import SETTINGS


@pytest.fixture
def intake(log: Log) -> Intake:
    return Intake(log, SETTINGS)


@pytest.fixture
async def rabbit(amqp_url: str) -> AsyncIterator[Rabbit]:
    async with Rabbit.at(amqp_url) as rabbit:
        yield rabbit
