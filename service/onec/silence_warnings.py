"""What calls for a person at 1C's side: kept while it lasts, with words that say what to do.

code            about           since
quiet           1c/BASE         its last message
outbox_unread   1c/BASE         its last look into `GET /v1/outbox`, where messages wait for it
unread          okno.1c[.BASE]  somebody last took a message off it
grows           okno.1c[.BASE]  it was found to grow
rejected_by_1c  okno.1c.dead    the first of these letters was seen
given_up        okno.in.dead    the same
unrouted        okno.unrouted   the same
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from events.log import waits
from service.database import Pool

QUIET, OUTBOX_UNREAD, UNREAD, GROWS = "quiet", "outbox_unread", "unread", "grows"
REJECTED_BY_1C, GIVEN_UP, UNROUTED = "rejected_by_1c", "given_up", "unrouted"
CODES = (QUIET, OUTBOX_UNREAD, UNREAD, GROWS, REJECTED_BY_1C, GIVEN_UP, UNROUTED)

STANDING = "SELECT code, about, since, usual, messages, readers FROM okno.onec_warnings ORDER BY since, code, about"

# Keeps what is amiss now; arrays are parallel.
KEEP = """
INSERT INTO okno.onec_warnings (code, about, since, usual, messages, readers)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::interval[], $5::int[], $6::int[])
ON CONFLICT (code, about) DO UPDATE
SET since = excluded.since, usual = excluded.usual, messages = excluded.messages, readers = excluded.readers
"""

# Lets go of what is amiss no more.
OVER = """
DELETE FROM okno.onec_warnings WHERE (code, about) NOT IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""


class OnecWarning(msgspec.Struct, frozen=True):
    """Something at 1C's side a person should look at. `usual`: the usual gap; `messages` that wait, `readers` there."""

    code: str
    about: str
    since: datetime
    usual: timedelta | None = None
    messages: int | None = None
    readers: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What it is one of."""
        return self.code, self.about

    def text(self, zone: ZoneInfo) -> str:
        """What is amiss and what to do, with times by a zone's clock."""
        since = f"{self.since.astimezone(zone):%Y-%m-%d %H:%M %Z}"
        taken = "too little" if self.code == GROWS else "nothing"
        readers = "it has no reader" if not self.readers else f"its readers ({self.readers}) take {taken}"
        return _TEXTS[self.code].format(
            about=self.about, since=since, usual=usually(self.usual), messages=self.messages, readers=readers
        )


_TEXTS = {
    QUIET: "{about} has said nothing since {since}{usual}: see whether its exchange job runs, and start it again; an "
    "add-in that lost its connection may hang until 1C's session is ended",
    OUTBOX_UNREAD: "{about} has not looked into /v1/outbox since {since}{usual}, and {messages} messages wait for it: "
    "start its exchange job again",
    UNREAD: "{about} holds {messages} messages and nobody has taken any since {since}{usual}; {readers}: start 1C's "
    "reading job again; an add-in that lost its connection gets nothing for ever and says nothing",
    GROWS: "{about} holds {messages} messages, more than onec.queue_warning, and gets no shorter since {since}; "
    "{readers}: see whether 1C's reading job runs, and how long a message takes it; a queue nobody is to read is taken "
    "away by onec.shared_queue = false",
    REJECTED_BY_1C: "{about} holds {messages} messages 1C has rejected, the first since {since}: find the reason in "
    "1C's event log, then move them back to 1C's queue in RabbitMQ's management",
    GIVEN_UP: "{about} holds {messages} messages the hub should keep as rejected, since {since}: see whether a process "
    "with the role intake is at work",
    UNROUTED: "{about} holds {messages} messages no queue takes, the first since {since}: start the hub, which binds "
    "its queues, then move them to okno.in in RabbitMQ's management",
}


def usually(gap: timedelta | None) -> str:
    """The usual gap in words; none where it is not known."""
    if gap is None:
        return ""
    minutes = round(gap.total_seconds() / 60)
    span = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
    return f" (its gaps at this hour are at most {span} on most days)"


@waits
async def standing(pool: Pool) -> list[OnecWarning]:
    """What is amiss, as of the last look, the oldest first."""
    return [OnecWarning(*row.values()) for row in await pool.fetch(STANDING)]


@waits
async def keep(pool: Pool, found: Iterable[OnecWarning]) -> None:
    """Keeps what is amiss now, in place of what was."""
    rows = [msgspec.structs.astuple(warning) for warning in found]
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(6)]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(KEEP, *columns)
        await connection.execute(OVER, *columns[:2])
