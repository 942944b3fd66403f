"""Ozon's statuses in our words."""

from collections.abc import Mapping
from typing import Final

from events.order.facts import Cancelled
from events.order.stages import rank
from service.marketplaces.ozon import values, wire

STAGES: Final[Mapping[str, str | None]] = {
    "awaiting_verification": "placed",
    "awaiting_approve": "placed",
    "awaiting_packaging": "placed",
    "awaiting_registration": "assembled",
    "acceptance_in_progress": "assembled",
    "awaiting_deliver": "assembled",
    "not_accepted": "assembled",
    "delivering": "shipped",
    "sent_by_seller": "shipped",
    "driver_pickup": "handed_over",
    "delivered": "delivered",
    "cancelled": "cancelled",
    "cancelled_from_split_pending": "cancelled",
    "arbitration": None,  # a dispute: it says nothing of how far the goods are
    "client_arbitration": None,
}

# [C11] after last-mile a posting may be delivering/posting_in_courier_service or driver_pickup: both are one stage of
# ours; facts 4. [I] after `delivered` it rests at posting_conditionally_delivered until Ozon settles it; facts 4.
_SUBSTAGES: Final[Mapping[str, str]] = {
    "posting_in_pickup_point": "arrived",
    "posting_in_courier_service": "handed_over",
    "posting_conditionally_delivered": "delivered",
}
"""How far an order under way is."""

SUBSTATUSES: Final = frozenset(
    f"posting_{name}"
    for name in (
        "created", "split_pending", "awaiting_passport_data", "awaiting_registration", "registration_error",
        "registered", "transferring_to_delivery", "in_carriage", "not_in_carriage", "acceptance_in_progress",
        "in_arbitration", "in_client_arbitration", "on_way_to_city", "transferred_to_courier_service",
        "in_courier_service", "on_way_to_pickup_point", "in_pickup_point", "conditionally_delivered", "driver_pick_up",
        "delivered", "received", "returned_to_warehouse", "not_in_sort_center", "canceled",
    )
) | {"ship_failed", ""}  # fmt: skip

CANCELLED: Final = ("cancelled", "cancelled_from_split_pending")
NOT_READY: Final = ("awaiting_verification", "awaiting_approve", "cancelled_from_split_pending")
"""The buyer or Ozon is not done yet, or it was never more than a part of a split; the shop must not start."""

SHIP_FAILED: Final = "ship_failed"

MODEL_OF: Final[Mapping[str, str]] = {
    "non_integrated": "rfbs",
    "3pl_tracking": "rfbs",
    "hybrid_non_integrated": "rfbs",
    "hybrid_3pl_tracking": "rfbs",
    "click_and_collect": "rfbs",
    "ozon": "fbs",
    "aggregator": "fbs",
    "hybrid_aggregator": "fbs",
    "FBP": "fbs",
}
"""Who moves the goods: the seller (rfbs) or Ozon and its partners (fbs). `hybrid`, `hybryd` say neither."""
UNDECIDED: Final = ("hybrid", "hybryd")

_BY: Final[Mapping[str, str]] = {"seller": "shop", "client": "customer", "customer": "customer"}
_REASONS: Final[Mapping[int, str]] = {352: "out_of_stock", 665: "not_collected"}


def written(posting: wire.Posting) -> str:
    """`delivering/posting_in_courier_service`."""
    return "/".join(part for part in (posting.status, posting.substatus) if part)


def stage(posting: wire.Posting) -> str | None:
    """How far a posting is; None for a dispute and for a status we do not know."""
    if posting.status == "delivering":
        return _SUBSTAGES.get(posting.substatus or "", "shipped")
    return STAGES.get(posting.status)


def ready(posting: wire.Posting) -> bool:
    """Whether the shop may start on it, or might have; never in a status we do not know."""
    return posting.status in STAGES and posting.status not in NOT_READY


def reached(posting: wire.Posting, wanted: str) -> bool:
    """Whether a posting is at a stage or past it."""
    return rank(stage(posting)) >= rank(wanted)


def mine(flow: str | None, tpl: str | None, model: str) -> bool:
    """Whether a posting belongs to a channel of this model; what says neither is taken by whoever reads it."""
    return next((MODEL_OF[name] for name in (flow, tpl) if name is not None and name in MODEL_OF), model) == model


def cancelled(posting: wire.Posting) -> Cancelled | None:
    """Who cancelled and why, as far as the posting tells."""
    if posting.status not in CANCELLED:
        return None
    told = posting.cancellation or wire.Cancellation()
    by = _BY.get((told.cancellation_type or "").strip().lower(), "marketplace")
    reason = values.whole(told.cancel_reason_id)
    why = _REASONS.get(reason, "customer_changed_mind" if by == "customer" else "other")
    status = "/".join(part for part in (posting.status, told.cancellation_type, str(reason or "")) if part)
    return Cancelled(by=by, reason=why, status=status)
