"""What is asked of current orders."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack

import msgspec
from msgspec import Raw

from events.codec import encode
from events.log import waits
from projections.asking import LAST, position, storable
from projections.orders.project import OrderRow, grams, present, searchable
from projections.store import Pool

__all__ = ["OrderRow", "bodies", "counts", "deadlines", "listed", "one", "passed", "present"]

MOST = 500
"""Orders a list takes, at most."""

# So many orders, newest change first. A limit that Postgres does not know counts as a tenth of all rows, and speaks for
# reading the whole table: it is told the largest one. Bodies come as bytes: as text they would be decoded, only to be
# encoded again.
LISTED = f"""
SELECT n.position, n.channel, convert_to(n.body::text, 'UTF8') AS body
FROM (SELECT o.position, o.channel, o.body FROM okno.orders o {{}} LIMIT {MOST + 1}) AS n LIMIT $1
"""  # noqa: S608  # constants

# Each walks the index that is in its order, however few orders there are of a stage or channel: comparisons of rows
# leave Postgres no other one, also where it keeps one plan for all values, as it may after a while.
NEWEST = LISTED.format("WHERE o.position < $2 ORDER BY o.position DESC")
OF_STAGE = LISTED.format("""
WHERE (o.stage, o.position) < ($3, $2) AND o.stage >= $3 ORDER BY o.stage DESC, o.position DESC
""")
OF_CHANNEL = LISTED.format("""
WHERE (o.channel, o.position) < ($3, $2) AND o.channel >= $3 ORDER BY o.channel DESC, o.position DESC
""")
OF_BOTH = LISTED.format("""
WHERE o.channel = $3 AND (o.stage, o.position) < ($4, $2) AND o.stage >= $4 ORDER BY o.stage DESC, o.position DESC
""")

# What else narrows a list; each is left out where it is null.
AMONG = """
  AND ($3::text IS NULL OR o.channel = $3) AND ($4::text IS NULL OR o.stage = $4)
  AND ($5::text IS NULL OR o.attention <> '{}' AND ($5 = 'any' OR $5 = ANY(o.attention)))
"""

# Orders with some attention: they are few, and have an index of their own.
WITH_ATTENTION = LISTED.format(f"WHERE o.position < $2 AND o.attention <> '{{}}' {AMONG} ORDER BY o.position DESC")

FEW = 5_000
"""Orders that hold a text, at most, where they are sorted."""

# Orders that hold a text: the grams find candidates by an index, the text decides. Where these are many nothing is
# found but that.
SEARCHED = f"""
WITH found AS MATERIALIZED (
    SELECT s.order_key FROM okno.order_search s WHERE s.grams @> $7 AND position($6 IN s.search) > 0 LIMIT {FEW + 1}
), counted AS (SELECT count(*) > {FEW} AS many FROM found)
SELECT n.position, n.channel, convert_to(n.body::text, 'UTF8') AS body, c.many FROM counted AS c LEFT JOIN (
    SELECT o.position, o.channel, o.body FROM okno.orders o
    WHERE o.order_key = ANY(ARRAY(SELECT order_key FROM found WHERE NOT (SELECT many FROM counted)))
      AND o.position < $2 {AMONG}
    ORDER BY o.position DESC LIMIT {MOST + 1}
) AS n ON true ORDER BY n.position DESC LIMIT $1
"""  # noqa: S608  # constants

# The same where many hold it, or it is too short for a gram: the newest are soon met on the way through all orders.
# Left to guess which way is the shorter one, Postgres now and then goes all of this one for a handful.
HOLDING = LISTED.format(f"""
JOIN okno.order_search s ON s.order_key = o.order_key
WHERE position($6 IN s.search) > 0 AND o.position < $2 {AMONG} ORDER BY o.position DESC
""")

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
    return [_BODY.decode(body) for _, body in found], after


@waits
async def bodies(
    pool: Pool, *, stage: str | None = None, channel: str | None = None, attention: str | None = None,
    q: str | None = None, after: str | None = None, limit: int = 50,
) -> tuple[list[tuple[str, bytes]], str | None]:  # fmt: skip
    """Orders as they are stored, each with its channel, newest change first, and the cursor of the next page.

    `attention`: `any` or a code; `q`: part of the number, the document's number or an article, in either case; `limit`:
    `MOST` or less. `ValueError` for a cursor that is none.

    An order that changes while pages are turned moves to the first page and is not seen again on a later one.
    """
    before = position(after)
    if not storable(stage, channel, attention, q):
        return [], None
    statement, *arguments = listing(stage, channel, attention, searchable(q.strip()) if q else "")
    upto = LAST if before is None else before
    rows = await pool.fetch(statement, limit + 1, upto, *arguments)
    if statement == SEARCHED and rows[0]["many"]:
        rows = await pool.fetch(HOLDING, limit + 1, upto, *arguments[:-1])
    found = [(row["channel"], row["body"]) for row in rows[:limit] if row["position"] is not None]
    return found, str(rows[limit - 1]["position"]) if len(rows) > limit else None


def listing(stage: str | None, channel: str | None, attention: str | None, text: str) -> tuple[str, *tuple[Any, ...]]:
    """Which statement answers a question, and its arguments behind the limit and the position."""
    if text:
        known = telling(text)
        among = channel, stage, attention, text
        return (SEARCHED, *among, known) if known else (HOLDING, *among)
    if attention is not None:
        return WITH_ATTENTION, channel, stage, attention
    if channel is not None and stage is not None:
        return OF_BOTH, channel, stage
    if channel is not None:
        return OF_CHANNEL, channel
    return (NEWEST,) if stage is None else (OF_STAGE, stage)


def passed(found: Iterable[tuple[str, bytes]], kinds: Mapping[str, tuple[str, str]]) -> list[Raw]:
    """What `bodies` found as the API lists it, with kind and model as `present` fills them in.

    Bodies are not read: to take apart what is only passed on, and to put it together again, was most of a list's work.
    """
    nothing = _spliced("", "")
    said = {name: _spliced(*kind) for name, kind in kinds.items()}
    return [Raw(said.get(channel, nothing) + body.removeprefix(b"{")) for channel, body in found]


def _spliced(kind: str, model: str) -> bytes:
    """How an order begins whose body goes on behind the brace."""
    return encode({"kind": kind, "model": model}).removesuffix(b"}") + b","


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
