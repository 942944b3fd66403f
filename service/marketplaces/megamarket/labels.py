"""sticker/print: what is stuck on the boxes of an FBS order, once they are packed."""

from typing import Any

from events.order.state import OrderState
from service.marketplaces import lenient
from service.marketplaces.megamarket import envelope, lots, reading, statuses
from service.marketplaces.megamarket.lots import View
from service.marketplaces.megamarket.settings import Shop
from service.marketplaces.port import Label, Refused, Reply, Talk

_PATH = "sticker/print"
_PACK = "labels are there once the order is packed: send order.assembled, and ask again when Megamarket has taken it"


def label(shop: Shop, state: OrderState) -> Talk[Label | Refused]:
    """The labels as PDF by the newer form of the call, else as HTML by the older one. [OBS S5; S4, S9] facts 7"""
    seen = yield from reading.view(state.number)
    if seen is None:
        return Refused("not_shown", "Megamarket does not show the order", "check the order in its cabinet", final=True)
    if not seen.code or not any(statuses.reached(status, "PACKED") for status in seen.lots.values()):
        return Refused("not_packed", f"the order is {seen.status or 'not packed'} at Megamarket", _PACK, final=True)
    codes = lots.box_codes(state, seen, shop, seen.code)
    newer = yield envelope.call(_PATH, {"printAsPdf": True, "shipments": [_shipment(state, seen, codes)]})
    if (found := _printed(newer)) is not None:
        return found
    older = yield envelope.call(_PATH, {"shipmentId": state.number, "boxCodes": list(codes.values())})
    if (found := _printed(older)) is not None:
        return found
    told = envelope.told(older)
    message = told.message or envelope.told(newer).message or f"Megamarket answers {older.status} without labels"
    return Refused(told.code or "no_labels", message, "print the labels in Megamarket's cabinet")


def _shipment(state: OrderState, seen: View, codes: dict[int, str]) -> dict[str, Any]:
    dealt = lots.boxes(lots.kept(state, seen), state.boxes or 1)
    items = [
        {
            "itemIndex": lots.index(lot),
            "quantity": 1,
            "boxes": [{"boxIndex": box, "boxCode": codes[box]} for box in boxes if box in codes],
        }
        for lot, boxes in dealt.items()
    ]
    return {"shipmentId": state.number, "boxCodes": list(codes.values()), "items": items}


def _printed(reply: Reply) -> Label | None:
    """A PDF, or a page in `data`."""
    if reply.status != 200:
        return None
    if reply.body.startswith(b"%PDF"):
        return Label("application/pdf", reply.body)
    told = lenient.body(reply.body)
    page = lenient.inside(told, "data")
    if isinstance(page, str) and "<" in page:
        return Label("text/html; charset=utf-8", page.encode())
    if told is None and b"<html" in reply.body[:1000].lower():
        return Label("text/html; charset=utf-8", reply.body)
    return None
