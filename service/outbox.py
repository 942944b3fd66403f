"""The outbox of 1C over HTTP: every message to 1C there ever was, in the log's order, by cursor.

A cursor names the log's epoch and a position. After a restore from a backup the epoch is higher: positions behind the
restored head mean something else now, so an older cursor is refused with the way on: back to that head, or where the
cursor was, if it was not as far.
"""

from collections.abc import Collection
from typing import Any

import msgspec

from events.codec import decode
from events.log import Log
from events.order import facts as f
from events.order.reactions import ONEC
from events.order.state import fold
from events.recorded import Recorded
from projections import asking
from service.onec import outbox

CHUNK = 500


class CursorExpired(Exception):
    """The cursor is of another life of the log; `start` is where to begin anew."""

    def __init__(self, start: str) -> None:
        super().__init__(
            f"the log was restored from a backup: go on at {start}; messages from before it come under the same ids"
        )
        self.start = start


async def page(
    log: Log, after: str | None, limit: int, channels: Collection[str] | None = None
) -> tuple[list[dict[str, Any]], str]:
    """Messages behind a cursor, and the next cursor; `ValueError` for a cursor that is none.

    `channels`: those of them alone; the cursor passes the others by.
    """
    epoch = (await log.head()).epoch
    position = 0
    if after:
        known, _, place = after.partition("-")
        try:
            life, position = asking.position(known) or 0, asking.position(place) or 0
        except ValueError as error:
            raise ValueError(f"{after[:40]!r} is no cursor: pass `cursor` of the page before as it came") from error
        if life != epoch:
            raise CursorExpired(f"{epoch}-{shared(await log.restores(), life, position)}")
    requests: list[tuple[Recorded, f.CommandRequested]] = []
    while len(requests) < limit:
        batch = await log.requests(position, CHUNK)
        for event in batch:
            if channels is None or event.order.partition("/")[0] in channels:
                fact = decode(event)
                if isinstance(fact, f.CommandRequested) and fact.target == ONEC:
                    requests.append((event, fact))
            position = event.position
            if len(requests) == limit:
                break
        if len(batch) < CHUNK:
            break
    return await _messages(log, requests), f"{epoch}-{position}"


def shared(restores: list[tuple[int, int]], life: int, position: int) -> int:
    """Up to where the log is what it was when a cursor was there; 0 where that life of it is not known any more."""
    known = life == 1 or any(epoch == life for _, epoch in restores)
    since = [after for after, epoch in restores if epoch > life]
    return min(position, *since) if known and since else 0


async def _messages(log: Log, requests: list[tuple[Recorded, f.CommandRequested]]) -> list[dict[str, Any]]:
    stories = await log.stories({event.order for event, _ in requests})
    restores = await log.restores()
    messages = []
    for event, wanted in requests:
        story = stories[event.order]
        cause = next(e for e in story.events if e.position == event.cause)
        state = fold(event.order, story.events)
        messages.append(outbox.message(event, wanted, cause, state, story.personal, restores))
    return messages


def encode(messages: list[dict[str, Any]], cursor: str) -> bytes:
    """The page as 1C reads it."""
    return msgspec.json.encode({"items": messages, "cursor": cursor})
