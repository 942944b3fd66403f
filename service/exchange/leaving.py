"""Sessions that are over: what 1C was told is kept goes to `rejected`, the rest, buyers' names among it, is removed.

If the process dies between the two, it is kept once more under the same id.
"""

import asyncio
from typing import Final

import structlog

from events.log import LogUnavailable
from service.door import Unavailable
from service.exchange.sessions import Sessions
from service.exchange.taking import Taking

logger = structlog.get_logger()

LOOK_SECONDS: Final = 600.0


async def clear(taking: Taking, sessions: Sessions) -> None:
    """Clears away the sessions that are over now; any number of processes may."""
    await taking.reject_left()
    await sessions.end_idle()


async def leave(taking: Taking, sessions: Sessions) -> None:
    """Does so again and again until cancelled."""
    while True:
        try:
            await clear(taking, sessions)
        except (LogUnavailable, Unavailable) as error:
            logger.info("old sessions of the exchange wait for Postgres", error=str(error))
        await asyncio.sleep(LOOK_SECONDS)
