"""What is read just before a step: where the lots are decides whether it is sent, and which lots it names."""

from dataclasses import replace
from datetime import timedelta

import msgspec

from service.marketplaces.megamarket import findings, lots, outgoing, reading, statuses
from service.marketplaces.megamarket.answers import EXPIRED, LOOK
from service.marketplaces.megamarket.lots import View
from service.marketplaces.port import (
    Applied,
    Job,
    Later,
    Overtaken,
    Pending,
    Preparation,
    Ready,
    Refused,
    Talk,
)

BOUND = timedelta(hours=1)
"""So long Megamarket is waited for; then a person is told."""

_SHORTEST, _LONGEST = timedelta(seconds=2), timedelta(minutes=2)


def prepare(job: Job, on: outgoing.Occasion) -> Talk[Preparation]:
    """Reads the order; `Ready.before` is what it showed."""
    seen = yield from reading.view(job.state.number)
    if seen is None:
        return _later(job, on, "not_shown", "Megamarket does not show the order")
    found = findings.look(job, seen, on.shop)
    if isinstance(found, Applied | Overtaken):
        return found
    if isinstance(found, Pending):
        return _later(job, on, "pending", found.reason)
    if job.before is not None and (late := _late(seen, lots.known(job.before, job.state))) is not None:
        return late
    before = msgspec.to_builtins(seen)
    call = outgoing.request(replace(job, before=before), on)
    return call if isinstance(call, Refused) else Ready(before)


def _later(job: Job, on: outgoing.Occasion, code: str, reason: str) -> Later | Refused:
    """Looked at again: soon at first, then less and less often."""
    waited = on.now - job.command.since
    if waited > BOUND:
        return Refused(code, f"{reason}, for {waited.total_seconds() / 60:.0f} minutes", LOOK, final=True)
    return Later(reason, until=on.now + min(max(waited / 4, _SHORTEST), _LONGEST))


def _late(seen: View, before: View) -> Refused | None:
    """What was too late at the last attempt, and is so still, is not tried a second time."""
    late = [lot for lot in seen.alive if seen.lots[lot] in statuses.EXPIRED and before.lots.get(lot) == seen.lots[lot]]
    if not late:
        return None
    status = seen.lots[late[0]]
    return Refused(status.lower(), f"lots {', '.join(late)} are {status} at Megamarket", EXPIRED, final=True)
