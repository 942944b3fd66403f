"""From a mark to the marketplace: `bin/benchmark latency [--seconds N] [--rate N] [--png FILE]`.

1C's marks (the goods are on their way) are published in RabbitMQ at an even pace, waiting for nothing (an open loop):
100 a second, each of another order, over four shops of one cabinet, as a shop has several. One hub process with all
roles takes them, asks for the command, and tells Yandex Market; the time until the request arrives at the sandbox
counts. The orders were placed before, and nothing else waits. What the hub does besides is done meanwhile: it projects,
reads each order after its step, records what it saw.

The reference, at the same rate and in the same run, half before and half behind: a bare aio-pika consumer that makes a
bare aiohttp request for each message. Queues, sandbox and publisher are the same.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp
import asyncpg
import msgspec
import psutil
from aio_pika.abc import AbstractConnection

from events.order import facts as f
from service.database import close, open_pool
from service.marketplaces.yandex import incoming
from service.onec import topology
from service.work import Work
from tests.benchmarks import hub, market
from tests.benchmarks.dispatch import history, settle
from tests.benchmarks.figures import Figures, database, parser, servers

SHOPS = 4
BARE = "okno.benchmark.bare"
WARM_SECONDS = 5
PAGE = 50
QUIET_SECONDS, QUIET_SHARE = 3.0, 0.1
REACH = {50: 4.0, 99: 10.0}

# When an order's mark was recorded, its command requested, and the attempt committed.
STAGES = """
SELECT split_part(m.order_key, '/', 2)::bigint AS number, extract(epoch FROM m.recorded_at)::float8 AS recorded,
       extract(epoch FROM r.recorded_at)::float8 AS requested,
       extract(epoch FROM (convert_from(d.data, 'UTF8')::jsonb->>'sent_at')::timestamptz)::float8 AS begun
FROM okno.events m JOIN okno.events r ON r.order_key = m.order_key AND r.cause = m.position
JOIN okno.events d ON d.order_key = m.order_key AND d.cause = r.position
WHERE m.type = 'order.shipped' AND r.type = 'command.requested' AND d.type = 'command.done'
"""

Times = dict[int, float]
"""When something happened, by the order's number."""


def numbers(shop: int, many: int) -> list[int]:
    """The orders of one shop: the sandbox places one in each shop in turn, the reference's being the last."""
    return [market.FIRST_ORDER + shop + at * (SHOPS + 1) for at in range(many)]


def mark(channel: str, number: int) -> bytes:
    """What 1C says."""
    now = datetime.now(UTC).isoformat()
    return msgspec.json.encode({
        "specversion": "1.0", "id": f"{number}-shipped", "source": "1c/ut11", "type": "order.shipped",
        "subject": f"{channel}/{number}", "time": now, "data": {},
    })  # fmt: skip


async def publish(
    connection: AbstractConnection, exchange: str, said: Sequence[tuple[int, str, Callable[[], bytes]]], rate: float
) -> Times:
    """Publishes at an even pace, persistent and confirmed; when each was."""
    times: Times = {}
    async with connection.channel(publisher_confirms=True) as channel:
        target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
        began = time.time()
        confirms = []
        for at, (number, key, body) in enumerate(said):
            await asyncio.sleep(max(began + at / rate - time.time(), 0))
            message = aio_pika.Message(body(), content_type="application/cloudevents+json", delivery_mode=2)
            times[number] = time.time()
            confirms.append(asyncio.create_task(target.publish(message, key)))
        await asyncio.gather(*confirms)
    return times


async def arrived(url: str, sent: Times, seconds: float = 30) -> Times:
    """When each request arrived."""
    came: Times = {}
    until = time.monotonic() + seconds
    while not came.keys() >= sent.keys():
        if time.monotonic() > until:
            raise SystemExit(f"{len(sent.keys() - came.keys())} of {len(sent)} requests did not arrive")
        await asyncio.sleep(0.5)
        for number, at in await market.arrivals(url):
            came.setdefault(number, at)
    return came


