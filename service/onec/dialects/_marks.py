"""A snapshot's fields as a mark's: what a message that names a type of ours carries. Pure."""

from collections.abc import Mapping
from typing import Any

from service.onec.snapshots import TRUE

FIELDS: dict[str, dict[str, tuple[str, ...]]] = {
    "order.registered": {"document": ("document",)},
    "order.confirmed": {"document": ("document",), "lines": ("lines",)},
    "order.assembled": {"lines": ("lines",), "boxes": ("boxes",)},
    "order.shipped": {"track": ("shipment.track",), "to": ("shipment.to",)},
    "order.arrived": {"store": ("arrival.store", "store"), "keep_until": ("arrival.keep_until", "keep_until")},
    "order.handed_over": {"courier": ("courier",), "code": ("code",)},
    "order.delivered": {"receipt": ("receipt",), "lines": ("receipt.lines", "lines"), "code": ("code",)},
    "order.rescheduled": {"date": ("delivery.date",), "interval": ("delivery.interval",), "by": ("delivery.by", "by")},
    "order.cancelled": {"by": ("by",), "reason": ("reason",), "comment": ("comment",)},
    "order.cancellation_declined": {"reason": ("reason",)},
    "order.returned": {"lines": ("returned.lines", "lines")},
    "order.status": {"status": ("status",)},
    "order.unposted": {"document": ("document",), "kind": ("kind",)},
    "order.posted": {"document": ("document",), "kind": ("kind",)},
}
"""A mark's field to the snapshot's fields it is taken from, the first that there is."""


def as_mark(type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a mark of this type. Who cancelled is the shop where nobody says."""
    found: dict[str, Any] = {}
    for field, places in FIELDS.get(type, {}).items():
        value = next((at for place in places if (at := _at(data, place)) is not None), None)
        if value is not None:
            found[field] = value
    if "lines" in found:
        found["lines"] = [_left(line) for line in found["lines"]]
    if "receipt" in found:
        receipt = found["receipt"] if isinstance(found["receipt"], dict) else {}
        found["receipt"] = {key: value for key, value in receipt.items() if key != "lines"}
    if isinstance(found.get("status"), dict):
        found["status"] = found["status"]["name"]
    return {"by": "shop", **found} if type == "order.cancelled" else found


def _at(data: Any, place: str) -> Any:
    for key in place.split("."):
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _left(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line, with nothing left of a cancelled one."""
    gone = str(line.get("cancelled", "")).strip().casefold() in TRUE
    kept = {key: value for key, value in line.items() if key != "cancelled"}
    return {**kept, "quantity": 0} if gone else kept
