"""What a follower knows of orders from its last steps never shows in the rows: they are those of a fresh fold."""

from typing import Any

import pytest

import projections.known
from events.log import Log
from events.order import facts as f
from events.order.state import evolve
from projections.follow import begin
from projections.mend import mend
from projections.orders.project import ORDERS
from service.database import Pool
from tests.projections.shop import (
    ALL_SLICES,
    EVERY,
    assert_true_to_the_log,
    confirmed,
    event,
    follower,
    orders,
    placed,
    registered,
    requested,
    stumbling,
)

COMMANDS_AT = "SELECT order_key, xmin::text AS at FROM okno.commands ORDER BY order_key"
SEARCHED_AT = "SELECT search, xmin::text AS at FROM okno.order_search"


async def test_marks_sent_under_a_document_count_for_a_known_order_once_it_is_linked(pool: Pool, log: Log) -> None:
    """1C marked its document before it said which order it belongs to, and the follower knew the order by then."""
    (order,) = orders(1)
    await begin(pool, EVERY)
    one = follower(pool, log)
    await log.append([placed(order)])
    await one.step(ALL_SLICES)
    await log.append([confirmed("1c/d-7"), event("1c/d-7", "order.assembled", f.Assembled(boxes=2))])
    await one.step(ALL_SLICES)
    await log.append([registered(order, "d-7", "ЦСУТ-7")])
    await one.step(ALL_SLICES)

    await assert_true_to_the_log(pool, log, [order])
    assert await pool.fetchval("SELECT stage FROM okno.orders WHERE order_key = $1", order) == "assembled"


async def test_two_followers_in_turns_know_nothing_wrong(pool: Pool, log: Log) -> None:
    """A slice goes to another process and comes back: what happened meanwhile is folded in."""
    keys = orders(12)
    await begin(pool, EVERY)
    one, two = follower(pool, log), follower(pool, log, owner="two")
    await log.append([placed(key) for key in keys])
    for number, who in enumerate((one, two, two, one, two, one)):
        await who.step(ALL_SLICES)
        await log.append([confirmed(key) for key in keys[::2]])
        await log.append([requested(key, f"command {number} of {key}") for key in keys[number % 3 :: 3]])
    await one.step(ALL_SLICES)

    await assert_true_to_the_log(pool, log, keys)


async def test_more_orders_than_are_known_at_a_time(pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders forgotten for others' sake are folded again."""
    monkeypatch.setattr(projections.known, "MOST", 3)
    keys = orders(10)
    await begin(pool, EVERY)
    one = follower(pool, log)
    for happens in (placed, confirmed, confirmed):
        await log.append([happens(key) for key in keys])
        await one.step(ALL_SLICES)
    assert len(one._states._known) <= 3

    await assert_true_to_the_log(pool, log, keys)


async def test_rows_that_stay_as_they_are_are_not_written_again(pool: Pool, log: Log) -> None:
    """A mark of 1C's leaves an order's commands alone, and so does the follower; after a mend it does not."""
    (order,) = orders(1)
    await begin(pool, EVERY)
    one = follower(pool, log)
    await log.append([placed(order), requested(order, "first")])
    await one.step(ALL_SLICES)
    before = await pool.fetch(COMMANDS_AT)
    await log.append([confirmed(order)])
    await one.step(ALL_SLICES)
    assert await pool.fetch(COMMANDS_AT) == before

    await pool.execute("DELETE FROM okno.commands")  # somebody's hand
    for projection in EVERY:
        await mend(pool, projection, [order])
    await pool.execute("DELETE FROM okno.commands")
    await log.append([confirmed(order)])
    await one.step(ALL_SLICES)
    await assert_true_to_the_log(pool, log, [order])


async def test_what_an_order_is_searched_by_is_written_only_where_it_changes(pool: Pool, log: Log) -> None:
    """A mark leaves the index of the search alone; the number of 1C's document goes into it."""
    (order,) = orders(1)
    await begin(pool, EVERY)
    one = follower(pool, log)
    await log.append([placed(order)])
    await one.step(ALL_SLICES)
    before = await pool.fetchrow(SEARCHED_AT)
    await log.append([confirmed(order)])
    await one.step(ALL_SLICES)
    assert await pool.fetchrow(SEARCHED_AT) == before

    await log.append([registered(order, "d-7", "ЦСУТ-7")])
    await one.step(ALL_SLICES)
    after = await pool.fetchrow(SEARCHED_AT)
    assert after is not None
    assert before is not None
    assert after["search"] == before["search"].replace("\n\n", "\nцсут-7\n")
    await assert_true_to_the_log(pool, log, [order])


async def test_an_order_set_aside_is_taken_back_by_its_next_event(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows known from before a failure are not taken for those that stand, and the failure goes with its cause."""
    (order,) = orders(1)
    bad = stumbling(order)
    await begin(pool, [ORDERS])
    one = follower(pool, log, [ORDERS])
    await log.append([placed(order)])
    await one.step(ALL_SLICES)
    monkeypatch.setitem(one._projections, ORDERS.name, bad)
    await log.append([confirmed(order)])
    await one.step(ALL_SLICES)
    assert await _failures(pool) == [order]
    monkeypatch.undo()
    await log.append([confirmed(order)])
    await one.step(ALL_SLICES)
    assert await _failures(pool) == []

    await assert_true_to_the_log(pool, log, [order])


async def test_an_order_that_can_not_be_folded_further_is_not_known_by_half(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold that fails in the middle of an event is begun anew from the history."""
    (order,) = orders(1)
    await begin(pool, EVERY)
    one = follower(pool, log)
    await log.append([placed(order)])
    await one.step(ALL_SLICES)

    def stumbles(state: Any, event: Any) -> None:
        evolve(state, event)
        raise ZeroDivisionError

    monkeypatch.setattr(projections.known, "evolve", stumbles)
    await log.append([confirmed(order), requested(order, "first")])
    await one.step(ALL_SLICES)
    assert await _failures(pool) == []

    await assert_true_to_the_log(pool, log, [order])


async def _failures(pool: Pool) -> list[str]:
    return [row["order_key"] for row in await pool.fetch("SELECT order_key FROM okno.projection_failures")]
