"""What is asked of orders: filters, pages, search, and the indexes behind them."""

import json
import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from events.codec import encode
from events.log import Log
from events.order import facts as f
from events.order.state import OrderState
from projections.orders import queries
from projections.orders.project import grams, order_row, present, searchable
from projections.store import Connection
from service.database import Pool
from tests.projections.shop import (
    MARKET,
    WHEN,
    confirmed,
    event,
    follow,
    orders,
    placed,
    plan_nodes,
    registered,
)


async def found(pool: Pool, **asked: Any) -> list[str]:
    """Keys of what is listed."""
    return [row.order for row in (await queries.listed(pool, **asked))[0]]


async def test_filters_narrow_the_list(pool: Pool, log: Log) -> None:
    """Stage, channel, any attention, one kind of attention, and all of them together; newest change first."""
    one, two, three = orders(3)
    other = "ozon-1/7"
    await log.append([placed(one), placed(two), placed(other), confirmed(three), confirmed(two)])
    reasons = [f.CancellationRequested(), f.DeadlineNear(stage="shipped", due=WHEN)]
    await log.append([event(two, "order.cancellation_requested", reasons[0], MARKET)])
    await log.append([event(other, "deadline.near", reasons[1], "okno")])
    await follow(pool, log)
    assert await found(pool) == [other, two, three, one]
    assert await found(pool, stage="confirmed") == [two, three]
    assert await found(pool, channel="ozon-1") == [other]
    assert await found(pool, attention="any") == [other, two, three]
    assert await found(pool, attention="cancellation_requested") == [two]
    assert await found(pool, attention="any", stage="confirmed", channel="ym-msk", q="48000001") == [two]
    assert await found(pool, stage="nowhere") == []
    assert await queries.counts(pool) == {
        "stage": {"placed": 2, "confirmed": 2},
        "attention": {"cancellation_requested": 1, "deadline": 1, "order_unknown": 1},
    }


async def test_deadlines_come_most_urgent_first(pool: Pool, log: Log) -> None:
    """Open deadlines due within a span; a stage reached or an order cancelled has none."""
    one, two, three = orders(3)
    late = f.Changed(deadlines=(f.Deadline("shipped", WHEN - timedelta(hours=1)),))
    await log.append([placed(one), placed(two), placed(three), event(two, "order.changed", late, MARKET)])
    await log.append([event(three, "order.cancelled", f.Cancelled(by="customer"), MARKET)])
    await follow(pool, log)
    both = [(two, "shipped", WHEN - timedelta(hours=1)), (one, "shipped", WHEN)]
    day = timedelta(days=1)
    assert await queries.deadlines(pool, WHEN - day, WHEN) == both
    assert await queries.deadlines(pool, WHEN - day, WHEN - timedelta(hours=1)) == both[:1]
    assert await queries.deadlines(pool, WHEN - timedelta(hours=1), WHEN + day) == both[1:]


async def test_pages_lose_and_double_nothing(pool: Pool, log: Log) -> None:
    """Turned to the end, pages of any size hold every order once, in order; the last one has no cursor."""
    keys = orders(10)
    await log.append([placed(key) for key in keys])
    await follow(pool, log)
    for limit in (1, 3, 10, 11):
        seen: list[str] = []
        after: str | None = None
        while True:
            rows, after = await queries.listed(pool, after=after, limit=limit)
            seen += [row.order for row in rows]
            assert 0 < len(rows) <= limit
            if after is None:
                break
        assert seen == keys[::-1]


async def test_a_cursor_is_a_position_or_a_value_error(pool: Pool, log: Log) -> None:
    """The largest number Postgres knows is before everything; what no page ever gave out is refused."""
    await log.append([placed(key) for key in orders(2)])
    await follow(pool, log)
    assert len(await found(pool, after=str(2**63 - 1))) == 2
    assert await found(pool, after="0") == []
    for cursor in ("", "x", "-1", "1.0", "1_0", "٣", " 1", str(2**63), "9" * 5000):
        with pytest.raises(ValueError, match="is no cursor"):
            await queries.listed(pool, after=cursor)


