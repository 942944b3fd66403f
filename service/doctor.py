"""The doctor: looks at everything the hub needs and says what to do about each failure.

It changes nothing, but brings the schema and the broker's queues into place as the hub itself would."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from events.log import LogUnavailable
from projections.catalogue import PROJECTIONS
from projections.status import status as projection_status
from service import database, http_client, rejected
from service.database import Pool
from service.http_client import ChannelClient
from service.marketplaces.port import CallFailed
from service.onec import silence_status
from service.onec.checkup import checkup
from service.onec.topology import told
from service.settings import Channel, Settings

PAUSES = (0.3, 1.0)
"""Seconds before a channel is asked the second and the third time."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    good: bool
    what: str
    says: str


async def examine(settings: Settings, only: str | None = None) -> AsyncIterator[Finding]:
    """Looks at one thing after another; a failure of one does not keep the others from being looked at.

    `only`: at this channel alone, and at what its account shows that we do not know.
    """
    if only is not None:
        async for finding in _channel(settings.channels[only], survey=True):
            yield finding
        return
    channels = ", ".join(f"{name} ({channel.kind} {channel.model})" for name, channel in settings.channels.items())
    yield Finding(True, "configuration", f"channels {channels or 'none yet: add [channels.NAME]'}")
    async for finding in _postgres(settings):
        yield finding
    async for finding in _rabbitmq(settings):
        yield finding
    for channel in settings.channels.values():
        async for finding in _channel(channel):
            yield finding


async def _channel(channel: Channel, *, survey: bool = False) -> AsyncIterator[Finding]:
    """A channel's key and reach, and where asked for, what its account shows that we do not know."""
    async with http_client.sessions() as sessions:
        client, what = ChannelClient(sessions, channel.marketplace), f"channel {channel.name}"
        faults = await _checked(client, channel)
        if channel.hook_secret is None:
            faults.append("hook_secret is missing: without notifications orders are found by polls alone")
        for fault in faults:
            yield Finding(False, what, fault)
        if not faults:
            yield Finding(True, what, f"key and reach are good, {'live' if channel.live else 'shadow'}")
        if survey:
            yield await _surveyed(client, channel, what)


async def _surveyed(client: ChannelClient, channel: Channel, what: str) -> Finding:
    """What a channel's orders hold that is not known here; no fault, but something to settle."""
    talk = channel.marketplace.survey(datetime.now(UTC))
    if talk is None:
        return Finding(True, what, f"{channel.kind} offers no survey of its orders")
    try:
        differing = await client.run(talk)
    except CallFailed as error:
        return Finding(False, what, f"its orders can't be read: {error}")
    if not differing:
        return Finding(True, what, "its orders hold nothing that is not known here")
    return Finding(True, what, "\n      ".join(["its orders hold what is not known here:", *differing]))


async def _checked(client: ChannelClient, channel: Channel) -> list[str]:
    """What is wrong with a channel; a marketplace that stumbles is asked again."""
    for pause in (*PAUSES, None):
        try:
            return await client.run(channel.marketplace.check())
        except CallFailed as error:
            if pause is None:
                return [f"{error}: check base_url, api_key and the way to {channel.marketplace.base_url}"]
            await asyncio.sleep(pause)
    return []


async def _postgres(settings: Settings) -> AsyncIterator[Finding]:
    async with database.server(settings.postgres.url, settings.data_dir) as url:
        try:
            pool = await database.open_pool(url, size=2)
        except LogUnavailable as error:
            yield Finding(False, "postgres", f"{error}: start it, or correct postgres.url")
            return
        except database.NoLog as error:
            yield Finding(False, "postgres", str(error))
            return
        except Exception as error:  # whatever Postgres says, it is what the operator must read
            yield Finding(
                False, "postgres", f"{type(error).__name__}: {error}: correct postgres.url or the user's rights"
            )
            return
        try:
            async for finding in _database(pool, settings):
                yield finding
        finally:
            await database.close(pool)


async def _database(pool: Pool, settings: Settings) -> AsyncIterator[Finding]:
    version = await pool.fetchval("SHOW server_version_num")
    head = await pool.fetchval("SELECT position FROM okno.head WHERE log_id = 0")
    yield Finding(True, "postgres", f"version {int(version) // 10_000}, {head} events in the log")
    limited = await pool.fetchval("SELECT current_user = 'okno_hub'")
    guard = "grants and trigger" if limited else "its trigger only, since the database's owner may not create roles"
    yield Finding(True, "log", f"append-only by {guard}")
    for status in await projection_status(pool, list(PROJECTIONS.values()), head):
        says = f"{status.rows} rows, {status.lag} events behind"
        if status.wants is not None:
            yield Finding(False, f"projection {status.name}", f"it stands still: {status.wants}")
        elif status.failures:
            says = f"{status.failures} orders are set aside: mended code takes them back at its start"
            yield Finding(False, f"projection {status.name}", says)
        else:
            yield Finding(True, f"projection {status.name}", says)
    for good, what, says in silence_status.checked(await silence_status.status(pool, settings)):
        yield Finding(good, what, says)
    waiting = await rejected.count(pool)
    yield Finding(True, "rejected", f"{waiting} messages" + (": look at /rejected" if waiting else ""))


async def _rabbitmq(settings: Settings) -> AsyncIterator[Finding]:
    url, partitions = settings.rabbitmq.url, settings.rabbitmq.partitions
    if url is None:
        yield Finding(True, "rabbitmq", "none: 1C posts to /v1/events and reads /v1/outbox")
        return
    queues = told(settings.onec, settings.channels)
    for good, says in await checkup(url, partitions, queues, settings.onec.queue_warning):
        yield Finding(good, "rabbitmq", says)
