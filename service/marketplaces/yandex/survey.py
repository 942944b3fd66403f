"""What a live shop shows that this folder does not know: names of fields and words of enums, nothing personal."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from service.marketplaces import lenient
from service.marketplaces.port import Talk
from service.marketplaces.yandex import reading, statuses, wire

KINDS: Final = ("DELIVERY", "PICKUP", "POST", "DIGITAL")
"""Types of delivery."""

MARKINGS: Final = ("CIS", "CIS_OPTIONAL", "UIN", "RNPT", "GTD", "IMEI")
"""Types of codes goods may need."""


def survey(shop: reading.Shop, now: datetime) -> Talk[list[str]]:
    """The orders of the last days, held against the words of the documents, and what in them is not read here."""
    orders = yield from reading.created(shop, now - timedelta(days=7), now)
    values = [lenient.body(raw) for raw in orders]
    found = dict.fromkeys(word for value in values for word in _strange(value))
    unread = sorted({name for value in values for name in _fields(lenient.leftover(value, wire.Order))})
    if not values:
        return ["no order of the last week: nothing could be compared"]
    return [*found, *([f"kept, but not read here: {', '.join(unread)}"] if unread else [])]


def _strange(value: Any) -> list[str]:
    order = lenient.read(wire.Order, value)
    if order is None:
        return ["an order has no orderId or status"]
    delivery = order.delivery or wire.Delivery()
    codes = [kind for item in order.items or () if item is not None for kind in item.required_instance_types or ()]
    return [
        *_words("status", [order.status], statuses.STAGES),
        *_words("delivery type", [delivery.type], KINDS),
        *_words("code type", codes, MARKINGS),
    ]


def _words(what: str, said: Iterable[str | None], known: Iterable[str]) -> list[str]:
    return [f"{what} {word!r} is not known here" for word in said if word is not None and word not in set(known)]


def _fields(extra: Mapping[str, Any], before: str = "") -> list[str]:
    """The path of every field that is left over; rows of a list count as one."""
    found: list[str] = []
    for name, value in extra.items():
        path = before if name.isdecimal() else f"{before}{name}."
        found += _fields(value, path) if isinstance(value, Mapping) else [path.rstrip(".")]
    return found
