"""What a projection is: tables, and a pure function from one order's state to its rows in them.

One function serves live following (`follow`) and rebuilding (`rebuild`), so the two cannot differ. Orders never meet in
a row; sums over orders are SQL over the rows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

from events.order.state import OrderState, fold
from events.recorded import Recorded
from events.turns import by_turns

Rows: TypeAlias = Mapping[str, Sequence[tuple[Any, ...]]]
"""One order's rows by table."""

BUCKETS = 256
"""Buckets of orders, by the first byte of sha256(order key)."""


@dataclass(frozen=True)
class Table:
    """A table in schema okno, with a column `order_key`. `key` tells its rows apart, `json` names JSON columns.

    `steady`: an order's rows mostly stay as they are when something happens to it; then they are not written again.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    json: frozenset[str] = frozenset()
    steady: bool = False


@dataclass(frozen=True)
class Projection:
    """`version` rises with every change of what `project` makes: rows of another version want a rebuild.

    New columns come by a migration, nullable or with a default. Until the rebuild the old rows stay and are not
    followed, so nothing of a new shape is written into old tables.
    """

    name: str
    version: int
    tables: tuple[Table, ...]
    project: Callable[[OrderState], Rows]


@dataclass(frozen=True)
class Made:
    """What came of one order up to `position`: its rows, or the error that sets it aside.

    `before`: its rows in steady tables as they stand; None where nobody knows.
    """

    position: int
    rows: Rows
    error: str | None = None
    before: Rows | None = None


@dataclass(frozen=True)
class Failed:
    """Folding an order up to `position` ended in an error."""

    position: int
    error: str


def bucket_of(order: str) -> int:
    """The bucket the log keeps an order in."""
    return sha256(order.encode()).digest()[0]


def belongs(order: str) -> bool:
    """Whether a key is an order's; marks for a document nobody registered yet have none."""
    return not order.startswith("1c/")


async def make_all(
    projections: Iterable[Projection], histories: Mapping[str, Sequence[Recorded]]
) -> list[dict[str, Made]]:
    """For each projection its rows by order, each history folded once; other tasks get their turn in between."""
    wanted = tuple(projections)
    made: list[dict[str, Made]] = [{} for _ in wanted]
    async for order, history in by_turns(histories.items()):
        if not history:
            continue
        state = folded(order, history)
        for projection, rows in zip(wanted, made, strict=True):
            rows[order] = make(projection, state)
    return made


def folded(order: str, history: Sequence[Recorded]) -> OrderState | Failed:
    """An order's state; whatever folding it ends in otherwise is this order's alone."""
    try:
        return fold(order, history)
    except Exception as error:
        return Failed(history[-1].position, described(error))


def make(projection: Projection, state: OrderState | Failed, before: Rows | None = None) -> Made:
    """An order's rows from its state; where folding it failed, that."""
    if isinstance(state, Failed):
        return Made(state.position, {}, state.error)
    try:
        return Made(state.position, projection.project(state), None, before)
    except Exception as error:  # as above
        return Made(state.position, {}, described(error))


def described(error: Exception) -> str:
    """An error as an operator reads it."""
    return f"{type(error).__name__}: {error}"
