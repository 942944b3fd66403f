"""What 1C needs to book or do a posting besides its goods: `Placed.details`.

Only what stays as it is while the posting goes its way: the kinds of codes needed are told while it is packed, since
Ozon drops them from its lists afterwards.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from service.marketplaces.ozon import values, wire

KINDS: Final = ("mandatory_mark", "jw_uin", "imei", "gtd", "rnpt", "weight", "country", "change_country")
"""What goods may need, by the names of `requirements.products_requiring_*`."""

MARKING: Final = "marking."
POSSIBLE: Final = "marking_possible."
_PACKING: Final = ("awaiting_verification", "awaiting_approve", "awaiting_packaging")


def details(posting: wire.Posting, products: Sequence[wire.Product]) -> dict[str, str]:
    """Names as 1C gets them."""
    told, method = posting.analytics_data or wire.Analytics(), posting.delivery_method or wire.DeliveryMethod()
    found: dict[str, Any] = {
        "order": values.text(posting.order_number),
        "parent": values.text(posting.parent_posting_number),
        "related": _related(posting),
        "payment_type": values.text(told.payment_type_group_name),
        "delivery_price": values.amount(posting.delivery_price),
        "delivery_method": values.text(method.name),
        "warehouse": values.text(method.warehouse),
        "warehouse_id": values.text(method.warehouse_id),
        "integration": values.text(posting.integration_type_flow) or values.text(posting.tpl_integration_type),
        "express": "true" if posting.is_express else None,
        "legal": "true" if told.is_legal else None,
        "multibox": "true" if posting.is_multibox else None,
        **_lift(posting),
        **_marking(posting, products),
    }
    return {key: str(value) for key, value in found.items() if value is not None}


def needs(posting: wire.Posting) -> dict[str, list[str]]:
    """By SKU (as text), the kinds of data Ozon wants before it lets the posting be assembled."""
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        for sku in getattr(posting.requirements, f"products_requiring_{kind}", None) or ():
            if (name := values.text(sku)) is not None:
                found.setdefault(name, []).append(kind)
    return found


def possible(posting: wire.Posting) -> set[str]:
    """The SKUs that may have a marking code and need none."""
    skus = posting.optional.products_with_possible_mandatory_mark if posting.optional is not None else None
    return {name for sku in skus or () if (name := values.text(sku)) is not None}


def _marking(posting: wire.Posting, products: Sequence[wire.Product]) -> Mapping[str, str]:
    if posting.status not in _PACKING:
        return {}
    wanted, may, found = needs(posting), possible(posting), dict[str, str]()
    for sku in (values.text(product.sku) for product in products):
        if sku is not None and wanted.get(sku):
            found[f"{MARKING}{sku}"] = ",".join(wanted[sku])
        if sku is not None and sku in may:
            found[f"{POSSIBLE}{sku}"] = "mandatory_mark"
    return found


def _lift(posting: wire.Posting) -> Mapping[str, Any]:
    """Carrying big goods to the flat: a word in lists, an object in get [S]; facts 5."""
    told = posting.prr_option
    if not isinstance(told, Mapping):
        return {"lift": values.text(told)}
    return {
        "lift": values.text(told.get("code")),
        "lift_floor": values.text(told.get("floor")),
        "lift_price": values.amount(told.get("price")),
    }


def _related(posting: wire.Posting) -> str | None:
    """The postings split from one order, where they were asked for."""
    found = posting.related_postings.related_posting_numbers if posting.related_postings is not None else None
    return ",".join(sorted(number for number in found or () if number)) or None
