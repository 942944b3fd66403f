"""A posting as `/v3/posting/fbs/get` and the v4 lists show it, their differences included."""

import datetime as dt
from typing import Any

from .posting import Posting

TPL = {"rfbs": "non_integrated", "fbs": "ozon"}
WAREHOUSE = {"rfbs": 22655170176000, "fbs": 20605650762000}
NEEDS = ("gtd", "country", "mandatory_mark", "rnpt", "jw_uin", "change_country", "imei", "weight")


def stamp(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fine(moment: dt.datetime) -> str:
    """Nine fraction digits, as some of Ozon's times have."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "900Z"


def shipment_date(posting: Posting) -> dt.datetime:
    return posting.life.placed + dt.timedelta(days=1)


def _common(posting: Posting) -> dict[str, Any]:
    life, model = posting.life, posting.life.model
    no = {"cancel_reason_id": 0, "cancellation_type": "", "cancelled_after_ship": False}
    cancellation = no | {"cancel_reason": "", "affect_cancellation_rating": False, "cancellation_initiator": ""}
    order, _, _ = life.number.rpartition("-")
    return {
        "posting_number": life.number, "order_id": life.digits // 10, "order_number": order,
        "status": posting.status, "substatus": posting.substatus,
        "delivery_method": {"id": WAREHOUSE[model], "name": "Доставка", "warehouse_id": WAREHOUSE[model],
                            "warehouse": "Склад магазина 1", "tpl_provider_id": 0 if posting.own else 24,
                            "tpl_provider": "Самостоятельная доставка" if posting.own else "Доставка Ozon"},
        "tracking_number": posting.track, "tpl_integration_type": TPL[model], "integration_type_flow": TPL[model],
        "in_process_at": stamp(life.placed), "shipment_date": stamp(shipment_date(posting)),
        "shipment_date_without_delay": fine(shipment_date(posting)), "delivering_date": None,
        "cancellation": cancellation | posting.cancellation, "customer": None, "addressee": None, "barcodes": None,
        "analytics_data": None, "financial_data": None, "is_express": False, "is_multibox": False, "multi_box_qty": 1,
        "parent_posting_number": life.split_from, "available_actions": posting.actions(),
        "pickup_code_verified_at": None, "is_click_and_collect": False, "destination_place_id": 0,
        "destination_place_name": "", "require_blr_traceable_attrs": False, "tariffication_steps": [],
        "external_order": {"is_external": False, "platform_name": ""}, "is_presortable": False,
    }  # fmt: skip


def _analytics(posting: Posting) -> dict[str, Any]:
    return {
        "region": "Самарская область", "city": "Самара", "delivery_type": "Courier" if posting.own else "PVZ",
        "is_premium": False, "payment_type_group_name": "карта Ozon Банка", "is_legal": False,
        "delivery_date_begin": stamp(posting.interval[0]), "delivery_date_end": stamp(posting.interval[1]),
        "client_delivery_date_begin": None, "client_delivery_date_end": None,
    }  # fmt: skip


def _customer(posting: Posting) -> dict[str, Any]:
    address = {"address_tail": "г Самара, ул Молодогвардейская, д 104, кв 12", "city": "Самара", "district": "",
               "comment": "Позвонить за час", "country": "Россия", "region": "Самарская область", "zip_code": "443010",
               "latitude": 53.19, "longitude": 50.1, "provider_pvz_code": "", "pvz_code": 0}  # fmt: skip
    return {"customer_id": posting.life.digits % 10**9, "name": "Иван П.", "phone": "79990000000", "address": address}


def whole(posting: Posting, wanted: dict[str, bool]) -> dict[str, Any]:
    """The answer of get: money as strings, the buyer's phone and pin for own delivery, related postings on demand."""
    life = posting.life
    marked = sorted(posting.marked)
    out = _common(posting) | {
        "previous_substatus": posting.previous, "product_exemplars": None, "courier": None, "related_postings": None,
        "prr_option": {"code": "", "price": "", "currency_code": "RUB", "floor": ""}, "provider_status": "",
        "delivery_price": "", "fact_delivery_date": None, "additional_data": [], "tariffication": None,
        "optional": {"products_with_possible_mandatory_mark": []}, "related_weight_postings": [],
        "requirements": {f"products_requiring_{need}": [str(sku) for sku in marked] if need == "mandatory_mark" else []
                         for need in NEEDS},
        "products": [
            {"price": f"{line.unit}.0000", "offer_id": line.sku, "name": line.name, "sku": line.id,
             "quantity": posting.goods[line.id], "currency_code": "RUB", "has_imei": False, "is_weight_needed": False,
             "dimensions": {"height": "1.00", "length": "1.00", "weight": "1", "width": "1.00"}}
            for line in (*life.lines, *life.moved_away) if posting.goods.get(line.id)],
    }  # fmt: skip
    if posting.own:
        out |= {"customer": _customer(posting)}
        out["addressee"] = {"name": "Иван П.", "phone": "79990000000", "pin": "12345"}
    if wanted.get("analytics_data"):
        out["analytics_data"] = _analytics(posting)
    if wanted.get("product_exemplars") and posting.marks:
        out["product_exemplars"] = {"products": [
            {"sku": sku, "exemplars": [{"exemplar_id": at, "mandatory_mark": mark} for at, mark in
                                       zip(posting.exemplars(sku), marks, strict=False)]}
            for sku, marks in posting.marks.items()]}  # fmt: skip
    return out


def listed(posting: Posting, wanted: dict[str, bool]) -> dict[str, Any]:
    """A row of the v4 lists: money as objects, no phone."""
    life = posting.life
    out = _common(posting) | {
        "delivery_schema": "rfbs" if posting.own else "fbs", "quantum_id": 0, "volume_weight": 0, "prr_option": "",
        "requirements": {f"products_requiring_{need}": sorted(posting.marked) if need == "mandatory_mark" else []
                         for need in NEEDS},
        "products": [
            {"price": {"amount": str(line.unit), "currency": "RUB"}, "offer_id": line.sku, "name": line.name,
             "sku": line.id, "quantity": posting.goods[line.id], "imei": [], "weight": 0.5}
            for line in (*life.lines, *life.moved_away) if posting.goods.get(line.id)],
    }  # fmt: skip
    if posting.own:
        out["addressee"] = {"name": "Иван П."}
    if wanted.get("analytics_data"):
        out["analytics_data"] = _analytics(posting)
    return out


def request_row(posting: Posting) -> dict[str, Any]:
    request = posting.request
    assert request is not None
    done = None if request.state == "ON_APPROVAL" else stamp(posting.changed)
    return {
        "cancellation_id": request.id, "posting_number": posting.life.number, "cancellation_initiator": "CLIENT",
        "cancellation_reason": {"id": 501, "name": "Изменились планы"}, "cancellation_reason_message": "Передумал",
        "cancelled_at": stamp(posting.changed), "order_date": stamp(posting.life.placed), "source_id": 0,
        "auto_approve_date": stamp(request.until), "approve_comment": "", "approve_date": done,
        "tpl_integration_type": TPL[posting.life.model],
        "state": {"id": 1, "name": "На рассмотрении", "state": request.state},
    }  # fmt: skip


def return_row(posting: Posting) -> dict[str, Any]:
    life = posting.life
    line = next(line for line in life.lines if posting.goods[line.id])
    order, _, _ = life.number.rpartition("-")
    assert posting.returned_at is not None
    return {
        "return_id": life.digits % 10**9, "return_number": f"{order}-R1", "posting_number": life.number,
        "order_number": order, "created_at": stamp(posting.returned_at), "client_name": "Иван П.",
        "product": {"sku": line.id, "offer_id": line.sku, "name": line.name, "price": line.unit,
                    "currency_code": "RUB"},
        "state": {"group_state": "New", "state": "Created", "state_name": "Создан", "money_return_state_name": ""},
    }  # fmt: skip
