"""What Market can be told, per model, and which stage tells it."""

from collections.abc import Mapping, Sequence

from events.order.reactions import Step
from events.order.stages import rank
from events.order.state import OrderState
from service.marketplaces.goods import fewer, less, pieces
from service.marketplaces.port import Refused


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
GOODS_BACK = Step(
    "goods_back", applies=lambda state: less(state, state.delivered_lines), needed=False,
    says=lambda state: pieces(state.delivered_lines),
)  # fmt: skip

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
    GOODS_BACK,
    Step("delivery_date", needed=False),
    CANCEL,
    Step("cancellation_accept"),
)
FBS = (
    EXTERNAL_ID,
    Step("boxes", applies=lambda state: rank(state.market_stage) < rank("assembled"), announces=False, says=packed),
    Step("ready_to_ship", moves=True, says=packed),
    GOODS_BACK,
    Step("delivery_date", needed=False),
    CANCEL,
    Step("cancellation_accept", needed=False),
)
EXPRESS = (*FBS, Step("verify_eac", applies=_uncoded, needed=False, says=lambda state: state.coded))

STEPS: Mapping[str, Mapping[str, Step]] = {
    model: {step.name: step for step in steps} for model, steps in (("dbs", DBS), ("fbs", FBS), ("express", EXPRESS))
}
"""Every step a model offers."""

_RETURNS = "enter what the buyer did not take as a non-redemption in Market's cabinet; it then comes back as a return"
_NOT_OURS = "Market delivers this order by itself"
CANNOT: Mapping[tuple[str, str], Refused] = {
    (model, step): Refused(code, message, hint, final=True)
    for models, step, code, message, hint in (
        (("dbs", "fbs", "express"), "goods_back", "partial_handover",
         "Market has no call for goods the buyer did not take", _RETURNS),
        (("fbs", "express"), "delivery_date", "no_date", f"{_NOT_OURS}: the shop can't move its day",
         "the buyer can move it himself; what can't be shipped in time is cancelled"),
        (("fbs", "express"), "cancellation_accept", "no_request",
         f"{_NOT_OURS}: it decides on the buyer's wish itself", "send order.cancelled for what can't be shipped"),
    )
    for model in models
}  # fmt: skip
"""What 1C may ask and Market has no call for, and what a person can do instead."""

_SHOP_PACKS: dict[str, Sequence[str]] = {
    "registered": ("external_id",),
    "assembled": ("boxes", "ready_to_ship"),
    "delivered": ("goods_back",),
    "rescheduled": ("delivery_date",),
    "cancelled": ("cancel",),
    "cancellation_answered": ("cancellation_accept",),
}
TRIGGERS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "dbs": {
        "registered": ("external_id",),
        "confirmed": ("items",),
        "assembled": ("identifiers",),
        "shipped": ("delivery", "track"),
        "arrived": ("pickup", "storage_limit"),
        "delivered": ("delivered", "goods_back"),
        "rescheduled": ("delivery_date",),
        "cancelled": ("cancel",),
        "cancellation_answered": ("cancellation_accept",),
    },
    "fbs": _SHOP_PACKS,
    "express": {**_SHOP_PACKS, "handed_over": ("verify_eac",)},
}
"""The default trigger map of each model."""
