"""Ozon's pushes: their bodies. None has an id; the order they come in means nothing."""

from datetime import datetime
from typing import Any

from service.marketplaces.ozon.sandbox.cabinet import Cabinet
from service.marketplaces.ozon.sandbox.chances import Hand, iso
from service.marketplaces.ozon.sandbox.posting import TPL, Line, Posting

Push = dict[str, Any]


def ping(now: datetime) -> Push:
    """Are you there?"""
    return {"message_type": "TYPE_PING", "time": iso(now)}


def new_posting(posting: Posting, cabinet: Cabinet, hand: Hand) -> Push:
    """A buyer has ordered, or a posting was split off."""
    begin, end = posting.delivery or (None, None)
    return {
        "message_type": "TYPE_NEW_POSTING", "posting_number": posting.number,
        "products": [{"sku": line.sku, "offer_id": line.offer_id, "quantity": line.quantity} for line in posting.lines],
        "in_process_at": hand.time(posting.placed), "shipment_date": hand.time(posting.shipment),
        "tpl_integration_type": TPL[posting.model], "is_express": False, "tracking_number": posting.track,
        "delivery_date_begin": hand.time(begin), "delivery_date_end": hand.time(end), **_where(cabinet, hand),
    }  # fmt: skip


def cancelled(
    posting: Posting, lines: list[Line], old: str, reason: tuple[int, str], cabinet: Cabinet, hand: Hand
) -> Push:
    """All of it, or some pieces, will not be delivered."""
    return {
        "message_type": "TYPE_POSTING_CANCELLED", "posting_number": posting.number,
        "products": [{"sku": line.sku, "quantity": line.quantity} for line in lines],
        "old_state": old, "new_state": "posting_canceled", "changed_state_date": iso(posting.updated),
        "reason": {"id": reason[0], "message": reason[1]}, **_where(cabinet, hand),
    }  # fmt: skip


def state_changed(posting: Posting, cabinet: Cabinet, hand: Hand) -> Push:
    """Anything but a cancellation."""
    return {
        "message_type": "TYPE_STATE_CHANGED", "posting_number": posting.number, "new_state": posting.substatus,
        "changed_state_date": iso(posting.updated), **_where(cabinet, hand),
    }  # fmt: skip


def cutoff_changed(posting: Posting, old: datetime, cabinet: Cabinet, hand: Hand) -> Push:
    """It is to be packed by another time."""
    return {
        "message_type": "TYPE_CUTOFF_DATE_CHANGED", "posting_number": posting.number,
        "new_cutoff_date": hand.time(posting.shipment), "old_cutoff_date": hand.time(old), **_where(cabinet, hand),
    }  # fmt: skip


def delivery_changed(posting: Posting, old: tuple[datetime, datetime] | None, cabinet: Cabinet, hand: Hand) -> Push:
    """The buyer has another interval, or none until the next of these; an empty one is null, "" or absent."""
    told: Push = {"message_type": "TYPE_DELIVERY_DATE_CHANGED", "posting_number": posting.number}
    empty: str | None = hand.random.choice([None, ""])
    for name, interval in (("new", posting.delivery), ("old", old)):
        begin, end = interval or (None, None)
        told |= {f"{name}_delivery_date_begin": hand.time(begin), f"{name}_delivery_date_end": hand.time(end)}
    return {name: empty if value is None else value for name, value in told.items()} | _where(cabinet, hand)


def _where(cabinet: Cabinet, hand: Hand) -> Push:
    return {"warehouse_id": hand.number(cabinet.warehouse_id), "seller_id": cabinet.seller_id}
