"""An order change a commit by another library: `bin/benchmark peers [--changes N] [--rounds N]`.

The library is `eventsourcing` (PyPI) with its Postgres recorder, in one process, set as its own speed runs are: a
database function that inserts, events as msgspec structs, immutable orders, no deep copies, no snapshots. It is given
1C's marks as they come, of orders that were placed before, and keeps each one's data. Measured three ways: an order is
loaded for each change; it is kept in the library's cache, so that nothing is read; the same by four threads with a
connection and orders of their own each, which helps where a commit waits for the disk.

The same marks through the hub's intake, in batches of 500 as its consumer hands them over, without a broker and without
the current-state rows; `intake` measures the whole. Peer and hub take turns; the medians count.
"""

import argparse
import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from eventsourcing.application import Application
from eventsourcing.persistence import StoredEvent

from events.log import Log
from service import settings
from service.database import close, open_pool
from service.intake import Intake
from service.onec.amqp import BATCH
from service.onec.cloudevents import Raw
from tests.benchmarks.backlog import MARKS, Mark, marks, place
from tests.benchmarks.figures import Figures, database, parser, servers
from tests.benchmarks.histories import CHANNEL, PLACED
from tests.servers import BODY_KEY

FIRST = 1_000_000
"""The number of the first order."""

REACH = 6.0
THREADS = 4
FAST = {
    "PERSISTENCE_MODULE": "eventsourcing.postgres", "POSTGRES_ENABLE_DB_FUNCTIONS": "y", "POSTGRES_MAX_OVERFLOW": "0",
}  # fmt: skip
KEPT = {"AGGREGATE_CACHE_MAXSIZE": "0", "AGGREGATE_CACHE_FASTFORWARD": "n", "DEEPCOPY_FROM_AGGREGATE_CACHE": "n"}
"""A cache without a limit, which one process may trust without looking for what others wrote."""


WAYS = {
    "orders loaded": (False, 1),
    "orders kept": (True, 1),
    f"orders kept, {THREADS} threads": (True, THREADS),
}
"""Whether orders are kept, and by how many threads they are changed."""

OWN = "intake alone"


class Message(msgspec.Struct, frozen=True):
    """What the peer needs of a CloudEvent."""

    id: str
    type: str
    subject: str
    time: str
    data: msgspec.Raw


class Changed(msgspec.Struct, frozen=True):
    """The one kind of event of an order: what was said of it."""

    originator_id: UUID
    originator_version: int
    id: str
    type: str
    time: str
    data: msgspec.Raw


class Order(msgspec.Struct, frozen=True):
    """How far an order is."""

    id: UUID
    version: int
    stage: str


def project(order: Order | None, changes: Iterable[Changed]) -> Order | None:
    """An order after some changes."""
    for change in changes:
        order = Order(change.originator_id, change.originator_version, change.type)
    return order


class Mapper:
    """Events as they are stored, and back."""

    def to_stored_event(self, event: Changed) -> StoredEvent:
        """As bytes."""
        return StoredEvent(event.originator_id, event.originator_version, "changed", msgspec.json.encode(event))

    def to_domain_event(self, stored: StoredEvent) -> Changed:
        """As it was."""
        return msgspec.json.decode(stored.state, type=Changed)


class Peer:
    """The peer's application on a database of its own, with orders that were placed."""

    def __init__(self, url: str, kept: bool, threads: int, orders: int) -> None:
        more = {"POSTGRES_POOL_SIZE": str(threads)} | (KEPT if kept else {})
        self._application = _application(FAST | _server(url) | more)
        self._ids = {f"{CHANNEL}/{n}": uuid5(NAMESPACE_URL, str(n)) for n in range(FIRST, FIRST + orders)}
        placed = msgspec.Raw(msgspec.json.encode(PLACED))
        for key, id in self._ids.items():
            self._save(Changed(id, 1, f"{key}/placed", "order.placed", "", placed))

    def change(self, body: bytes) -> None:
        """One change of one order, committed."""
        said = msgspec.json.decode(body, type=Message)
        order = self._application.repository.get(self._ids[said.subject], projector_func=project)
        self._save(Changed(order.id, order.version + 1, said.id, said.type, said.time, said.data))

    def close(self) -> None:
        """Lets go of Postgres."""
        self._application.close()

    def _save(self, event: Changed) -> None:
        self._application.save(event, project(None, [event]))  # with its state, for the cache


