"""How fast the demo goes: at pace 1 an order takes about a minute from placed to completed."""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

PACE: Final = "OKNO_DEMO_PACE"
"""The environment variable that makes everything so many times faster."""

MARKETPLACE_MOVES: Final = 5.0
"""Seconds a marketplace takes for a step of its own, such as its delivery's."""


@dataclass(frozen=True)
class Pace:
    """Turns the demo's seconds into real ones."""

    times: float = 1.0

    def __call__(self, seconds: float) -> float:
        """So many seconds of the demo, in seconds."""
        return seconds / self.times

    @property
    def marketplace(self) -> timedelta:
        """How long a marketplace takes for a step of its own."""
        return timedelta(seconds=self(MARKETPLACE_MOVES))


def pace() -> Pace:
    """The pace the environment asks for; 1 where it says nothing that makes sense."""
    try:
        times = float(os.environ.get(PACE, "1"))
    except ValueError:
        times = 1.0
    return Pace(times if 0.01 <= times <= 100 else 1.0)
