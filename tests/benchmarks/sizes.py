"""What grows by how much: `python -m tests.benchmarks.sizes [--url URL | --folder DIR]`.

Reads a database that orders went through, and tells each table's rows and size per million orders.
"""

import argparse
import asyncio
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.table import Table

from tests.benchmarks.figures import postgres

# The log's parts count as one.
SIZES = """
SELECT coalesce(i.inhparent::regclass::text, c.oid::regclass::text) AS name, sum(pg_table_size(c.oid)) AS heap,
       sum(pg_indexes_size(c.oid)) AS indexes
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relnamespace = 'okno'::regnamespace AND c.relkind = 'r' GROUP BY 1 HAVING sum(pg_total_relation_size(c.oid)) > 0
ORDER BY sum(pg_total_relation_size(c.oid)) DESC
"""
ORDERS = "SELECT count(*) FROM okno.orders"
GIB = 2**30
MILLION = 1_000_000


async def measure(url: str) -> None:
    """Prints a line a table."""
    connection = await asyncpg.connect(url, command_timeout=600)
    try:
        orders = await connection.fetchval(ORDERS)
        events = await connection.fetchval("SELECT position FROM okno.head")
        shown = Table("table", "rows an order", "GiB a million orders", "of it indexes", title=f"{orders:,} orders")
        total = 0.0
        for name, heap, indexes in await connection.fetch(SIZES):
            rows = await connection.fetchval(f"SELECT count(*) FROM {name}")
            scale = MILLION / orders / GIB
            total += float(heap + indexes) * scale
            shown.add_row(
                name, f"{rows / orders:.1f}", f"{float(heap + indexes) * scale:.2f}", f"{float(indexes) * scale:.2f}"
            )
        shown.add_row("all", f"{events / orders:.1f} events", f"{total:.2f}", "")
        Console().print(shown)
    finally:
        await connection.close()


async def _main(url: str | None, folder: Path) -> None:
    if url is not None:
        await measure(url)
        return
    async with postgres(folder) as own:
        await measure(own)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--folder", type=Path, default=Path("var/benchmark"))
    given = parser.parse_args()
    asyncio.run(_main(given.url, given.folder))


if __name__ == "__main__":
    main()
