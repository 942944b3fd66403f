"""What was sent of one order, and what can be wrong with the parts that several calls share."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from service.marketplaces.megamarket.sandbox.forms import box_code
from service.marketplaces.megamarket.sandbox.order import Lot, Order
from service.marketplaces.megamarket.sandbox.refusals import REQUEST, STATUS, Problem

_ORDER_CODE: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Sent:
    """One shipment of a call: the order, its lots with what is said of each, all of `data`; when it takes effect."""

    merchant_id: int
    order: Order
    shipment: Mapping[str, Any]
    items: Sequence[tuple[Lot, Mapping[str, Any]]]
    data: Mapping[str, Any]
    now: datetime
    settles: datetime

    def wrong(self, message: str, lot: Lot | None = None, code: int = REQUEST, box: str | None = None) -> Problem:
        """Something wrong with it."""
        return Problem(message, code, self.order.number, lot.index if lot is not None else None, box)

    def status(self, lot: Lot, *allowed: str) -> Iterator[Problem]:
        """Whether the lot is where the step begins."""
        if lot.status not in allowed:
            yield self.wrong(f"Операция недоступна в статусе '{lot.status}'", lot, STATUS)


def when(value: Any) -> datetime | None:
    """An ISO time with its offset."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None


def order_code(sent: Sent, *, needed: bool) -> Iterator[Problem]:
    """The shop's own number: of few letters, and the one on boxes that are packed already."""
    code = sent.shipment.get("orderCode")
    if (code is not None or needed) and not (isinstance(code, str) and _ORDER_CODE.fullmatch(code)):
        yield sent.wrong("orderCode: допустимы латинские буквы, цифры, '_' и '-'")
    elif code not in (None, sent.order.order_code) and any(lot.boxes for lot in sent.order.lots):
        yield sent.wrong("orderCode: не тот, что на грузовых местах")


def offer(sent: Sent, lot: Lot, item: Mapping[str, Any]) -> Iterator[Problem]:
    """The shop's own name of the goods."""
    if item.get("offerId") != lot.sku:
        yield sent.wrong(f"offerId: ожидается '{lot.sku}'", lot)


def boxes(sent: Sent, lot: Lot, named: Any) -> Iterator[Problem]:
    """The boxes a lot lies in: one, or several where it is big."""
    if not isinstance(named, list) or not named:
        yield sent.wrong("boxes: не указаны грузовые места", lot)
        return
    for box in named:
        at, code = str(box.get("boxIndex")), box.get("boxCode")
        if not at.isdecimal() or code != box_code(sent.merchant_id, sent.shipment.get("orderCode"), int(at)):
            yield sent.wrong("boxCode: ожидается <merchantId>*<orderCode>*<boxIndex>", lot, box=str(code))


def marking(sent: Sent, lot: Lot, item: Mapping[str, Any]) -> Iterator[Problem]:
    """The marking code of a piece. Only FBS needs it: the one DBS client that is known packs marked goods without."""
    mark = item.get("digitalMark")
    if mark is None:
        if lot.marked and sent.order.model == "fbs":
            yield sent.wrong("digitalMark: нужен код маркировки", lot)
        return
    others = [one.get("digitalMark") for other, one in sent.items if other is not lot]
    others += [other.mark for other in sent.order.lots if other is not lot]
    if not isinstance(mark, str) or not mark.strip() or mark in others:
        yield sent.wrong("digitalMark: пустой или указан дважды", lot)
