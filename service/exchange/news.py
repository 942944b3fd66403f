"""Which orders changed since a base confirmed last, by the log alone: those of which 1C is to be told.

What is news to 1C is decided in one place (`events.order.telling`) and stands in the log as requests. An order comes as
it is now, however often it changed; what the marketplace answered to steps is no change of an order.
"""

import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from events.codec import decode
from events.log import Log
from events.order import facts as f
from events.order.reactions import ARCHIVE, ONEC
from events.order.stages import ASIDE, rank
from events.order.state import OrderState, fold
from events.recorded import Recorded
from service.exchange.sessions import Cursor, Place
from service.outbox import shared

MOST: Final = 500
"""Orders of one answer; the next ones come once these are confirmed."""

CHUNK: Final = 2000
SECONDS: Final = 10.0
"""So long the log is looked through for one answer."""

CHANGES: Final = (
    "order.placed", "order.changed", "order.cancelled", "order.cancellation_requested", "order.returned",
)  # fmt: skip


class Order(msgspec.Struct, frozen=True):
    """An order as it is now, with what is known of its buyer: `customer`, `address`, `comment`."""

    state: OrderState
    people: Mapping[str, Any]


class News(msgspec.Struct, frozen=True):
    """What a base is told, and up to where that reaches."""

    orders: list[Order]
    place: Place


async def since(log: Log, cursor: Cursor, channels: Collection[str]) -> News:
    """The orders of these channels that changed behind a cursor, in the order of their first change."""
    epoch = (await log.head()).epoch
    place = cursor.place
    position = place.position
    if place.epoch != epoch:
        position = shared(await log.restores(), place.epoch, position)
    changed, position = await _changed(log, position, channels)
    stories = await log.stories(changed)
    orders = []
    for key, last in changed.items():
        story = stories[key]
        state = fold(key, story.events)
        if state.placed and not (last <= cursor.began and _over(state, datetime.now(UTC))):
            orders.append(Order(state, _people(story.events, story.personal)))
    return News(orders, Place(epoch, position))


async def _changed(log: Log, after: int, channels: Collection[str]) -> tuple[dict[str, int], int]:
    """Orders by the position of their last change seen, and the position seen to."""
    found: dict[str, int] = {}
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        batch = await log.requests(after, CHUNK)
        for event in batch:
            if event.order.partition("/")[0] in channels and _is_change(event):
                if len(found) == MOST and event.order not in found:
                    return found, after
                found[event.order] = event.position
            after = event.position
        if len(batch) < CHUNK:
            break
    return found, after


def _is_change(event: Recorded) -> bool:
    fact = decode(event)
    return isinstance(fact, f.CommandRequested) and fact.target == ONEC and fact.action in CHANGES


def _over(state: OrderState, now: datetime) -> bool:
    """Whether an order ended long ago: no news to a base that never had it."""
    ended = state.stage in ASIDE or rank(state.stage) >= rank("delivered")
    return ended and state.updated_at is not None and now - state.updated_at > ARCHIVE


def _people(history: list[Recorded], personal: Mapping[int, Any]) -> dict[str, Any]:
    """What the marketplace said last of the buyer; nothing once it was erased."""
    said = [personal.get(e.position) or {} for e in history if not f.from_onec(e.source)]
    return {
        key: value
        for key in ("customer", "address", "comment")
        if (value := next((one[key] for one in reversed(said) if one.get(key)), None)) is not None
    }