def _application(environment: dict[str, str]) -> Any:
    made: Any = Application
    application = made(environment)
    application.events.mapper = Mapper()
    return application


def _server(url: str) -> dict[str, str]:
    """A server's URL as the library wants it."""
    parts = urlsplit(url)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    return {
        "POSTGRES_DBNAME": parts.path.lstrip("/"),
        "POSTGRES_HOST": query.get("host") or parts.hostname or "127.0.0.1",
        "POSTGRES_PORT": query.get("port") or str(parts.port or 5432),
        "POSTGRES_USER": unquote(parts.username or "postgres"),
        "POSTGRES_PASSWORD": unquote(parts.password or ""),
    }


def eventsourcing_rate(url: str, changes: int, *, kept: bool = True, threads: int = THREADS) -> float:
    """Order changes a second by the peer, one a commit, into an empty database of its own; blocks until done.

    `kept`: orders come from its cache, else each is loaded before it is changed. The fastest way by default.
    """
    orders = changes // len(MARKS)
    peer = Peer(url, kept, threads, orders)
    shares: list[list[bytes]] = [[] for _ in range(threads)]
    for mark in marks(FIRST, orders):
        shares[int(mark.order.rpartition("/")[2]) % threads].append(mark.body)

    def work(share: list[bytes]) -> None:
        for body in share:
            peer.change(body)

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as workers:
        list(workers.map(work, shares))
    took = time.perf_counter() - began
    peer.close()
    return sum(map(len, shares)) / took


async def intake_rate(url: str, changes: int) -> float:
    """Marks a second by the hub's intake in one process, in batches as its consumer takes them, into an empty log."""
    pool = await open_pool(url, size=2)
    try:
        log, orders = Log(pool, BODY_KEY), changes // len(MARKS)
        await place(log, FIRST, orders)
        table = {"kind": "yandex", "model": "dbs", "business_id": 1, "campaign_id": 2, "api_key": "k"}
        intake = Intake(log, settings.parse({"channels": {CHANNEL: table}}, Path.cwd()))
        batches = list(_batches(list(marks(FIRST, orders))))
        began = time.perf_counter()
        for batch in batches:
            await intake.take(batch)
        return sum(map(len, batches)) / (time.perf_counter() - began)
    finally:
        await close(pool)


def _batches(said: Sequence[Mark]) -> Iterator[list[Raw]]:
    for at in range(0, len(said), BATCH):
        yield [
            Raw(m.body, {"content_type": "application/cloudevents+json", "subject": m.order}, "amqp")
            for m in said[at : at + BATCH]
        ]


async def measure(server: str, changes: int) -> dict[str, float]:
    """A turn of each: the rates by name."""
    rates = {}
    for name, (kept, threads) in WAYS.items():
        async with database(server, "okno_benchmark_peer") as url:
            rates[name] = await asyncio.to_thread(eventsourcing_rate, url, changes, kept=kept, threads=threads)
    async with database(server, "okno_benchmark_intake_alone") as url:
        rates[OWN] = await intake_rate(url, changes * 5)
    return rates


async def _main(given: argparse.Namespace) -> None:
    async with servers(given) as (server,):
        rounds = [await measure(server, given.changes) for _ in range(given.rounds)]
    rates = {name: median(one[name] for one in rounds) for name in rounds[0]}
    figures = Figures("peers", given.json)
    for name in WAYS:
        against = f"eventsourcing, {name}"
        figures.add(OWN, rates[OWN], "changes/s", reference=rates[name], against=against, reach=REACH)


def main() -> None:
    """From the command line."""
    options = parser(__doc__)
    options.add_argument("--changes", type=int, default=5_000, help="by the peer; the intake takes five times as many")
    options.add_argument("--rounds", type=int, default=3)
    asyncio.run(_main(options.parse_args()))


if __name__ == "__main__":
    main()
