"""What Ozon sends.

Everything has a default but what makes a posting a posting; enums are plain strings, because Ozon adds values without
notice; int64 ids come as numbers or as text [facts 6]. What is named here but not used is known: it stays in the raw
answer, and is no news to `survey`. `lenient.read` makes these of an answer.
"""

from typing import Any, TypeAlias

import msgspec

Id: TypeAlias = int | str | None
Number: TypeAlias = Any
"""A number or a text that holds one: `values.number` tells."""


class Wire(msgspec.Struct):
    """A part of an answer. Everything has a default, so that a missing field is no fault."""


class Product(Wire):
    """`sku` is Ozon's number, `offer_id` the seller's article. `price`: text in get, `{amount, currency}` in lists."""

    sku: Id = None
    offer_id: Id = None
    name: str | None = None
    quantity: Number = None
    price: Any = None
    currency_code: str | None = None
    dimensions: Any = None
    mandatory_mark: Any = None
    jw_uin: Any = None
    imei: Any = None
    has_imei: bool | None = None
    weight: Any = None
    weight_min: Any = None
    weight_max: Any = None
    is_weight_needed: bool | None = None
    product_color: str | None = None
    is_blr_traceable: bool | None = None
    is_marketplace_buyout: bool | None = None


class DeliveryMethod(Wire):
    id: Id = None
    name: str | None = None
    warehouse_id: Id = None
    warehouse: str | None = None
    tpl_provider_id: Id = None
    tpl_provider: str | None = None


class Analytics(Wire):
    region: str | None = None
    city: str | None = None
    delivery_type: str | None = None
    is_premium: bool | None = None
    is_legal: bool | None = None
    payment_type_group_name: str | None = None
    warehouse_id: Id = None
    warehouse: str | None = None
    tpl_provider_id: Id = None
    tpl_provider: str | None = None
    delivery_date_begin: str | None = None
    delivery_date_end: str | None = None
    client_delivery_date_begin: str | None = None
    client_delivery_date_end: str | None = None


class Cancellation(Wire):
    cancel_reason_id: Number = None
    cancel_reason: str | None = None
    cancellation_type: str | None = None
    cancelled_after_ship: bool | None = None
    affect_cancellation_rating: bool | None = None
    cancellation_initiator: str | None = None


class Address(Wire):
    address_tail: str | None = None
    city: str | None = None
    comment: str | None = None
    country: str | None = None
    district: str | None = None
    latitude: Any = None
    longitude: Any = None
    provider_pvz_code: Id = None
    pvz_code: Id = None
    region: str | None = None
    zip_code: str | None = None


class Customer(Wire):
    customer_id: Id = None
    name: str | None = None
    phone: Id = None
    customer_email: str | None = None
    address: Address | None = None


class Addressee(Wire):
    """`phone` is a substitute number; `pin` its extension. Lists hold the name only."""

    name: str | None = None
    phone: Id = None
    pin: Id = None


class LegalInfo(Wire):
    company_name: str | None = None
    inn: Id = None
    kpp: Id = None


class Requirements(Wire):
    """By what is needed, the SKUs it is needed for."""

    products_requiring_mandatory_mark: list[Id] | None = None
    products_requiring_jw_uin: list[Id] | None = None
    products_requiring_imei: list[Id] | None = None
    products_requiring_gtd: list[Id] | None = None
    products_requiring_rnpt: list[Id] | None = None
    products_requiring_weight: list[Id] | None = None
    products_requiring_country: list[Id] | None = None
    products_requiring_change_country: list[Id] | None = None


class Possible(Wire):
    products_with_possible_mandatory_mark: list[Id] | None = None


class Related(Wire):
    related_posting_numbers: list[str | None] | None = None


