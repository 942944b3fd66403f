"""What each of the marketplace's methods does, as functions of what was asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from service.marketplaces.megamarket.sandbox import labels
from service.marketplaces.megamarket.sandbox.checks import Sent, when
from service.marketplaces.megamarket.sandbox.forms import box_code, order_get
from service.marketplaces.megamarket.sandbox.market import Market, Shop
from service.marketplaces.megamarket.sandbox.order import Lot, Order
from service.marketplaces.megamarket.sandbox.refusals import NOT_FOUND, Problem, RefusalError, refuse
from service.marketplaces.megamarket.sandbox.steps import STEPS, Step

MOST_READ: Final = 400
MOST_FOUND: Final = 1000
FOUND: Final = 100


@dataclass(frozen=True)
class Asked:
    """One call: of which shop, its `data`, when; `done` takes the numbers of the orders it changes."""

    market: Market
    channel: str
    data: Mapping[str, Any]
    now: datetime
    done: list[Any]

    @property
    def shop(self) -> Shop:
        """Whose call it is."""
        return self.market.shops[self.channel]

    def order(self, number: Any) -> Order | None:
        """The shop's order of this number, written as text or as a number."""
        order = self.market.orders.get(str(number))
        return order if order is not None and order.channel == self.channel else None


Act: TypeAlias = Callable[[Asked], Any]
"""Gives `data` of the answer; bytes are the whole answer, a PDF."""


def search(asked: Asked) -> Any:
    """The numbers of orders placed between two times with a lot in one of the statuses, oldest first."""
    since, until = when(asked.data.get("dateFrom")), when(asked.data.get("dateTo"))
    if since is None or until is None or until < since:
        raise refuse("dateFrom, dateTo: нужны даты со смещением")
    statuses, count = asked.data.get("statuses") or [], int(asked.data.get("count", FOUND))
    if not 1 <= count <= MOST_FOUND:
        raise refuse(f"count: от 1 до {MOST_FOUND}")
    found = [
        order.number for order in asked.market.orders.values()
        if order.channel == asked.channel and since <= order.placed <= until
        and (not statuses or any(lot.status in statuses for lot in order.lots))
    ]  # fmt: skip
    return {"shipments": found[:count]}


def get(asked: Asked) -> Any:
    """Orders in full; those that are not there are missing in the answer."""
    numbers = _listed(asked.data.get("shipments"), "shipments")
    if len(numbers) > MOST_READ:
        raise refuse(f"shipments: не больше {MOST_READ}")
    found = [order for number in dict.fromkeys(map(str, numbers)) if (order := asked.order(number)) is not None]
    return {"shipments": [order_get(order, asked.shop.merchant_id) for order in found]}


def sticker(asked: Asked) -> Any:
    """What is stuck on boxes: the old form answers HTML in `data`, the new one a PDF."""
    if asked.shop.model != "fbs":
        raise refuse("Метод недоступен для схемы продавца")
    newer = asked.data.get("printAsPdf") is True
    shipments = _listed(asked.data.get("shipments"), "shipments") if newer else [asked.data]
    codes: list[str] = []
    for shipment in shipments:
        order = _found(asked, shipment.get("shipmentId"))
        theirs = {
            box_code(asked.shop.merchant_id, order.order_code, at) for lot in order.lots for at in lot.boxes
        }  # fmt: skip
        for code in _listed(shipment.get("boxCodes"), "boxCodes"):
            if code not in theirs:
                raise RefusalError(Problem("Грузовое место не найдено", NOT_FOUND, order.number, box=str(code)))
            codes.append(code)
    return labels.pdf(codes) if newer else labels.html(codes)


def _changing(step: Step) -> Act:
    """A call that changes orders: all that it names, or none of them."""

    def act(asked: Asked) -> Any:
        if asked.shop.model not in step.models:
            raise refuse("Метод недоступен для схемы продавца")
        settles = asked.market.settles(asked.now)
        sent = [_sent(asked, step, shipment, settles) for shipment in _listed(asked.data.get("shipments"), "shipments")]
        if len({one.order.number for one in sent}) < len(sent):
            raise refuse("shipments: отправление указано дважды")
        if problems := [problem for one in sent for problem in step.problems(one)]:
            raise RefusalError(*problems)
        for one in sent:
            step.apply(one)
            one.order.tidy(asked.now)
            asked.done.append(one.order.number)
        return {"result": 1}

    return act


def _sent(asked: Asked, step: Step, shipment: Mapping[str, Any], settles: datetime) -> Sent:
    order, items = _found(asked, shipment.get("shipmentId")), []
    if step.items:
        lots = {lot.index: lot for lot in order.lots}
        items = [(_lot(order, lots, item), item) for item in _listed(shipment.get("items"), "items")]
        if len({lot.index for lot, _ in items}) < len(items):
            raise refuse("itemIndex: указан дважды", number=order.number)
    return Sent(asked.shop.merchant_id, order, shipment, items, asked.data, asked.now, settles)


def _found(asked: Asked, number: Any) -> Order:
    order = asked.order(number)
    if order is None:
        raise refuse("Отправление не найдено", NOT_FOUND, str(number))
    return order


def _lot(order: Order, lots: Mapping[str, Lot], item: Mapping[str, Any]) -> Lot:
    index = str(item.get("itemIndex"))
    if index not in lots:
        raise RefusalError(Problem("Лот не найден", NOT_FOUND, order.number, index))
    return lots[index]


def _listed(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise refuse(f"{name}: нужен непустой список")
    return value


CALLS: Final[Mapping[str, Act]] = {
    "order/search": search, "order/get": get, "sticker/print": sticker,
    **{path: _changing(step) for path, step in STEPS.items()},
}  # fmt: skip
CHANGING: Final = frozenset(STEPS)
