"""What a shop may do with an order's lots: for every call what is wrong with it, and what it does.

A call is carried out whole or not at all. What the documents leave open is refused: a step that was taken already,
one out of order, a lot that is PENDING.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from service.marketplaces.megamarket.sandbox import checks
from service.marketplaces.megamarket.sandbox.checks import Sent, when
from service.marketplaces.megamarket.sandbox.forms import box_code
from service.marketplaces.megamarket.sandbox.order import Lot
from service.marketplaces.megamarket.sandbox.refusals import NOT_FOUND, STATUS, Problem
from service.marketplaces.values import MOSCOW

_FBS_REASONS: Final = (
    "OUT_OF_STOCK", "INCORRECT_PRICE", "INCORRECT_PRODUCT", "INCORRECT_SPEC", "TWICE_ORDER", "NOT_TIME_FOR_SHIPPING",
    "FRAUD_ORDER",
)  # fmt: skip
_CNC_REASONS: Final = ("OUT_OF_STOCK", "NOT_ACCEPTABLE")
REJECT_REASONS: Final = {"fbs": _FBS_REASONS, "cnc": _CNC_REASONS, "dbs": (*_FBS_REASONS, *_CNC_REASONS)}
CLOSE_REASONS: Final = {"CANCEL_BY_CUSTOMER": "CUSTOMER_CANCELED", "HANDOVER_IMPOSSIBLE": "MERCHANT_CANCELED"}
_LATE: Final = {"NEW": "CONFIRMATION_REJECT", "CONFIRMED": "LATE_REJECT"}


@dataclass(frozen=True)
class Step:
    """A call that changes orders: of which models, what is wrong with it, what it does. `items`: it names lots."""

    models: Sequence[str]
    problems: Callable[[Sent], Iterator[Problem]]
    apply: Callable[[Sent], None]
    items: bool = True


def _confirm_problems(sent: Sent) -> Iterator[Problem]:
    yield from checks.order_code(sent, needed=False)
    days = {item.get("shippingDate") for _, item in sent.items}
    for lot, item in sent.items:
        yield from checks.offer(sent, lot, item)
        yield from sent.status(lot, *(("NEW",) if sent.order.model == "fbs" else ("NEW", "PACKED")))
    if sent.order.model == "dbs":
        day = when(next(iter(days)))
        if len(days) > 1 or day is None:
            yield sent.wrong("shippingDate: нужна одна дата со смещением для всех лотов")
        elif day.astimezone(MOSCOW).date() < sent.now.astimezone(MOSCOW).date():
            yield sent.wrong("shippingDate: дата в прошлом")
        elif day == sent.order.delivery_from:
            yield sent.wrong("shippingDate: дата доставки уже установлена", code=STATUS)


def _confirm(sent: Sent) -> None:
    order = sent.order
    order.order_code = sent.shipment.get("orderCode") or order.order_code
    if order.model == "fbs":
        for lot, _ in sent.items:
            lot.pend("PENDING_CONFIRMATION", "CONFIRMED", sent.now, sent.settles)
        return
    start = when(sent.items[0][1]["shippingDate"])
    assert start is not None  # looked at before
    last = order.delivery_to.astimezone(MOSCOW).time()
    end = datetime.combine(start.astimezone(MOSCOW).date(), last, MOSCOW)
    order.delivery_from, order.delivery_to, order.shifted = start, max(start, end), True
    order.ship_by = order.delivery_to


def _reject_problems(sent: Sent) -> Iterator[Problem]:
    reason = sent.data.get("reason")
    if reason is not None and reason.get("type") not in REJECT_REASONS[sent.order.model]:
        yield sent.wrong(f"reason.type: неизвестное значение '{reason.get('type')}'")
    for lot, item in sent.items:
        yield from checks.offer(sent, lot, item)
        yield from sent.status(lot, "NEW", "CONFIRMED" if sent.order.model == "fbs" else "PACKED")


def _reject(sent: Sent) -> None:
    for lot, _ in sent.items:
        sub = _LATE.get(lot.status) if sent.order.model == "fbs" else None
        lot.asked = False
        lot.enter("MERCHANT_CANCELED", sent.now, sub)


def _packing_problems(sent: Sent) -> Iterator[Problem]:
    fbs = sent.order.model == "fbs"
    yield from checks.order_code(sent, needed=True)
    for lot, item in sent.items:
        if lot.delivery:
            yield sent.wrong("Лот доставки не комплектуется", lot)
            continue
        if item.get("quantity", 1 if fbs else None) != 1:
            yield sent.wrong("quantity: должно быть 1", lot)
        if fbs:
            yield from checks.boxes(sent, lot, item.get("boxes"))
        elif item.get("boxes") is not None:
            yield sent.wrong("boxes: не передаётся в этой схеме", lot)
        if "offerId" in item:
            yield from checks.offer(sent, lot, item)
        yield from checks.marking(sent, lot, item)
        yield from sent.status(lot, "CONFIRMED" if fbs else "NEW")


def _packing(sent: Sent) -> None:
    sent.order.order_code = sent.shipment["orderCode"]
    for lot, item in sent.items:
        lot.boxes = [int(box["boxIndex"]) for box in item.get("boxes") or ()]
        lot.mark = item.get("digitalMark")
        lot.pend("PENDING_PACKING", "PACKED", sent.now, sent.settles)


def _shipping_problems(sent: Sent) -> Iterator[Problem]:
    if when((sent.shipment.get("shipping") or {}).get("shippingDate")) is None:
        yield sent.wrong("shipping.shippingDate: нужна дата со смещением")
    named = _named_boxes(sent)
    if not named:
        yield sent.wrong("boxes: не указаны грузовые места")
    codes = {box_code(sent.merchant_id, sent.order.order_code, at) for lot in sent.order.lots for at in lot.boxes}
    yield from (sent.wrong("Грузовое место не найдено", code=NOT_FOUND, box=code) for code in named - codes)
    for lot, theirs in _lots_in(sent, named):
        if not theirs <= named:
            yield sent.wrong("Указаны не все грузовые места лота", lot)
        yield from sent.status(lot, "PACKED")


def _shipping(sent: Sent) -> None:
    for lot, _ in _lots_in(sent, _named_boxes(sent)):
        lot.pend("PENDING_SHIPPING", "SHIPPED", sent.now, sent.settles)


def _close_problems(sent: Sent) -> Iterator[Problem]:
    if when(sent.shipment.get("closeDate")) is None:
        yield sent.wrong("closeDate: нужна дата со смещением")
    named = [lot for lot, _ in sent.items]
    for lot in sent.order.lots:
        if lot.delivery and lot not in named and lot.status == "NEW":
            yield sent.wrong("Не указан лот доставки", lot)
    for lot, item in sent.items:
        handed, reason = item.get("handoverResult"), item.get("reason") or {}
        if not isinstance(handed, bool):
            yield sent.wrong("handoverResult: нужно true или false", lot)
        elif not handed and reason.get("type") not in CLOSE_REASONS:
            yield sent.wrong(f"reason.type: неизвестное значение '{reason.get('type')}'", lot)
        yield from sent.status(lot, "NEW" if lot.delivery else "PACKED")


def _close(sent: Sent) -> None:
    for lot, item in sent.items:
        lot.enter("DELIVERED" if item["handoverResult"] else CLOSE_REASONS[item["reason"]["type"]], sent.now)


def _result_problems(sent: Sent) -> Iterator[Problem]:
    for lot, item in sent.items:
        if not isinstance(item.get("canceled"), bool):
            yield sent.wrong("canceled: нужно true или false", lot)
        elif not lot.asked:
            yield sent.wrong("Запроса на отмену лота нет", lot, STATUS)
        elif item["canceled"]:
            yield from sent.status(lot, "NEW", "PACKED")


def _result(sent: Sent) -> None:
    for lot, item in sent.items:
        lot.asked = False
        if item["canceled"]:
            lot.enter("CUSTOMER_CANCELED", sent.now)


def _named_boxes(sent: Sent) -> set[str]:
    return {str(box.get("boxCode")) for box in sent.shipment.get("boxes") or ()}


def _lots_in(sent: Sent, named: set[str]) -> Iterator[tuple[Lot, set[str]]]:
    """The lots that lie in these boxes, each with all of its boxes."""
    for lot in sent.order.lots:
        theirs = {box_code(sent.merchant_id, sent.order.order_code, at) for at in lot.boxes}
        if theirs & named:
            yield lot, theirs


STEPS: Final[Mapping[str, Step]] = {
    "order/confirm": Step(("fbs", "dbs"), _confirm_problems, _confirm),
    "order/reject": Step(("fbs", "dbs", "cnc"), _reject_problems, _reject),
    "order/packing": Step(("fbs", "dbs", "cnc"), _packing_problems, _packing),
    "order/shipping": Step(("fbs",), _shipping_problems, _shipping, items=False),
    "order/close": Step(("dbs", "cnc"), _close_problems, _close),
    "order/cancelResult": Step(("dbs", "cnc"), _result_problems, _result),
}
