"""A wake-up for several waiters in one process. A lost one costs a poll's interval, never an event."""

import asyncio


class Signal:
    """Each waiter has an event of its own, so that none takes another's wake-up away."""

    def __init__(self) -> None:
        self._waiters: list[asyncio.Event] = []

    def set(self) -> None:
        """Wakes every waiter."""
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
