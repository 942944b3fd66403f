"""A history made by hand, minute by minute, and what a report says of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from events.codec import encode
from events.order import facts as f
from events.recorded import Recorded
from service.audit.around import Around, Outage, Run, Trying
from service.audit.verdicts import Mark, marks

ORDER = "shop/1"
NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
ALL = ("dispatch", "intake", "poll", "react", "web")


def at(minutes: float) -> datetime:
    """So many minutes after nine."""
    return NINE + timedelta(minutes=minutes)


class Dispute:
    """One order's history and what was noted beside it; every number is minutes after nine."""

    def __init__(self) -> None:
        self.events: list[Recorded] = []
        self.runs: list[Run] = []
        self.outages: list[Outage] = []
        self.trying: dict[str, Trying] = {}

    def say(
        self, type: str, fact: f.Fact, recorded: float, *, occurred: float | None = None, source: str = "1c/ut",
        cause: int | None = None,
    ) -> int:  # fmt: skip
        """One more event; its position."""
        position = len(self.events) + 1
        self.events.append(Recorded(
            position=position, order=ORDER, version=position, type=type, source=source, id=f"m{position}", cause=cause,
            actor=source, occurred_at=at(recorded if occurred is None else occurred), recorded_at=at(recorded),
            id_reused=False, data=encode(fact),
        ))  # fmt: skip
        return position

    def placed(self, recorded: float = 0, *, occurred: float | None = None, **dues: float) -> int:
        """A buyer orders; stages are due."""
        deadlines = tuple(f.Deadline(stage, at(due)) for stage, due in dues.items())
        fact = f.Placed(number="1", deadlines=deadlines)
        return self.say("order.placed", fact, recorded, occurred=occurred, source="channel/shop")

    def mark(self, stage: str, occurred: float, recorded: float | None = None) -> int:
        """1C marks a stage."""
        fact = f.FACTS[f"order.{stage}"]()
        return self.say(f"order.{stage}", fact, occurred if recorded is None else recorded, occurred=occurred)

    def asked(self, step: str, requested: float, cause: int, stage: str) -> int:
        """The hub decides to tell the marketplace."""
        fact = f.CommandRequested(command=step, target="shop", action=step, stage=stage)
        return self.say("command.requested", fact, requested, source=f.HUB, cause=cause)

    def ended(
        self, step: str, recorded: float, *, end: str = "done", tried: float | None = None, sent: float | None = None,
        attempts: int = 1, **said: Any,
    ) -> int:  # fmt: skip
        """What came of it."""
        fact = f.CommandOutcome(
            command=step, attempts=attempts, tried_at=None if tried is None else at(tried),
            sent_at=None if sent is None else at(sent), **said,
        )  # fmt: skip
        return self.say(f"command.{end}", fact, recorded, source=f.HUB)

    def told(
        self, step: str, stage: str, marked: int, requested: float, tried: float, recorded: float, **more: Any
    ) -> None:
        """The whole way from the decision to the answer."""
        self.asked(step, requested, marked, stage)
        self.ended(step, recorded, tried=tried, **({"sent": tried} | more))

    def ran(self, since: float, until: float, *roles: str) -> None:
        """A hub was at work."""
        self.runs.append(Run(roles or ALL, at(since), at(until)))

    def report(self, now: float) -> list[Mark]:
        """All that is said of the order."""
        noted = min((run.since for run in self.runs), default=None)
        return marks(ORDER, self.events, Around(noted, tuple(self.runs), tuple(self.outages), self.trying), at(now))

    def verdict(self, now: float = 600) -> Mark:
        """What is said of the one thing that was to be told."""
        (found,) = self.report(now)
        return found


def minutes(mark: Mark) -> dict[str, float]:
    """Whose time it was, in minutes."""
    found: dict[str, float] = {}
    for leg in mark.legs:
        found[leg.who] = round(found.get(leg.who, 0) + leg.seconds / 60, 2)
    return found


def blamed(mark: Mark) -> tuple[str | None, str]:
    """Whom a mark blames, and what is said of it."""
    return mark.blame, mark.says
