"""When to try again. Pure: the attempt's number and a random share come in, a time comes out."""

from datetime import datetime, timedelta

SCHEDULE = (2, 5, 15, 45, 120, 300)
"""Seconds before the second, third, … attempt; the last one repeats. Jitter adds or takes up to a fifth.

No longer than five minutes: so late an order may be told after an outage of hours. What spares a marketplace that is
down is the channel's circuit, not a long pause of each order."""

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


def breaker_pause(openings: int) -> float:
    """Seconds the circuit stays open after it was opened so many times in a row before."""
    return BREAKER_SECONDS[min(max(openings, 0), len(BREAKER_SECONDS) - 1)]