FINDS = (
    *("48123456", "1234", "6", " 4812 "),
    *("ЦСУТ-004512", "цсут-0045", "Ут-00", "Т"),
    *("bosch-wan", "AN24", "100%_ок", "_О"),
)  # fmt: skip

FINDS_NOT = ("4812%", "____", "4812_456", "\0", "\ud800", "zzz", "60000000000")


async def test_search_finds_parts_in_either_case_and_nothing_else(pool: Pool, log: Log) -> None:
    """Part of the number, of the document's number or of an article, in any alphabet; % and _ mean themselves;
    no error for what Postgres can't even hold."""
    key = "ym-msk/48123456"
    await log.append([placed(key, "Bosch-WAN24", "100%_Ок"), registered(key, "d1", "ЦСУТ-004512"), placed("ym-msk/9")])
    await follow(pool, log)
    assert {q: await found(pool, q=q) for q in FINDS} == {q: [key] for q in FINDS}
    assert {q: await found(pool, q=q) for q in FINDS_NOT} == {q: [] for q in FINDS_NOT}
    assert [await queries.one(pool, q) for q in FINDS_NOT] == [None] * len(FINDS_NOT)


def test_every_part_of_a_text_has_no_other_grams_than_the_text() -> None:
    """What the index is asked for never hides an order that the text would show."""
    text = searchable("48123456\nЦСУТ-004512\nBosch WAN")
    parts = [text[start:end] for start in range(len(text)) for end in range(start, len(text) + 1)]
    assert [part for part in parts if not set(grams(part)) <= set(grams(text))] == []
    assert [part for part in parts if not set(queries.telling(part)) <= set(grams(part))] == []
    assert grams("ab") == []


def test_what_is_looked_up_tells_orders_apart() -> None:
    """Letters that stand in every document's number or article are left to the text itself, where there are digits."""
    assert queries.telling("цсут-004512") == ["-00", "004", "045", "451", "512"]
    assert queries.telling("bork-k7") == ["-k7"]
    assert queries.telling("bork") == ["bor", "ork"]
    assert queries.telling("12") == []


async def test_what_only_settings_know_is_filled_in_by_present(pool: Pool, log: Log) -> None:
    """Kind and model come from the channel; empty where it is not configured any more."""
    (key,) = orders(1)
    await log.append([placed(key)])
    await follow(pool, log)
    row = await queries.one(pool, key)
    assert row is not None
    shown, kinds = present(row, {"ym-msk": ("yandex", "dbs")}), {"ym-msk": ("yandex", 'd"bs')}
    assert (row.kind, shown.kind, shown.model, present(row, {}).kind) == (UNSET, "yandex", "dbs", "")
    for known in (kinds, {}):
        [listed] = queries.passed((await queries.bodies(pool))[0], known)
        assert msgspec.json.decode(listed) == msgspec.to_builtins(present(row, known))


# (what is asked, an index that answers it)
PLANS: list[tuple[dict[str, str], str]] = [
    ({}, '("position")'),
    ({"stage": "completed"}, '(stage, "position")'),
    ({"stage": "nowhere"}, '(stage, "position")'),
    ({"channel": "ozon-1"}, '(channel, "position")'),
    ({"channel": "nowhere"}, '(channel, "position")'),
    ({"stage": "placed", "channel": "ozon-1"}, '(channel, stage, "position")'),
    ({"attention": "any"}, "attention <>"),
    ({"attention": "deadline"}, "attention <>"),
    ({"attention": "any", "stage": "placed", "channel": "ym-msk"}, "attention <>"),
    ({"q": "цсут-001234"}, "USING gin"),
    ({"q": "article-77"}, "USING gin"),
]


def listing(*, stage: str | None = None, channel: str | None = None, attention: str | None = None, q: str = "") -> Any:
    """A question's statement and arguments."""
    return queries.listing(stage, channel, attention, searchable(q))


