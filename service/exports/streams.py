"""An export as a stream of bytes: while one block is written out, the next is read."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import TypeVar

from events.log import waits
from service.database import Pool
from service.exports.asked import Asked, NothingThere
from service.exports.events import Events
from service.exports.orders import Orders

T = TypeVar("T")

# Whether there is an order of a channel.
KNOWN = "SELECT EXISTS (SELECT FROM okno.orders o WHERE o.channel = $1)"


class Export:
    """One export; `rows` counts while `pieces` is read, `summary` is true once it has ended.

    `kinds`: kind and model by channel. `abreast`: how many connections may work at it.
    """

    def __init__(
        self, pool: Pool, asked: Asked, kinds: Mapping[str, tuple[str, str]], *, abreast: int = 1
    ) -> None:  # fmt: skip
        self._pool, self._channel, self._known = pool, asked.channel, kinds
        self._source = Orders(pool, asked, kinds) if asked.what == "orders" else Events(pool, asked, abreast)
        self.rows = 0

    async def pieces(self, progress: Callable[[int, int], None] | None = None) -> AsyncGenerator[bytes]:
        """The file, piece by piece; whoever reads it no more closes it, and nothing is held any longer.

        `NothingThere` and `LogUnavailable` before the first piece, the latter also later.
        """
        await self._check()
        await self._source.begin()
        writer = self._source.writer()
        yield writer.begin()
        async with aclosing(_ahead(self._source.blocks())) as blocks:
            async for block, rows, done in blocks:
                self.rows += rows
                made = await asyncio.to_thread(writer.add, block) if writer.slow else writer.add(block)
                if progress is not None:
                    progress(done, self._source.total)
                if made:
                    yield made
        if made := writer.end():
            yield made

    @waits
    async def _check(self) -> None:
        """A misspelt channel must not read as "there are none"."""
        channel = self._channel
        if channel is not None and channel not in self._known and not await self._pool.fetchval(KNOWN, channel):
            names = ", ".join(sorted(self._known)) or "none yet"
            raise NothingThere(f"no channel {channel}: there are {names}")

    def summary(self) -> str:
        """What was exported, in a line."""
        return self._source.summary(self.rows)


async def _ahead(blocks: AsyncIterator[T]) -> AsyncGenerator[T]:
    """The same blocks, the next one on its way while one is used."""

    async def following() -> T | None:
        return await anext(blocks, None)

    task = asyncio.create_task(following())
    try:
        while (block := await task) is not None:
            task = asyncio.create_task(following())
            yield block
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
