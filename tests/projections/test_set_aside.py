"""An order whose rows can't be made or stored is set aside; the rest goes on."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from events.log import Log
from events.order import facts as f
from events.order.state import OrderState
from projections.orders import queries
from projections.orders.project import ORDERS
from projections.projection import Made, Rows, Table
from projections.rebuild import rebuild
from projections.status import status
from projections.store import write
from service.database import Pool
from tests.projections.shop import MARKET, confirmed, event, follow, orders, placed, stumbling


async def failures(pool: Pool) -> dict[str, str]:
    """Orders set aside, and why."""
    rows = await pool.fetch("SELECT order_key, error FROM okno.projection_failures WHERE projection = 'orders'")
    return {row["order_key"]: row["error"] for row in rows}


async def listed(pool: Pool) -> list[str]:
    """Orders with a row."""
    return sorted(row.order for row in (await queries.listed(pool))[0])


async def test_one_order_that_raises_is_set_aside_with_its_error(pool: Pool, log: Log) -> None:
    """The others have their rows, the checkpoint is at the head, and the error is there to be read."""
    first, bad, *_ = keys = orders(5)
    await log.append([placed(key) for key in keys])
    await follow(pool, log, [stumbling(bad)])
    assert await failures(pool) == {bad: "ZeroDivisionError: no price"}
    assert await listed(pool) == [key for key in keys if key != bad]
    assert [(s.lag, s.failures) for s in await status(pool, [ORDERS], len(keys))] == [(0, 1)]
    since = await pool.fetchval("SELECT since FROM okno.projection_failures")
    await log.append([confirmed(bad), confirmed(first)])
    await follow(pool, log, [stumbling(bad)])
    assert await pool.fetchval("SELECT since FROM okno.projection_failures") == since


async def test_it_is_taken_back_with_its_next_event(pool: Pool, log: Log) -> None:
    """Once the fault is mended, the order's next event brings its rows and ends the failure."""
    keys = orders(3)
    await log.append([placed(key) for key in keys])
    await follow(pool, log, [stumbling(keys[0])])
    await log.append([confirmed(keys[0])])
    await follow(pool, log, [ORDERS])
    assert await failures(pool) == {}
    assert await listed(pool) == keys


async def test_it_is_taken_back_by_a_rebuild(pool: Pool, log: Log) -> None:
    """Once the fault is mended, a rebuild brings its rows; one that is not mended is set aside by the rebuild too."""
    keys = orders(3)
    await log.append([placed(key) for key in keys])
    await follow(pool, log, [stumbling(keys[0])])
    await rebuild(pool, stumbling(keys[1]))
    assert list(await failures(pool)) == [keys[1]]
    await rebuild(pool, ORDERS)
    assert await failures(pool) == {}
    assert await listed(pool) == keys


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        (f.Placed(number="1\0"), "CharacterNotInRepertoireError"),
        (f.Placed(number="1", details={"gift": "\0"}), "UntranslatableCharacterError"),
        (f.Placed(number="1", deadlines=(f.Deadline(random.Random(1).randbytes(9000).hex(), datetime.now(UTC)),)), ""),
    ],
    ids=["text", "json", "index"],
)
async def test_an_order_that_postgres_refuses_is_set_aside(pool: Pool, log: Log, refused: f.Placed, says: str) -> None:
    """U+0000 in a text or in JSON, or a value too large for an index, stops one order only."""
    keys = orders(7)
    odd = replace(ORDERS, project=_any_deadline)
    await log.append([placed(key) for key in keys[1:]] + [event(keys[0], "order.placed", refused, MARKET)])
    await follow(pool, log, [odd])
    assert list(found := await failures(pool)) == [keys[0]]
    assert says in found[keys[0]]
    assert await listed(pool) == keys[1:]


def _any_deadline(state: OrderState) -> Rows:
    """An order's rows, with deadlines of any name."""
    return {**ORDERS.project(state), "order_deadlines": [(state.order, d.stage, d.due) for d in state.deadlines]}


async def test_an_error_postgres_would_refuse_is_written_down_too(pool: Pool, log: Log) -> None:
    """U+0000 and half a character in an error's text do not stop the follower."""
    (key,) = orders(1)
    await log.append([placed(key)])
    await follow(pool, log, [stumbling(key, "\0 \ud800")])
    assert await failures(pool) == {key: "ZeroDivisionError: \\0 \\ud800"}


async def test_what_is_no_fault_of_an_order_is_not_swallowed(pool: Pool) -> None:
    """A table that does not exist is nobody's data: the error comes through and nothing is set aside."""
    strange = replace(ORDERS, tables=(Table("nowhere", ("order_key",), ("order_key",)),))
    async with pool.acquire() as connection:
        with pytest.raises(Exception, match="nowhere"):
            await write(connection, strange, 1, {"ym-msk/1": Made(1, {"nowhere": [("ym-msk/1",)]})})
    assert await failures(pool) == {}
