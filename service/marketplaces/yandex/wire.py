"""What Yandex Market sends.

Everything has a default but what makes an order an order; enums are plain strings, because Market adds values without
notice; numbers may come as text and ids as numbers. `lenient.read` makes these of an answer.
"""

from typing import Any, TypeAlias

import msgspec

Id: TypeAlias = int | str | None
Number: TypeAlias = Any
"""A number or a text that holds one: `values.number` tells."""


class Wire(msgspec.Struct, rename="camel"):
    """A part of an answer. Everything has a default, so that a missing field is no fault."""


class Money(Wire):
    value: Number = None
    currency_id: str | None = None


class ItemPrices(Wire):
    """Totals for all pieces of a line."""

    payment: Money | None = None
    subsidy: Money | None = None
    cashback: Money | None = None
    vat: str | None = None


class Instance(Wire):
    cis: str | None = None
    cis_full: str | None = None
    uin: str | None = None
    rnpt: str | None = None
    gtd: str | None = None


class Item(Wire):
    id: Id = None
    offer_id: Id = None
    offer_name: str | None = None
    count: Number = None
    prices: ItemPrices | None = None
    instances: list[Instance | None] | None = None
    required_instance_types: list[str | None] | None = None


class DeliveryPrices(Wire):
    payment: Money | None = None
    subsidy: Money | None = None


class OrderPrices(Wire):
    payment: Money | None = None
    subsidy: Money | None = None
    cashback: Money | None = None
    delivery: DeliveryPrices | None = None


class Dates(Wire):
    from_date: str | None = None
    to_date: str | None = None
    from_time: str | None = None
    to_time: str | None = None
    real_delivery_date: str | None = None


class Shipment(Wire):
    id: Id = None
    shipment_date: str | None = None
    shipment_time: str | None = None


class Address(Wire):
    country: str | None = None
    postcode: str | None = None
    city: str | None = None
    district: str | None = None
    subway: str | None = None
    street: str | None = None
    house: str | None = None
    block: str | None = None
    entrance: str | None = None
    entryphone: str | None = None
    floor: str | None = None
    apartment: str | None = None


class Courier(Wire):
    address: Address | None = None


class Pickup(Wire):
    address: Address | None = None
    logistic_point_id: Id = None
    outlet_code: str | None = None
    outlet_storage_limit_date: str | None = None


class BoxItem(Wire):
    id: Id = None
    full_count: Number = None
    partial_count: dict[str, Number] | None = None
    instances: list[Instance | None] | None = None


class Box(Wire):
    items: list[BoxItem | None] | None = None


class Track(Wire):
    track_code: str | None = None
    delivery_service_id: Id = None


class Delivery(Wire):
    type: str | None = None
    service_name: str | None = None
    delivery_service_id: Id = None
    delivery_partner_type: str | None = None
    dispatch_type: str | None = None
    dates: Dates | None = None
    shipment: Shipment | None = None
    courier: Courier | None = None
    pickup: Pickup | None = None
    boxes_layout: list[Box | None] | None = None
    tracks: list[Track | None] | None = None


class Services(Wire):
    lift_type: str | None = None


class Order(Wire):
    """One order of `POST /v1/businesses/{businessId}/orders`."""

    order_id: int | str
    status: str
    substatus: str | None = None
    campaign_id: Id = None
    program_type: str | None = None
    external_order_id: str | None = None
    creation_date: str | None = None
    update_date: str | None = None
    payment_type: str | None = None
    payment_method: str | None = None
    fake: bool | None = None
    items: list[Item | None] | None = None
    prices: OrderPrices | None = None
    delivery: Delivery | None = None
    services: Services | None = None
    buyer_type: str | None = None
    notes: str | None = None
    cancel_requested: bool | None = None
    source_platform: str | None = None


class Buyer(Wire):
    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    trusted: bool | None = None


class ReturnItem(Wire):
    shop_sku: Id = None
    count: Number = None


class Return(Wire):
    """One return of `GET /v2/campaigns/{campaignId}/returns`."""

    id: int | str
    order_id: int | str
    return_type: str | None = None
    refund_status: str | None = None
    shipment_status: str | None = None
    update_date: str | None = None
    items: list[ReturnItem | None] | None = None


class StatusAnswer(Wire):
    """What a status call says of an order: single calls and batch rows alike."""

    id: Id = None
    status: str | None = None
    substatus: str | None = None
    update_status: str | None = None
    error_details: str | None = None


class Failure(Wire):
    code: str | None = None
    message: str | None = None
