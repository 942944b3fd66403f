"""A near deadline is said once, in time, and never to flood."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from events.codec import encode
from events.log import Log
from events.order import facts as f
from events.recorded import NewEvent
from service import database
from service.database import Pool
from service.deadlines import Deadlines
from service.leases import Leases
from service.settings import parse
from tests.servers import project
from tests.web.served import CHANNEL

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORDER = "ym-msk/1"


class Watch:
    """The watcher over a log of its own."""

    def __init__(self, pool: Pool, log: Log, folder: Path) -> None:
        self.pool, self.log = pool, log
        self.channels = parse({"channels": {"ym-msk": CHANNEL}}, folder).channels
        self.deadlines = self.another()

    def another(self) -> Deadlines:
        """The watcher of a process that has just started."""
        return Deadlines(self.log, self.pool, self.channels, Leases(self.pool, "test"))

    async def due(self, due: datetime, stage: str = "shipped", *, actor: str | None = None) -> None:
        """An order placed with this deadline."""
        fact = f.Placed(number="1", deadlines=(f.Deadline(stage, due),))
        await self.say("order.placed", fact, "channel/ym-msk", actor)

    async def say(self, type: str, fact: f.Fact, source: str = "1c/ut11", actor: str | None = None) -> None:
        """A fact, and the rows that follow."""
        digest = f"{type}{fact}".encode()
        await self.log.append([
            NewEvent(
                order=ORDER, type=type, source=source, id=type, digest=digest, data=encode(fact), actor=actor or source
            )
        ])  # fmt: skip
        await project(self.pool, self.log)

    async def said(self) -> int:
        """How often a deadline was said to be near."""
        return sum(event.type == "deadline.near" for event in await self.log.read(0))


@pytest_asyncio.fixture
async def watch(database_url: str, tmp_path: Path) -> AsyncIterator[Watch]:
    """A watcher, and an empty log."""
    pool = await database.open_pool(database_url, size=3)
    yield Watch(pool, Log(pool, b"k"), tmp_path)
    await pool.close()


async def test_said_once_when_it_comes_near(watch: Watch) -> None:
    """An hour before, not earlier; a second look and another process add nothing."""
    await watch.due(NOW + timedelta(hours=2))
    assert await watch.deadlines.look(NOW) == 0
    later = NOW + timedelta(minutes=61)
    assert await watch.deadlines.look(later) == 1
    assert await watch.deadlines.look(later) == 0
    await watch.another().look(later)
    assert await watch.said() == 1


async def test_a_moved_deadline_is_said_again(watch: Watch) -> None:
    """Once per stage and due time."""
    await watch.due(NOW + timedelta(minutes=30))
    await watch.deadlines.look(NOW)
    moved = f.Changed(deadlines=(f.Deadline("shipped", NOW + timedelta(minutes=40)),))
    await watch.say("order.changed", moved, "channel/ym-msk")
    assert await watch.deadlines.look(NOW) == 1
    assert await watch.said() == 2


@pytest.mark.parametrize(
    ("type", "fact"),
    [("order.shipped", f.Shipped()), ("order.delivered", f.Delivered()), ("order.cancelled", f.Cancelled(by="shop"))],
)
async def test_nothing_is_said_of_what_was_reached(watch: Watch, type: str, fact: f.Fact) -> None:
    """A reached stage and a cancelled order have no open deadline."""
    await watch.due(NOW + timedelta(minutes=30))
    await watch.say(type, fact)
    assert await watch.deadlines.look(NOW) == 0


async def test_long_past_deadlines_are_no_news(watch: Watch) -> None:
    """Orders found late do not flood 1C."""
    await watch.due(NOW - timedelta(days=2))
    assert await watch.deadlines.look(NOW) == 0


async def test_what_was_imported_when_it_was_near_is_no_news(watch: Watch) -> None:
    """An import floods nobody with deadlines; one it brought that lies ahead is said when it comes near."""
    now = datetime.now(UTC)
    await watch.due(now + timedelta(minutes=30), actor=f"{f.IMPORT}anna")
    assert await watch.deadlines.look(now) == 0
    assert await watch.another().look(now + timedelta(hours=1)) == 0
    moved = f.Changed(deadlines=(f.Deadline("shipped", now + timedelta(minutes=40)),))
    await watch.say("order.changed", moved, "channel/ym-msk")
    assert await watch.deadlines.look(now) == 1
    later = f.Changed(deadlines=(f.Deadline("shipped", now + timedelta(hours=3)),))
    await watch.say("order.changed", later, "channel/ym-msk", f"{f.IMPORT}anna")
    assert await watch.deadlines.look(now) == 0
    assert await watch.deadlines.look(now + timedelta(hours=2, minutes=1)) == 1
