"""What Ozon does one way now and another way then, and how it writes times and numbers down."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random


@dataclass
class Chances:
    """Shares of 1; all nought: always the same way.

    `ship_fails`: an accepted assembly ends in `ship_failed`. `driver`: the last mile is `driver_pickup`. `strings`:
    whole numbers come as text. `fractions`: times with thousandths. `wrapped`: lists under `result`. `wordy`: more
    words around a refusal's code. `twice`, `late`, `dropped`: pushes.
    """

    ship_fails: float = 0.0
    driver: float = 0.0
    strings: float = 0.0
    fractions: float = 0.0
    wrapped: float = 0.0
    wordy: float = 0.0
    twice: float = 0.0
    late: float = 0.0
    dropped: float = 0.0


def lively() -> Chances:
    """A bit of everything the facts have seen or call unknown."""
    return Chances(
        ship_fails=0.05, driver=0.2, strings=0.1, fractions=0.3, wrapped=0.1, wordy=0.3,
        twice=0.05, late=0.1, dropped=0.05,
    )  # fmt: skip


@dataclass
class Hand:
    """Ozon's handwriting."""

    random: Random
    chances: Chances = field(default_factory=Chances)

    def happens(self, name: str) -> bool:
        """Whether it goes the other way this time."""
        share: float = getattr(self.chances, name)
        return share > 0 and self.random.random() < share

    def time(self, moment: datetime | None) -> str | None:
        """`2026-05-05T06:44:37Z`, or with thousandths."""
        if moment is None:
            return None
        return iso(moment) if self.happens("fractions") else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def number(self, value: int) -> int | str:
        """An int64 as JSON has it: a number, or text."""
        return str(value) if self.happens("strings") else value


def iso(moment: datetime) -> str:
    """`2021-01-26T06:56:36.294Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
