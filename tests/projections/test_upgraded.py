"""A database whose orders were searched by columns of their own rows goes on without a rebuild."""

from collections.abc import AsyncIterator, Iterable

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from events.log import Log
from events.order.state import fold
from projections import shape
from projections.follow import begin, slowest
from projections.orders import queries
from projections.orders.project import ORDERS
from projections.rebuild import rebuild
from projections.status import status
from service.database import migrate, scripts
from tests.projections.shop import Watched, assert_true_to_the_log, check, confirmed, follow, live, orders, placed
from tests.servers import BODY_KEY, Databases, opened

LATER = ("projections/orders/0004_search.sql", "service/sql/0012_search.sql")
KEYS = orders(4)

# What the tables were noted to be made with.
COLUMNS = [name for name in shape.columns(ORDERS) if not name.startswith("order_search.")]

# A rebuild that a program of before has half done.
HALF_DONE = """
CREATE TABLE okno.orders_next (LIKE okno.orders INCLUDING ALL);
CREATE TABLE okno.order_deadlines_next (LIKE okno.order_deadlines INCLUDING ALL);
INSERT INTO okno.projection_rebuilds (projection, bucket, generation, version, code, position)
SELECT 'orders', n, 2, 1, 'of before', 0 FROM generate_series(0, 255) AS n;
"""


@pytest_asyncio.fixture
async def before(databases: Databases) -> AsyncIterator[str]:
    """A database of before, its orders followed up to the last event."""
    url = await databases.create()
    owner = await asyncpg.connect(url)
    await owner.execute("DROP SCHEMA okno CASCADE; CREATE SCHEMA okno")
    await owner.execute("CREATE TABLE okno.migrations (name text PRIMARY KEY, at timestamptz DEFAULT now())")
    for name, text in scripts():
        if name not in LATER:
            await owner.execute(text)
            await owner.execute("INSERT INTO okno.migrations (name) VALUES ($1)", name)
    pool = await asyncpg.create_pool(url, min_size=1, max_size=2)
    log = Log(pool, BODY_KEY)
    await log.append([placed(key, f"BORK-{key[-1]}") for key in KEYS] + [confirmed(KEYS[0])])
    await begin(pool, [ORDERS])
    await _followed(owner, log, KEYS)
    await owner.execute("UPDATE okno.projection_progress SET position = (SELECT position FROM okno.head)")
    await owner.execute("UPDATE okno.projections SET columns = $1", [*COLUMNS, "orders.search", "orders.grams"])
    await pool.close()
    await owner.close()
    yield url
    await databases.drop(url)


async def _followed(owner: asyncpg.Connection, log: Log, keys: Iterable[str]) -> None:
    """Orders' rows as they were: what they are searched by among them, kind and model in each body."""
    order_columns, deadline_columns = ORDERS.tables[0].columns, ORDERS.tables[1].columns
    for key, history in (await log.histories(keys)).items():
        rows = ORDERS.project(fold(key, history))
        [row], [(_, *searched)] = rows["orders"], rows["order_search"]
        body = msgspec.json.decode(row[-1]) | {"kind": "", "model": ""}
        record = (*row[:-1], msgspec.json.encode(body).decode(), *searched)
        columns = [*order_columns, "search", "grams"]
        await owner.copy_records_to_table("orders", schema_name="okno", columns=columns, records=[record])
        await owner.copy_records_to_table(
            "order_deadlines", schema_name="okno", columns=deadline_columns, records=rows["order_deadlines"]
        )


async def test_it_goes_on_without_a_rebuild(before: str) -> None:
    """Orders are listed and found, kind and model are told once, new events are followed, nothing differs."""
    async with opened(before) as pool:
        log = Log(pool, BODY_KEY)
        assert [(s.outdated, s.wants, s.lag) for s in await status(pool, [ORDERS], 5)] == [(False, None, 0)]
        assert [row.order for row in (await queries.listed(pool, q="bork-2"))[0]] == [KEYS[2]]
        assert [row.order for row in (await queries.listed(pool, q="8000001"))[0]] == [KEYS[1]]
        bodies, _ = await queries.bodies(pool)
        shown = [msgspec.json.decode(order) for order in queries.passed(bodies, {"ym-msk": ("yandex", "dbs")})]
        assert [(one["order"], one["kind"]) for one in shown] == [
            (key, "yandex") for key in (KEYS[0], *reversed(KEYS[1:]))
        ]
        assert await check(pool, ORDERS) == []

        later = [placed("ym-msk/7", "ЧАЙНИК"), confirmed(KEYS[1])]
        await log.append(later)
        await follow(pool, log)
        assert await slowest(pool, [ORDERS]) == 7
        assert [row.order for row in (await queries.listed(pool, q="чайн"))[0]] == ["ym-msk/7"]
        assert await check(pool, ORDERS) == []
        assert len(await live(pool, ORDERS.tables[2])) == 5
        outcome = await rebuild(pool, ORDERS)
        assert outcome.found is not None
        assert (outcome.found.values, outcome.swapped) == (0, True)
        await assert_true_to_the_log(pool, log, [*KEYS, "ym-msk/7"])


async def test_a_rebuild_half_done_is_not_gone_on_with(before: str) -> None:
    """What it filled has the shape of before: it is gone, and the next rebuild begins with the first bucket."""
    owner = await asyncpg.connect(before)
    try:
        await owner.execute(HALF_DONE)
        assert await migrate(owner) == list(LATER)
        assert await owner.fetchval("SELECT to_regclass('okno.orders_next') IS NULL")
        assert await owner.fetchval("SELECT count(*) FROM okno.projection_rebuilds") == 0
    finally:
        await owner.close()
    async with opened(before) as pool:
        report = Watched()
        assert (await rebuild(pool, ORDERS, report=report)).swapped
        assert (report.done[0], report.differences) == (1, [])


@pytest.mark.parametrize(
    ("noted", "outdated"),
    [([*COLUMNS, "orders.search", "orders.grams", "orders.colour"], True), (None, False)],
    ids=["others", "none"],
)
async def test_rows_that_wanted_a_rebuild_want_it_still(before: str, noted: list[str] | None, outdated: bool) -> None:
    """Those made with other columns than the program of before; not those of which nothing was noted."""
    owner = await asyncpg.connect(before)
    await owner.execute("UPDATE okno.projections SET columns = $1", noted)
    await owner.close()
    async with opened(before) as pool:
        assert [s.outdated for s in await status(pool, [ORDERS], 5)] == [outdated]
