"""How fast waiting commands are worked off: `bin/benchmark dispatch [--commands N] [--together]`.

So many orders are placed and marked through the log, the real reactor asks for one command each, 1C is told; then all
stands still, and one hub process with the role `dispatch` works the commands off: one order a call (the number of 1C's
document), or, with `--together`, as many in a call as Market takes (30: the goods are on their way). The channel's
`parallel` is `--parallel`; no limit binds. The reference is a bare aiohttp client that sends the same requests, so many
at once, and throws the answers away: half of it before the hub, half behind it. Both talk to a light server that
answers as the sandbox does, in a process of its own; `--sandbox` takes the sandbox itself.

The hub's time runs from its first call to the last outcome in the log.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil

from events.codec import encode
from events.log import Log
from events.order import facts as f
from events.order.reactions import ONEC
from events.recorded import NewEvent
from service import settings
from service.database import Pool, close, open_pool
from service.leases import Leases
from service.onec.teller import Teller
from service.plans import plan_of
from service.reactor import Reactor
from service.work import Work
from tests.benchmarks import hub, market
from tests.benchmarks.figures import Figures, database, parser, postgres
from tests.benchmarks.histories import LINES
from tests.servers import BODY_KEY

CHANNEL = "ym-0"
BATCH = 500
TOGETHER = 30
MOST_SECONDS = 600
CPU = "CPU ms a command"


@dataclass(frozen=True)
class Request:
    """A call as the hub makes it."""

    method: str
    path: str
    body: bytes


def history(channel: str, number: int, said: str | None = None, *, placed: f.Placed | None = None) -> list[NewEvent]:
    """An order that was placed, and, where wanted, what 1C says of it: that it is `registered`, or `shipped`."""
    now, order, source = datetime.now(UTC), f"{channel}/{number}", f"channel/{channel}"
    document = f.Document(id=f"d-{number}", number=f"N-{number}", date=now)
    facts: list[tuple[str, str, f.Fact]] = [
        ("order.placed", source, placed or f.Placed(number=str(number), lines=LINES, placed_at=now)),
        ("marketplace.seen", source, f.Seen(status="PROCESSING/STARTED", stage="placed", began_at=now)),
    ]
    if said is not None:
        fact = f.Shipped() if said == "shipped" else f.Registered(document=document)
        facts.append((f"order.{said}", "1c/ut11", fact))
    return [
        NewEvent(
            order=order, type=type, source=source, id=f"{number}-{type}", actor=source, data=encode(fact),
            digest=sha256(f"{number}-{type}".encode()).digest(), occurred_at=now, body=b"{}" * 200,
            personal=encode({"customer": {"name": "Покупатель"}}) if type == "order.placed" else None,
            document=document.id if type == "order.registered" else None,
        )
        for type, source, fact in facts
    ]  # fmt: skip


def requests(numbers: Sequence[int], *, together: bool) -> Iterator[Request]:
    """What the hub sends for these orders."""
    shop = f"{market.PREFIX}/v2/campaigns/{market.FIRST_SHOP}/orders"
    if not together:
        for number in numbers:
            yield Request("POST", f"{shop}/{number}/external-id", encode({"externalOrderId": f"N-{number}"}))
    for at in range(0, len(numbers) if together else 0, TOGETHER):
        rows = [{"id": number, "status": "DELIVERY"} for number in numbers[at : at + TOGETHER]]
        yield Request("POST", f"{shop}/status-update", encode({"orders": rows}))


async def settle(pool: Pool, config: Path, events: Sequence[NewEvent], size: int = BATCH) -> None:
    """Appends events, lets the real reactor ask for what follows, and tells 1C; commands for marketplaces wait then."""
    channels = settings.load(config).channels
    log, work, leases = Log(pool, BODY_KEY), Work(pool, "prepared"), Leases(pool, "prepared")
    for at in range(0, len(events), size):
        await log.append(events[at : at + size])
    plans = {name: plan_of(channel) for name, channel in channels.items()}
    reactor = Reactor(log, pool, work, plans, leases, dict.fromkeys(channels, 1.0), {})
    teller = Teller(log, work, None)
    while await reactor.step():
        pass
    while lanes := await work.claim(ONEC, size):
        await teller._tell(lanes)
    while await reactor.step():
        pass


async def prepare(url: str, config: Path, numbers: Sequence[int], said: str) -> None:
    """Everything up to the commands that wait."""
    pool = await open_pool(url)
    await settle(pool, config, [event for number in numbers for event in history(CHANNEL, number, said)])
    await close(pool)
    admin = await asyncpg.connect(url)
    await admin.execute("VACUUM ANALYZE")
    await admin.execute("CHECKPOINT")
    await admin.close()


async def reference(url: str, wanted: Iterator[Request], parallel: int) -> tuple[int, float, float]:
    """The bare client: requests, seconds, CPU seconds."""
    headers = {"Content-Type": "application/json", "Accept": "application/json", "Api-Key": market.KEY}
    sent = 0

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal sent
        for one in wanted:
            async with session.request(one.method, url + one.path, data=one.body, headers=headers) as answer:
                await answer.read()
            sent += 1

    async with aiohttp.ClientSession() as session:
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(worker(session) for _ in range(parallel)))
        return sent, time.perf_counter() - began, time.process_time() - cpu


@dataclass
class Worked:
    """What the hub's run took."""

    seconds: float
    calls: int
    appends: int
    own_cpu: float
    postgres_cpu: float
    market_cpu: float


