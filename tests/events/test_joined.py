"""Callers that come at the same time share a call, and none can tell."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from events.joined import MOST_EVENTS, Joined, side_by_side
from events.log import Log, LogUnavailable
from events.recorded import NewEvent
from service.database import Pool
from tests.events.said import new


class Calls:
    """Answers each number with its double, and notes what was asked together."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, asked: Sequence[int]) -> list[int | Exception]:
        self.turns.append(list(asked))
        await self.go.wait()
        if 13 in asked:
            raise ZeroDivisionError
        return [ValueError("odd") if one == 7 else 2 * one for one in asked]


async def test_who_comes_together_shares_a_call() -> None:
    """What comes while a call is under way goes into the next one; everybody gets his own answer."""
    calls = Calls()
    calls.go.clear()
    double = Joined(calls)
    first = asyncio.create_task(double(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.create_task(double(n)) for n in (2, 3)]
    await asyncio.sleep(0)
    calls.go.set()
    assert await asyncio.gather(first, *rest) == [2, 4, 6]
    assert calls.turns == [[1], [2, 3]]
    assert await double(4) == 8


async def test_an_answer_that_is_an_error_is_its_askers_alone() -> None:
    """An error of the call itself meets everybody in it, and nobody after."""
    double = Joined(Calls())
    assert [repr(one) for one in await asyncio.gather(double(1), double(7), return_exceptions=True)] == [
        "2", "ValueError('odd')",
    ]  # fmt: skip
    for one in await asyncio.gather(double(1), double(13), return_exceptions=True):
        assert isinstance(one, ZeroDivisionError)
    assert await double(5) == 10


async def test_who_is_cancelled_while_he_waits_asked_for_nothing() -> None:
    """Nothing is done for a caller that is gone before its turn, and the others' turn comes."""
    calls = Calls()
    calls.go.clear()
    double = Joined(calls)
    tasks = [asyncio.create_task(double(1))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(double(n)) for n in (2, 3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.sleep(0)
    calls.go.set()
    first, gone, last = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, last) == (2, 6)
    assert isinstance(gone, asyncio.CancelledError)
    assert calls.turns == [[1], [3]]


EVENTS = st.builds(
    lambda order, expected: new(1, order=order, expected=expected),
    st.sampled_from(["shop/1", "shop/2", "shop/3", "1c/a", "1c/b"]), st.sampled_from([None, None, 0, 1]),
)  # fmt: skip


@given(st.lists(st.lists(EVENTS, min_size=1, max_size=3), min_size=1, max_size=6))
def test_no_batch_touches_what_another_counts_on(batches: list[list[NewEvent]]) -> None:
    """What is appended as one changes no version that another batch in it was decided on; the first always goes."""
    chosen = side_by_side(batches)
    assert chosen[0] == 0
    for number in chosen:
        counted = {e.order for e in batches[number] if e.expected is not None}
        others = {e.order for other in chosen if other != number for e in batches[other]}
        assert counted.isdisjoint(others)
        assert not (counted and any(order.startswith("1c/") for order in others)), "it may be that very order"


def test_no_more_go_together_than_a_batch_holds() -> None:
    """Who waits for the log waits no longer than for a large batch."""
    batches = [[new(1)] * 100] * 9
    assert len(side_by_side(batches)) * 100 == MOST_EVENTS


async def test_small_appends_share_a_commit(log: Log) -> None:
    """Twenty at the same time are fewer commits, and each caller learns what became of his own events."""
    orders = [f"shop/{n}" for n in range(20)]
    outcomes = await asyncio.gather(
        *(log.append([new(2 * n, order=o), new(2 * n + 1, order=o)]) for n, o in enumerate(orders))
    )
    assert [[o.version for o in one] for one in outcomes] == [[1, 2]] * 20
    stored = {e.position: e.id for e in await log.read(0)}
    assert [[stored[o.position] for o in one] for one in outcomes] == [[str(2 * n), str(2 * n + 1)] for n in range(20)]
    assert (await log.head()).links < 20


async def test_of_two_who_count_on_one_version_one_is_told(log: Log) -> None:
    """Appended at the same time, only one of two decisions on the same version stands."""
    await log.append([new(0)])
    outcomes = await asyncio.gather(*(log.append([new(n, expected=1)]) for n in (1, 2)))
    assert sorted(o.outcome for one in outcomes for o in one) == ["appended", "conflict"]


async def test_one_at_fault_spoils_no_other(log: Log) -> None:
    """A batch that Postgres refuses fails alone; those that came with it are recorded."""
    bad = new(3, order="shop/bad\x00")
    outcomes = await asyncio.gather(*(log.append([e]) for e in (new(1), bad, new(2))), return_exceptions=True)
    assert [isinstance(one, Exception) for one in outcomes] == [False, True, False]
    assert [e.id for e in await log.read(0)] == ["1", "2"]


async def test_a_log_that_is_away_is_away_for_all(log: Log, pool: Pool) -> None:
    """Everybody is told to wait, as each would have been alone."""
    await pool.close()
    outcomes = await asyncio.gather(*(log.append([new(n)]) for n in range(3)), return_exceptions=True)
    assert [type(one) for one in outcomes] == [LogUnavailable] * 3
