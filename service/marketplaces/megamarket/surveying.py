"""Where a live account differs from what this folder knows: names of fields and statuses, never what is in them."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from service.marketplaces import lenient, values
from service.marketplaces.megamarket import envelope, lots, reading, statuses, wire
from service.marketplaces.megamarket.lines import text
from service.marketplaces.megamarket.settings import Shop
from service.marketplaces.port import Talk

DAYS = timedelta(days=7)
SOME = 20

_SCHEMES = {"dbs": "DELIVERY_BY_MERCHANT", "cnc": "COLLECT_BY_CUSTOMER"}
_DATES = ("packingTimeLimit", "packingDate", "deliveryDateFrom", "creationDate", "orderCode", "status")
"""Fields that matter, and of which nobody knows whether they are always told. [OBS] facts 8"""


def survey(shop: Shop, now: datetime) -> Talk[list[str]]:
    """Reads some of the last days' orders; what is new in them, a line each."""
    wanted = (*statuses.OPEN, *statuses.FINAL)
    data = envelope.good((yield reading.search(shop, wanted, now - DAYS, now + reading.AHEAD, count=SOME)))
    found = sorted(reading.found_numbers(data))[:SOME]
    if not found:
        return ["no orders in the last 7 days: nothing to compare with"]
    data = envelope.good((yield envelope.call("order/get", {"shipments": found})))
    rows = [row for row in envelope.listed(data, "shipments") if isinstance(row, dict)]
    told = {line for row in rows for line in _differences(row, shop)}
    if len(rows) < len(found):
        told.add(f"order/get showed {len(rows)} of {len(found)} orders that order/search named")
    return sorted(told)


def _differences(row: dict[str, Any], shop: Shop) -> Iterator[str]:
    shipment = lenient.read(wire.Shipment, row)
    if shipment is None:
        yield "an order of order/get has no shipmentId"
        return
    for name, kind in _fields(lenient.leftover(row, wire.Shipment), ""):
        yield f"field {name} is not known here ({kind})"
    for name in _DATES:
        if row.get(name) in (None, ""):
            yield f"field {name} is empty in an order"
    for status in {text(shipment.status), *(text(item.status) for _, item in lots.items(shipment.items))}:
        if status and status not in statuses.KNOWN:
            yield f"status {status!r} is not known here"
    scheme = shipment.service_scheme
    if scheme is not None and scheme != _SCHEMES.get(shop.model):
        yield f"serviceScheme {scheme!r} in a shop of the model {shop.model}"
    for _, item in lots.items(shipment.items):
        if item.quantity is not None and values.whole(item.quantity) != 1:
            yield "a lot's quantity is other than 1"


def _fields(value: Mapping[str, Any], above: str) -> Iterator[tuple[str, str]]:
    """The names of unknown fields with the kind of their values; parts of lists without their number."""
    for key, inner in value.items():
        name = above if key.isdecimal() else f"{above}.{key}".lstrip(".")
        if isinstance(inner, Mapping) and inner:
            yield from _fields(inner, name)
        else:
            yield name, type(inner).__name__
