"""Orders and returns as Market shows them, in the hub's words.

The price of a piece is `(payment + cashback) / count`: Market's specification calls their sum the cost of the goods,
and Plus points are only a way of paying it. What Market adds on top (`subsidy`) is the shop's income but not the goods'
price: it stands in the details, as does everything else 1C needs to book the payment. Sums are exact; a piece's price
is rounded to the kopeck, so where pieces do not divide evenly the details hold the line's exact sum as `total.LINE`.
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from events.order import facts as f
from service.marketplaces import lenient
from service.marketplaces.port import ReturnSeen, Seen
from service.marketplaces.yandex import statuses, values, wire

ANSWER_WITHIN = timedelta(hours=48)
"""A buyer's wish to cancel that is not answered by then is fulfilled by Market."""

CANCEL_HINT = "cancel-requested:"
RETURN_HINT = "return:"

_KINDS = {"DELIVERY": "courier", "PICKUP": "pickup", "POST": "post", "DIGITAL": "digital"}
_CURRENCIES = {"RUR": "RUB"}
_NOT_YET = (
    "STARTED_BY_USER", "WAITING_FOR_DECISION", "DECISION_MADE", "PREMODERATION_DISPUTE",
    "PREMODERATION_DECISION_WAITING", "PREMODERATION_DECISION_MADE", "PREMODERATION_SELECT_DELIVERY",
    "REJECTED", "CANCELLED", "FAILED",
)  # fmt: skip
"""States of a refund in which the buyer still has the goods, as far as Market tells."""
_DAY_END = time(23, 59, 59)


def seen(raw: bytes, model: str, hints: Sequence[str] = (), buyer: wire.Buyer | None = None) -> Seen | None:
    """What one order's JSON says; None for what has no number and status."""
    value = lenient.body(raw)
    order = lenient.read(wire.Order, value)
    if order is None:
        return None
    return Seen(
        number=str(order.order_id),
        status=statuses.written(order.status, order.substatus),
        stage=statuses.stage(order.status, order.substatus),
        ready=statuses.ready(order.status, order.substatus),
        order=placed(order, model),
        stamp=values.moment(order.update_date),
        cancelled=statuses.cancelled(order.status, order.substatus),
        request=_request(order, hints),
        personal=_personal(order, buyer, lenient.leftover(value, wire.Order)),
        raw=raw,
    )


def placed(order: wire.Order, model: str) -> f.Placed:
    """The order as `order.placed` tells it, without personal data."""
    items = [item for item in order.items or () if item is not None and values.whole(item.count) > 0]
    sums = [_cost(item) for item in items]
    priced = [cost for cost in sums if cost is not None]
    return f.Placed(
        number=str(order.order_id),
        lines=tuple(_line(item, cost) for item, cost in zip(items, sums, strict=True)),
        total=sum(priced, Decimal(0)) if priced else None,
        currency=_currency(items),
        delivery=_delivery(order.delivery),
        deadlines=_deadlines(order, model),
        placed_at=values.moment(order.creation_date),
        details=_details(order, items, sums),
    )


def _cost(item: wire.Item) -> Decimal | None:
    prices = item.prices or wire.ItemPrices()
    parts = [part for part in (values.amount(prices.payment), values.amount(prices.cashback)) if part is not None]
    return sum(parts, Decimal(0)) if parts else None


def _line(item: wire.Item, cost: Decimal | None) -> f.Line:
    count = values.whole(item.count)
    price = (cost / count).quantize(values.KOPECK, ROUND_HALF_UP) if cost is not None else None
    sku, line = values.text(item.offer_id) or "", values.text(item.id)
    return f.Line(sku=sku, quantity=count, id=line, name=item.offer_name, price=price)


def _currency(items: Sequence[wire.Item]) -> str | None:
    code = next((i.prices.payment.currency_id for i in items if i.prices and i.prices.payment), None)
    return _CURRENCIES.get(code, code) if code is not None else None


def _delivery(delivery: wire.Delivery | None) -> f.Delivery:
    if delivery is None:
        return f.Delivery()
    since, until = _window(delivery.dates or wire.Dates())
    pickup = delivery.pickup or wire.Pickup()
    return f.Delivery(
        type=_KINDS.get(delivery.type or "", delivery.type),
        since=since,
        until=until,
        outlet=values.text(pickup.outlet_code) or values.text(pickup.logistic_point_id),
        service=delivery.service_name,
        keep_until=values.day(pickup.outlet_storage_limit_date),
    )


def _window(dates: wire.Dates) -> tuple[datetime | None, datetime | None]:
    """When the goods are due at the buyer's. `00:00`–`00:00` is Market's way to say that no hours were agreed."""
    first, last = values.day(dates.from_date), values.day(dates.to_date)
    opens, closes = values.hour(dates.from_time), values.hour(dates.to_time)
    if opens == closes == time():
        opens = closes = None
    return values.at(first, opens), values.at(last or first, _DAY_END if closes in (None, time()) else closes)


