"""When to try again. Pure: the attempt's number and a random share come in, a time comes out."""

from datetime import datetime, timedelta

SCHEDULE = (2, 5, 15, 45, 120, 300, 900, 1800, 3600)
"""Seconds before the second, third, … attempt; the last one repeats. Jitter adds or takes up to a fifth."""

JITTER = 0.2

BREAKER_FAILURES = 5
"""So many failures one after another open a channel's circuit."""

BREAKER_SECONDS = (10, 30, 60, 120, 300)
"""How long the circuit stays open the first, second, … time in a row; then one call tries."""


def delay(attempts: int, share: float) -> float:
    """Seconds to wait after so many attempts; `share` in 0..1 places it within the jitter."""
    base = SCHEDULE[min(max(attempts, 1), len(SCHEDULE)) - 1]
    return base * (1 - JITTER + 2 * JITTER * share)


def next_attempt(attempts: int, now: datetime, share: float) -> datetime:
    """The moment of the next attempt."""
    return now + timedelta(seconds=delay(attempts, share))


def breaker_pause(failures: int) -> float | None:
    """Seconds the circuit stays open after so many failures in a row; None while it stays closed."""
    if failures < BREAKER_FAILURES:
        return None
    return BREAKER_SECONDS[min(failures - BREAKER_FAILURES, len(BREAKER_SECONDS) - 1)]
