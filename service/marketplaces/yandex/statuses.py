"""Market's statuses in our words."""

from events.order.facts import Cancelled

STAGES = {
    "PLACING": "placed",
    "RESERVED": "placed",
    "UNPAID": "placed",
    "PENDING": "placed",
    "PROCESSING": "confirmed",
    "DELIVERY": "shipped",
    "PICKUP": "arrived",
    "DELIVERED": "delivered",
    "PARTIALLY_RETURNED": "delivered",
    "RETURNED": "returned",
    "CANCELLED": "cancelled",
}
PACKED = ("READY_TO_SHIP", "SHIPPED")
"""Substatuses of PROCESSING in which the goods are assembled."""

NOT_READY = ("PLACING", "RESERVED", "UNPAID", "PENDING")
"""The buyer, the bank or Market is not done yet; the shop must not start."""

NEVER_READY = ("USER_NOT_PAID", "RESERVATION_EXPIRED", "RESERVATION_FAILED", "PENDING_EXPIRED", "PENDING_CANCELLED")
"""Cancelled before the shop could start."""

BUYER_KNOWN = ("PROCESSING", "DELIVERY", "PICKUP")
"""Only here the buyer can be asked for."""

OPEN = ("RESERVED", "UNPAID", "PENDING", "PROCESSING", "DELIVERY", "PICKUP")
ORDER = ("PROCESSING", "DELIVERY", "PICKUP", "DELIVERED", "PARTIALLY_RETURNED", "RETURNED")
"""The way of a status, for "at or past"."""

_SHOP = ("SHOP_FAILED", "SHOP_PENDING_CANCELLED", "MISSING_ITEM")
_CUSTOMER = ("PICKUP_EXPIRED", "REPLACING_ORDER", "CUSTOM", "CUSTOMER_REJECT_CREDIT_OFFER", "FULL_NOT_RANSOM",
             "WRONG_ITEM", "BROKEN_ITEM", "RESERVATION_EXPIRED")  # fmt: skip
_REASONS = {
    "MISSING_ITEM": "out_of_stock",
    "USER_UNREACHABLE": "unreachable",
    "PICKUP_EXPIRED": "not_collected",
    "USER_CHANGED_MIND": "customer_changed_mind",
    "USER_REFUSED_DELIVERY": "customer_changed_mind",
    "USER_REFUSED_PRODUCT": "customer_changed_mind",
    "USER_REFUSED_QUALITY": "customer_changed_mind",
    "REPLACING_ORDER": "customer_changed_mind",
    "USER_BOUGHT_CHEAPER": "customer_changed_mind",
    "USER_PLACED_OTHER_ORDER": "customer_changed_mind",
}


def written(status: str, substatus: str | None) -> str:
    """`PROCESSING/STARTED`, as the log and 1C see it."""
    return f"{status}/{substatus}" if substatus else status


def stage(status: str, substatus: str | None) -> str | None:
    """How far an order is; None for a status we do not know."""
    if status == "PROCESSING" and substatus in PACKED:
        return "assembled"
    return STAGES.get(status)


def ready(status: str, substatus: str | None) -> bool:
    """Whether the shop may start on it, or might have; never in a status we do not know."""
    return status in STAGES and status not in NOT_READY and not (status == "CANCELLED" and substatus in NEVER_READY)


def cancelled(status: str, substatus: str | None) -> Cancelled | None:
    """Who cancelled and why, as far as the substatus tells."""
    if status != "CANCELLED":
        return None
    why = substatus or ""
    by = "shop" if why in _SHOP else "customer" if why.startswith("USER_") or why in _CUSTOMER else "marketplace"
    return Cancelled(by=by, reason=_REASONS.get(why, "other"), status=substatus)


def reached(status: str, wanted: str) -> bool:
    """Whether a status on the path is at or past another."""
    return status in ORDER and ORDER.index(status) >= ORDER.index(wanted)
