"""What Megamarket sends.

Everything has a default but what makes an order an order; enums are plain strings; ids come as text and as numbers, one
and the same field now this way, now that. Fields of type `Any` are known and not used. `lenient.read` makes these of
an answer or a callback. [OBS] all of it is read from clients' models; facts 6, 8
"""

from typing import Any, TypeAlias

import msgspec

Id: TypeAlias = int | str | None
Number: TypeAlias = Any
"""A number or a text that holds one: `values.number` tells."""


class Wire(msgspec.Struct, rename="camel"):
    """A part of an answer. Everything has a default, so that a missing field is no fault."""


class GoodsData(Wire):
    name: str | None = None
    category_name: Any = None
    is_delivery: bool | None = None
    is_digital_mark_required: bool | None = None


class Box(Wire):
    box_index: Id = None
    box_code: str | None = None


class Item(Wire):
    """One lot: a single piece. order/new and order/get tell different parts of it."""

    item_index: Id = None
    offer_id: Id = None
    price: Number = None
    final_price: Number = None
    quantity: Number = None
    status: str | None = None
    sub_status: str | None = None
    item_name: str | None = None
    tax_rate: Id = None
    is_digital_mark_required: bool | None = None
    goods_data: GoodsData | None = None
    box_index: Id = None
    boxes: list[Box | None] | None = None
    goods_id: Any = None
    item_id: Any = None
    discounts: Any = None
    price_adjustments: Any = None
    reservation_performed: Any = None
    events: Any = None


class Access(Wire):
    entrance: Id = None
    floor: Id = None
    intercom: Id = None
    apartment: Id = None
    cargo_elevator: bool | None = None
    comment: str | None = None
    detached_house: Any = None


class Address(Wire):
    source: str | None = None
    postal_code: Id = None
    flat: Id = None
    access: Access | None = None
    fias: Any = None
    geo: Any = None
    region_kladr_id: Any = None
    house: Any = None
    block: Any = None
    region_with_type: Any = None
    city_with_type: Any = None
    city_area: Any = None
    street_with_type: Any = None


class Customer(Wire):
    customer_full_name: str | None = None
    phone: Id = None
    email: str | None = None
    comment: str | None = None
    address: Address | None = None


class Shipment(Wire):
    """One order of order/get."""

    shipment_id: int | str
    order_code: Id = None
    status: str | None = None
    confirmed_time_limit: str | None = None
    packing_time_limit: str | None = None
    shipping_time_limit: str | None = None
    shipment_date_from: str | None = None
    shipment_date_to: str | None = None
    packing_date: str | None = None
    reserve_expiration_date: str | None = None
    delivery_id: Id = None
    customer_full_name: str | None = None
    customer_address: str | None = None
    shipping_point: Id = None
    creation_date: str | None = None
    delivery_date: str | None = None
    delivery_date_from: str | None = None
    delivery_date_to: str | None = None
    delivery_method_id: Id = None
    service_scheme: str | None = None
    deposited_amount: Number = None
    customer: Customer | None = None
    items: list[Item | None] | None = None
    shipment_date_shift: Any = None
    shipment_is_changeable: Any = None


class Window(Wire):
    date_from: str | None = None
    date_to: str | None = None


class Handover(Wire):
    packing_date: str | None = None
    reserve_expiration_date: str | None = None
    outlet_id: Id = None
    service_scheme: str | None = None
    deposited_amount: Number = None
    delivery_interval: Window | None = None
    delivery_id: Id = None


class Label(Wire):
    delivery_id: Id = None
    full_name: str | None = None
    address: str | None = None
    delivery_type: str | None = None
    region: Any = None
    city: Any = None
    merchant_name: Any = None
    merchant_id: Any = None
    shipment_id: Any = None
    shipping_date: Any = None
    label_text: Any = None


class Shipping(Wire):
    shipping_date: str | None = None
    shipping_point: Id = None
    shipping_interval: Any = None


class NewDelivery(Wire):
    delivery_date: str | None = None
    delivery_interval: Window | None = None


class NewShipment(Wire):
    """One order of the callback order/new; of order/cancel it holds nothing but the number and the lots."""

    shipment_id: int | str
    shipment_date: str | None = None
    items: list[Item | None] | None = None
    handover: Handover | None = None
    customer: Customer | None = None
    label: Label | None = None
    shipping: Shipping | None = None
    delivery: NewDelivery | None = None
    confirmation_date: str | None = None
    packing_date: str | None = None
    customer_order_id: Id = None
    fulfillment_method: str | None = None
    flags: Any = None