def _deadlines(order: wire.Order, model: str) -> tuple[f.Deadline, ...]:
    """DBS: the goods at the buyer's, or at the pickup shop. FBS and Express: the order assembled."""
    delivery = order.delivery or wire.Delivery()
    if model == "dbs":
        due = _window(delivery.dates or wire.Dates())[1]
        return (f.Deadline("arrived" if delivery.type == "PICKUP" else "delivered", due),) if due is not None else ()
    shipment = delivery.shipment or wire.Shipment()
    clock = values.hour(shipment.shipment_time)
    due = values.at(values.day(shipment.shipment_date), _DAY_END if clock in (None, time()) else clock)
    return (f.Deadline("assembled", due),) if due is not None else ()


def _details(order: wire.Order, items: Sequence[wire.Item], sums: Sequence[Decimal | None]) -> dict[str, str]:
    """What 1C books the order by; only what stays as it is while the order goes its way."""
    prices, delivery = order.prices or wire.OrderPrices(), order.delivery or wire.Delivery()
    paid_delivery = prices.delivery or wire.DeliveryPrices()
    found: dict[str, Any] = {
        "payment_type": order.payment_type,
        "payment_method": order.payment_method,
        "payment_total": values.amount(prices.payment),
        "subsidy_total": values.amount(prices.subsidy),
        "cashback_total": values.amount(prices.cashback),
        "delivery_price": values.amount(paid_delivery.payment),
        "delivery_subsidy": values.amount(paid_delivery.subsidy),
        "delivery_partner": delivery.delivery_partner_type,
        "delivery_service_id": values.text(delivery.delivery_service_id),
        "dispatch_type": delivery.dispatch_type,
        "lift": order.services.lift_type if order.services is not None else None,
        "buyer_type": order.buyer_type,
        "program": order.program_type,
        "source": order.source_platform,
        "fake": "true" if order.fake else None,
    }
    for item, cost in zip(items, sums, strict=True):
        found |= _line_details(item, cost)
    return {key: str(value) for key, value in found.items() if value is not None}


def _line_details(item: wire.Item, cost: Decimal | None) -> dict[str, Any]:
    number, count, prices = values.text(item.id), values.whole(item.count), item.prices or wire.ItemPrices()
    needs = [kind for kind in item.required_instance_types or () if kind]
    uneven = cost is not None and (cost / count).quantize(values.KOPECK, ROUND_HALF_UP) * count != cost
    return {
        f"total.{number}": cost if uneven else None,
        f"subsidy.{number}": values.amount(prices.subsidy),
        f"cashback.{number}": values.amount(prices.cashback),
        f"vat.{number}": prices.vat,
        f"marking.{number}": ",".join(needs) or None,
    }


def _request(order: wire.Order, hints: Sequence[str]) -> f.CancellationRequested | None:
    """The buyer's wish to cancel. Only the notification says when it was made; else the last change of the order."""
    if not order.cancel_requested or order.status == "CANCELLED":
        return None
    told = next((h.removeprefix(CANCEL_HINT) for h in hints if h.startswith(CANCEL_HINT)), None)
    asked = values.moment(told) or values.moment(order.update_date)
    return f.CancellationRequested(due=asked + ANSWER_WITHIN if asked is not None else None)


def _personal(order: wire.Order, buyer: wire.Buyer | None, extra: dict[str, Any]) -> dict[str, Any]:
    delivery = order.delivery or wire.Delivery()
    place = delivery.courier or delivery.pickup
    found = {
        "customer": _customer(buyer),
        "address": address(place.address) if place is not None and place.address is not None else None,
        "comment": order.notes,
        "extra": extra,
    }
    return {key: value for key, value in found.items() if value}


def _customer(buyer: wire.Buyer | None) -> dict[str, Any] | None:
    """`trusted`: Market has checked the buyer and asks the shop not to call."""
    if buyer is None:
        return None
    name = " ".join(part for part in (buyer.last_name, buyer.first_name, buyer.middle_name) if part)
    found = {"name": name, "phone": buyer.phone, "trusted": buyer.trusted}
    return {key: value for key, value in found.items() if value}


def address(place: wire.Address) -> str:
    """An address in one line, as it is written on an envelope."""
    parts = [
        (place.postcode, ""), (place.country, ""), (place.city, ""), (place.district, ""), (place.subway, "м. "),
        (place.street, ""), (place.house, "д. "), (place.block, "корп. "), (place.entrance, "подъезд "),
        (place.entryphone, "домофон "), (place.floor, "этаж "), (place.apartment, "кв. "),
    ]  # fmt: skip
    return ", ".join(f"{label}{value.strip()}" for value, label in parts if value and value.strip())


def return_seen(raw: bytes) -> ReturnSeen | None:
    """What one return's JSON says; `status` joins what Market tells of it: kind, refund, way of the goods."""
    found = lenient.read(wire.Return, lenient.body(raw))
    if found is None:
        return None
    items = [item for item in found.items or () if item is not None]
    lines = tuple(f.Line(sku=values.text(item.shop_sku) or "", quantity=values.whole(item.count)) for item in items)
    states = (found.return_type, found.refund_status, found.shipment_status)
    status = "/".join(state for state in states if state)
    asked = found.return_type != "UNREDEEMED" and found.refund_status in _NOT_YET
    fact = f.Returned(lines=lines or None, id=str(found.id), status=status, asked=asked)
    return ReturnSeen(str(found.order_id), fact, raw)
