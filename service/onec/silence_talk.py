"""Signs of life, kept by the minute: what the log tells of 1C, and what leaves no trace in it.

What 1C said stands in the log, and is noted from there, behind the position reached; the first time, from four weeks
ago. What leaves no trace there (a message that repeats a known one, a look into the outbox) is noted by whoever meets
it (`Heard`) and written some seconds later. Noting a minute twice changes nothing, so both may meet, and a look that
was cut short begins again. If a process dies, some seconds of `Heard` are lost: a gap of less than a minute.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from events.log import RECORDED_BEFORE, LogUnavailable, waits
from events.order.facts import from_onec
from service.audit.around import NOTED, RUNS, Around, Run, gaps
from service.database import Pool
from service.onec.silence import WEEKS, Away, minute_of

logger = structlog.get_logger()

SAID, READ, POLLED, DOWN = "said", "read", "polled", "down"
RABBITMQ = "rabbitmq"
KEPT = WEEKS + timedelta(days=2)
FLUSH_SECONDS = 10.0
AT_ONCE = 20_000
MAX_NAME = 200
"""Characters of a name worth keeping; longer ones are nobody's."""

# Notes what 1C said in the log between two positions.
FOLLOW = """
INSERT INTO okno.talk AS t (sign, who, hour, minutes, last_at)
SELECT 'said', e.source, date_trunc('hour', e.recorded_at, 'UTC'),
       bit_or(1::bigint << extract(minute FROM e.recorded_at AT TIME ZONE 'UTC')::int), max(e.recorded_at)
FROM okno.events e
WHERE e.position > $1 AND e.position <= $2 AND e.source <> 'okno' AND e.source NOT LIKE 'channel/%'
  AND e.actor NOT LIKE 'import/%' AND length(e.source) <= $3
GROUP BY 2, 3
ON CONFLICT (sign, who, hour) DO UPDATE
SET minutes = t.minutes | excluded.minutes, last_at = greatest(t.last_at, excluded.last_at)
"""

# Notes signs; arrays are parallel and hold one row a sign, who and hour.
NOTE = """
INSERT INTO okno.talk AS t (sign, who, hour, minutes, last_at, position)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::timestamptz[], $6::bigint[])
ON CONFLICT (sign, who, hour) DO UPDATE
SET minutes = t.minutes | excluded.minutes, last_at = greatest(t.last_at, excluded.last_at),
    position = coalesce(excluded.position, t.position)
"""

# Everybody's last sign.
LAST = """
SELECT DISTINCT ON (sign, who) sign, who, last_at, position FROM okno.talk WHERE hour >= $1
ORDER BY sign, who, hour DESC
"""

# Somebody's signs.
MINUTES = "SELECT hour, minutes FROM okno.talk WHERE sign = $1 AND who = $2 AND hour >= $3 ORDER BY hour"

FORGET = "DELETE FROM okno.talk WHERE hour < $1"

HEAD = "SELECT position FROM okno.head WHERE log_id = 0"


class Last(msgspec.Struct, frozen=True):
    """Somebody's last sign. `position`: how far in the log it had read, of who polls the outbox."""

    sign: str
    who: str
    at: datetime
    position: int | None


class Heard:
    """Signs met in this process, until they are written."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str, datetime], tuple[int, datetime, int | None]] = {}

    def said(self, source: str) -> None:
        """A base of 1C said something, whatever became of it."""
        if from_onec(source):
            self.note(SAID, source, datetime.now(UTC))

    def polled(self, source: str, position: int) -> None:
        """A base was given the outbox up to a position of the log."""
        self.note(POLLED, source, datetime.now(UTC), position)

    def note(self, sign: str, who: str, now: datetime, position: int | None = None) -> None:
        """Somebody gave a sign."""
        if len(who) > MAX_NAME or "\x00" in who:
            return
        key = (sign, who, _hour(now))
        minutes, *_ = self._noted.get(key, (0, now, None))
        self._noted[key] = (minutes | 1 << minute_of(now) % 60, now, position)

    async def run(self, pool: Pool) -> None:
        """Writes what was heard until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush(pool)
            except LogUnavailable as error:
                logger.debug("signs of 1C wait for Postgres", error=str(error))

    @waits
    async def flush(self, pool: Pool) -> None:
        """Writes what was heard; what can't be written stays for the next time."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        keys, values = sorted(noted), [noted[key] for key in sorted(noted)]
        try:
            await pool.execute(NOTE, *map(list, zip(*keys, strict=True)), *map(list, zip(*values, strict=True)))
        except BaseException:
            self._noted = {**noted, **self._noted}
            raise


class Talk:
    """The signs in Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @waits
    async def follow(self, after: int, now: datetime) -> int:
        """Notes what 1C said behind a position, as far back as is learned from. Returns where it has come to."""
        after = max(after, await self._pool.fetchval(RECORDED_BEFORE, now - WEEKS))
        head: int = await self._pool.fetchval(HEAD)
        while after < head:
            upto = min(after + AT_ONCE, head)
            await self._pool.execute(FOLLOW, after, upto, MAX_NAME)
            after = upto
        return after

    @waits
    async def note(self, sign: str, who: Sequence[str], now: datetime) -> None:
        """Somebody gave a sign, each of these."""
        count, bit = len(who), 1 << minute_of(now) % 60
        rows = ([sign] * count, list(who), [_hour(now)] * count, [bit] * count, [now] * count, [None] * count)
        if who:
            await self._pool.execute(NOTE, *rows)

    @waits
    async def last(self, now: datetime) -> list[Last]:
        """Everybody's last sign of the last weeks."""
        return [Last(*row.values()) for row in await self._pool.fetch(LAST, now - WEEKS)]

    @waits
    async def minutes(self, sign: str, who: str, now: datetime) -> list[int]:
        """Somebody's signs of the last weeks, as minutes since 1970."""
        rows = await self._pool.fetch(MINUTES, sign, who, _hour(now - WEEKS))
        return [minute_of(row["hour"]) + bit for row in rows for bit in range(60) if row["minutes"] >> bit & 1]

    @waits
    async def forget(self, now: datetime) -> None:
        """Lets go of what is too old to learn from."""
        await self._pool.execute(FORGET, now - KEPT)

    async def away(self, taker: str, now: datetime) -> Away:
        """When no sign could be noted in the last weeks: the broker out of reach, or no process at work that watches,
        or that has the role `taker`, in which 1C's messages reach the log."""
        down = [datetime.fromtimestamp(minute * 60, UTC) for minute in await self.minutes(DOWN, RABBITMQ, now)]
        found, noted = await self._runs(now), [(moment, moment) for moment in down]
        return [*noted, *(gap for role in ("react", taker) for gap in gaps(found, [role], now))]

    @waits
    async def _runs(self, now: datetime) -> Around:
        rows = await self._pool.fetch(RUNS, now - WEEKS, now)
        runs = (Run(tuple(row["roles"]), row["started_at"], min(row["seen_at"], now)) for row in rows)
        return Around(noted=await self._pool.fetchval(NOTED), runs=tuple(runs))


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
