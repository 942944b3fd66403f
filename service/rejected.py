"""Messages nobody understood: a list to look at, and another try once the cause is gone."""

from datetime import UTC, datetime

import msgspec

from events.log import waits
from service import passing
from service.database import Pool
from service.intake import Intake
from service.onec.cloudevents import Message, Raw, Unreadable
from service.onec.reading import read

# Newest first; those that were taken in on another try are left out.
LISTED = """
SELECT id, received_at, via, reason, detail, body FROM okno.rejected
WHERE resubmitted_at IS NULL AND ($1::timestamptz IS NULL OR (received_at, id) < ($1, $2))
ORDER BY received_at DESC, id DESC LIMIT $3
"""
ONE = "SELECT id, via, body, envelope FROM okno.rejected WHERE id = $1"
TAKEN = "UPDATE okno.rejected SET resubmitted_at = now() WHERE id = $1"
COUNT = "SELECT count(*) FROM okno.rejected WHERE resubmitted_at IS NULL"


class RejectedRow(msgspec.Struct, frozen=True):
    """One rejected message; `body` as text, bytes that are no UTF-8 escaped."""

    id: str
    received_at: datetime
    via: str
    reason: str
    detail: str
    body: str


class StillRejected(Exception):
    """The message still can't be understood; it stays where it was."""


@waits
async def listed(pool: Pool, after: str | None = None, limit: int = 50) -> tuple[list[RejectedRow], str | None]:
    """Rejected messages, newest first, and the cursor of the next page; `ValueError` for a cursor that is none."""
    at, id = _place(after) if after else (None, "")
    found = await pool.fetch(LISTED, at, id, limit + 1)
    rows = [
        RejectedRow(
            row["id"], row["received_at"], row["via"], row["reason"], row["detail"],
            bytes(row["body"]).decode("utf-8", "backslashreplace"),
        )
        for row in found[:limit]
    ]  # fmt: skip
    return rows, f"{rows[-1].received_at.isoformat()}_{rows[-1].id}" if len(found) > limit else None


def _place(cursor: str) -> tuple[datetime, str]:
    moment, _, id = cursor.partition("_")
    try:
        return datetime.fromisoformat(moment).astimezone(UTC), id
    except (ValueError, OverflowError) as error:  # no time, or one before the first or after the last there is
        raise ValueError(f"{cursor[:40]!r} is no cursor: pass `next` of the page before as it came") from error


@waits
async def count(pool: Pool) -> int:
    """How many wait for somebody to look."""
    number: int = await pool.fetchval(COUNT)
    return number


@waits
async def resubmit(pool: Pool, intake: Intake, id: str) -> bool:
    """Takes a message once more, as it came; False where there is none with this id.

    If the process dies in between, the message is in the log and still in the list: another try is a duplicate.
    """
    row = await pool.fetchrow(ONE, id)
    if row is None:
        return False
    envelope = msgspec.json.decode(row["envelope"], type=dict[str, str])
    for message in read(row["body"], envelope, intake.settings):
        try:
            if not (isinstance(message, Message) and passing.is_read(message)):  # what a read adds, the log decides
                intake.event(message)
        except Unreadable as error:
            raise StillRejected(f"{error.reason}: {error.detail}") from error
    await intake.take([Raw(row["body"], envelope, row["via"])])
    await pool.execute(TAKEN, id)
    return True
