"""The head seal leaves the database."""

import asyncio

from prometheus_client import REGISTRY

from events.codec import own_event
from events.log import Log
from events.order import facts as f
from service.sealing import publish_daily


async def test_the_head_seal_is_published_at_the_start(log: Log) -> None:
    """Whoever keeps the numbers keeps the seal, with the position it covers."""
    await log.append([own_event("ym-msk/1", "deadline.near", "1", f.CommandRetried(command="c"), None)])
    head = await log.head()
    running = asyncio.create_task(publish_daily(log))
    labels = {"position": "1", "epoch": "1", "seal": head.seal.hex()}
    async with asyncio.timeout(10):
        while REGISTRY.get_sample_value("okno_head_seal_info", labels) is None:  # noqa: ASYNC110  # as a scrape would
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
