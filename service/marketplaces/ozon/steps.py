"""What Ozon can be told, per model, and which stage tells it."""

from collections.abc import Mapping, Sequence
from typing import Final

from events.order.reactions import Step
from events.order.state import OrderState
from service.marketplaces import goods
from service.marketplaces.ozon.details import MARKING, POSSIBLE

IN_EXEMPLARS: Final = ("mandatory_mark", "jw_uin", "imei", "gtd", "rnpt", "weight")
"""What an exemplar can hold; the country of origin is told in the cabinet."""


def coded(state: OrderState) -> object:
    """The codes and serial numbers 1C sent, by sku."""
    lines = state.assembled_lines or ()
    return sorted((line.sku.strip(), line.marks, line.serials) for line in lines if line.marks or line.serials)


def needing(state: OrderState) -> dict[str, tuple[str, ...]]:
    """By line (its id), what its pieces need that an exemplar can hold."""
    found: dict[str, tuple[str, ...]] = {}
    for line in state.lines:
        kinds = state.details.get(f"{MARKING}{line.id}", "").split(",")
        if line.id is not None and (held := tuple(kind for kind in kinds if kind in IN_EXEMPLARS)):
            found[line.id] = held
    return found


def _exemplars(state: OrderState) -> bool:
    """Ozon needs something of the pieces, or 1C sent codes for goods that may have them."""
    marked = {line.sku.strip() for line in state.assembled_lines or () if line.marks}
    may = any(f"{POSSIBLE}{line.id}" in state.details and line.sku.strip() in marked for line in state.lines)
    return bool(needing(state)) or may


def handed_back(state: OrderState) -> bool:
    """Whether the buyer took less than was brought."""
    brought = goods.kept(state)
    taken = goods.left(state, state.delivered_lines)
    return any(taken.get(line, 0) < count for line, count in brought.items())


def _moved(state: OrderState) -> bool:
    """1C moved the delivery, and Ozon was not told: it lets nothing be moved before the posting is assembled."""
    move = state.move
    if move is None:
        return False
    return not any(
        c.action == "timeslot" and c.state == "done" and c.cause >= move.position for c in state.commands.values()
    )


def _why(state: OrderState) -> object:
    """By whom and why the shop cancels."""
    why = state.shop_cancelled
    return (why.by, why.reason) if why is not None else None


def _back(state: OrderState) -> object:
    return goods.pieces(state.delivered_lines)


_COURIER_CODE = Step(
    "courier_code", applies=lambda state: bool(state.coded), needed=False, says=lambda state: state.coded
)

_PACK = (
    Step("product_cancel", applies=goods.fewer, says=lambda state: goods.pieces(state.confirmed_lines)),
    Step("exemplars", applies=_exemplars, announces=False, says=coded),
    Step("ship", moves=True, says=coded),
)
_REST = (
    _COURIER_CODE,
    Step("goods_back", applies=handed_back, needed=False, says=_back),
    Step("timeslot", applies=_moved, needed=False),
    Step("cancel", says=_why),
    Step("cancellation_answer"),
)
RFBS = (
    *_PACK,
    Step("delivering", moves=True),
    Step(
        "track", applies=lambda state: state.track is not None, needed=False, announces=False,
        says=lambda state: state.track,
    ),
    Step("last_mile", moves=True),
    Step("delivered", moves=True),
    *_REST,
)  # fmt: skip
FBS = (*_PACK, *_REST)

STEPS: Mapping[str, Mapping[str, Step]] = {
    model: {step.name: step for step in steps} for model, steps in (("rfbs", RFBS), ("fbs", FBS))
}
"""Every step a model offers; some are there to be refused with what to do instead."""

_BOTH: Mapping[str, Sequence[str]] = {
    "confirmed": ("product_cancel",),
    "assembled": ("exemplars", "ship"),
    "handed_over": ("courier_code",),
    "delivered": ("goods_back",),
    "rescheduled": ("timeslot",),
    "cancelled": ("cancel",),
    "cancellation_answered": ("cancellation_answer",),
}
TRIGGERS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "rfbs": {
        **_BOTH,
        "assembled": (*_BOTH["assembled"], "timeslot"),
        "shipped": ("delivering", "track"),
        "handed_over": ("last_mile", "courier_code"),
        "delivered": ("goods_back", "delivered"),
    },
    "fbs": _BOTH,
}
"""The default trigger map of each model."""
