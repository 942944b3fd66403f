"""A wake-up for several waiters in one process, and beyond. A lost one costs a poll's interval, never an event."""

import asyncio
from collections.abc import Callable


class Signal:
    """Each waiter has an event of its own, so that none takes another's wake-up away.

    `spread` tells other processes.
    """

    def __init__(self) -> None:
        self._waiters: list[asyncio.Event] = []
        self.spread: Callable[[], None] | None = None

    def set(self) -> None:
        """Wakes every waiter, here and in other processes."""
        self.wake()
        if self.spread is not None:
            self.spread()

    def wake(self) -> None:
        """Wakes every waiter of this process."""
        for waiter in self._waiters:
            waiter.set()

    def subscribe(self) -> asyncio.Event:
        """A new waiter's event."""
        event = asyncio.Event()
        self._waiters.append(event)
        return event


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Until woken, or so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
