"""What the parts of a running hub share: made once, filled as servers come up.

`storage` is None until Postgres was reached for the first time since the start; whoever needs it says so to its caller
instead of failing. It stays after Postgres went away: then its calls raise `LogUnavailable`.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from events.log import Log
from events.order.facts import HUB
from events.recorded import NewEvent
from service.database import Pool
from service.door import Door
from service.leases import Leases
from service.onec.amqp import Publisher
from service.onec.silence_talk import Heard
from service.settings import Settings
from service.signals import Signal
from service.work import Work

ROWS, NEWS = "rows", "news"
"""Who waits for anything at all in the log, and who for what calls for something."""

SOON = 0.1
"""Seconds until what follows from the hub's own steps is looked for, unless somebody says something before: 1C is told
of it, the order is read. None of that is urgent, and several at a time cost what one does."""


@dataclass(frozen=True)
class Storage:
    """Everything that stands on Postgres."""

    pool: Pool
    log: Log
    work: Work
    leases: Leases


@dataclass
class Hub:
    """One running hub. `grown`: the log may have grown (`ROWS`), and by what may call for something (`NEWS`); `told`:
    there may be something to send; `heard`: signs of 1C's life, until they are written."""

    settings: Settings
    owner: str = field(default_factory=lambda: secrets.token_hex(8))
    storage: Storage | None = None
    publisher: Publisher | None = None
    grown: Signal = field(default_factory=Signal)
    told: Signal = field(default_factory=Signal)
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.door = Door(self.publisher)
        self._soon: asyncio.TimerHandle | None = None

    def grew(self, events: Sequence[NewEvent]) -> None:
        """Wakes who follows the log; who looks for what follows a little later, where these are the hub's own steps."""
        if not events or not all(map(_own_step, events)):
            self.grown.set()
            return
        self.grown.set(ROWS)
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(SOON, self._look)

    def _look(self) -> None:
        self._soon = None
        self.grown.set(NEWS)

    @property
    def takes_messages(self) -> bool:
        """Whether somebody is there to take messages: the broker or Postgres."""
        return self.storage is not None or (self.publisher is not None and self.publisher.up)


def _own_step(event: NewEvent) -> bool:
    """Whether an event is a command or its outcome; one that an operator brings back is his word."""
    return event.source == HUB and event.type.startswith("command.") and event.type != "command.retried"
