"""The running hub: what is started, in which order, and how it ends.

    web ──────────────── at once: hooks and health answer while Postgres is away
    publisher ────────── at once: RabbitMQ's connection and topology
    storage ──────────── when Postgres answers: schema, pool; then the loops of this process's roles

    intake     consumers of the incoming queues it leases, dead letters into `rejected`
    react      reactor, deadlines, retention, the watch over 1C's silence; and the projections
    project    the projections alone, for a process that does nothing else
    dispatch   a dispatcher a channel, the teller of 1C
    poll       a reader, a poller and a watch over the key a channel
    web        pages, API, hooks

To end: no new messages, lanes or calls are taken, calls under way get `DRAIN_SECONDS` to come to their end; what is cut
off then is unknown, and read back by whoever comes next.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import structlog

from events.log import Log
from events.order.reactions import ONEC
from projections.catalogue import PROJECTIONS
from projections.follow import Follower
from service import database, http_client
from service.body_key import body_key
from service.channels import KeyWatch
from service.deadlines import Deadlines
from service.dispatcher import Dispatcher
from service.due_reads import reads_of
from service.exchange.files import Files
from service.exchange.leaving import leave
from service.exchange.sessions import Sessions
from service.exchange.taking import Taking
from service.http_client import Account, ChannelClient
from service.hub import NEWS, ROWS, Hub, Storage
from service.intake import Intake
from service.leases import Leases
from service.lives import Lives
from service.loops import forever
from service.onec import topology
from service.onec.amqp import Consumer, Publisher, dead_letters
from service.onec.leftovers import Leftovers
from service.onec.silence_watch import SilenceWatch
from service.onec.teller import Teller
from service.plans import plan_of
from service.poller import Poller
from service.reactor import Reactor
from service.reader import Reader
from service.restored import Watch
from service.retention import Retention
from service.sealing import publish_daily
from service.settings import Settings
from service.wakeups import Wakeups
from service.web.server import serve
from service.work import Work

logger = structlog.get_logger()

ROLES: Final = ("intake", "react", "project", "dispatch", "poll", "web")
DRAIN_SECONDS: Final = 4.0

Loop = tuple[str, Callable[[], Awaitable[object]]]


async def run(settings: Settings, roles: frozenset[str], stop: asyncio.Event, ready: Callable[[str], None]) -> None:
    """Runs the hub until `stop` is set; `ready` is called with its address once it can take messages."""
    hub = Hub(settings, publisher=_publisher(settings))
    async with _web(hub, roles) as url, asyncio.TaskGroup() as group:
        tasks = [group.create_task(_announce(hub, url, ready)), group.create_task(_work(hub, roles))]
        if hub.publisher is not None:  # the last to end: what is brought to its end passes on what it saw
            tasks.append(group.create_task(forever("publisher", hub.publisher.run)))
        await stop.wait()
        logger.info("ending")
        for task in tasks:
            task.cancel()
            await asyncio.wait([task])


def _publisher(settings: Settings) -> Publisher | None:
    broker = settings.rabbitmq
    told = topology.told(settings.onec, settings.channels)
    return Publisher(broker.url, broker.partitions, told) if broker.url is not None else None


@asynccontextmanager
async def _web(hub: Hub, roles: frozenset[str]) -> AsyncIterator[str]:
    if "web" in roles:
        async with serve(hub) as url:
            yield url
    else:
        yield ""


async def _announce(hub: Hub, url: str, ready: Callable[[str], None]) -> None:
    while not hub.takes_messages:  # noqa: ASYNC110  # broker and Postgres come up each by itself
        await asyncio.sleep(0.02)
    _spare_collector()
    ready(url)


def _spare_collector() -> None:
    """Leaves what start-up made out of Python's search for cycles, and lets it search less often.

    The hub makes hardly a cycle, and the more orders it knows the longer a search takes: an eighth of all its work.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


