"""A channel's circuit: opens when call after call fails, lets one call try, closes when a call works. Time comes in.

closed ── 5 failures in a row ──▶ open, 10 s … 5 min ──▶ half open: one call tries ──┬─ works ─▶ closed
                                    ▲──────────────────────────── fails ─────────────┘
"""

from datetime import datetime, timedelta

from service import backoff

TRIAL_LOOK = timedelta(seconds=1)
"""How often a call that is held back looks whether the trial is over."""


class Circuit:
    """`until`: open until then, half open after; None: closed. `reason`: of the last failure; `since`: of the first one
    in this row."""

    def __init__(self) -> None:
        self.failures = 0
        self.openings = 0
        self.until: datetime | None = None
        self.reason: str | None = None
        self.since: datetime | None = None
        self._trying = False

    def held_until(self, now: datetime) -> datetime | None:
        """Until when calls are held back; None: go ahead."""
        if self.until is None:
            return None
        if now < self.until:
            return self.until
        return now + TRIAL_LOOK if self._trying else None

    def enter(self) -> bool:
        """A call begins; True: it is the one that tries, and must `leave`."""
        self._trying = self.until is not None
        return self._trying

    def leave(self) -> None:
        """The trial is over, however it ended."""
        self._trying = False

    def worked(self) -> bool:
        """A call worked; True where that closes the circuit."""
        closes = self.until is not None
        self.failures, self.openings, self.until, self.reason, self.since = 0, 0, None, None, None
        return closes

    def failed(self, reason: str, now: datetime) -> float | None:
        """A call failed; the seconds of the pause where that opens the circuit (again)."""
        self.failures, self.reason, self.since = self.failures + 1, reason, self.since or now
        if self.until is not None and now < self.until:  # a call begun before it opened: known already
            return None
        if self.failures < backoff.BREAKER_FAILURES:
            return None
        pause = backoff.breaker_pause(self.openings)
        self.openings, self.until = self.openings + 1, now + timedelta(seconds=pause)
        return pause
