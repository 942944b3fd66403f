"""Postings as Ozon shows them, in the hub's words.

The same posting comes from the lists and from get, in two spellings: prices as objects or text, the lifting service as
a word or an object, the phone only in get. `placed` is the same for both where it says the same; what only get holds
stands in the details, which the hub keeps where a later look does not show them.

A posting's raw bytes are several answers in one JSON object: `posting`, and where they were read `wish` (the buyer's
wish to cancel) and `exemplars` (what Ozon says of the marking codes).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from events import codec
from events.order import facts as f
from service.marketplaces import lenient
from service.marketplaces.ozon import statuses, values, wire
from service.marketplaces.ozon.details import details
from service.marketplaces.port import Seen

OPEN_WISH = "ON_APPROVAL"

_KINDS = {"pvz": "pickup", "postamat": "pickup", "pickup": "pickup", "courier": "courier"}
"""[?] words of analytics_data.delivery_type: only PVZ and Courier were seen; samples 02 and 14."""


@dataclass(frozen=True)
class Answers:
    """What was read of one posting."""

    posting: wire.Posting
    wish: wire.Wish | None = None
    exemplars: wire.Exemplars | None = None


def bundled(posting: Any, wish: Any = None, exemplars: Any = None) -> bytes:
    """Several answers as one."""
    parts = {"posting": posting, "wish": wish, "exemplars": exemplars}
    return codec.canonical({name: part for name, part in parts.items() if part is not None})


def answers(raw: bytes) -> Answers | None:
    """The answers a posting's raw bytes hold; None where there is no posting in them."""
    told = lenient.body(raw)
    posting = lenient.read(wire.Posting, lenient.inside(told, "posting"))
    if posting is None:
        return None
    wish = lenient.read(wire.Wish, lenient.inside(told, "wish"))
    return Answers(posting, wish, lenient.read(wire.Exemplars, lenient.inside(told, "exemplars")))


def seen(posting: Any, model: str, wish: Any = None, exemplars: Any = None) -> Seen | None:
    """What one posting's JSON says; None for what has no number and status."""
    found = lenient.read(wire.Posting, posting)
    if found is None:
        return None
    return Seen(
        number=found.posting_number,
        status=statuses.written(found),
        stage=statuses.stage(found),
        ready=statuses.ready(found),
        order=placed(found, model),
        cancelled=statuses.cancelled(found),
        request=_request(found, lenient.read(wire.Wish, wish)),
        personal=_personal(found, lenient.leftover(posting, wire.Posting)),
        raw=bundled(posting, wish, exemplars),
    )


def placed(posting: wire.Posting, model: str) -> f.Placed:
    """The posting as `order.placed` tells it, without personal data."""
    products = sold(posting)
    sums = [(values.amount(one.price), values.whole(one.quantity)) for one in products]
    priced = [price * count for price, count in sums if price is not None]
    return f.Placed(
        number=posting.posting_number,
        lines=tuple(_line(one) for one in products),
        total=sum(priced, Decimal(0)) if priced else None,
        currency=next((code for one in products if (code := _currency(one))), None),
        delivery=_delivery(posting, model),
        deadlines=_deadlines(posting, model),
        placed_at=values.moment(posting.in_process_at),
        details=details(posting, products),
    )


def sold(posting: wire.Posting) -> list[wire.Product]:
    """The goods that are still in the posting."""
    return [one for one in posting.products or () if one is not None and values.whole(one.quantity) > 0]


def counted(posting: wire.Posting) -> dict[str, int]:
    """How many pieces of each SKU (as text) are in the posting."""
    found: dict[str, int] = {}
    for one in sold(posting):
        sku = values.text(one.sku) or ""
        found[sku] = found.get(sku, 0) + values.whole(one.quantity)
    return found


def open_wish(wish: wire.Wish | None) -> bool:
    """Whether the buyer's wish waits for an answer."""
    return wish is not None and wish.state is not None and wish.state.state == OPEN_WISH


