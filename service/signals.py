"""A wake-up for several waiters in one process, and beyond. A lost one costs a poll's interval, never an event."""

import asyncio
from collections.abc import Callable, Collection


class Signal:
    """Each waiter has an event of its own, so that none takes another's wake-up away, and says what it waits for.

    `spread` tells other processes.
    """

    def __init__(self) -> None:
        self._waiters: list[tuple[asyncio.Event, str | None]] = []
        self.spread: Callable[[Collection[str]], None] | None = None

    def set(self, *about: str) -> None:
        """Wakes who waits for one of these, here and in other processes; everybody where nothing is named."""
        self.wake(about)
        if self.spread is not None:
            self.spread(about)

    def wake(self, about: Collection[str] = ()) -> None:
        """The same in this process alone."""
        for event, wanted in self._waiters:
            if not about or wanted is None or wanted in about:
                event.set()

    def subscribe(self, about: str | None = None) -> asyncio.Event:
        """A new waiter's event; None waits for everything."""
        event = asyncio.Event()
        self._waiters.append((event, about))
        return event


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Until woken, or so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
