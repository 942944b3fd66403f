"""What each event of a history changed in the order's state. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from events.order.state import OrderState, evolve
from events.recorded import Recorded
from projections.orders.project import OrderRow, order_row

PARTS = ("delivery", "marketplace")
"""Fields whose own fields are compared one by one."""

UNTOLD = ("order", "channel", "kind", "model", "version", "position", "updated_at", "customer", "seen_at")
"""Fields that say where the history is, not where the order is."""


class Change(msgspec.Struct, frozen=True):
    """A field of the order's state, before an event and after it."""

    field: str
    before: Any
    after: Any


def changes(order: str, history: Sequence[Recorded]) -> list[list[Change]]:
    """What each event changed, in the order the history is given in."""
    state, found = OrderState(order=order), []
    before = order_row(state)
    for event in history:
        evolve(state, event)
        after = order_row(state)
        found.append(list(_differing(before, after)))
        before = after
    return found


def _differing(before: OrderRow, after: OrderRow) -> Iterator[Change]:
    for name in before.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if old == new or name in UNTOLD:
            continue
        if name in PARTS:
            yield from (
                Change(f"{name}.{part}", getattr(old, part), getattr(new, part))
                for part in old.__struct_fields__
                if part not in UNTOLD and getattr(old, part) != getattr(new, part)
            )
        else:
            yield Change(name, old, new)
