"""The channels as an operator looks at them, and until when their keys are good.

A key that runs out takes a shop off the marketplace, so it is asked about once an hour, and called out two weeks
before: on the pages, in `GET /v1/channels`, in `/metrics` and in the log. What was found is kept among the loops'
progress: losing it costs an hour.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import structlog

from events.log import LogUnavailable, waits
from service import metrics
from service.database import Pool
from service.http_client import ChannelClient, Held
from service.leases import Leases
from service.marketplaces.port import CallFailed
from service.settings import Channel
from service.work import Work

logger = structlog.get_logger()

KEY_WARNING: Final = timedelta(days=14)
LOOK_SECONDS: Final = 3600.0
AGAIN_SECONDS: Final = 60.0


class Attention(msgspec.Struct, frozen=True):
    """Something about a channel a person should look at."""

    code: str
    message: str
    since: datetime


class ChannelRow(msgspec.Struct, frozen=True):
    """One channel; `key_until` null where the marketplace does not tell."""

    channel: str
    kind: str
    model: str
    mode: str
    key_until: datetime | None
    attention: list[Attention]


KEYS = "SELECT substr(name, 5) AS channel, moment FROM okno.progress WHERE name LIKE 'key/%'"


@waits
async def rows(pool: Pool, channels: Iterable[Channel], now: datetime) -> list[ChannelRow]:
    """Every channel, by name."""
    until = {row["channel"]: row["moment"] for row in await pool.fetch(KEYS)}
    return [_row(channel, until.get(channel.name), now) for channel in sorted(channels, key=lambda c: c.name)]


def _row(channel: Channel, until: datetime | None, now: datetime) -> ChannelRow:
    attention = []
    if until is not None and until - now < KEY_WARNING:
        attention.append(Attention("key_expires", expiry(until, now), until - KEY_WARNING))
    mode = "live" if channel.live else "shadow"
    return ChannelRow(channel.name, channel.kind, channel.model, mode, until, attention)


def expiry(until: datetime, now: datetime) -> str:
    """When a key ends and what to do about it."""
    ends = "ended" if until <= now else "ends"
    return f"the key {ends} on {until:%Y-%m-%d %H:%M} UTC: make a new one in the cabinet and put it in place of the old"


@dataclass(frozen=True)
class KeyWatch:
    """Asks one channel's marketplace until when its key is good; one process at a time, by lease."""

    channel: Channel
    work: Work
    client: ChannelClient
    leases: Leases

    async def run(self) -> None:
        """Asks until cancelled."""
        while True:
            async with self.leases.held(f"key/{self.channel.name}") as lost:
                while not lost.is_set():
                    pause = await self._asked()
                    try:
                        async with asyncio.timeout(pause):
                            await lost.wait()
                    except TimeoutError:
                        continue

    async def _asked(self) -> float:
        """Asks once; the seconds until the next time."""
        talk = self.channel.marketplace.key_until()
        if talk is None:
            return LOOK_SECONDS
        try:
            until = await self.client.run(talk)
            if until is not None:
                await self.work.advance(f"key/{self.channel.name}", 0, until)
        except (Held, CallFailed, LogUnavailable) as error:
            logger.info("a key's end can't be asked", channel=self.channel.name, error=str(error))
            return AGAIN_SECONDS
        if until is not None:
            now = datetime.now(UTC)
            metrics.KEY_UNTIL.labels(self.channel.name).set(until.timestamp())
            if until - now < KEY_WARNING:
                logger.warning("a key ends soon", channel=self.channel.name, says=expiry(until, now))
        return LOOK_SECONDS
