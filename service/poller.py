"""Polling: finds at the marketplace what no notification told. One process per channel, by lease.

The time a poll began is kept once everything it saw is passed on; the next poll looks from there, overlapping. One
that fails in the middle is begun again from where the last whole one began: what it passed on twice is no news.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from events.log import Log, LogUnavailable
from events.order.state import OrderState, fold
from events.recorded import Recorded
from service import differences
from service.door import Unavailable
from service.http_client import ChannelClient, Held
from service.leases import Leases
from service.marketplaces.port import CallFailed, ReturnSeen, Seen
from service.reader import Reader
from service.settings import Channel
from service.work import Work

logger = structlog.get_logger()

CHUNK = 200
RETRY_SECONDS = 5.0


class Poller:
    """Polls one channel."""

    def __init__(
        self, channel: Channel, log: Log, work: Work, client: ChannelClient, reader: Reader, leases: Leases
    ) -> None:
        self._channel, self._log, self._work = channel, log, work
        self._client, self._reader, self._leases = client, reader, leases

    async def run(self) -> None:
        """Polls until cancelled."""
        while True:
            async with self._leases.held(f"poll/{self._channel.name}") as lost:
                while not lost.is_set():
                    pause = self._channel.poll_seconds
                    try:
                        await self.poll()
                    except Held as held:
                        pause = min(max((held.until - datetime.now(UTC)).total_seconds(), RETRY_SECONDS), pause)
                    except (CallFailed, LogUnavailable, Unavailable) as error:
                        logger.warning("poll failed", channel=self._channel.name, error=str(error))
                        pause = min(RETRY_SECONDS, pause)
                    try:
                        async with asyncio.timeout(pause):
                            await lost.wait()
                    except TimeoutError:
                        continue

    async def poll(self) -> None:
        """One look at everything that changed since the last one."""
        name = f"poll/{self._channel.name}"
        _, since = await self._work.progress(name)
        began_at = datetime.now(UTC)
        found = await self._client.run(self._channel.marketplace.poll(since, began_at))
        for start in range(0, len(found), CHUNK):
            await self._pass_on(found[start : start + CHUNK], began_at)
        await self._work.advance(name, 0, began_at)

    async def _pass_on(self, found: list[Seen | ReturnSeen], began_at: datetime) -> None:
        """Orders never seen are read whole; of the others only what changed is passed on."""
        histories = await self._log.histories({f"{self._channel.name}/{seen.number}" for seen in found})
        states = {order: state for order, events in histories.items() if (state := _folded(order, events)) is not None}
        new: list[str] = []
        changed: list[Seen | ReturnSeen] = []
        for seen in found:
            state = states.get(f"{self._channel.name}/{seen.number}")
            if state is None:
                continue
            if isinstance(seen, Seen) and seen.ready and not state.placed:
                new.append(state.order)
            elif (isinstance(seen, ReturnSeen) and differences.of_return(state, seen)) or (
                isinstance(seen, Seen) and differences.of_order(state, seen, began_at)
            ):
                changed.append(seen)
        await self._work.ask_reads([(order, 0.0, "") for order in new])
        await self._reader.submit(changed, began_at)


def _folded(order: str, events: Sequence[Recorded]) -> OrderState | None:
    """An order's state; what one order's history brings out must not stop the polls of all."""
    try:
        return fold(order, events)
    except Exception:
        logger.exception("an order's history can't be folded", order=order)
        return None
