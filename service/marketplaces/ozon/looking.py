"""A step's job beside its posting as it is now, and what every step says the same way.

What Ozon lets be done now stands in `available_actions`; that list drives everything. It is an open one [S]: where it
is empty, the table of statuses decides. A step that is not offered, and is neither done nor overtaken, waits: a change
before it may still be under way. It waits an hour, then a person is told.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from service.marketplaces.ozon import statuses, wire
from service.marketplaces.port import Job, Later, Overtaken, Refused

PATIENCE: Final = timedelta(hours=1)
CABINET: Final = "look at the posting in Ozon's cabinet and put it right there; then: okno retry"
AS_RETURN: Final = "take the goods back as a return in Ozon's cabinet (Возвраты)"
AS_FBS: Final = "this posting is delivered by Ozon: configure the channel as fbs"


@dataclass(frozen=True)
class Look:
    """A step's job and the posting as it is now."""

    job: Job
    posting: wire.Posting
    now: datetime
    zone: ZoneInfo

    @property
    def actions(self) -> frozenset[str]:
        """What Ozon lets be done."""
        return actions(self.posting)

    @property
    def status(self) -> str:
        """The posting's status as Ozon writes it."""
        return statuses.written(self.posting)


def actions(posting: wire.Posting) -> frozenset[str]:
    """What Ozon lets be done with a posting now."""
    return frozenset(action for action in posting.available_actions or () if action)


def wait(job: Job, now: datetime, reason: str, otherwise: Refused) -> Later | Refused:
    """Later, with growing pauses, for an hour since the command was asked for; then it is refused."""
    waited = now - job.command.since
    if waited > PATIENCE:
        return otherwise
    pause = min(max(waited / 4, timedelta(seconds=2)), timedelta(minutes=2))
    return Later(reason, until=now + pause)


def cancelled(status: str) -> Overtaken:
    """Nothing can be done any more."""
    return Overtaken("cancelled", f"the posting is cancelled at Ozon ({status})")
