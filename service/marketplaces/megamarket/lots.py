"""An order's lots, as a read shows them, and which of them 1C means.

Megamarket deals in lots, one piece each; 1C deals in goods and quantities. What 1C names is taken from the lots that
are not cancelled, in the order of their numbers, so that asked again the same lots are meant.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from events.order.facts import Line
from events.order.state import OrderState
from service.marketplaces import goods, values
from service.marketplaces.megamarket import statuses, wire
from service.marketplaces.megamarket.lines import text
from service.marketplaces.megamarket.settings import Shop

DELIVERY = "delivery"
"""The `offerId` of the lot that stands for paid delivery. [OBS S2] facts 6"""


class View(msgspec.Struct, frozen=True, omit_defaults=True):
    """What matters of an order for telling Megamarket something; kept beside an attempt as what was seen before it.

    `code`: orderCode. `lots`, `offers`: each lot's status ("" where none is told) and offerId, by itemIndex; the lot of
    the paid delivery stands in `delivery`. `boxes`: [boxIndex, boxCode, "" where it is not told]. `since`: when the
    delivery begins.
    """

    status: str = ""
    code: str | None = None
    lots: dict[str, str] = {}
    offers: dict[str, str] = {}
    delivery: dict[str, str] = {}
    boxes: list[tuple[int, str]] = []
    since: datetime | None = None

    @property
    def alive(self) -> list[str]:
        """The lots of goods that are not cancelled."""
        return [lot for lot, status in self.lots.items() if not statuses.cancelled(status)]

    @property
    def open_delivery(self) -> list[str]:
        """The lot of the paid delivery, where there is one and it is not over."""
        return [lot for lot, status in self.delivery.items() if status not in statuses.FINAL]


def view(shipment: wire.Shipment) -> View:
    """What a read of an order shows."""
    found = items(shipment.items)
    told = {lot: text(item.status) or text(shipment.status) for lot, item in found}
    deliveries = {lot for lot, item in found if is_delivery(item)}
    boxes: dict[int, str] = {}
    for lot, item in found:
        for number, code in _shown_boxes(item) if not statuses.cancelled(told[lot]) else ():
            boxes[number] = boxes.get(number) or code
    return View(
        status=text(shipment.status),
        code=values.text(shipment.order_code),
        lots={lot: told[lot] for lot, _ in found if lot not in deliveries},
        offers={lot: values.text(item.offer_id) or "" for lot, item in found},
        delivery={lot: told[lot] for lot in deliveries},
        boxes=sorted(boxes.items()),
        since=values.moment(shipment.delivery_date_from or shipment.delivery_date),
    )


def _shown_boxes(item: wire.Item) -> Iterator[tuple[int, str]]:
    """The boxes a lot lies in. [OBS] now boxIndex, now a list of boxes; facts 8"""
    if number := values.whole(item.box_index):
        yield number, ""
    for box in item.boxes or ():
        if box is not None and (number := values.whole(box.box_index)):
            yield number, values.text(box.box_code) or ""


def known(before: Any, state: OrderState) -> View:
    """What was seen before; where nothing was, what the log knows."""
    if before is not None:
        return msgspec.convert(before, View)
    offers = {lot: line.sku for line in state.lines for lot in (line.id or "").split(",") if lot}
    delivery = state.details.get("delivery_lot")
    return View(lots=dict.fromkeys(offers, ""), offers=offers, delivery={delivery: ""} if delivery is not None else {})


def items(found: Sequence[wire.Item | None] | None) -> list[tuple[str, wire.Item]]:
    """The lots by itemIndex, in its order."""
    named = [(values.text(item.item_index), item) for item in found or () if item is not None]
    return sorted(((lot, item) for lot, item in named if lot is not None), key=lambda pair: place(pair[0]))


def place(lot: str) -> tuple[int, str]:
    """Where a lot stands among others: numbers by their size."""
    return (int(lot) if lot.isascii() and lot.isdecimal() else 0, lot)


def index(lot: str) -> int | str:
    """An itemIndex as calls name it. [OBS] as text it is taken too; facts 7"""
    return int(lot) if lot.isascii() and lot.isdecimal() and str(int(lot)) == lot else lot


def is_delivery(item: wire.Item) -> bool:
    """Whether a lot is no piece of goods but their delivery."""
    marked = item.goods_data is not None and item.goods_data.is_delivery is True
    return marked or values.text(item.offer_id) == DELIVERY


def kept(state: OrderState, seen: View) -> list[str]:
    """The lots that stay, after what 1C confirmed."""
    return _taken(state.confirmed_lines, seen, seen.alive)


def refused(state: OrderState, seen: View) -> list[str]:
    """The lots that 1C did not confirm."""
    stay = kept(state, seen)
    return [lot for lot in seen.alive if lot not in stay]


def handed(state: OrderState, seen: View) -> list[str]:
    """The lots the buyer took; all that stay where 1C does not say."""
    return _taken(state.delivered_lines, seen, kept(state, seen))


def asked(state: OrderState, seen: View) -> list[str]:
    """The lots the buyer wishes to cancel and that are not; the delivery too where he wishes it of the whole order."""
    if state.request is None:
        return []
    if state.request.lines is None:
        return [*seen.alive, *seen.open_delivery]
    named = {lot for line in state.request.lines for lot in (line.id or "").split(",")}
    return [lot for lot in seen.alive if lot in named]


def marks(state: OrderState, seen: View) -> dict[str, str]:
    """The marking code of each lot that stays, as far as 1C named codes for its goods."""
    codes: dict[str, list[str]] = {}
    for line in state.assembled_lines or ():
        codes.setdefault(line.sku.strip(), []).extend(line.marks)
    found: dict[str, str] = {}
    for lot in kept(state, seen):
        if mine := codes.get(seen.offers.get(lot, "")):
            found[lot] = mine.pop(0)
    return found


def boxes(stay: Sequence[str], count: int) -> dict[str, list[int]]:
    """How lots lie in so many boxes, none of them empty: dealt out one by one, the rest in the last box.

    More boxes than lots: the first lot comes in parts (an air conditioner's two halves), a box each.
    """
    parts = max(1, count - len(stay) + 1)
    return {lot: list(range(1, parts + 1)) if n == 0 else [min(parts + n, count)] for n, lot in enumerate(stay)}


def box_code(shop: Shop, code: str, box: int) -> str:
    """What stands on a box. [OBS] facts 7"""
    return f"{shop.merchant}*{code}*{box}"


def box_codes(state: OrderState, seen: View, shop: Shop, code: str) -> dict[int, str]:
    """The boxes of an order with what stands on them: those it shows, else those it was packed in."""
    dealt = {box for own in boxes(kept(state, seen), state.boxes or 1).values() for box in own}
    shown = dict(seen.boxes) or dict.fromkeys(sorted(dealt), "")
    return {box: told or box_code(shop, code, box) for box, told in shown.items()}


def _taken(said: Sequence[Line] | None, seen: View, among: Sequence[str]) -> list[str]:
    """Of these lots the ones 1C names; all where it names no goods."""
    if not said:
        return list(among)
    named = goods.pieces(said)
    taken = []
    for lot in among:
        sku = seen.offers.get(lot, "").strip()
        if named[sku] > 0:
            named[sku] -= 1
            taken.append(lot)
    return taken
