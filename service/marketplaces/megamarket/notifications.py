"""Megamarket's callbacks, order/new and order/cancel: what they say and how they are answered.

    taken     200 {"data": {}, "meta": {}, "success": 1}: that the body is here, not that the goods are
    refused   401 for a wrong login or password, 404 for a callback nobody knows, 400 for a body nobody can read; each
              with success 0

Anything but 200 makes Megamarket call again, as far as is known; success 0 with 200 could be read as the shop's refusal
of the order, so it is never sent. [OBS S5] a bad HTTP status brings the callback again; [?] how often; facts 6
Callbacks come twice, and have neither id nor time: the key is made of what they hold, and of the minutes a wish to
cancel came in, since a buyer may ask again for what he was told no.
"""

import hmac
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from events.codec import canonical
from service.marketplaces import lenient, values
from service.marketplaces.megamarket import lots, wire
from service.marketplaces.megamarket.settings import Shop
from service.marketplaces.port import HookAnswer, Notice

NEW, CANCEL = "order/new", "order/cancel"
CANCEL_HINT = "cancel:"
"""Followed by the lots the buyer wishes to cancel; by nothing where the callback names none."""

SAME = timedelta(minutes=10)
"""A wish to cancel that comes again so soon is the same one, called out twice."""

NUMBER = re.compile(r"[A-Za-z0-9._-]{1,64}")


def answer(
    tail: str, headers: Mapping[str, str], body: bytes, shop: Shop, callers: tuple[str, str] | None, now: datetime
) -> HookAnswer:
    """What a callback says; another shop's orders are answered and left to its own channel."""
    if callers is not None and not _allowed(headers.get("authorization", ""), callers):
        return _refused(401, "wrong login or password")
    kind = tail.strip().strip("/").casefold()
    if kind not in (NEW, CANCEL):
        return _refused(404, f"there are {NEW} and {CANCEL}")
    data = lenient.inside(lenient.body(body), "data")
    merchant = lenient.inside(data, "merchantId")
    if merchant is not None and values.text(merchant) != str(shop.merchant):
        return _taken()
    found = list(_shipments(body))
    if not found:
        return _refused(400, "data.shipments holds no order with a number")
    parts = [_part(body, value) if len(found) > 1 else None for _, value in found]
    return _taken(*(_notice(kind, one, shop, now, part) for (one, _), part in zip(found, parts, strict=True)))


def _part(body: bytes, shipment: Any) -> bytes:
    """A callback as if it told of this order only."""
    whole = lenient.body(body)
    return canonical({**whole, "data": {**whole["data"], "shipments": [shipment]}})


def new_order(notices: Sequence[bytes], number: str) -> tuple[wire.NewShipment, dict[str, Any]]:
    """What the callbacks of a new order said of it, the last one that did, and the fields in it nobody knows."""
    for body in reversed(notices):
        for shipment, value in _shipments(body):
            new = shipment.shipment_date or shipment.handover or shipment.label
            if str(shipment.shipment_id) == number and new is not None:
                return shipment, lenient.leftover(value, wire.NewShipment)
    return wire.NewShipment(shipment_id=number), {}


def _shipments(body: bytes) -> Iterator[tuple[wire.NewShipment, Any]]:
    """The orders in a callback that can be read, each with its JSON."""
    found = lenient.inside(lenient.body(body), "data", "shipments")
    for value in found if isinstance(found, list) else ():
        shipment = lenient.read(wire.NewShipment, value)
        if shipment is not None and NUMBER.fullmatch(str(shipment.shipment_id)):
            yield shipment, value


def _notice(kind: str, shipment: wire.NewShipment, shop: Shop, now: datetime, part: bytes | None) -> Notice:
    number, named = str(shipment.shipment_id), ",".join(index for index, _ in lots.items(shipment.items))
    cancel = kind == CANCEL
    readable = bool(named) or not shipment.items
    around = str(int(now.timestamp() // SAME.total_seconds()))
    return Notice(
        number=number,
        notice=kind,
        key=" ".join(
            (
                kind,
                str(shop.merchant),
                number,
                *([named, around] if cancel else []),
            )
        ),
        at=values.moment(shipment.shipment_date),
        hint=f"{CANCEL_HINT}{named}" if cancel and readable and shop.model != "fbs" else None,
        body=part,
    )


def _allowed(told: str, callers: tuple[str, str]) -> bool:
    """Whether it is HTTP Basic of these two; compared in the same time whatever was sent."""
    scheme, _, coded = told.strip().partition(" ")
    try:
        given = b64decode(coded.strip(), validate=True)
    except ValueError:
        return False
    return scheme.casefold() == "basic" and hmac.compare_digest(given, ":".join(callers).encode())


def _taken(*notices: Notice) -> HookAnswer:
    return HookAnswer(200, {"data": {}, "meta": {}, "success": 1}, notices)


def _refused(status: int, why: str) -> HookAnswer:
    return HookAnswer(status, {"data": {}, "meta": {}, "success": 0, "error": {"message": why}})
