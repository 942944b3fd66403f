"""What grows by how much: `bin/benchmark sizes`.

Reads a database that orders went through, and tells each table's rows and size per million orders.
"""

import argparse
import asyncio

import asyncpg

from tests.benchmarks.figures import Figures, parser, servers

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


async def measure(url: str, figures: Figures) -> None:
    """Says a table's size, and that of its indexes."""
    connection = await asyncpg.connect(url, command_timeout=600)
    try:
        orders = await connection.fetchval(ORDERS)
        events = await connection.fetchval("SELECT position FROM okno.head")
        figures.note(f"{orders:,} orders of {events / orders:.1f} events; GiB are those of a million orders")
        scale, total = MILLION / orders / GIB, 0.0
        for name, heap, indexes in await connection.fetch(SIZES):
            rows = await connection.fetchval(f"SELECT count(*) FROM {name}")
            figures.add(f"{name}, rows an order", rows / orders, "rows")
            figures.add(f"{name}, with its indexes", float(heap + indexes) * scale, "GiB")
            figures.add(f"{name}, its indexes", float(indexes) * scale, "GiB")
            total += float(heap + indexes) * scale
        figures.add("all", total, "GiB")
    finally:
        await connection.close()


async def _main(given: argparse.Namespace) -> None:
    async with servers(given) as (url,):
        await measure(url, Figures("sizes", given.json))


def main() -> None:
    """From the command line."""
    asyncio.run(_main(parser(__doc__).parse_args()))


if __name__ == "__main__":
    main()