def between(earlier: Times, later: Times, warm: int) -> list[float]:
    """Seconds from one to the other, in the order of the earlier; the first few do not count."""
    return [later[number] - at for number, at in earlier.items()][warm:]


async def stages(url: str, sent: Times, came: Times, warm: int) -> str:
    """Where the time goes, in medians."""
    watching = await asyncpg.connect(url)
    rows = await watching.fetch(STAGES)
    await watching.close()
    names = ("recorded", "requested", "begun")
    times = [sent, *({row["number"]: row[name] for row in rows} for name in names), came]
    spent = [percentile(between(a, b, warm), 50) for a, b in pairwise(times)]
    return ", ".join(
        f"{name} {ms:.1f}" for name, ms in zip(("recorded", "requested", "begun", "arrived"), spent, strict=True)
    )


@asynccontextmanager
async def relaying(connection: AbstractConnection, amqp: str, url: str) -> AsyncIterator[None]:
    """The bare consumer, with a queue like the hub's."""
    async with connection.channel() as channel:
        arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-single-active-consumer": True}
        await channel.declare_queue(BARE, durable=True, arguments=arguments)
    path = f"{url}{market.PREFIX}/v2/campaigns/{market.FIRST_SHOP + SHOPS}/orders/"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.relay", amqp, BARE, path, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        yield
    finally:
        process.kill()
        await process.wait()


async def quiet(url: str, process: psutil.Process) -> None:
    """Until the log has not grown for some seconds, its rows are made, and the hub has next to nothing to do."""
    watching = await asyncpg.connect(url)
    head, since, spent = -1, time.monotonic(), hub.cpu(process)
    while time.monotonic() - since < QUIET_SECONDS or hub.cpu(process) - spent > QUIET_SECONDS * QUIET_SHARE:
        if time.monotonic() - since >= QUIET_SECONDS:
            since, spent = time.monotonic(), hub.cpu(process)
        await asyncio.sleep(0.2)
        now = await watching.fetchval("SELECT position FROM okno.head")
        if now != head or await watching.fetchval("SELECT min(position) FROM okno.projection_progress") != now:
            head, since, spent = now, time.monotonic(), hub.cpu(process)
    await watching.close()


