"""What is held of an order that can be erased, and where: found without changing anything."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from events.log import LINKED, Connection, Log, waits
from events.order.state import OrderState, fold
from events.recorded import Recorded
from service.database import Pool
from service.erasing import traces

ENDED: Final = ("delivered", "completed", "cancelled", "returned")
"""Stages at which nobody needs to reach the buyer any more."""

CATEGORIES: Final = (
    "name", "phone", "email", "trusted", "address", "comment", "courier", "code", "extra", "attributes", "other",
    "messages", "exchanges", "rejected",
)  # fmt: skip
"""Kinds of data, as `order.erased` and the act name them; `other` is what nobody foresaw."""

# Raw messages of an order, and requests and answers whose outcome is still open.
COUNTS = """
SELECT (SELECT count(*) FROM okno.bodies b WHERE b.order_key = ANY($1)) AS bodies,
       (SELECT count(*) FROM okno.attempts a WHERE a.order_key = ANY($1) AND a.exchange IS NOT NULL) AS exchanges
"""

# Personal data held under an order's keys, as they came.
PERSONAL = "SELECT data FROM okno.personal WHERE order_key = ANY($1) ORDER BY position"

# Rejected messages in the order they came, those that were taken in later among them.
REJECTED = """
SELECT id, received_at, via, reason, detail, body, envelope FROM okno.rejected
WHERE (received_at, id) > ($1, $2) AND reason <> 'erased' AND id <> ALL($3::text[]) ORDER BY received_at, id LIMIT $4
"""
PAGE = 200
BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)


class Trace(msgspec.Struct, frozen=True):
    """A rejected message that names the order."""

    id: str
    received_at: datetime
    via: str
    reason: str
    detail: str


class Holdings(msgspec.Struct, frozen=True):
    """What is held of an order, all its keys together. `categories` of `CATEGORIES`, in that order."""

    bodies: int
    personal: int
    exchanges: int
    rejected: tuple[Trace, ...]
    categories: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to destroy."""
        return not (self.bodies or self.personal or self.exchanges or self.rejected)


class Looked(msgspec.Struct, frozen=True):
    """An order and what is held of it. `keys`: its own first, then its documents'. `erased`: positions of earlier
    erasures. `quoted`: positions of events that repeat something of the buyer, which nothing can take out of them.

    `since`, `seen`: what is rejected later than this look has a time from `since` on, and is none of these."""

    order: str
    keys: tuple[str, ...]
    state: OrderState
    holdings: Holdings
    erased: tuple[int, ...]
    quoted: tuple[int, ...]
    personal: tuple[Any, ...]
    channels: tuple[str, ...]
    test: traces.Test
    since: datetime
    seen: tuple[str, ...]

    @property
    def known(self) -> bool:
        """Whether anybody ever spoke of it."""
        return self.state.position > 0

    @property
    def under_way(self) -> bool:
        """Whether somebody may still need the buyer's data: what 1C or a marketplace is to be told waits, or goods."""
        waits = any(command.state == "waiting" for command in self.state.commands.values())
        return self.known and (waits or self.state.stage not in ENDED)


@waits
async def look(log: Log, pool: Pool, order: str, channels: Iterable[str]) -> Looked:
    """What is held of an order now; a document's key stands for its order once they are linked."""
    order = await log.order_of(order)
    history = (await log.histories([order]))[order]
    state, head, known = fold(order, history), await log.head(), tuple(channels)
    async with pool.acquire() as connection:
        keys = await keys_of(connection, order)
        test = traces.of_order(keys, _names(order, keys, state, history), known)
        seen, found = list[str](), list[Trace]()
        async for row in rejected_since(connection, BEGINNING):
            if row["received_at"] >= head.recorded_at:
                seen.append(row["id"])
            if is_trace(row, test):
                found.append(_trace(row))
        personal = await personal_of(connection, keys)
        holdings = await held(connection, keys, personal, found)
    quoted = tuple(e.position for e in history if traces.quotes_person(e.data.decode("utf-8", "replace"), personal))
    erased = tuple(e.position for e in history if e.type == "order.erased")
    return Looked(
        order, keys, state, holdings, erased, quoted, personal, known, test, head.recorded_at, tuple(seen)
    )  # fmt: skip


def _names(order: str, keys: Sequence[str], state: OrderState, history: Sequence[Recorded]) -> list[str]:
    """What an order is called besides its keys: its number, its documents' ids and every number they ever had."""
    found = [order.partition("/")[2], state.number, *(key.removeprefix("1c/") for key in keys[1:])]
    for event in history:
        try:
            document = msgspec.json.decode(event.data, type=_WithDocument).document
        except (msgspec.DecodeError, UnicodeDecodeError):  # of another shape: it holds no document we know
            continue
        found += [document.get(name) or "" for name in ("id", "number")]
    return list(dict.fromkeys(filter(None, found)))


class _WithDocument(msgspec.Struct):
    document: dict[str, str | None] = {}


async def keys_of(connection: Connection, order: str) -> tuple[str, ...]:
    """An order's keys, its own first."""
    return order, *sorted(row[0] for row in await connection.fetch(LINKED, order))


async def personal_of(connection: Connection, keys: Sequence[str]) -> tuple[Any, ...]:
    """The personal data held under an order's keys."""
    return tuple(msgspec.json.decode(row["data"]) for row in await connection.fetch(PERSONAL, keys))


async def held(
    connection: Connection, keys: Sequence[str], personal: Sequence[Any], rejected: Sequence[Trace]
) -> Holdings:
    """What is held under these keys, `rejected` messages as they were found."""
    row = await connection.fetchrow(COUNTS, keys)
    assert row is not None
    there = {"messages": row["bodies"], "exchanges": row["exchanges"], "rejected": rejected}
    kinds = {kind for data in personal for kind in _kinds(data)} | {kind for kind, some in there.items() if some}
    categories = tuple(kind for kind in CATEGORIES if kind in kinds)
    return Holdings(row["bodies"], len(personal), row["exchanges"], tuple(rejected), categories)


def _kinds(data: Any) -> Iterable[str]:
    if not isinstance(data, Mapping):
        yield "other"
        return
    for name, value in data.items():
        inner = value if name == "customer" and isinstance(value, Mapping) else {name: value}
        yield from (kind if kind in CATEGORIES[:10] else "other" for kind in inner)


async def rejected_since(connection: Connection, moment: datetime, known: Collection[str] = ()) -> AsyncIterator[Any]:
    """Rejected messages that came at a moment or since, whole, some at a time, without those known."""
    at, id = moment, ""
    while rows := await connection.fetch(REJECTED, at, id, list(known), PAGE):
        for row in rows:
            yield row
        at, id = rows[-1]["received_at"], rows[-1]["id"]


def is_trace(row: Any, test: traces.Test) -> bool:
    """Whether a rejected message, the way it came or what was said of it passes a test."""
    return any(test(text) for text in (row["detail"], traces.texts(row["envelope"]), traces.texts(row["body"])))


async def traces_since(connection: Connection, looked: Looked) -> list[Trace]:
    """Rejected messages that name the order and came since it was looked at.

    Rejected is under the head's lock, at a time no earlier than the head's: none can bear an earlier one.
    """
    rows = rejected_since(connection, looked.since, looked.seen)
    return [_trace(row) async for row in rows if is_trace(row, looked.test)]


def _trace(row: Any) -> Trace:
    return Trace(row["id"], row["received_at"], row["via"], row["reason"], row["detail"])