async def work_off(
    url: str, config: Path, commands: int, server: str, serving: psutil.Process, log: Path
) -> Worked:  # fmt: skip
    """Runs the hub until every command has its outcome."""
    watching = await asyncpg.connect(url)
    done = "SELECT count(*) FROM okno.events WHERE type = 'command.done' AND order_key LIKE 'ym-%' AND position > $1"
    last = "SELECT max(recorded_at) FROM okno.events"
    head = await watching.fetchval("SELECT position FROM okno.head")
    links = await watching.fetchval("SELECT links FROM okno.head")
    await market.arrivals(server)
    async with hub.running(config, "dispatch", log=log) as process:
        before, postgres_before = [0.0, hub.cpu(serving)], _postgres_cpu(watching)
        until = time.monotonic() + MOST_SECONDS
        while not await _began(watching):
            before[0] = hub.cpu(process)
            await asyncio.sleep(0.01)
        while await watching.fetchval(done, head) < commands:
            if time.monotonic() > until:
                raise SystemExit(f"the hub was not ready in time: see {log}")
            await asyncio.sleep(0.2)
        own, theirs = hub.cpu(process) - before[0], hub.cpu(serving) - before[1]
        spent = _postgres_cpu(watching) - postgres_before
        ended: datetime = await watching.fetchval(last)
        links = await watching.fetchval("SELECT links FROM okno.head") - links
    times = [at for _, at in await market.arrivals(server)]
    await watching.close()
    return Worked(ended.timestamp() - min(times), len(set(times)), links, own, spent, theirs)


async def _began(watching: Any) -> bool:
    return bool(await watching.fetchval("SELECT EXISTS (SELECT FROM okno.dispatch WHERE owner IS NOT NULL)"))


def _postgres_cpu(watching: Any) -> float:
    """CPU seconds of the server's processes so far, those that have ended included."""
    backend = psutil.Process(watching.get_server_pid())
    server = backend.parent()
    assert server is not None
    own = server.cpu_times()
    living = sum(hub.cpu(child) for child in server.children())
    return float(own.children_user + own.children_system) + living


async def measure(given: argparse.Namespace, server: str) -> None:
    """Both, in turns."""
    figures, many = Figures("dispatch", given.json), given.commands
    numbers = [market.FIRST_ORDER + n for n in range(2 * many)]
    words = ["--shops", "1", *(["--orders", str(2 * many)] if given.sandbox else ["--light"])]
    async with database(server, "okno_benchmark_dispatch") as url, market.running(*words) as (address, serving):
        quoted = f'[postgres]\nurl = "{url}"\n[rabbitmq]\n[http]\nport = 0\n'
        tables = market.tables(address, 1, parallel=given.parallel)
        config = hub.configure(given.folder.absolute(), "dispatch", [quoted, *tables])
        await prepare(url, config, numbers[:many], "shipped" if given.together else "registered")
        parts = numbers[many : many * 3 // 2], numbers[many * 3 // 2 :]
        halves = [requests(part, together=given.together) for part in parts]
        bare = [await reference(address, halves[0], given.parallel)]
        log = given.folder.absolute() / "dispatch.log"
        worked = await work_off(url, config, many, address, serving, log)
        bare.append(await reference(address, halves[1], given.parallel))
    sent, seconds, cpu = (sum(column) for column in zip(*bare, strict=True))
    name = "30 orders a call" if given.together else "one order a call"
    figures.add(
        name, many / worked.seconds, "commands/s", reference=many / seconds, against="bare aiohttp",
        reach=None if given.together else 0.5,
    )  # fmt: skip
    figures.add(f"{name}: the hub's own process", worked.own_cpu / many * 1000, CPU, reference=cpu / many * 1000,
                against="bare aiohttp", at_most=True)  # fmt: skip
    figures.add(f"{name}: Postgres", worked.postgres_cpu / many * 1000, CPU)
    figures.add(f"{name}: the marketplace", worked.market_cpu / many * 1000, CPU)
    figures.note(
        f"{given.parallel} calls at once; the hub made {worked.calls} calls and {worked.appends} appends for "
        f"{many} commands; bare: {sent}"
    )


async def _main(given: argparse.Namespace) -> None:
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.url:
        await measure(given, given.url)
        return
    async with postgres(given.folder) as server:
        await measure(given, server)


def main() -> None:
    """From the command line."""
    options = parser(__doc__)
    options.add_argument("--commands", type=int, default=10_000)
    options.add_argument("--parallel", type=int, default=32, help="calls at once")
    options.add_argument("--together", action="store_true", help="as many orders in a call as Market takes")
    options.add_argument("--sandbox", action="store_true", help="the sandbox instead of a light server")
    asyncio.run(_main(options.parse_args()))


if __name__ == "__main__":
    main()
