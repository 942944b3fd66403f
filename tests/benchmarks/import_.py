"""How fast the past is imported, and how long live events wait: `bin/benchmark import_ [--lines N]`.

The reference is COPY of the same rows, as they lie in the end, into plain tables with the same indexes: nothing is
read, understood, compared, numbered or sealed there. Live events are appended one by one meanwhile, and before.
"""

import argparse
import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import asyncpg

from events.log import Log
from service.database import Pool, close, open_pool
from service.importing import Reader, name_of, run
from service.settings import parse
from tests.benchmarks.figures import Figures, database, parser, servers
from tests.events.said import new
from tests.servers import BODY_KEY

CHANNEL = {"kind": "yandex", "model": "dbs", "business_id": 1, "campaign_id": 2, "api_key": "k"}
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
LIFE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("order.placed", {
        "lines": [{"sku": "BOSCH-WAN24260OE", "quantity": 1, "name": "Стиральная машина Bosch", "price": "38990.00"}],
        "total": "38990.00", "currency": "RUB", "customer": {"name": "Анна", "phone": "+79270000000"},
    }),
    ("order.registered", {"document": {"number": "ЦСУТ-004512"}}), ("order.confirmed", {}), ("order.assembled", {}),
    ("order.shipped", {"track": "RR123456789RU"}), ("order.delivered", {"receipt": {"total": "38990,00"}}),
    ("marketplace.seen", {"status": "DELIVERED", "stage": "delivered"}),
)  # fmt: skip
TABLES = ("events", "bodies", "personal")
PART = 2000
REACH = 0.6


def write(path: Path, lines: int) -> None:
    """A file of orders' lives."""
    with path.open("w") as file:
        for number in range(lines):
            order, step = divmod(number, len(LIFE))
            type, data = LIFE[step]
            said = {
                "specversion": "1.0", "id": f"{number:x}-{hash((number, 1)) & 0xFFFFFFFF:x}", "source": "1c/ut11",
                "type": type, "subject": f"ym-dbs/{10_000_000 + order}",
                "time": (BEGAN + timedelta(seconds=number)).isoformat(), "data": data,
            }  # fmt: skip
            file.write(json.dumps(said, ensure_ascii=False) + "\n")


async def live(log: Log, name: str, stopped: asyncio.Event) -> list[float]:
    """Appends events one by one until stopped; how long each took."""
    taken = list[float]()
    while not stopped.is_set():
        began = time.perf_counter()
        await log.append([new(f"{name}{len(taken)}")])
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(0.01)
    return taken


async def quiet(log: Log) -> list[float]:
    """The same for five seconds with nothing else going on."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().call_later(5, stopped.set)
    return await live(log, "before", stopped)


async def taken(pool: Pool, path: Path, folder: Path, stopped: asyncio.Event) -> float:
    """Imports the file; the seconds it took."""
    settings = parse({"channels": {"ym-dbs": CHANNEL}}, folder)
    began = time.perf_counter()
    with path.open("rb") as file:
        name = name_of(file)
        found = await run(
            pool, BODY_KEY, Reader(file, settings, "import/benchmark"), name, resumed=lambda _: None,
            faulty=lambda _: None, progress=lambda _: None,
        )  # fmt: skip
    stopped.set()
    assert found.faults == 0, found
    return time.perf_counter() - began


async def copied(url: str, after: int) -> float:
    """Copies the rows behind a position into plain tables with the same indexes; the seconds the copying took."""
    connection = await asyncpg.connect(url)
    seconds = 0.0
    try:
        for table in TABLES:
            await connection.execute(f"DROP TABLE IF EXISTS plain_{table}")
            await connection.execute(f"CREATE TABLE plain_{table} (LIKE okno.{table} INCLUDING INDEXES)")
        position, end = after, await connection.fetchval("SELECT position FROM okno.head")
        while position < end:
            for table in TABLES:
                query = f"SELECT * FROM okno.{table} WHERE position > $1 AND position <= $2"
                rows = await connection.fetch(query, position, position + PART)
                began = time.perf_counter()
                await connection.copy_records_to_table(f"plain_{table}", records=map(tuple, rows))
                seconds += time.perf_counter() - began
            position += PART
        return seconds
    finally:
        await connection.close()


def waited(figures: Figures, when: str, taken: list[float]) -> None:
    """How long half, and 99 of 100, took at most."""
    cuts = quantiles(taken, n=100)
    for name, value in (("p50", cuts[49]), ("p99", cuts[98]), ("longest", max(taken))):
        figures.add(f"live appends {when}, {name}", value * 1000, "ms")


async def measure(url: str, folder: Path, figures: Figures, lines: int) -> None:
    """Says the figures."""
    path, pool = folder / "past.jsonl", await open_pool(url)
    try:
        write(path, lines)
        log, stopped = Log(pool, BODY_KEY), asyncio.Event()
        waited(figures, "before", await quiet(log))
        after = (await log.head()).position
        meanwhile = asyncio.create_task(live(log, "meanwhile", stopped))
        seconds = await taken(pool, path, folder, stopped)
        waited(figures, "meanwhile", await meanwhile)
        reference = await copied(url, after)
        figures.add("import", lines / seconds, "lines/s", reference=lines / reference, against="COPY", reach=REACH)
    finally:
        path.unlink(missing_ok=True)
        await close(pool)


async def _main(given: argparse.Namespace) -> None:
    given.folder.mkdir(parents=True, exist_ok=True)
    async with servers(given) as (url,), database(url, "okno_benchmark_import") as own:
        await measure(own, given.folder, Figures("import_", given.json), given.lines)


def main() -> None:
    """From the command line."""
    options = parser(__doc__)
    options.add_argument("--lines", type=int, default=2_000_000)
    asyncio.run(_main(options.parse_args()))


if __name__ == "__main__":
    main()
