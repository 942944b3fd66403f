"""A watch over 1C with a past of its own, and looks at it at any time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from structlog.testing import capture_logs
from structlog.typing import EventDict

from events.log import Log
from service.database import Pool
from service.intake import Intake
from service.leases import Leases
from service.onec.cloudevents import Raw
from service.onec.silence_talk import Heard
from service.onec.silence_warnings import OnecWarning
from service.onec.silence_watch import SilenceWatch
from service.settings import Settings
from service.work import Work
from tests.onec.making import CONFIG, SOURCE, body, configured

ALWAYS: dict[str, Any] = {"working_hours": "00:00-24:00"}
"""A base that works at every hour: tests run at any."""

# Signs every so many minutes of the time up to a moment.
PAST = """
INSERT INTO okno.talk (sign, who, hour, minutes, last_at)
SELECT $1, $2, date_trunc('hour', m, 'UTC'), bit_or(1::bigint << extract(minute FROM m AT TIME ZONE 'UTC')::int), max(m)
FROM generate_series($3::timestamptz, $4, $5::interval) AS m GROUP BY 3
ON CONFLICT (sign, who, hour) DO UPDATE SET minutes = talk.minutes | excluded.minutes
"""


def watching(onec: dict[str, Any] | None = None, **changed: Any) -> Settings:
    """The tests' configuration with bases that always work; `onec` in addition."""
    return configured(onec={**CONFIG["onec"], **ALWAYS, **(onec or {})}, **changed)


@dataclass
class Bench:
    """A hub's watch, its intake and its log."""

    pool: Pool
    log: Log
    settings: Settings = field(default_factory=watching)
    lines: list[EventDict] = field(default_factory=list)
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.now = datetime.now(UTC)
        self.intake = Intake(self.log, self.settings, self.heard.said)
        self.watch = self.another()

    def another(self) -> SilenceWatch:
        """The watch of another process, or of this one after a restart."""
        work, leases = Work(self.pool, "test"), Leases(self.pool, "test")
        return SilenceWatch(self.settings, self.log, self.pool, work, leases)

    async def past(self, who: str = SOURCE, sign: str = "said", every: int = 8, days: int = 29, ago: int = 0) -> None:
        """Somebody gave signs for some weeks, up to so many minutes ago."""
        begin = self.now - timedelta(days=days)
        await self.pool.execute(PAST, sign, who, begin, self.now - timedelta(minutes=ago), timedelta(minutes=every))

    async def says(self, id: str = "m1", source: str = SOURCE) -> None:
        """A base of 1C says something now."""
        await self.intake.take([Raw(body(id=id, source=source), {}, "amqp")])

    async def look(self, minutes: float = 0) -> list[OnecWarning]:
        """A look so many minutes from now; what it logs is kept."""
        with capture_logs() as logs:
            found = await self.watch.look(self.now + timedelta(minutes=minutes))
        self.lines = [line for line in logs if line["log_level"] == "warning"]
        return found

    def codes(self, found: list[OnecWarning]) -> Iterator[tuple[str, str]]:
        """What was found, and about whom."""
        return iter([one.key for one in found])
