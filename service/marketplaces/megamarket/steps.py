"""What Megamarket can be told, per model, and which stage tells it.

What 1C may ask and Megamarket's API has no call for is a step too: see `unable`. A track is not asked but handed on,
and Megamarket takes none: nothing is said of it.
"""

from collections.abc import Mapping, Sequence

from events.order.reactions import Step
from events.order.state import OrderState
from service.marketplaces import goods


def _packed(state: OrderState) -> object:
    """What 1C says of the packing: boxes, and the codes of each sku."""
    codes = [(line.sku.strip(), line.marks) for line in state.assembled_lines or () if line.marks]
    return state.boxes or 1, sorted(codes)


def _taken(state: OrderState) -> object:
    """What the buyer took."""
    return goods.pieces(state.delivered_lines)


def _why(state: OrderState) -> object:
    """By whom and why the shop cancels."""
    why = state.shop_cancelled
    return (why.by, why.reason) if why is not None else None


def _kept_longer(state: OrderState) -> bool:
    """Whether 1C keeps the goods for longer than Megamarket says."""
    until, theirs = state.keep_until, state.delivery.keep_until
    return until is not None and theirs is not None and until > theirs


REJECT = Step("reject", applies=goods.fewer, says=lambda state: goods.pieces(state.confirmed_lines))
PACKING = Step("packing", moves=True, says=_packed)
CLOSE = Step("close", moves=True, says=_taken)
CANCEL = Step("cancel", says=_why)

MOVE_DATE = Step("move_date", needed=False)
CANCEL_RESULT = Step("cancel_result", needed=False)
CODE = Step("courier_code", applies=lambda state: bool(state.coded), needed=False, says=lambda state: state.coded)
STORAGE = Step("storage_limit", applies=_kept_longer, needed=False, says=lambda state: state.keep_until)
GOODS_BACK = Step(
    "goods_back", applies=lambda state: goods.less(state, state.delivered_lines), needed=False, says=_taken
)

DBS = (REJECT, PACKING, MOVE_DATE, CLOSE, CANCEL, CANCEL_RESULT, CODE)
CNC = (REJECT, PACKING, MOVE_DATE, CLOSE, CANCEL, CANCEL_RESULT, CODE, STORAGE)
FBS = (
    REJECT,
    Step("confirm", moves=True),
    PACKING,
    Step("shipping", moves=True),
    CANCEL,
    MOVE_DATE,
    CANCEL_RESULT,
    CODE,
    GOODS_BACK,
)

STEPS: Mapping[str, Mapping[str, Step]] = {
    model: {step.name: step for step in steps} for model, steps in (("dbs", DBS), ("cnc", CNC), ("fbs", FBS))
}
"""Every step a model offers."""

_SHOP_DELIVERS: dict[str, Sequence[str]] = {
    "confirmed": ("reject",),
    "assembled": ("packing",),
    "handed_over": ("courier_code",),
    "delivered": ("close",),
    "rescheduled": ("move_date",),
    "cancelled": ("cancel",),
    "cancellation_answered": ("cancel_result",),
}
TRIGGERS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "dbs": _SHOP_DELIVERS,
    "cnc": {**_SHOP_DELIVERS, "arrived": ("storage_limit",)},
    "fbs": {
        "confirmed": ("reject", "confirm"),
        "assembled": ("packing",),
        "shipped": ("shipping",),
        "handed_over": ("courier_code",),
        "delivered": ("goods_back",),
        "rescheduled": ("move_date",),
        "cancelled": ("cancel",),
        "cancellation_answered": ("cancel_result",),
    },
}
"""The default trigger map of each model."""
