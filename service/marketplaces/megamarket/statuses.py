"""Megamarket's statuses in our words. Lots and orders have the same ones."""

from events.order.facts import Cancelled

UNKNOWN = "UNKNOWN"
"""How an order stands whose status is not told yet. [OBS S2] right after order/new it may be empty; facts 8"""

PATH = (
    "NEW", "PENDING", "PENDING_CONFIRMATION", "CONFIRMATION_EXPIRED", "CONFIRMED", "PENDING_PACKING",
    "PACKING_EXPIRED", "PACKED", "PENDING_SHIPPING", "SHIPPING_EXPIRED", "SHIPPED", "DELIVERED",
)  # fmt: skip
"""The way of a lot, for "at or past". [INF] the order is read from clients; facts 9"""

MERCHANT, CUSTOMER = CANCELLED = ("MERCHANT_CANCELED", "CUSTOMER_CANCELED")
EXPIRED = ("CONFIRMATION_EXPIRED", "PACKING_EXPIRED", "SHIPPING_EXPIRED")
"""Too late, says Megamarket; what may still be done then is not known. [?] facts 9"""

OPEN = (
    "NEW", "PENDING", "PENDING_CONFIRMATION", "CONFIRMED", "PENDING_PACKING", "PACKED", "PACKING_EXPIRED",
    "PENDING_SHIPPING", "SHIPPED", "SHIPPING_EXPIRED",
)  # fmt: skip
"""What to search for to find whatever is not over."""

FINAL = ("DELIVERED", *CANCELLED)
KNOWN = frozenset({*PATH, *CANCELLED})

_STAGES = {
    UNKNOWN: "placed",
    "NEW": "placed",
    "PENDING": "placed",
    "PENDING_CONFIRMATION": "placed",
    "CONFIRMED": "confirmed",
    "PACKED": "assembled",
    "PENDING_SHIPPING": "assembled",
    "SHIPPED": "shipped",
    "DELIVERED": "delivered",
}


def stage(status: str, model: str) -> str | None:
    """How far an order is; None for a status that is not known, or that says only what was not done in time."""
    if cancelled(status):
        return "cancelled"
    if status == "PENDING_PACKING":
        return "confirmed" if model == "fbs" else "placed"
    return _STAGES.get(status)


def cancelled(status: str) -> bool:
    """Whether a lot or an order is cancelled."""
    return status in CANCELLED


def pending(status: str) -> bool:
    """Whether Megamarket is still at what was asked last."""
    return status == "PENDING" or status.startswith("PENDING_")


def reached(status: str, wanted: str) -> bool:
    """Whether a status is at or past another; a cancelled or unknown one is nowhere."""
    return status in PATH and PATH.index(status) >= PATH.index(wanted)


def least(statuses: list[str]) -> str:
    """The least advanced of some lots' statuses; one that is not known counts as the least."""
    return min(statuses, key=lambda status: PATH.index(status) if status in PATH else -1)


def cancellation(lots: list[tuple[str, str | None]]) -> Cancelled:
    """Who cancelled an order, by its lots' statuses and substatuses, all of them cancelled.

    What the shop did not do in time Megamarket cancels as if the shop had. [OBS S5] the substatus tells; facts 9
    """
    customer = next(((status, sub) for status, sub in lots if status == CUSTOMER), None)
    status, sub = customer or lots[0]
    if customer is not None:
        return Cancelled(by="customer", reason="customer_changed_mind", status=sub or status)
    return Cancelled(by="marketplace" if sub in EXPIRED else "shop", reason="other", status=sub or status)