async def explained(connection: Connection, statement: str, arguments: Iterable[Any]) -> list[dict[str, Any]]:
    """The plan's nodes by which a prepared statement is executed, whatever `plan_cache_mode` is."""
    values = []
    for value in arguments:
        kind = "text[]" if isinstance(value, list) else "text"
        literal = value if value is None or isinstance(value, list) else str(value)
        values.append(await connection.fetchval(f"SELECT quote_nullable($1::{kind})", literal))
    await connection.execute(f"PREPARE asked AS {statement}")
    plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked({', '.join(values)})")
    await connection.execute("DEALLOCATE asked")
    return list(plan_nodes(json.loads(plan)[0]["Plan"]))


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_each_question_is_answered_by_an_index(pool: Pool, log: Log, mode: str) -> None:
    """With thousands of orders no list reads a whole table, and none of a stage or channel more of an index than it
    shows: neither where Postgres plans for the values asked for, nor where it keeps one plan for all."""
    await fill(pool, 8000)
    definitions = {r[0]: r[1] for r in await pool.fetch("SELECT indexname, indexdef FROM pg_indexes")}
    for asked, index in PLANS:
        for before in (2**63 - 1, 1500):
            statement, *arguments = listing(**asked)
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
                scans = await explained(connection, statement, [51, before, *arguments])
            kinds = {node["Node Type"] for node in scans}
            assert "Seq Scan" not in kinds, asked
            assert any("Sort" in kind for kind in kinds) == ("q" in asked), asked
            used = [definitions[node["Index Name"]] for node in scans if "Index Name" in node]
            assert any(index in definition for definition in used), (asked, used)
            if asked.keys() <= {"stage", "channel"}:
                assert [node.get("Filter") for node in scans] == [None] * len(scans), asked


async def test_a_text_that_most_orders_hold_is_found_in_the_newest(pool: Pool, log: Log) -> None:
    """However many hold it, together with other filters and on later pages, and of a few none is missed."""
    await fill(pool, 8000)
    for asked in ({"q": "article"}, {"q": "цсут-", "channel": "ozon-1"}, {"q": "article-7"}):
        rows = await pool.fetch(
            "SELECT o.position FROM okno.orders o JOIN okno.order_search s USING (order_key) "
            "WHERE s.search LIKE '%' || $1 || '%' AND o.channel LIKE $2 ORDER BY o.position DESC",
            asked["q"], asked.get("channel", "%"),
        )  # fmt: skip
        wanted = [str(row["position"]) for row in rows]
        first, after = await queries.bodies(pool, limit=3, **asked)
        assert (len(first), after) == (3, wanted[2])
        _, after = await queries.bodies(pool, limit=30, after=after, **asked)
        assert after == wanted[32]


async def fill(pool: Pool, number: int) -> None:
    """Orders by the thousand, without a log."""
    chance = random.Random(1)
    records: list[tuple[Any, ...]] = []
    searched: list[tuple[Any, ...]] = []
    body = encode(order_row(OrderState(order="ym-msk/1", details={"note": "y" * 900}))).decode()
    for n in range(1, number + 1):
        search = f"{48_000_000 + n}\nцсут-{n:06}\narticle-{chance.randrange(1000)}"
        stage, channel = ("completed", "ozon-1") if n % 200 == 0 else ("placed", "ym-msk")
        attention = ["deadline"] if n % 300 == 0 else []
        records.append((f"{channel}/{n}", channel, n, stage, attention, body, [], str(n), 1))
        searched.append((f"{channel}/{n}", search, grams(search)))
    columns = ["order_key", "channel", "position", "stage", "attention", "body", "skus", "number", "version"]
    await pool.copy_records_to_table("orders", schema_name="okno", columns=columns, records=records)
    await pool.copy_records_to_table("order_search", schema_name="okno", records=searched)
    await pool.execute("ANALYZE okno.orders, okno.order_search")
    # What autovacuum does in its time: the index of grams keeps fresh entries in a heap, whose size counts as cost.
    await pool.execute("SELECT gin_clean_pending_list('okno.order_search_grams_idx')")
