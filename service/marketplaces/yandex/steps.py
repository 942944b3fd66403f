"""What Market can be told, per model, and which stage tells it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from events.order.facts import Line
from events.order.reactions import Step
from events.order.stages import rank
from events.order.state import OrderState


def pieces(lines: Iterable[Line] | None) -> Counter[str]:
    """How many pieces of each sku."""
    count: Counter[str] = Counter()
    for line in lines or ():
        count[line.sku.strip()] += line.quantity
    return count


def fewer(state: OrderState) -> bool:
    """Whether 1C confirmed less than was ordered: the rest is refused."""
    if state.confirmed_lines is None:
        return False
    confirmed = pieces(state.confirmed_lines)
    return any(confirmed[sku] < count for sku, count in pieces(state.lines).items())


def marked(state: OrderState) -> bool:
    """Whether 1C sent marking codes."""
    return any(line.marks for line in state.assembled_lines or ())


def packed(state: OrderState) -> object:
    """What 1C says of the packing: boxes, and the codes of each sku."""
    codes = [(line.sku.strip(), line.marks) for line in state.assembled_lines or () if line.marks]
    return state.boxes or 1, sorted(codes)


def _why(state: OrderState) -> object:
    """By whom and why the shop cancels."""
    why = state.shop_cancelled
    return (why.by, why.reason) if why is not None else None


def _uncoded(state: OrderState) -> bool:
    """Whether there is a courier's code and Market has not taken one."""
    taken = any(c.action == "verify_eac" and c.state == "done" for c in state.commands.values())
    return bool(state.coded) and not taken


def _pickup(state: OrderState) -> bool:
    return state.delivery.type == "pickup"


EXTERNAL_ID = Step("external_id", needed=False, announces=False)
CANCEL = Step("cancel", says=_why)

DBS = (
    EXTERNAL_ID,
    Step("items", applies=fewer, says=lambda state: pieces(state.confirmed_lines)),
    Step("identifiers", applies=marked, needed=False, announces=False, says=packed),
    Step("delivery", moves=True),
    Step(
        "track",
        applies=lambda state: state.track is not None,
        needed=False,
        announces=False,
        says=lambda state: state.track,
    ),
    Step("pickup", applies=_pickup, moves=True),
    Step("storage_limit", applies=lambda state: _pickup(state) and state.keep_until is not None, needed=False),
    Step("delivered", moves=True),
    Step("delivery_date", needed=False),
    CANCEL,
    Step("cancellation_accept"),
)
FBS = (
    EXTERNAL_ID,
    Step("boxes", applies=lambda state: rank(state.market_stage) < rank("assembled"), announces=False, says=packed),
    Step("ready_to_ship", moves=True, says=packed),
    CANCEL,
)
EXPRESS = (*FBS, Step("verify_eac", applies=_uncoded, needed=False, says=lambda state: state.coded))

STEPS: Mapping[str, Mapping[str, Step]] = {
    model: {step.name: step for step in steps} for model, steps in (("dbs", DBS), ("fbs", FBS), ("express", EXPRESS))
}
"""Every step a model offers."""

_SHOP_PACKS: dict[str, Sequence[str]] = {
    "registered": ("external_id",),
    "assembled": ("boxes", "ready_to_ship"),
    "cancelled": ("cancel",),
}
TRIGGERS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "dbs": {
        "registered": ("external_id",),
        "confirmed": ("items",),
        "assembled": ("identifiers",),
        "shipped": ("delivery", "track"),
        "arrived": ("pickup", "storage_limit"),
        "delivered": ("delivered",),
        "rescheduled": ("delivery_date",),
        "cancelled": ("cancel",),
        "cancellation_answered": ("cancellation_accept",),
    },
    "fbs": _SHOP_PACKS,
    "express": {**_SHOP_PACKS, "handed_over": ("verify_eac",)},
}
"""The default trigger map of each model."""