async def shown(url: str, wanted: Sequence[int]) -> list[f.Placed]:
    """Orders as the sandbox shows them, so that a read behind the step finds nothing changed but the status."""
    found: list[f.Placed] = []
    headers = {"Api-Key": market.KEY, "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for at in range(0, len(wanted), PAGE):
            path = f"{url}{market.PREFIX}/v1/businesses/{market.BUSINESS}/orders?limit={PAGE}"
            async with session.post(path, data=msgspec.json.encode({"orderIds": wanted[at : at + PAGE]})) as answer:
                page = msgspec.json.decode(await answer.read(), type=dict[str, Any])
            seen = [incoming.seen(msgspec.json.encode(raw), "dbs", (), None) for raw in page["orders"]]
            found += [one.order for one in seen if one is not None]
    return found


async def prepare(url: str, config: Path, address: str, many: int) -> None:
    """The hub knows the orders, has polled just now, and nothing waits."""
    pool = await open_pool(url)
    for shop, channel in enumerate(market.shops(SHOPS)):
        orders = await shown(address, numbers(shop, many))
        await settle(pool, config, [e for one in orders for e in history(channel, int(one.number), placed=one)])
        await Work(pool, "prepared").advance(f"poll/{channel}", 0, datetime.now(UTC))
    await close(pool)


async def measure(given: argparse.Namespace, server: str, amqp: str) -> dict[str, list[float]]:
    """Seconds of the hub's, and of the bare consumer's, by name."""
    warm, half = int(given.rate * WARM_SECONDS), int(given.rate * given.seconds) // 2
    many = (warm + 2 * half) // SHOPS + 1
    placed = max(many, 2 * (warm + half))
    words = ("--shops", str(SHOPS + 1), "--orders", str(placed))
    async with database(server, "okno_benchmark_latency") as url, market.running(*words) as (address, _):
        parts = [f'[postgres]\nurl = "{url}"\n[rabbitmq]\nurl = "{amqp}"\n[http]\nport = 0\n']
        config = hub.configure(given.folder.absolute(), "latency", [*parts, *market.tables(address, SHOPS, parallel=4)])
        await prepare(url, config, address, many)
        connection = await aio_pika.connect(amqp)
        bare: list[float] = []
        spare = iter(numbers(SHOPS, placed))

        async def reference() -> None:
            async with relaying(connection, amqp, address):
                said = [
                    (number, BARE, str(number).encode) for number, _ in zip(spare, range(warm + half), strict=False)
                ]
                sent = await publish(connection, "", said, given.rate)
                bare.extend(between(sent, await arrived(address, sent), warm))

        async with connection:
            await reference()
            async with hub.running(config, log=given.folder.absolute() / "latency.log") as process:
                await quiet(url, process)
                channels = [*enumerate(market.shops(SHOPS))]
                orders = [(shop, name, at) for at in range(many) for shop, name in channels][: warm + 2 * half]
                own = [(numbers(shop, many)[at], name) for shop, name, at in orders]
                await market.arrivals(address)
                before = hub.cpu(process)
                said = [(n, f"{name}/{n}", lambda n=n, name=name: mark(name, n)) for n, name in own]
                sent = await publish(connection, topology.IN, said, given.rate)
                came = await arrived(address, sent)
                await asyncio.sleep(QUIET_SECONDS)
                spent = (hub.cpu(process) - before) * 1000 / len(own)
                where = await stages(url, sent, came, warm)
                seconds = between(sent, came, warm)
            await reference()
    note = Figures("latency", given.json).note
    note(f"the hub's process took {spent:.1f} CPU ms a mark, with all that follows; medians, ms, of the way: {where}")
    return {"okno": seconds, "bare": bare}


def percentile(seconds: Sequence[float], share: float) -> float:
    """The value below which so many of a hundred lie, in milliseconds."""
    return sorted(seconds)[min(int(len(seconds) * share / 100), len(seconds) - 1)] * 1000


def plot(found: dict[str, list[float]], rate: float, file: Path) -> None:
    """Draws both distributions: milliseconds by percentile."""
    import matplotlib as mpl  # heavy, and wanted here only

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), dpi=120)
    for name, seconds in found.items():
        shares = [100 * (at + 0.5) / len(seconds) for at in range(len(seconds))]
        axes.plot(shares, [1000 * one for one in sorted(seconds)], label=name)
    axes.set(
        xlabel="percentile", ylabel="ms", yscale="log", xlim=(0, 100), title=f"mark to marketplace, {rate:g} orders/s"
    )
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(file, bbox_inches="tight")


async def _main(given: argparse.Namespace) -> None:
    given.folder.mkdir(parents=True, exist_ok=True)
    async with servers(given, broker=True) as (postgres, rabbitmq):
        found = await measure(given, postgres, rabbitmq)
    figures = Figures("latency", given.json)
    for share in (50, 90, 99, 100):
        own, bare = percentile(found["okno"], share), percentile(found["bare"], share)
        name = f"p{share}" if share < 100 else "longest"
        figures.add(name, own, "ms", reference=bare, against="bare", reach=REACH.get(share), at_most=True)
    figures.note(f"{len(found['okno'])} marks, {given.rate:g} a second, even pace, {SHOPS} shops, 4 calls at once each")
    if given.png:
        plot(found, given.rate, given.png)


def main() -> None:
    """From the command line."""
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument("--rate", type=float, default=100, help="marks a second")
    options.add_argument("--png", type=Path, help="draws the distribution of both into this file")
    asyncio.run(_main(options.parse_args()))


if __name__ == "__main__":
    main()
