"""Queues left over from a time with more partitions: what is still in them is taken like everything else.

They stay at the broker, since quorum queues can't be deleted "only if empty"; an empty one costs nothing. Several
processes may run this at once: the queues have a single active consumer.
"""

import asyncio

import structlog

from events.log import Log
from service.onec import topology
from service.onec.amqp import BROKER_ERRORS, Consumer, Taker, connect

logger = structlog.get_logger()

LOOK_SECONDS = 60.0


class Leftovers:
    """Consumes the incoming queues from number `partitions` on."""

    def __init__(self, url: str, partitions: int, log: Log, take: Taker) -> None:
        self._url, self._partitions, self._log, self._take = url, partitions, log, take

    async def run(self) -> None:
        """Consumes whatever is left over, until cancelled."""
        never = asyncio.Event()
        known: set[str] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                for queue in await self._standing():
                    if queue not in known:
                        logger.info("emptying a queue left over from more partitions", queue=queue)
                        known.add(queue)
                        group.create_task(Consumer(self._url, queue, self._log, self._take).run(never))
                await asyncio.sleep(LOOK_SECONDS)

    async def _standing(self) -> list[str]:
        try:
            async with asyncio.timeout(20), await connect(self._url, "okno leftovers") as connection:
                return await topology.standing(connection, self._partitions)
        except BROKER_ERRORS as error:
            logger.info("can't look for queues left over", error=f"{type(error).__name__}: {error}")
            return []
