"""Long work that lets others have their turn."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

TURN = 20
"""Orders worked on before other tasks get their turn: a millisecond or two."""


async def by_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """The same items; between some of them other tasks of the loop go on."""
    for number, item in enumerate(items):
        if number % TURN == TURN - 1:
            await asyncio.sleep(0)
        yield item
