"""Who buys and where to: what can be erased. order/get comes first; the callback of a new order often tells more."""

from collections.abc import Mapping
from typing import Any

from service.marketplaces import values
from service.marketplaces.megamarket import wire


def personal(
    got: wire.Shipment, told: wire.NewShipment, unknown: Mapping[str, Any], unsaid: Mapping[str, Any]
) -> dict[str, Any]:
    """Personal data by the hub's names; `unknown`, `unsaid`: fields of get and of the callback nobody knows."""
    shown, said = got.customer or wire.Customer(), told.customer or wire.Customer()
    label = told.label or wire.Label()
    customer = {
        "name": _first(got.customer_full_name, shown.customer_full_name, said.customer_full_name, label.full_name),
        "phone": _first(shown.phone, said.phone),
        "email": _first(shown.email, said.email),
    }
    places = [place for place in (shown.address, said.address) if place is not None]
    access = next((place.access for place in places if place.access is not None), wire.Access())
    found = {
        "customer": {key: value for key, value in customer.items() if value},
        "address": _address(_first(got.customer_address, *(p.source for p in places), label.address), places, access),
        "comment": _first(shown.comment, said.comment, access.comment),
        "extra": {**unknown, **({"order_new": dict(unsaid)} if unsaid else {})},
    }
    return {key: value for key, value in found.items() if value}


def _address(base: str | None, places: list[wire.Address], access: wire.Access) -> str | None:
    """An address in one line; what helps at the door is added where the line does not say it."""
    if base is None:
        return None
    postcode = _first(*(place.postal_code for place in places))
    flat = _first(access.apartment, *(place.flat for place in places))
    parts = [
        (access.entrance, "подъезд "), (access.intercom, "домофон "), (access.floor, "этаж "), (flat, "кв. ")
    ]  # fmt: skip
    line = base if postcode is None or postcode in base else f"{postcode}, {base}"
    for value, label in parts:
        told = values.text(value)
        if told is not None and f"{label}{told}" not in line:
            line = f"{line}, {label}{told}"
    return line


def _first(*told: Any) -> str | None:
    """The first that says something."""
    return next((found for value in told if (found := values.text(value)) is not None), None)
