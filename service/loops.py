"""Loops that go on: one that fails is logged and begun again, and no other one notices.

A bug met by one channel, or in one projection, must not stop the messages of all others. What waiting helps against is
the loops' own matter; whatever comes out here was not foreseen.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from service import metrics

logger = structlog.get_logger()

AGAIN_SECONDS = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Pauses before a failed loop begins again; one that ran for a minute starts over with the first."""

GOOD_SECONDS = 60.0


async def forever(name: str, run: Callable[[], Awaitable[object]]) -> None:
    """Runs a loop until cancelled, whatever happens to it."""
    failures = 0
    clock = asyncio.get_running_loop()
    while True:
        began = clock.time()
        try:
            await run()
            failures = 0
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            # A cancellation that is not ours: a client's closed connection ends in one. No loop may die of it unseen.
            metrics.LOOP_FAILURES.labels(name).inc()
            logger.exception("loop failed, beginning it again", loop=name, error=repr(error))
            failures = failures + 1 if clock.time() - began < GOOD_SECONDS else 0
        await asyncio.sleep(AGAIN_SECONDS[min(failures, len(AGAIN_SECONDS) - 1)])
