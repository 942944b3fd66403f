"""What a projection is: tables, and a pure function from one order's state to its rows in them.

One function serves live following (`follow`) and rebuilding (`rebuild`), so the two cannot differ. Orders never meet in
a row; sums over orders are SQL over the rows.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

from events.order.state import OrderState, fold
from events.recorded import Recorded

Rows: TypeAlias = Mapping[str, Sequence[tuple[Any, ...]]]
"""One order's rows by table."""

BUCKETS = 256
"""Buckets of orders, by the first byte of sha256(order key)."""


@dataclass(frozen=True)
class Table:
    """A table in schema okno, with a column `order_key`. `key` tells its rows apart, `json` names JSON columns."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    json: frozenset[str] = frozenset()


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
    """What came of one order up to `position`: its rows, or the error that sets it aside."""

    position: int
    rows: Rows
    error: str | None = None


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
    for number, (order, history) in enumerate(histories.items()):
        if number % 20 == 19:
            await asyncio.sleep(0)
        if not history:
            continue
        try:
            state: OrderState | str = fold(order, history)
        except Exception as error:  # whatever it is, it is this order's alone
            state = described(error)
        for projection, rows in zip(wanted, made, strict=True):
            rows[order] = _make(projection, history[-1].position, state)
    return made


def _make(projection: Projection, position: int, state: OrderState | str) -> Made:
    if isinstance(state, str):
        return Made(position, {}, state)
    try:
        return Made(position, projection.project(state))
    except Exception as error:  # as above
        return Made(position, {}, described(error))


def described(error: Exception) -> str:
    """An error as an operator reads it."""
    return f"{type(error).__name__}: {error}"
