"""What is asked of commands, with what the work table says of them."""

from typing import Any

import pytest

from events.log import Log
from events.order import facts as f
from projections.commands import queries
from service.database import Pool
from tests.projections.shop import event, follow, orders, placed, plan_nodes, requested

ONE, TWO = orders(2)

ATTEMPT = """
INSERT INTO okno.attempts (command, order_key, target, attempts, attempted_at, next_at, open, reason)
VALUES ($1, $2, 'ym-msk', $3, now(), now(), $4, $5)
"""


async def found(pool: Pool, **asked: Any) -> list[str]:
    """Ids of what is listed."""
    return [row.id for row in (await queries.listed(pool, **asked))[0]]


async def commands(pool: Pool, log: Log) -> None:
    """One command in each state; `sending` has an open attempt."""
    await log.append([placed(ONE), placed(TWO)])
    await log.append([requested(ONE, id) for id in ("waiting", "sending", "done", "refused")])
    await log.append([requested(TWO, id, "1c") for id in ("given_up", "withdrawn", "withheld")])
    for id in ("done", "refused", "given_up", "withdrawn", "withheld"):
        order = ONE if id in ("done", "refused") else TWO
        fact = f.CommandOutcome(command=id, attempts=2, code="E1" if id == "refused" else None)
        await log.append([event(order, f"command.{id}", fact, "okno")])
    await follow(pool, log)
    attempts = [("sending", 3, True, "sent"), ("done", 2, True, "late"), ("waiting", 1, False, "503")]
    for id, tried, open, reason in attempts:
        await pool.execute(ATTEMPT, id, ONE, tried, open, reason)


async def test_filters_narrow_the_list(pool: Pool, log: Log) -> None:
    """State and order; failed is refused or given up, waiting includes what is being sent; newest first."""
    await commands(pool, log)
    everything = ["withheld", "withdrawn", "given_up", "refused", "done", "sending", "waiting"]
    assert await found(pool) == everything
    assert await found(pool, state="failed") == ["given_up", "refused"]
    assert await found(pool, state="waiting") == ["sending", "waiting"]
    assert await found(pool, state="sending") == ["sending"]
    assert await found(pool, state="failed", order=ONE) == ["refused"]
    for state in ("done", "refused", "given_up", "withdrawn", "withheld"):
        assert await found(pool, state=state) == [state]
    assert (
        await found(pool, state="nothing") == await found(pool, order="ym-msk/0") == await found(pool, order="\0") == []
    )


async def test_a_command_tells_how_it_stands(pool: Pool, log: Log) -> None:
    """While it waits, by the work table; with an outcome, by the log alone."""
    await commands(pool, log)
    rows = {row.id: row for row in (await queries.listed(pool))[0]}
    told = {id: (row.state, row.attempts, row.reason, row.next_at is None) for id, row in rows.items()}
    assert told["waiting"] == ("waiting", 1, "503", False)
    assert told["sending"] == ("sending", 3, "sent", False)
    assert told["done"] == ("done", 2, None, True)
    assert told["refused"] == ("refused", 2, None, True)
    assert rows["refused"].answer == queries.Answer("E1", None, None)
    assert rows["done"].answer is None
    assert await queries.one(pool, "refused") == rows["refused"]
    assert await queries.one(pool, "none") is await queries.one(pool, "\0") is None
    assert (await queries.counts(pool))["ym-msk", "waiting"] == 2


async def test_pages_lose_and_double_nothing(pool: Pool, log: Log) -> None:
    """Turned to the end, pages of any size hold every command once; a cursor that is none is a `ValueError`."""
    await commands(pool, log)
    for limit in (1, 2, 7):
        seen: list[str] = []
        after: str | None = None
        while True:
            rows, after = await queries.listed(pool, after=after, limit=limit)
            seen += [row.id for row in rows]
            if after is None:
                break
        assert seen == await found(pool)
    for cursor in ("x", "-1", str(2**63)):
        with pytest.raises(ValueError, match="is no cursor"):
            await queries.listed(pool, after=cursor)


async def test_each_question_is_answered_by_an_index(pool: Pool) -> None:
    """With thousands of commands no list reads them all."""
    await pool.execute("""
        INSERT INTO okno.commands
        SELECT 'c' || n, 'ym-msk/' || n / 3, 'ym-msk', 'do', NULL, CASE WHEN n % 500 = 0 THEN 'waiting' ELSE 'done' END,
               1, n, 1, 0, NULL, NULL, NULL, now(), NULL FROM generate_series(1, 6000) AS n
        """)
    await pool.execute("ANALYZE okno.commands")
    questions = [(None, None, None), (["waiting"], None, None), (None, "ym-msk/7", None), (None, None, 3000)]
    for states, order, before in questions:
        async with pool.acquire() as connection:
            plan = await (await connection.prepare(queries.LISTED)).explain(states, None, order, before, 51)
        read = {node.get("Relation Name"): node["Node Type"] for node in plan_nodes(plan[0]["Plan"])}
        assert read["commands"] != "Seq Scan"
