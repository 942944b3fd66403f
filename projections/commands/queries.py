"""What is asked of commands; how they stand right now comes from the work table `okno.attempts`, joined here."""

from datetime import datetime

import asyncpg
import msgspec

from projections.asking import position, storable
from projections.store import Pool


class Answer(msgspec.Struct, frozen=True):
    """What the marketplace answered, or our own reason, and what to do about it."""

    code: str | None
    message: str | None
    hint: str | None


class CommandRow(msgspec.Struct, frozen=True, kw_only=True):
    """One command. `cause`: position of the fact it follows from; `reason`: why the last attempt did not end it."""

    id: str
    order: str
    target: str
    action: str
    stage: str | None
    state: str
    cause: int
    attempts: int
    next_at: datetime | None
    reason: str | None
    answer: Answer | None
    requested_at: datetime
    finished_at: datetime | None


# A command with its attempts; what has an outcome is not waiting for another try.
COMMAND = """
SELECT c.id, c.order_key, c.target, c.action, c.stage, c.cause, c.position, c.code, c.message, c.hint,
       c.requested_at, c.finished_at,
       CASE WHEN c.state = 'waiting' AND a.open THEN 'sending' ELSE c.state END AS state,
       greatest(c.attempts, a.attempts) AS attempts,
       CASE WHEN c.state = 'waiting' THEN a.next_at END AS next_at,
       CASE WHEN c.state = 'waiting' THEN a.reason END AS reason
FROM okno.commands c LEFT JOIN okno.attempts a ON a.command = c.id
"""

# Commands, newest first; each filter is left out where it is null.
LISTED = f"""{COMMAND}
WHERE ($1::text[] IS NULL OR c.state = ANY($1)) AND ($2::boolean IS NULL OR coalesce(a.open, false) = $2)
  AND ($3::text IS NULL OR c.order_key = $3) AND ($4::bigint IS NULL OR c.position < $4)
ORDER BY c.position DESC LIMIT $5
"""

# One command.
ONE = f"{COMMAND} WHERE c.id = $1"

# How many commands are in each state, by target.
COUNTS = "SELECT c.target, c.state, count(*) AS commands FROM okno.commands c GROUP BY c.target, c.state"

_FAILED = ["refused", "given_up"]


async def listed(
    pool: Pool, *, state: str | None = None, order: str | None = None, after: str | None = None, limit: int = 50
) -> tuple[list[CommandRow], str | None]:
    """Commands, newest first, and the cursor of the next page. `failed` is refused or given up, `waiting` includes what
    is being sent. `ValueError` for a cursor that is none."""
    before = position(after)
    if not storable(state, order):
        return [], None
    states = {None: None, "failed": _FAILED, "sending": ["waiting"]}.get(state, [state])
    sending = True if state == "sending" else None
    rows = await pool.fetch(LISTED, states, sending, order, before, limit + 1)
    return [_command(row) for row in rows[:limit]], str(rows[limit - 1]["position"]) if len(rows) > limit else None


async def one(pool: Pool, command: str) -> CommandRow | None:
    """One command; None where there is none with this id."""
    row = await pool.fetchrow(ONE, command) if storable(command) else None
    return None if row is None else _command(row)


async def counts(pool: Pool) -> dict[tuple[str, str], int]:
    """Numbers of commands by target and state, as the log says (`sending` counts as `waiting`)."""
    return {(row["target"], row["state"]): row["commands"] for row in await pool.fetch(COUNTS)}


def _command(row: asyncpg.Record) -> CommandRow:
    said = (row["code"], row["message"], row["hint"])
    return CommandRow(
        id=row["id"], order=row["order_key"], target=row["target"], action=row["action"], stage=row["stage"],
        state=row["state"], cause=row["cause"], attempts=row["attempts"], next_at=row["next_at"], reason=row["reason"],
        answer=Answer(*said) if any(part is not None for part in said) else None,
        requested_at=row["requested_at"], finished_at=row["finished_at"],
    )  # fmt: skip
