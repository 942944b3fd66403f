"""Puts the head seal outside of the database, at the start and every day: a log line and a number for Prometheus.

Only a seal kept elsewhere shows that somebody recomputed the whole chain or cut its end off.
"""

import asyncio

import structlog

from events.log import Log, LogUnavailable
from service import metrics

logger = structlog.get_logger()

DAY = 24 * 3600.0
AGAIN_SECONDS = 60.0


async def publish_daily(log: Log) -> None:
    """Publishes until cancelled; while Postgres is away it waits."""
    while True:
        try:
            head = await log.head()
        except LogUnavailable:
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        seal = head.seal.hex()
        logger.info("head seal", position=head.position, epoch=head.epoch, seal=seal)
        metrics.SEAL.info({"position": str(head.position), "epoch": str(head.epoch), "seal": seal})
        await asyncio.sleep(DAY)
