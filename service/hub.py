"""What the parts of a running hub share: made once, filled as servers come up.

`storage` is None until Postgres was reached for the first time since the start; whoever needs it says so to its caller
instead of failing. It stays after Postgres went away: then its calls raise `LogUnavailable`.
"""

import secrets
from dataclasses import dataclass, field

from events.log import Log
from service.database import Pool
from service.door import Door
from service.leases import Leases
from service.onec.amqp import Publisher
from service.onec.silence_talk import Heard
from service.settings import Settings
from service.signals import Signal
from service.work import Work


@dataclass(frozen=True)
class Storage:
    """Everything that stands on Postgres."""

    pool: Pool
    log: Log
    work: Work
    leases: Leases


@dataclass
class Hub:
    """One running hub. `grown`: the log may have grown; `told`: there may be something to send; `heard`: signs of 1C's
    life, until they are written."""

    settings: Settings
    owner: str = field(default_factory=lambda: secrets.token_hex(8))
    storage: Storage | None = None
    publisher: Publisher | None = None
    grown: Signal = field(default_factory=Signal)
    told: Signal = field(default_factory=Signal)
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.door = Door(self.publisher)

    @property
    def takes_messages(self) -> bool:
        """Whether somebody is there to take messages: the broker or Postgres."""
        return self.storage is not None or (self.publisher is not None and self.publisher.up)
