"""Millions of current orders without millions of events: some hundred real ones, copied by SQL under other keys.

The real ones went through the log and the follower. A copy has a number, a document, a buyer and a position of its own
and is of one of the shop's channels; nothing of it is in the log. As in a shop, only the newest orders are under way.
"""

import time
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice

import asyncpg

from events.codec import encode
from events.log import Log
from events.order import facts as f
from events.recorded import NewEvent
from service.database import Pool, close, open_pool
from tests.benchmarks.histories import CHANNEL, MARKET, events
from tests.servers import BODY_KEY, project

FIRST = 1_000_000
"""Numbers have seven digits: replacing one in a text replaces nothing else."""

EVENTS, ABREAST = 8_000, 250
APART = 10_000
"""How far apart the copies of an order lie in the log."""

OPEN_COPIES = 20
"""Copies of an order that is under way; of one that is over there are as many as it takes."""

CHANNELS = (CHANNEL, "ym-msk", "ym-spb", "oz-rfbs", "oz-fbs", "mm-dbs", "mm-fbs")
"""The shop's channels. The first has half of the orders."""

# Orders that are over, and the rest.
COUNTS = "SELECT count(*) FILTER (WHERE stage = ANY($1)), count(*) FILTER (WHERE stage <> ALL($1)) FROM okno.orders"
OVER = ["completed", "delivered", "cancelled"]

# Whether there are so many.
ENOUGH = "SELECT count(*) >= $1 FROM (SELECT FROM okno.orders LIMIT $1) AS few"

# Indexes that are faster made at once than row by row.
INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
WHERE indrelid IN ('okno.orders'::regclass, 'okno.order_search'::regclass, 'okno.order_deadlines'::regclass,
                   'okno.personal'::regclass, 'okno.documents'::regclass) AND NOT indisunique
"""

# Which copies there are to be. There are nine hundred kinds of kettles.
PLAN = f"""
CREATE TEMP TABLE plan AS
SELECT o.order_key AS old_key, o.number AS old, c * {APART} AS further, 'K' || 100 + c % 900 AS kettle,
       ($1::text[])[CASE WHEN c % 2 = 0 THEN 1 ELSE 2 + c / 2 % (cardinality($1::text[]) - 1) END] AS channel,
       (o.number::bigint + c * $4::bigint)::text AS new, NULL::text AS new_key
FROM okno.orders o, generate_series(1, $2::bigint) AS c WHERE o.stage = ANY($3) OR c > $2 - {OPEN_COPIES}
"""
KEYS = "UPDATE plan SET new_key = channel || '/' || new"

# A text of an order as its copy has it.
RENAMED = """
CREATE FUNCTION pg_temp.renamed(said text, p plan) RETURNS text LANGUAGE sql AS $$
    SELECT replace(replace(replace(replace(said, p.old_key, p.new_key), p.old, p.new),
                   'K711', p.kettle), 'k711', lower(p.kettle))
$$
"""

# Current orders.
COPY_ORDERS = """
INSERT INTO okno.orders
    (order_key, channel, number, stage, version, position, document_number, total, currency, status, attention, skus,
     placed_at, updated_at, body)
SELECT p.new_key, p.channel, p.new, o.stage, o.version, o.position + p.further,
       pg_temp.renamed(o.document_number, p), o.total, o.currency, o.status, o.attention,
       pg_temp.renamed(o.skus::text, p)::text[], o.placed_at, o.updated_at,
       replace(replace(
           pg_temp.renamed(o.body::text, p),
           format('"channel":"%s"', o.channel), format('"channel":"%s"', p.channel)),
           format('"position":%s,"document"', o.position), format('"position":%s,"document"', o.position + p.further)
       )::json
