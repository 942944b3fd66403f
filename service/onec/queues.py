"""1C's queues as they stand, and what is amiss with them: nobody takes anything, they grow, letters lie dead.

AMQP tells how many messages are ready and how many readers there are, not who takes anything. So each look is compared
with the one before: a queue that is shorter was read. One that is empty was read too, if anybody ever read it. What a
reader holds without acknowledging is seen by nobody; the broker takes it back after half an hour (its
`consumer_timeout`), and up to then the messages behind the reader's prefetch tell of it.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from events.log import waits
from service.database import Pool
from service.onec.amqp import BROKER_ERRORS, connect

LOOKS = 5
"""So many looks in a row a queue must stand high before it is said to grow."""

LOOK_TIMEOUT = 15.0

QUEUES = "SELECT queue, messages, readers, depths, looked_at, read_at FROM okno.queues"

# Keeps a look; arrays are parallel.
KEEP = """
INSERT INTO okno.queues AS q (queue, messages, readers, depths, looked_at, read_at)
SELECT u.queue, u.messages, u.readers, ARRAY[u.messages], $4::timestamptz, CASE WHEN u.readers > 0 THEN $4 END
FROM unnest($1::text[], $2::int[], $3::int[]) AS u(queue, messages, readers)
ON CONFLICT (queue) DO UPDATE
SET messages = excluded.messages, readers = excluded.readers, looked_at = excluded.looked_at,
    depths = (q.depths || excluded.messages)[greatest(cardinality(q.depths) + 2 - $5, 1):],
    read_at = CASE WHEN excluded.readers > 0 OR excluded.messages < q.messages THEN $4 ELSE q.read_at END
"""

# Lets go of queues nobody looks at any more.
GONE = "DELETE FROM okno.queues WHERE queue <> ALL($1)"


class Depth(msgspec.Struct, frozen=True):
    """One look at a queue: messages ready to be taken, and readers."""

    messages: int
    readers: int


class Queue(msgspec.Struct, frozen=True):
    """A queue at its last looks. `depths`: the messages at each, the newest last; `read_at` None: it never was read."""

    queue: str
    messages: int
    readers: int
    depths: list[int]
    looked_at: datetime
    read_at: datetime | None

    @property
    def taken(self) -> bool:
        """Whether somebody takes its messages, as far as the last two looks tell."""
        shorter = len(self.depths) > 1 and self.depths[-1] < self.depths[-2]
        return self.read_at is not None and (not self.messages or shorter)

    def grows(self, limit: int) -> bool:
        """Whether it has stood at so many messages or more for some looks and is not getting shorter."""
        last = self.depths[-LOOKS:]
        return len(last) == LOOKS and min(last) >= limit and last[-1] >= last[0]

    @property
    def left(self) -> bool:
        """Whether messages lay in it at each of the last looks."""
        return len(self.depths) >= LOOKS and min(self.depths[-LOOKS:]) > 0


async def depths(connection: AbstractConnection, names: Iterable[str]) -> dict[str, Depth]:
    """A look at these queues; those that are not there are left out. Declares nothing."""
    found = {}
    for name in names:
        channel = await connection.channel()  # one each: a queue that is not there closes it
        try:
            result = (await channel.declare_queue(name, passive=True)).declaration_result
        except ChannelNotFoundEntity:
            continue
        await channel.close()
        found[name] = Depth(result.message_count or 0, result.consumer_count or 0)
    return found


class Looker:
    """Looks at queues over a connection of its own, made anew where it was lost."""

    def __init__(self, url: str, names: Sequence[str]) -> None:
        self._url, self._names = url, names
        self._connection: AbstractConnection | None = None

    async def look(self) -> dict[str, Depth]:
        """How the queues stand; raises one of `BROKER_ERRORS` where the broker is out of reach."""
        try:
            async with asyncio.timeout(LOOK_TIMEOUT):
                if self._connection is None or self._connection.is_closed:
                    self._connection = await connect(self._url, "okno looks at queues")
                return await depths(self._connection, self._names)
        except BROKER_ERRORS:
            await self.close()
            raise

    async def close(self) -> None:
        """Lets go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                async with asyncio.timeout(2):
                    await connection.close()
            except BROKER_ERRORS:
                return


@waits
async def kept(pool: Pool) -> dict[str, Queue]:
    """All queues as they were last seen, by name."""
    return {row["queue"]: Queue(*row.values()) for row in await pool.fetch(QUEUES)}


@waits
async def keep(pool: Pool, seen: Mapping[str, Depth], now: datetime) -> None:
    """Keeps a look at all queues there are."""
    names = list(seen)
    rows = [seen[name].messages for name in names], [seen[name].readers for name in names]
    await pool.execute(KEEP, names, *rows, now, LOOKS)
    await pool.execute(GONE, names)
