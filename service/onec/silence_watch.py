"""Says that 1C stopped: once a minute it looks whether each base spoke, read its queue and polled the outbox as usual.

1C's add-in fails without a word: a reader that lost its connection gets nothing for ever while messages pile up, a
publisher hangs. So what is usual is learned from the signs of the last weeks (`silence`, `silence_talk`), and a silence
a good deal longer becomes a warning (`silence_warnings`): a line in the log when it begins and when it ends, the pages,
`GET /v1/onec`, `/metrics` and `okno doctor`. What was warned of stays until the next sign, over nights and restarts.

    new positions of the log ─▶ talk ─┐
    RabbitMQ's queues ─▶ queues, talk ┼─ usual, silence ─▶ warnings: those that began and those that ended are logged
    Heard (repeats, polls) ──▶ talk ──┘

One process at a time, by lease. If it dies within a look, the next look finds the same; a warning kept and not logged
yet shows everywhere but in the log.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
import structlog

from events.codec import decode
from events.log import Log, LogUnavailable, is_transient, waits
from events.order import facts as f
from events.order.reactions import ONEC
from service.database import Pool
from service.leases import Leases
from service.onec import queues, silence_warnings, topology
from service.onec.amqp import BROKER_ERRORS
from service.onec.queues import Looker, Queue
from service.onec.silence import Away, Usual, learned
from service.onec.silence_judged import ASIDE, Heard, hours, judged, usual_gap
from service.onec.silence_talk import DOWN, POLLED, RABBITMQ, READ, Last, Talk
from service.onec.silence_warnings import OUTBOX_UNREAD, OnecWarning
from service.settings import Settings
from service.work import Work

logger = structlog.get_logger()

LOOK_SECONDS = 60.0
PROGRESS = "talk"
ONE_PAGE = 1000

# Keeps what was found of those who give signs; arrays are parallel.
KEEP = """
INSERT INTO okno.talkers (sign, who, last_at, usual)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::interval[])
ON CONFLICT (sign, who) DO UPDATE SET last_at = excluded.last_at, usual = excluded.usual
"""
GONE = "DELETE FROM okno.talkers WHERE (sign, who) NOT IN (SELECT * FROM unnest($1::text[], $2::text[]))"


class SilenceWatch:
    """Watches all bases and their queues."""

    def __init__(self, settings: Settings, log: Log, pool: Pool, work: Work, leases: Leases) -> None:
        self._settings, self._log, self._pool, self._work, self._leases = settings, log, pool, work, leases
        self._talk = Talk(pool)
        told = [one.queue for one in topology.told(settings.onec, settings.channels) if one.keys is not None]
        url = settings.rabbitmq.url
        names = (*told, *ASIDE)
        self._looker = Looker(url, names) if url is not None else None
        self._usual: dict[tuple[str, str], tuple[date, Usual | None]] = {}

    async def run(self) -> None:
        """Watches until cancelled."""
        while True:
            async with self._leases.held("silence/0") as lost:
                try:
                    while not lost.is_set():
                        await self._look()
                        await asyncio.sleep(LOOK_SECONDS)
                finally:
                    await self.close()

    async def close(self) -> None:
        """Lets go of the broker."""
        if self._looker is not None:
            await self._looker.close()

    async def _look(self) -> None:
        try:
            await self.look(datetime.now(UTC))
        except Exception as error:
            if not isinstance(error, LogUnavailable) and not is_transient(error):
                raise
            logger.warning("the look at 1C waits for Postgres", error=str(error))

    async def look(self, now: datetime) -> list[OnecWarning]:
        """Looks once; what is amiss now."""
        position, _ = await self._work.progress(PROGRESS)
        await self._work.advance(PROGRESS, await self._talk.follow(position, now), now)
        seen = await self._queues(now)
        away = await self._talk.away("web" if self._looker is None else "intake", now)
        before = await silence_warnings.standing(self._pool)
        lasts = [last for last in await self._talk.last(now) if last.sign != DOWN]
        heard = [(last, await self._learned(last, now, away)) for last in lasts]
        found = judged(now, self._settings, heard, away, seen, before)
        read = {last.who: last.position or 0 for last in lasts if last.sign == POLLED}
        found = await self._outbox_counted(found, read)
        await silence_warnings.keep(self._pool, found)
        await self._keep_talkers(heard, now)
        await self._talk.forget(now)
        self._say(before, found, now)
        return found

    async def _queues(self, now: datetime) -> dict[str, Queue] | None:
        """The queues as they stand; None while the broker is out of reach."""
        if self._looker is None:
            await queues.keep(self._pool, {}, now)
            return {}
        try:
            looked = await self._looker.look()
        except BROKER_ERRORS as error:
            logger.info("1C's queues can't be looked at", error=f"{type(error).__name__}: {error}")
            await self._talk.note(DOWN, [RABBITMQ], now)
            return None
        await queues.keep(self._pool, looked, now)
        seen = await queues.kept(self._pool)
        told = [name for name, queue in seen.items() if queue.taken and name not in ASIDE]
        await self._talk.note(READ, told, now)
        return seen

    async def _learned(self, last: Last, now: datetime, away: Away) -> Usual | None:
        """What is usual for somebody, learned once a day."""
        at = hours(self._settings, last.who)
        today = now.astimezone(at.zone).date()
        day, usual = self._usual.get((last.sign, last.who), (None, None))
        if day != today:
            signs = await self._talk.minutes(last.sign, last.who, now)
            usual = await asyncio.to_thread(learned, signs, now, at, away)
            self._usual[last.sign, last.who] = today, usual
        return usual

    async def _outbox_counted(self, found: Sequence[OnecWarning], read: dict[str, int]) -> list[OnecWarning]:
        """With the messages that wait in the outbox; who has none waiting need not look into it."""
        counted = []
        for one in found:
            if one.code != OUTBOX_UNREAD:
                counted.append(one)
            elif waiting := await self._behind(one.about, read[one.about]):
                counted.append(msgspec.structs.replace(one, messages=waiting))
        return counted

    async def _behind(self, source: str, position: int) -> int:
        """Messages to a base behind a position of the log, as far as one page tells."""
        tells = self._settings.onec.base(source).tells
        requests = await self._log.requests(position, ONE_PAGE)
        told = [event for event in requests if tells is None or event.order.partition("/")[0] in tells]
        facts = [decode(event) for event in told]
        return sum(isinstance(fact, f.CommandRequested) and fact.target == ONEC for fact in facts)

    @waits
    async def _keep_talkers(self, heard: Heard, now: datetime) -> None:
        gaps = [usual_gap(usual, now, hours(self._settings, last.who)) for last, usual in heard]
        signs, whos = [last.sign for last, _ in heard], [last.who for last, _ in heard]
        await self._pool.execute(KEEP, signs, whos, [last.at for last, _ in heard], gaps)
        await self._pool.execute(GONE, signs, whos)

    def _say(self, before: Sequence[OnecWarning], found: Sequence[OnecWarning], now: datetime) -> None:
        """Logs what began and what ended."""
        knew, know = {one.key: one for one in before}, {one.key for one in found}
        for one in found:
            if one.key not in knew or knew[one.key].since != one.since:
                says = one.text(hours(self._settings, one.about).zone)
                logger.warning(
                    "1C needs a look", code=one.code, about=one.about, since=one.since.isoformat(), says=says
                )
        for one in before:
            if one.key not in know:
                lasted = str(timedelta(seconds=int((now - one.since).total_seconds())))
                logger.warning("1C is well again", code=one.code, about=one.about, since=one.since.isoformat(),
                               lasted=lasted)  # fmt: skip