FROM plan p JOIN okno.orders o ON o.order_key = p.old_key
ORDER BY o.position + p.further
"""

# What they are searched by; grams as `grams` of projections/orders/project.py makes them.
COPY_SEARCH = """
INSERT INTO okno.order_search (order_key, search, grams)
SELECT p.new_key, text.search, grams.found
FROM plan p JOIN okno.order_search s ON s.order_key = p.old_key
CROSS JOIN LATERAL (SELECT pg_temp.renamed(s.search, p) AS search) AS text
CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT substr(line, n, 3)) AS found
    FROM unnest(string_to_array(text.search, E'\\n')) AS line, generate_series(1, length(line) - 2) AS n
) AS grams
"""

# What stands beside: deadlines, the buyer, 1C's documents.
COPY_DEADLINES = """
INSERT INTO okno.order_deadlines (order_key, stage, due)
SELECT p.new_key, d.stage, d.due FROM plan p JOIN okno.order_deadlines d ON d.order_key = p.old_key
"""
COPY_PERSONAL = """
INSERT INTO okno.personal (position, order_key, data)
SELECT d.position + p.further, p.new_key, convert_to(pg_temp.renamed(convert_from(d.data, 'UTF8'), p), 'UTF8')
FROM plan p JOIN okno.personal d ON d.order_key = p.old_key
"""
COPY_DOCUMENTS = """
INSERT INTO okno.documents (document_id, order_key)
SELECT pg_temp.renamed(d.document_id, p), p.new_key FROM plan p JOIN okno.documents d ON d.order_key = p.old_key
"""


async def copied(url: str, wanted: int) -> None:
    """Sees to it that a database holds so many orders, or more."""
    pool = await open_pool(url, size=4)
    try:
        if not await pool.fetchval("SELECT position FROM okno.head"):
            await _real(pool)
    finally:
        await close(pool)
    owner = await asyncpg.connect(url, command_timeout=3600)
    try:
        if not await owner.fetchval(ENOUGH, wanted):
            began = time.monotonic()
            await _copy(owner, wanted)
            print(f"filled: {wanted:,} orders in {time.monotonic() - began:.0f} s", flush=True)
    finally:
        await owner.close()


async def _real(pool: Pool) -> None:
    """Some hundred orders by the road all orders take, some of them with attention."""
    log, made = Log(pool, BODY_KEY), list(islice(events(FIRST, 1, ABREAST), EVENTS))
    keys = list(dict.fromkeys(event.order for event in made))
    made += _noticed(keys)
    for at in range(0, len(made), 500):
        await log.append(made[at : at + 500])
    await project(pool, log)


def _noticed(keys: list[str]) -> Iterator[NewEvent]:
    """What makes every fiftieth order want attention."""
    for number, key in enumerate(keys[::50]):
        id = f"noticed/{number}"
        yield NewEvent(
            order=key, type="order.cancellation_requested", source=MARKET, id=id, digest=sha256(id.encode()).digest(),
            data=encode(f.CancellationRequested()), actor=MARKET,
        )  # fmt: skip


async def _copy(owner: asyncpg.Connection, wanted: int) -> None:
    over, under_way = await owner.fetchrow(COUNTS, OVER) or (0, 0)
    copies = -(-(wanted - under_way * (OPEN_COPIES + 1) - over) // over)
    indexes = await owner.fetch(INDEXES)
    async with owner.transaction():
        await owner.execute("SET LOCAL okno.appending = 'on'")  # documents take only what an append writes
        await owner.execute("SET LOCAL maintenance_work_mem = '1GB'")
        await owner.execute(PLAN, CHANNELS, copies, OVER, over + under_way)
        await owner.execute(KEYS)
        await owner.execute(RENAMED)
        for index in indexes:
            await owner.execute(f"DROP INDEX {index['name']}")
        for statement in (COPY_ORDERS, COPY_SEARCH, COPY_DEADLINES, COPY_PERSONAL, COPY_DOCUMENTS):
            await owner.execute(statement)
        for index in indexes:
            await owner.execute(index["definition"])
    await owner.execute("VACUUM ANALYZE")
