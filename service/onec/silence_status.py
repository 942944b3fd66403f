"""1C as it is shown: its bases, its queues, and what calls for a person; as of the watch's last look."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from events.log import waits
from service import metrics
from service.database import Pool
from service.onec import queues, silence_warnings
from service.onec.silence_judged import ASIDE, base_of, hours
from service.onec.silence_talk import POLLED, READ, SAID
from service.onec.silence_warnings import CODES, QUIET, usually
from service.settings import Settings

# Who gives signs of life.
TALKERS = "SELECT sign, who, last_at, usual FROM okno.talkers"

# When the watch last looked.
LOOKED = "SELECT moment FROM okno.progress WHERE name = 'talk'"


class WarningRow(msgspec.Struct, frozen=True):
    """Something a person should look at. `about`: a base or a queue; `message` says what to do."""

    code: str
    about: str
    message: str
    since: datetime
    usual_gap_seconds: int | None
    messages: int | None
    readers: int | None


class QueueRow(msgspec.Struct, frozen=True):
    """A queue of RabbitMQ's. `usual_gap_seconds`: the longest it is not read at this hour on most days."""

    queue: str
    messages: int
    readers: int
    read_at: datetime | None
    usual_gap_seconds: int | None
    looked_at: datetime


class BaseRow(msgspec.Struct, frozen=True):
    """A base of 1C. `usual_gap_seconds`: the longest it is quiet at this hour on most days, null while too little is
    known; `quiet_since`: of one that has been quiet for much longer; `outbox_read_at`: of one that reads it by HTTP."""

    source: str
    last_message_at: datetime | None
    usual_gap_seconds: int | None
    quiet_since: datetime | None
    outbox_read_at: datetime | None
    warnings: list[WarningRow]


class OnecStatus(msgspec.Struct, frozen=True):
    """All bases, all queues, and all that is amiss; `items` are the bases; `looked_at`: when the watch last looked."""

    items: list[BaseRow]
    next: str | None
    queues: list[QueueRow]
    warnings: list[WarningRow]
    looked_at: datetime | None = None


@waits
async def status(pool: Pool, settings: Settings) -> OnecStatus:
    """1C as of the last look."""
    warnings = await warned(pool, settings)
    talkers = {(row["sign"], row["who"]): (row["last_at"], row["usual"]) for row in await pool.fetch(TALKERS)}
    sources = {f"1c/{name}" for name in settings.onec.sources} | {who for sign, who in talkers if sign != READ}
    nothing: tuple[datetime | None, timedelta | None] = (None, None)
    bases = []
    for source in sorted(sources):
        said_at, usual = talkers.get((SAID, source), nothing)
        polled_at, _ = talkers.get((POLLED, source), nothing)
        own = [one for one in warnings if base_of(one.about) == source]
        quiet = next((one.since for one in own if one.code == QUIET), None)
        bases.append(BaseRow(source, said_at, _seconds(usual), quiet, polled_at, own))
    kept = sorted((await queues.kept(pool)).values(), key=lambda queue: queue.queue)
    rows = [
        QueueRow(q.queue, q.messages, q.readers, q.read_at, _seconds(talkers.get((READ, q.queue), nothing)[1]),
                 q.looked_at)
        for q in kept
    ]  # fmt: skip
    return OnecStatus(bases, None, rows, warnings, await pool.fetchval(LOOKED))


async def warned(pool: Pool, settings: Settings) -> list[WarningRow]:
    """What is amiss as of the last look, the oldest first, with times by each base's clock."""
    return [
        WarningRow(
            one.code, one.about, one.text(hours(settings, one.about).zone), one.since, _seconds(one.usual),
            one.messages, one.readers,
        )
        for one in await silence_warnings.standing(pool)
    ]  # fmt: skip


async def measured(pool: Pool, settings: Settings) -> None:
    """Sets the metrics, as of the last look."""
    now = await status(pool, settings)
    for gauge in (metrics.ONEC_QUIET, metrics.ONEC_LAST, metrics.ONEC_MESSAGES, metrics.ONEC_READERS):
        gauge.clear()  # a base or a queue that is gone shows no more
    for base in now.items:
        metrics.ONEC_QUIET.labels(base.source).set(base.quiet_since is not None)
        if base.last_message_at is not None:
            metrics.ONEC_LAST.labels(base.source).set(base.last_message_at.timestamp())
    for queue in now.queues:
        metrics.ONEC_MESSAGES.labels(queue.queue).set(queue.messages)
        metrics.ONEC_READERS.labels(queue.queue).set(queue.readers)
    for code in CODES:
        metrics.ONEC_WARNINGS.labels(code).set(sum(one.code == code for one in now.warnings))


def checked(now: OnecStatus) -> Sequence[tuple[bool, str, str]]:
    """What `okno doctor` says of it: whether it is good, of what, and what."""
    found = [(False, "1C", one.message) for one in now.warnings if one.about not in ASIDE]  # RabbitMQ's own findings
    for base in now.items:
        if base.last_message_at is None:
            found.append((True, base.source, "it has said nothing yet, or nothing for weeks"))
        elif base.quiet_since is None:
            gap = timedelta(seconds=base.usual_gap_seconds) if base.usual_gap_seconds is not None else None
            last = f"{base.last_message_at:%Y-%m-%d %H:%M} UTC"
            found.append((True, base.source, f"last message at {last}{usually(gap)}"))
    return found


def _seconds(gap: timedelta | None) -> int | None:
    return None if gap is None else int(gap.total_seconds())
