"""Reading orders at a marketplace: what is due, and read-backs. What was seen goes through the one door.

If the process dies after a read and before it is settled, the order is read again: reading changes nothing.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from events.log import Log, LogUnavailable
from events.order.state import fold
from events.recorded import Recorded
from service import backoff
from service.door import Door, Unavailable
from service.due_reads import DueRead
from service.http_client import ChannelClient, Held
from service.leases import Leases
from service.marketplaces.port import CallFailed, ReturnSeen, Seen, Wanted
from service.passing import read_message
from service.settings import Channel
from service.signals import wait
from service.work import Work

logger = structlog.get_logger()

BATCH = 50
POLL_SECONDS = 1.25
"""How often reads are looked for that become due by themselves."""

HELD_SECONDS = 5.0
NOTICES = 10
"""So many notifications of an order are handed on."""

MISSING_TRIES = 6
"""So often an order is looked for that the marketplace does not show, before polls are left to find it."""


class Reader:
    """Reads one channel's orders."""

    def __init__(
        self, channel: Channel, log: Log, work: Work, client: ChannelClient, door: Door, leases: Leases
    ) -> None:
        self._channel, self._log, self._work, self._client, self._door = channel, log, work, client, door
        self._leases = leases

    async def see(self, wanted: Sequence[Wanted]) -> dict[str, Seen]:
        """Reads orders, passes on what was seen, and returns it by number; `CallFailed` where there was no answer."""
        began_at = datetime.now(UTC)
        found = await self._client.run(self._channel.marketplace.read(wanted))
        await self.submit(found, began_at)
        return {seen.number: seen for seen in found if isinstance(seen, Seen)}

    async def submit(self, found: Sequence[Seen | ReturnSeen], began_at: datetime) -> None:
        """Passes on what a read saw."""
        if found:
            await self._door.submit([read_message(self._channel.name, seen, began_at) for seen in found], "read")

    async def run(self, told: asyncio.Event) -> None:
        """Works off the reads that are due, until cancelled; one process per channel, by lease."""
        while True:
            async with self._leases.held(f"read/{self._channel.name}") as lost:
                await self._run(lost, told)

    async def _run(self, lost: asyncio.Event, told: asyncio.Event) -> None:
        while not lost.is_set():
            try:
                due = await self._work.due_reads(self._channel.name, BATCH)
                await self._work_off(due)
                if len(due) == BATCH:
                    continue
            except (LogUnavailable, Unavailable) as error:
                logger.warning("reads wait", channel=self._channel.name, error=str(error))
                await asyncio.sleep(1)
            await wait(told, _until_next_look())

    async def _work_off(self, due: Sequence[DueRead]) -> None:
        """Reads many orders in one call; what went wrong before is read alone, so that it holds up no other one."""
        fresh = [read for read in due if not read.attempts]
        alone = [[read] for read in due if read.attempts]
        try:
            for batch in ([fresh] if fresh else []) + alone:
                await self._read(batch)
        except Held as held:
            await asyncio.sleep(min((held.until - datetime.now(UTC)).total_seconds(), HELD_SECONDS))

    async def _read(self, due: Sequence[DueRead]) -> None:
        histories = await self._log.histories([read.order for read in due])
        new = {order for order, events in histories.items() if not fold(order, events).placed}
        wanted = [await self._wanted(r, histories[r.order], new=r.order in new) for r in due]
        try:
            found = await self.see(wanted)
        except (Held, LogUnavailable, Unavailable):
            raise
        except CallFailed as error:
            logger.info("read failed", channel=self._channel.name, error=str(error))
            await self._put_off(due)
            return
        except Exception:  # a bug one order's data bring out
            logger.exception("what was read is not understood", channel=self._channel.name)
            await self._put_off(due)
            return
        missing = [
            r for r in due if r.order.partition("/")[2] not in found and r.order in new and r.attempts < MISSING_TRIES
        ]
        await self._work.done_reads([r for r in due if r not in missing])
        for read in missing:
            await self._work.later_reads([read.order], backoff.delay(read.attempts + 2, 0.5))

    async def _wanted(self, read: DueRead, history: Sequence[Recorded], *, new: bool) -> Wanted:
        """What to read; where the marketplace tells some things in notifications alone, with what those held."""
        notices: list[bytes] = []
        if self._channel.marketplace.reads_notices:
            positions = [event.position for event in history if event.type == "marketplace.notified"][-NOTICES:]
            notices = [body for position in positions if (body := await self._log.body(position)) is not None]
        return Wanted(read.order.partition("/")[2], new, read.hints, notices)

    async def _put_off(self, due: Sequence[DueRead]) -> None:
        tries = max(read.attempts for read in due)
        await self._work.later_reads([read.order for read in due], min(backoff.delay(tries + 1, 0.5), 60))


def _until_next_look() -> float:
    """Seconds until all channels of a process look at once: one statement is asked then for all of them."""
    return POLL_SECONDS - asyncio.get_running_loop().time() % POLL_SECONDS