class Posting(Wire):
    """One posting of `/v3/posting/fbs/get` or of the v4 lists."""

    posting_number: str
    status: str
    substatus: str | None = None
    previous_substatus: str | None = None
    order_id: Id = None
    order_number: Id = None
    parent_posting_number: str | None = None
    related_postings: Related | None = None
    related_weight_postings: Any = None
    tpl_integration_type: str | None = None
    integration_type_flow: str | None = None
    is_click_and_collect: bool | None = None
    is_express: bool | None = None
    delivery_schema: str | None = None
    delivery_method: DeliveryMethod | None = None
    delivery_price: Any = None
    tracking_number: str | None = None
    in_process_at: str | None = None
    shipment_date: str | None = None
    shipment_date_without_delay: str | None = None
    delivering_date: str | None = None
    fact_delivery_date: str | None = None
    pickup_code_verified_at: str | None = None
    products: list[Product | None] | None = None
    analytics_data: Analytics | None = None
    cancellation: Cancellation | None = None
    customer: Customer | None = None
    addressee: Addressee | None = None
    legal_info: LegalInfo | None = None
    requirements: Requirements | None = None
    optional: Possible | None = None
    available_actions: list[str | None] | None = None
    prr_option: Any = None
    is_multibox: bool | None = None
    multi_box_qty: Number = None
    financial_data: Any = None
    product_exemplars: Any = None
    additional_data: Any = None
    barcodes: Any = None
    container: Any = None
    container_sort_type: str | None = None
    courier: Any = None
    destination_place_id: Id = None
    destination_place_name: str | None = None
    external_order: Any = None
    is_presortable: bool | None = None
    provider_status: str | None = None
    quantum_id: Id = None
    require_blr_traceable_attrs: bool | None = None
    scanit: Any = None
    sorting_center: Any = None
    tariffication: Any = None
    tariffication_steps: Any = None
    volume_weight: Any = None


class WishState(Wire):
    state: str | None = None


class Wish(Wire):
    """A buyer's wish to cancel, one row of `/v2/conditional-cancellation/list`."""

    cancellation_id: int | str
    posting_number: str
    state: WishState | None = None
    auto_approve_date: str | None = None
    cancelled_at: str | None = None


class Mark(Wire):
    mark: str | None = None
    mark_type: str | None = None
    check_status: str | None = None
    error_codes: list[str | None] | None = None


class Exemplar(Wire):
    """One piece, in the answers of create-or-get and of status."""

    exemplar_id: Id = None
    marks: list[Mark | None] | None = None
    gtd: str | None = None
    is_gtd_absent: bool | None = None
    rnpt: str | None = None
    is_rnpt_absent: bool | None = None
    weight: Any = None
    gtd_error_codes: list[str | None] | None = None
    rnpt_error_codes: list[str | None] | None = None
    weight_error_codes: list[str | None] | None = None


class ExemplarProduct(Wire):
    """`product_id` is the SKU."""

    product_id: Id = None
    exemplars: list[Exemplar | None] | None = None
    is_mandatory_mark_needed: bool | None = None
    is_mandatory_mark_possible: bool | None = None
    is_jw_uin_needed: bool | None = None
    has_imei: bool | None = None
    is_gtd_needed: bool | None = None
    is_rnpt_needed: bool | None = None
    is_weight_needed: bool | None = None


class Exemplars(Wire):
    products: list[ExemplarProduct | None] | None = None
    status: str | None = None


class Interval(Wire):
    begin: str | None = None
    end: str | None = None


class Restrictions(Wire):
    """How often and between which days a delivery may still be moved."""

    delivery_interval: Interval | None = None
    remaining_changes_count: Number = None


class ReturnProduct(Wire):
    offer_id: Id = None
    sku: Id = None
    name: str | None = None
    quantity: Number = None


class ReturnState(Wire):
    group_state: str | None = None
    state: str | None = None


class Return(Wire):
    """One application of `/v2/returns/rfbs/list`."""

    return_id: int | str
    posting_number: str
    created_at: str | None = None
    product: ReturnProduct | None = None
    state: ReturnState | None = None


class Row(Wire):
    """What a status call says of one posting; `error` is text, a list or nothing [facts 4]."""

    posting_number: str | None = None
    result: bool | None = None
    error: Any = None
