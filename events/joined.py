"""Several callers, one call: what is asked for while a call is under way goes into the next one together.

A commit costs about the same for one row as for a hundred, so callers that come one by one share it. Nobody waits for
others to come: where no call is under way, one is begun at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Generic, TypeVar

from events.recorded import NewEvent

T = TypeVar("T")
R = TypeVar("R")

MOST_EVENTS = 500
"""So many events are appended together at most: whoever waits for the head's lock waits no longer than for a batch."""


class Joined(Generic[T, R]):
    """A call that several callers share.

    `call` answers each of what was asked, in order; an exception among its answers is raised where that was asked, one
    that it raises itself everywhere. `together`: which of those that wait, by number, go into one call; the first does.
    Who is cancelled while it waits has asked for nothing.
    """

    def __init__(
        self, call: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        together: Callable[[Sequence[T]], Collection[int]] = lambda asked: range(len(asked)),
    ) -> None:  # fmt: skip
        self._call, self._together = call, together
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._working: asyncio.Task[None] | None = None

    async def __call__(self, asked: T) -> R:
        """What this one caller asks for, together with others."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._turn(self._next())
        finally:  # only who is cancelled leaves anybody waiting
            for _, answer in self._waiting:
                answer.cancel()
            self._waiting, self._working = [], None

    def _next(self) -> list[tuple[T, "asyncio.Future[R]"]]:
        waiting = [one for one in self._waiting if not one[1].done()]
        chosen = set(self._together([asked for asked, _ in waiting]))
        self._waiting = [one for number, one in enumerate(waiting) if number not in chosen]
        return [waiting[number] for number in sorted(chosen)]

    async def _turn(self, turn: Sequence[tuple[T, "asyncio.Future[R]"]]) -> None:
        if not turn:
            return
        answers: Sequence[R | Exception]
        try:
            answers = await self._call([asked for asked, _ in turn])
        except Exception as error:
            answers = [error] * len(turn)
        except asyncio.CancelledError:
            for _, answer in turn:
                answer.cancel()
            raise
        for (_, answer), given in zip(turn, answers, strict=True):
            if answer.done():
                continue
            if isinstance(given, Exception):
                answer.set_exception(given)
            else:
                answer.set_result(given)


def side_by_side(batches: Sequence[Sequence[NewEvent]]) -> list[int]:
    """Which batches may be appended as one: none touches an order whose version another one counts on.

    Of a mark under a document of 1C's only the append itself knows which order it is for.
    """
    chosen: list[int] = []
    size, touched, counted_on = 0, set[str](), set[str]()
    for number, batch in enumerate(batches):
        orders = {_key(event.order) for event in batch}
        expected = {event.order for event in batch if event.expected is not None}
        alone = bool(orders & counted_on or expected & touched)
        alone = alone or bool(ANY_ORDER in orders and counted_on) or bool(expected and ANY_ORDER in touched)
        if chosen and (alone or size + len(batch) > MOST_EVENTS):
            continue
        chosen.append(number)
        size += len(batch)
        touched |= orders
        counted_on |= expected
    return chosen


ANY_ORDER = "1c/"


def _key(order: str) -> str:
    return ANY_ORDER if order.startswith(ANY_ORDER) else order
