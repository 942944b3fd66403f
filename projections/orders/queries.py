"""What is asked of current orders."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypedDict, Unpack

import msgspec
from msgspec import Raw

from events.codec import encode
from events.log import waits
from projections.asking import position, storable
from projections.orders.project import OrderRow, grams, present, searchable
from projections.store import Pool

__all__ = ["OrderRow", "bodies", "counts", "deadlines", "listed", "one", "passed", "present"]

# Orders, newest change first; each filter is left out where it is null: Postgres plans such a statement for the values
# at hand each time, because a plan for all would cost more. The grams find candidates by an index, the text decides.
LISTED = """
SELECT o.position, o.body FROM okno.orders o
WHERE ($1::text IS NULL OR o.stage = $1) AND ($2::text IS NULL OR o.channel = $2)
  AND ($3::text IS NULL OR o.attention <> '{}' AND ($3 = 'any' OR $3 = ANY(o.attention)))
  AND ($4::text IS NULL OR position($4 IN o.search) > 0) AND ($5::text[] IS NULL OR o.grams @> $5)
  AND ($6::bigint IS NULL OR o.position < $6)
ORDER BY o.position DESC LIMIT $7
"""

# One order.
ONE = "SELECT o.body FROM okno.orders o WHERE o.order_key = $1"

# How many orders stand at each stage, and how many want each kind of attention.
COUNTS = """
SELECT 'stage' AS what, o.stage AS name, count(*) AS orders FROM okno.orders o GROUP BY o.stage
UNION ALL
SELECT 'attention', code, count(*) FROM okno.orders o, unnest(o.attention) AS code
WHERE o.attention <> '{}' GROUP BY code
"""

# Open deadlines due within a span.
DEADLINES = (
    "SELECT order_key, stage, due FROM okno.order_deadlines WHERE due > $1 AND due <= $2 ORDER BY due, order_key, stage"
)

_BODY = msgspec.json.Decoder(OrderRow)
_PARTS = msgspec.json.Decoder(dict[str, Raw])


class Asked(TypedDict, total=False):
    """What can be asked of a list: the arguments of `bodies`."""

    stage: str | None
    channel: str | None
    attention: str | None
    q: str | None
    after: str | None
    limit: int


async def listed(pool: Pool, **asked: Unpack[Asked]) -> tuple[list[OrderRow], str | None]:
    """`bodies`, read."""
    found, after = await bodies(pool, **asked)
    return [_BODY.decode(body) for body in found], after


@waits
async def bodies(
    pool: Pool, *, stage: str | None = None, channel: str | None = None, attention: str | None = None,
    q: str | None = None, after: str | None = None, limit: int = 50,
) -> tuple[list[str], str | None]:  # fmt: skip
    """Orders as they are stored, newest change first, and the cursor of the next page.

    `attention`: `any` or a code; `q`: part of the number, the document's number or an article, in either case.
    `ValueError` for a cursor that is none.

    An order that changes while pages are turned moves to the first page and is not seen again on a later one.
    """
    before = position(after)
    if not storable(stage, channel, attention, q):
        return [], None
    text = searchable(q.strip()) if q else ""
    arguments = (stage, channel, attention, text or None, telling(text) or None, before)
    rows = await pool.fetch(LISTED, *arguments, limit + 1)
    return [row["body"] for row in rows[:limit]], str(rows[limit - 1]["position"]) if len(rows) > limit else None


def passed(found: Iterable[str], kinds: Mapping[str, tuple[str, str]]) -> list[dict[str, Raw]]:
    """Bodies as the API lists them, with kind and model as `present` fills them in.

    Their values are not read: to take apart what is only passed on, and to put it together again, was most of a list's
    work.
    """
    said = {
        encode(name): {"kind": Raw(encode(kind)), "model": Raw(encode(model))} for name, (kind, model) in kinds.items()
    }
    orders = [_PARTS.decode(body) for body in found]
    for order in orders:
        order.update(said.get(bytes(order["channel"]), {}))
    return orders


def telling(text: str) -> list[str]:
    """The grams by which orders that hold a text are found: those with the most digits, since letters are much the same
    in all documents' numbers, and in an index a gram of every order costs ten times as much to read as one of a few."""
    found = grams(text)
    digits = min(2, max((_digits(gram) for gram in found), default=0))
    return [gram for gram in found if _digits(gram) >= digits]


def _digits(gram: str) -> int:
    return sum(letter.isdigit() for letter in gram)


@waits
async def one(pool: Pool, order: str) -> OrderRow | None:
    """One order; None where nobody ever heard of it."""
    body = await pool.fetchval(ONE, order) if storable(order) else None
    return None if body is None else _BODY.decode(body)


@waits
async def counts(pool: Pool) -> dict[str, dict[str, int]]:
    """Numbers of orders: `{"stage": {stage: n}, "attention": {code: n}}`."""
    found: dict[str, dict[str, int]] = {"stage": {}, "attention": {}}
    for row in await pool.fetch(COUNTS):
        found[row["what"]][row["name"]] = row["orders"]
    return found


@waits
async def deadlines(pool: Pool, after: datetime, until: datetime) -> list[tuple[str, str, datetime]]:
    """Order, stage and due time of open deadlines due after one moment and until another, most urgent first."""
    return [(row["order_key"], row["stage"], row["due"]) for row in await pool.fetch(DEADLINES, after, until)]
