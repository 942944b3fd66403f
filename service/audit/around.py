"""What stands beside the log and tells who had a command in hand: when a hub was at work, when a marketplace was down,
and the attempts at what has no outcome yet. Where nothing was noted, nothing is said."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from events.log import waits
from service.database import Pool

STILL = timedelta(seconds=45)
"""Who was seen so lately is at work still."""

# Lives of hub processes that touch a time.
RUNS = """
SELECT roles, started_at, seen_at FROM okno.runs WHERE seen_at >= $1 AND started_at <= $2 ORDER BY started_at
"""

# Since when lives are noted.
NOTED = "SELECT min(started_at) FROM okno.runs"

# A channel's outages that touch a time.
OUTAGES = """
SELECT started_at, seen_at, reason FROM okno.outages
WHERE channel = $1 AND seen_at >= $2 AND started_at <= $3 ORDER BY started_at
"""

# Attempts at an order's commands that have no outcome yet.
TRYING = """
SELECT command, attempts, first_at, attempted_at, reason FROM okno.attempts WHERE order_key = $1 AND target = $2
"""


class Run(msgspec.Struct, frozen=True):
    """A hub process at work."""

    roles: tuple[str, ...]
    since: datetime
    until: datetime


class Outage(msgspec.Struct, frozen=True):
    """A channel whose calls were held back."""

    since: datetime
    until: datetime
    reason: str


class Trying(msgspec.Struct, frozen=True):
    """How often a command without an outcome was tried, first and last, and what came of it."""

    attempts: int
    first_at: datetime | None
    last_at: datetime
    reason: str | None


class Around(msgspec.Struct, frozen=True):
    """All of it for one order. `noted`: since when lives are noted; None: never."""

    noted: datetime | None = None
    runs: tuple[Run, ...] = ()
    outages: tuple[Outage, ...] = ()
    trying: dict[str, Trying] = {}


@waits
async def around(pool: Pool, order: str, since: datetime, until: datetime, *, trying: bool) -> Around:
    """What is noted for an order's time; `trying`: the attempts of this moment belong to it."""
    channel = order.partition("/")[0]
    runs = await pool.fetch(RUNS, since - STILL, until)
    outages = await pool.fetch(OUTAGES, channel, since, until)
    tries = await pool.fetch(TRYING, order, channel) if trying else []
    return Around(
        noted=await pool.fetchval(NOTED),
        runs=tuple(Run(tuple(r["roles"]), r["started_at"], min(r["seen_at"], until)) for r in runs),
        outages=tuple(Outage(r["started_at"], min(r["seen_at"], until), r["reason"]) for r in outages),
        trying={r["command"]: Trying(r["attempts"], r["first_at"], r["attempted_at"], r["reason"]) for r in tries},
    )


def gaps(around: Around, roles: Iterable[str], until: datetime) -> list[tuple[datetime, datetime]]:
    """When no process with one of these roles was at work, as far as it was noted."""
    if around.noted is None:
        return []
    wanted, found, at = set(roles), [], around.noted
    for run in sorted(around.runs, key=lambda run: run.since):
        if not wanted.isdisjoint(run.roles):
            if run.since > at:
                found.append((at, run.since))
            at = max(at, run.until)
    if until - at > STILL:
        found.append((at, until))
    return found
