"""What the parts of a process are given, where nothing else would notice that they were not."""

from pathlib import Path
from typing import Any

from events.log import Log
from service import app, settings
from service.database import Pool
from service.dispatcher import Dispatcher
from service.hub import Hub, Storage
from service.leases import Leases
from service.work import Work


async def test_the_reactor_has_the_hands_of_its_process(pool: Pool, log: Log) -> None:
    """Its dispatchers are made later than it: it holds what they are put into, empty or not."""
    dispatchers: dict[str, Dispatcher] = {}
    storage = Storage(pool, log, Work(pool, "test"), Leases(pool, "test"))
    loops: dict[str, Any] = dict(app._react(Hub(settings.parse({}, Path())), storage, dispatchers))
    assert loops["reactor"].func.__self__._hands is dispatchers
