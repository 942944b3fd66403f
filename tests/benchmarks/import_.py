"""How fast the past is imported, and how long live events wait: `python -m tests.benchmarks.import_ [--lines N]`.

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
from rich.console import Console

from events.log import Log
from service.database import Pool, close, open_pool
from service.importing import Reader, name_of, run
from service.settings import parse
from tests.benchmarks.figures import postgres
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


def shown(taken: list[float]) -> str:
    """Half and 99 of 100 took no longer, in milliseconds."""
    cuts = quantiles(taken, n=100)
    return f"p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms, most {max(taken) * 1000:.0f} ms"


async def measure(url: str, folder: Path, lines: int) -> None:
    """Prints the figures."""
    path, pool, say = folder / "past.jsonl", await open_pool(url), Console().print
    try:
        write(path, lines)
        log, stopped = Log(pool, BODY_KEY), asyncio.Event()
        say(f"live appends before: {shown(await quiet(log))}")
        after = (await log.head()).position
        meanwhile = asyncio.create_task(live(log, "meanwhile", stopped))
        seconds = await taken(pool, path, folder, stopped)
        say(f"live appends meanwhile: {shown(await meanwhile)}")
        reference = await copied(url, after)
        say(
            f"import: {lines / seconds:,.0f} lines/s; COPY: {lines / reference:,.0f}/s; ratio {reference / seconds:.2f}"
        )
    finally:
        path.unlink(missing_ok=True)
        await close(pool)


async def _main(url: str | None, folder: Path, lines: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if url is not None:
        await measure(url, folder, lines)
        return
    async with postgres(folder) as own:
        await measure(own, folder, lines)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--folder", type=Path, default=Path("var/benchmark"))
    parser.add_argument("--lines", type=int, default=2_000_000)
    given = parser.parse_args()
    asyncio.run(_main(given.url, given.folder, given.lines))


if __name__ == "__main__":
    main()
