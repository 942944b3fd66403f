"""The outbox of 1C over HTTP: every message to 1C there ever was, in the log's order, by cursor.

A cursor names the log's epoch and a position. After a restore from a backup the epoch is higher: positions behind the
restored head mean something else now, so an older cursor is refused with the way on.
"""

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
        super().__init__(f"the log was restored from a backup: begin again at {start}, ids are as they were")
        self.start = start


async def page(log: Log, after: str | None, limit: int) -> tuple[list[dict[str, Any]], str]:
    """Messages behind a cursor, and the next cursor; `ValueError` for a cursor that is none."""
    epoch = (await log.head()).epoch
    position = 0
    if after:
        known, _, place = after.partition("-")
        try:
            life, position = asking.position(known), asking.position(place) or 0
        except ValueError as error:
            raise ValueError(f"{after[:40]!r} is no cursor: pass `cursor` of the page before as it came") from error
        if life != epoch:
            raise CursorExpired(f"{epoch}-0")
    requests: list[tuple[Recorded, f.CommandRequested]] = []
    while len(requests) < limit:
        batch = await log.requests(position, CHUNK)
        for event in batch:
            fact = decode(event)
            if isinstance(fact, f.CommandRequested) and fact.target == ONEC:
                requests.append((event, fact))
            position = event.position
            if len(requests) == limit:
                break
        if len(batch) < CHUNK:
            break
    return await _messages(log, requests), f"{epoch}-{position}"


async def _messages(log: Log, requests: list[tuple[Recorded, f.CommandRequested]]) -> list[dict[str, Any]]:
    histories = await log.histories({event.order for event, _ in requests})
    personal = {order: await log.personal(order) for order in histories}
    messages = []
    for event, wanted in requests:
        history = histories[event.order]
        cause = next(e for e in history if e.position == event.cause)
        messages.append(outbox.message(event, wanted, cause, fold(event.order, history), personal[event.order]))
    return messages


def encode(messages: list[dict[str, Any]], cursor: str) -> bytes:
    """The page as 1C reads it."""
    return msgspec.json.encode({"items": messages, "cursor": cursor})
