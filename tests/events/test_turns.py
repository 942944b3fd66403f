"""Long work lets others have their turn."""

import asyncio

from events.turns import TURN, by_turns


async def test_others_go_on_in_between() -> None:
    """Every item comes, in order; of a task beside it one step is made for each so many."""
    steps = 0

    async def beside() -> None:
        nonlocal steps
        while True:
            steps += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(beside())
    items = list(range(3 * TURN))
    assert [item async for item in by_turns(items)] == items
    other.cancel()
    assert steps == 3
