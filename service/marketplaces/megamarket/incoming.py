"""Orders as Megamarket shows them, in the hub's words.

The price of a piece is `finalPrice`, what the buyer pays; where discounts made it less than the shop's own, the details
hold that one as `full_price.LINE`. [OBS S4b] finalPrice == price - discounts, depositedAmount == their sum; facts 6

Goods, delivery and deadlines are taken from order/get alone: every read shows them, so they differ only where the order
does. What only the callback told when the order was new goes to the details and to the personal data, which the hub
keeps when a later read no longer shows them.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from events.order import facts as f
from service.marketplaces import lenient, values
from service.marketplaces.megamarket import details, lots, notifications, people, statuses, wire
from service.marketplaces.megamarket.lines import Goods, group, left, lot_statuses, text
from service.marketplaces.megamarket.settings import Shop
from service.marketplaces.port import Seen

CANCEL_HINT = notifications.CANCEL_HINT

_SCHEMES = {"DELIVERY_BY_MERCHANT": "courier", "COLLECT_BY_CUSTOMER": "pickup"}
_MODELS = {"dbs": "courier", "cnc": "pickup"}


def seen(raw: bytes, shop: Shop, hints: Sequence[str] = (), notices: Sequence[bytes] = ()) -> Seen | None:
    """What one order's JSON says; None for what has no number."""
    value = lenient.body(raw)
    got = lenient.read(wire.Shipment, value)
    if got is None:
        return None
    told, more = notifications.new_order(notices, str(got.shipment_id))
    got.items = got.items or told.items  # [OBS S2] right after order/new an order may be half empty; facts 8
    found = lots.items(got.items)
    lines = group(item for item in found if not lots.is_delivery(item[1]))
    paid_for = [item for item in found if lots.is_delivery(item[1])]
    status = _status(got, lines)
    return Seen(
        number=str(got.shipment_id),
        status=status,
        stage=_stage(status, lines, shop),
        ready=bool(lines),
        order=f.Placed(
            number=str(got.shipment_id),
            **_goods(lines),
            currency="RUB",
            delivery=_delivery(got, shop),
            deadlines=_deadlines(got, shop),
            placed_at=values.moment(got.creation_date) or values.moment(told.shipment_date),
            details=details.of(got, told, lines, paid_for),
        ),
        cancelled=_cancelled(got, lines) if statuses.cancelled(status) else None,
        request=_request(lots.view(got), lines, hints) if shop.model != "fbs" else None,
        tells_request=False,
        personal=people.personal(got, told, lenient.leftover(value, wire.Shipment), more),
        raw=raw,
    )


def _status(got: wire.Shipment, lines: Sequence[Goods]) -> str:
    """The order's own status; by its lots where it has none, or where they say that it is cancelled, or is not."""
    order, each = text(got.status), lot_statuses(lines)
    if each and all(map(statuses.cancelled, each)):
        return order if statuses.cancelled(order) else each[0]
    going = [status for status in each if status and not statuses.cancelled(status)]
    if order and not (going and statuses.cancelled(order)):
        return order
    return statuses.least(going) if going else statuses.UNKNOWN


def _stage(status: str, lines: Sequence[Goods], shop: Shop) -> str | None:
    """By the order's status; where that one is not known, by its lots'."""
    going = [one for one in lot_statuses(lines) if one and not statuses.cancelled(one)]
    known = status in (*statuses.KNOWN, statuses.UNKNOWN) or not going
    return statuses.stage(status if known else statuses.least(going), shop.model)


def _cancelled(got: wire.Shipment, lines: Sequence[Goods]) -> f.Cancelled:
    each = [(text(item.status), item.sub_status) for line in lines for item in line.items if text(item.status)]
    return statuses.cancellation(each or [(text(got.status), None)])


def _goods(lines: Sequence[Goods]) -> dict[str, Any]:
    """`lines` and their `total`."""
    shown = left(lines)
    sums = [line.price * count for line, count in shown if line.price is not None]
    found = [
        f.Line(sku=line.sku, quantity=count, id=line.id, name=line.name, price=line.price) for line, count in shown
    ]
    return {"lines": tuple(found), "total": sum(sums, Decimal(0)) if sums else None}


def _delivery(got: wire.Shipment, shop: Shop) -> f.Delivery:
    at_shop = shop.model == "cnc"
    return f.Delivery(
        type=_SCHEMES.get(got.service_scheme or "", _MODELS.get(shop.model)),
        since=values.moment(got.delivery_date_from or got.delivery_date),
        until=values.moment(got.delivery_date_to),
        outlet=values.text(got.shipping_point) if at_shop else None,
        keep_until=_last_day(got.reserve_expiration_date) if at_shop else None,
    )


def _last_day(value: str | None) -> date | None:
    """The last day before a moment: at midnight it is the day that ends there."""
    until = values.moment(value)
    return (until - timedelta(seconds=1)).astimezone(values.MOSCOW).date() if until is not None else None


def _deadlines(got: wire.Shipment, shop: Shop) -> tuple[f.Deadline, ...]:
    """What the shop must do by when. [OBS] the names are clients'; which model shows which is not known; facts 8, 10"""
    packed = ("assembled", got.packing_time_limit or got.packing_date)
    named = {
        "fbs": (
            ("confirmed", got.confirmed_time_limit),
            packed,
            ("shipped", got.shipping_time_limit or got.shipment_date_to),
        ),
        "dbs": (packed, ("delivered", got.delivery_date_to or got.shipping_time_limit)),
        "cnc": (packed,),
    }[shop.model]
    due = [(stage, values.moment(value)) for stage, value in named]
    return tuple(f.Deadline(stage, at) for stage, at in due if at is not None)


def _request(seen: lots.View, lines: Sequence[Goods], hints: Sequence[str]) -> f.CancellationRequested | None:
    """The buyer's wish to cancel, as a callback told it: the lots that are not cancelled since; no `lines`: all goods.

    Nothing says until when the shop must answer. [?] facts 6
    """
    told = [hint.removeprefix(CANCEL_HINT) for hint in hints if hint.startswith(CANCEL_HINT)]
    if not told:
        return None
    named = {lot for one in told for lot in one.split(",") if lot}
    open_lots = [*seen.alive, *seen.open_delivery]
    asked = [lot for lot in open_lots if lot in named] if all(told) else open_lots
    goods = [lot for lot in asked if lot in seen.lots]
    if not goods:
        return None
    if set(asked) == set(open_lots):
        return f.CancellationRequested()
    whole = set(goods) == set(seen.alive)  # but for the paid delivery
    return f.CancellationRequested(lines=tuple(_asked(lines, goods)), whole=whole)


def _asked(lines: Sequence[Goods], asked: Sequence[str]) -> list[f.Line]:
    found = [(line, [lot for lot in line.id.split(",") if lot in asked]) for line in lines]
    return [
        f.Line(sku=line.sku, quantity=len(mine), id=",".join(mine), name=line.name, price=line.price)
        for line, mine in found
        if mine
    ]