def wish_of(rows: Sequence[Any], number: str) -> Any:
    """The row that counts of those about one posting: the open one, else the newest."""
    mine: list[tuple[bool, int, Any]] = []
    for row in rows:
        wish = lenient.read(wire.Wish, row)
        if wish is not None and wish.posting_number == number:
            mine.append((open_wish(wish), values.whole(wish.cancellation_id), row))
    return max(mine, key=lambda one: one[:2])[2] if mine else None


def _line(product: wire.Product) -> f.Line:
    sku, count = values.text(product.offer_id) or "", values.whole(product.quantity)
    line = values.text(product.sku)
    return f.Line(sku=sku, quantity=count, id=line, name=product.name, price=values.amount(product.price))


def _currency(product: wire.Product) -> str | None:
    return values.currency(product.price) or values.text(product.currency_code)


def _delivery(posting: wire.Posting, model: str) -> f.Delivery | None:
    """None where the answer tells nothing of it, so that what is known stays."""
    told = posting.analytics_data
    if told is None:
        return None
    method = posting.delivery_method or wire.DeliveryMethod()
    return f.Delivery(
        type=_kind(posting, told, model),
        since=values.moment(told.delivery_date_begin),
        until=values.moment(told.delivery_date_end),
        service=values.text(method.tpl_provider),
    )


def _kind(posting: wire.Posting, told: wire.Analytics, model: str) -> str | None:
    if posting.is_click_and_collect or posting.integration_type_flow == "click_and_collect":
        return "pickup"
    kind = values.text(told.delivery_type)
    return _KINDS.get(kind.lower(), kind) if kind is not None else "courier" if model == "rfbs" else None


def _deadlines(posting: wire.Posting, model: str) -> tuple[f.Deadline, ...]:
    """Assembled until `shipment_date`; where the seller delivers, at the buyer's until the end of the interval."""
    told = posting.analytics_data or wire.Analytics()
    dues = [("assembled", values.moment(posting.shipment_date))]
    if model == "rfbs":
        dues.append(("delivered", values.moment(told.delivery_date_end)))
    return tuple(f.Deadline(stage, due) for stage, due in dues if due is not None)


def _request(posting: wire.Posting, wish: wire.Wish | None) -> f.CancellationRequested | None:
    if wish is None or not open_wish(wish) or posting.status in statuses.CANCELLED:
        return None
    return f.CancellationRequested(due=values.moment(wish.auto_approve_date))


def _personal(posting: wire.Posting, extra: Mapping[str, Any]) -> dict[str, Any]:
    customer = posting.customer or wire.Customer()
    address = customer.address or wire.Address()
    found = {
        "customer": _customer(posting, customer),
        "address": _address(address),
        "comment": values.text(address.comment),
        "extra": extra,
    }
    return {key: value for key, value in found.items() if value}


def _customer(posting: wire.Posting, customer: wire.Customer) -> dict[str, str]:
    """Who gets the goods. The phone is a substitute number; `pin` is its extension."""
    whom, firm = posting.addressee or wire.Addressee(), posting.legal_info or wire.LegalInfo()
    found = {
        "name": values.text(whom.name) or values.text(customer.name),
        "phone": values.text(whom.phone) or values.text(customer.phone),
        "pin": values.text(whom.pin),
        "email": values.text(customer.customer_email),
        "company": values.text(firm.company_name),
        "inn": values.text(firm.inn),
        "kpp": values.text(firm.kpp),
    }
    return {key: value for key, value in found.items() if value}


def _address(address: wire.Address) -> str | None:
    """In one line; Ozon writes most of it into `address_tail` already."""
    tail = values.text(address.address_tail) or ""
    before = [
        part
        for part in (values.text(address.zip_code), values.text(address.region), values.text(address.city))
        if part and part not in tail
    ]
    return ", ".join(dict.fromkeys([*before, tail] if tail else before)) or None
