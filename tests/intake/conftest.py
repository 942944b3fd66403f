"""An intake into a log of the test's own."""

import pytest

from events.log import Log
from service.intake import Intake
from tests.onec.making import SETTINGS


@pytest.fixture
def intake(log: Log) -> Intake:
    return Intake(log, SETTINGS)