async def _work(hub: Hub, roles: frozenset[str]) -> None:
    """Everything that needs Postgres, from when it is there until cancelled."""
    async with _storage(hub) as storage, http_client.sessions() as sessions:
        loops, dispatchers = _intake(hub, storage, roles), dict[str, Dispatcher]()
        if "react" in roles:
            loops += _react(hub, storage, dispatchers)
        if not roles.isdisjoint(("react", "project")):
            follower = Follower(storage.pool, storage.log, list(PROJECTIONS.values()), hub.owner)
            loops.append(("projections", partial(follower.run, hub.grown.subscribe(ROWS))))
        accounts: dict[str, Account] = {}
        clients: dict[str, ChannelClient] = {}
        for name, channel in hub.settings.channels.items():
            market = channel.marketplace
            account = accounts.setdefault(market.account, Account(market.rate))
            client = ChannelClient(sessions, market, account)
            reader = Reader(channel, storage.log, storage.work, client, hub.door, storage.leases)
            if "dispatch" in roles:
                dispatcher = Dispatcher(channel, plan_of(channel), storage.log, storage.work, client, reader)
                dispatchers[name], clients[name] = dispatcher, client
                loops.append((f"dispatch/{name}", partial(dispatcher.run, hub.told.subscribe(name))))
            if "poll" in roles:
                poller = Poller(channel, storage.log, storage.work, client, reader, storage.leases)
                reads = partial(reader.run, hub.told.subscribe(reads_of(name)))
                watch = KeyWatch(channel, storage.work, client, storage.leases)
                loops += [(f"read/{name}", reads), (f"poll/{name}", poller.run), (f"key/{name}", watch.run)]
        if "dispatch" in roles:
            teller = Teller(storage.log, storage.work, hub.publisher)
            loops.append(("tell", partial(teller.run, hub.told.subscribe(ONEC))))
        loops.append(("lives", Lives(storage.pool, hub.owner, roles, clients).run))
        loops.append(("heard", partial(hub.heard.run, storage.pool)))
        hub.grown.set()
        hub.told.set()
        try:
            async with asyncio.TaskGroup() as group:
                for loop in loops:
                    group.create_task(forever(*loop))
        finally:
            await asyncio.gather(*(dispatcher.drain(DRAIN_SECONDS) for dispatcher in dispatchers.values()))


@asynccontextmanager
async def _storage(hub: Hub) -> AsyncIterator[Storage]:
    """Postgres, waited for, and what stands on it."""
    settings = hub.settings
    async with database.server(settings.postgres.url, settings.data_dir) as url:
        pool = await database.wait_for_pool(url)
        wakeups = Wakeups(url, hub.owner, {"grown": hub.grown, "told": hub.told})
        listening = asyncio.create_task(forever("wakeups", wakeups.run))
        watch = Watch(pool, settings.data_dir)
        watching = asyncio.create_task(forever("witness", watch.run))
        try:
            await watch.begin()  # before anything is read from the log, or sent because of it
            log = Log(pool, body_key(settings.data_dir), hub.grew)
            hub.storage = Storage(pool, log, Work(pool, hub.owner), Leases(pool, hub.owner))
            hub.door.intake = Intake(log, settings, hub.heard.said)
            yield hub.storage
        finally:
            hub.storage, hub.door.intake = None, None
            listening.cancel()
            watching.cancel()
            await asyncio.wait([watching])
            await database.close(pool)


def _intake(hub: Hub, storage: Storage, roles: frozenset[str]) -> list[Loop]:
    """Consumers of the broker's queues; none where there is no broker."""
    url, partitions = hub.settings.rabbitmq.url, hub.settings.rabbitmq.partitions
    intake = hub.door.intake
    if url is None or intake is None or "intake" not in roles:
        return []

    async def consume(queue: str, lease: str, share_of: int, consumer: Consumer) -> None:
        async with storage.leases.held(lease, share_of=share_of) as lost:
            logger.info("consuming", queue=queue)
            await consumer.run(lost)

    loops: list[Loop] = []
    for number in range(partitions):
        queue = topology.partition(number)
        consumer = Consumer(url, queue, storage.log, intake.take)
        loops.append((queue, partial(consume, queue, f"partition/{number}", partitions, consumer)))
    dead = Consumer(url, topology.DEAD_IN, storage.log, dead_letters(intake))
    leftovers = Leftovers(url, partitions, storage.log, intake.take)
    return [
        *loops,
        ("leases", storage.leases.stay_alive),
        (topology.DEAD_IN, partial(consume, topology.DEAD_IN, "dead/0", 1, dead)),
        ("leftovers", leftovers.run),
    ]


def _react(hub: Hub, storage: Storage, dispatchers: Mapping[str, Dispatcher]) -> list[Loop]:
    channels = hub.settings.channels
    plans = {name: plan_of(channel) for name, channel in channels.items()}
    applied = {name: channel.marketplace.applied_seconds for name, channel in channels.items()}
    reactor = Reactor(storage.log, storage.pool, storage.work, plans, storage.leases, applied, dispatchers)
    deadlines = Deadlines(storage.log, storage.pool, channels, storage.leases)
    pool = storage.pool
    exchange = partial(leave, Taking(hub.door, storage.log, Files(pool), hub.settings), Sessions(pool))
    silence = SilenceWatch(hub.settings, storage.log, storage.pool, storage.work, storage.leases)
    days = hub.settings.raw_retention_days
    aged: list[Loop] = [("retention", Retention(pool, storage.leases, days).run)] if days is not None else []
    return [
        *aged,
        ("reactor", partial(reactor.run, hub.grown.subscribe(NEWS), hub.told)),
        ("deadlines", deadlines.run),
        ("silence", silence.run),
        ("exchange", exchange),
        ("seal", partial(publish_daily, storage.log)),
    ]
