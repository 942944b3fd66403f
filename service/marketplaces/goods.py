"""What 1C says of an order's goods, held against the order: by sku (outer blanks cut) and pieces.

What is taken out of an order is gone for good. So where 1C names a sku the order does not have, and leaves one of the
order's unnamed, nothing is taken out: it may be the same goods under another name.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from events.order.facts import Line
from events.order.state import OrderState
from service.marketplaces.outcomes import Refused


def pieces(lines: Iterable[Line] | None) -> Counter[str]:
    """How many pieces of each sku."""
    count: Counter[str] = Counter()
    for line in lines or ():
        count[line.sku.strip()] += line.quantity
    return count


def less(state: OrderState, said: Sequence[Line] | None) -> bool:
    """Whether 1C names fewer pieces than the order has; no lines, or an empty list, say nothing."""
    named = pieces(said)
    return bool(said) and any(named[sku] < count for sku, count in pieces(state.lines).items())


def left(state: OrderState, said: Sequence[Line] | None) -> dict[str, int]:
    """How many pieces of each line (by its id, "" for none) are left where 1C names only these."""
    if not less(state, said):
        return dict(_by_line((line, line.quantity) for line in state.lines))
    named = pieces(said)
    taken: list[tuple[Line, int]] = []
    for line in state.lines:
        count = min(line.quantity, named[line.sku.strip()])
        named[line.sku.strip()] -= count
        taken.append((line, count))
    return dict(_by_line(taken))


def other(state: OrderState, said: Sequence[Line] | None, message: str) -> Refused | None:
    """A refusal where 1C names goods the order does not have instead of goods it has; `message`: of which type."""
    named, there = pieces(said), pieces(state.lines)
    strange, unnamed = sorted(set(named) - set(there)), sorted(set(there) - set(named))
    if not (said and strange and unnamed):
        return None
    what = f"1C names {', '.join(strange)}, which the order does not have, and does not name {', '.join(unnamed)}"
    hint = f"send {message} again with the order's own skus; for goods that are not there write "
    hint += "quantity 0, and where none are there send order.cancelled"
    return Refused("unknown_sku", what, hint, final=True)


def fewer(state: OrderState) -> bool:
    """Whether 1C confirmed less than was ordered: the rest is refused."""
    return less(state, state.confirmed_lines)


def kept(state: OrderState) -> dict[str, int]:
    """How many pieces of each line (by its id) stay in the order, after what 1C confirmed."""
    return left(state, state.confirmed_lines)


def unlike(state: OrderState) -> Refused | None:
    """A refusal where what 1C confirmed may be the order's goods under another name."""
    return other(state, state.confirmed_lines, "order.confirmed")


def _by_line(counted: Iterable[tuple[Line, int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for line, count in counted:
        found[line.id or ""] += count
    return found
