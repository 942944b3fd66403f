"""How Ozon writes a posting down: what the lists of v4 and the get of v3 have in common, and where they differ.

Money is an object in v4 and text in get; the buyer's phone and address are in get only, and never in FBS.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.marketplaces.ozon.sandbox.asked import Table
from service.marketplaces.ozon.sandbox.cabinet import Cabinet
from service.marketplaces.ozon.sandbox.chances import Hand
from service.marketplaces.ozon.sandbox.posting import TPL, Line, Posting

_NEVER = "9999-12-31T23:59:59.999999900Z"
_NEEDS = ("gtd", "country", "mandatory_mark", "rnpt", "jw_uin", "change_country", "imei", "weight")


@dataclass(frozen=True)
class Form:
    """One posting to be written; `wanted` is the request's `with`."""

    posting: Posting
    cabinet: Cabinet
    hand: Hand
    wanted: Table
    now: datetime

    def v4(self) -> Table:
        """As the lists have it."""
        posting, own = self.posting, self.posting.model == "rfbs"
        return self._common() | {
            "products": [self._line_v4(line) for line in posting.lines],
            "addressee": {"name": posting.buyer["name"]} if own else None, "customer": None,
            "prr_option": "lift" if own else "", "delivery_schema": posting.model, "quantum_id": 0, "volume_weight": 0,
            "requirements": self._requirements(text=True), "financial_data": self._financial(v4=True),
            "tariffication": {
                "current_tariff_rate": 0, "current_tariff_type": "", "current_tariff_charge": None,
                "current_tariff_min_charge": None, "next_tariff_rate": 0, "next_tariff_type": "",
                "next_tariff_charge": None, "next_tariff_min_charge": None, "next_tariff_starts_at": None,
            },
        }  # fmt: skip

    def v3(self) -> Table:
        """As get has it."""
        posting, own = self.posting, self.posting.model == "rfbs"
        who = posting.buyer
        addressee = {"name": who["name"], "phone": who["phone"], "pin": str(who["customer_id"] % 100_000)}
        related = {"related_posting_numbers": posting.related} if self._asks("related_postings") else None
        return self._common() | {
            "products": [self._line_v3(line) for line in posting.lines], "provider_status": "", "courier": None,
            "delivery_price": "0.0000" if own else "", "additional_data": [], "related_weight_postings": [],
            "customer": who if own else None, "addressee": addressee if own else None,
            "requirements": self._requirements(text=False), "financial_data": self._financial(v4=False),
            "product_exemplars": self._exemplars() if self._asks("product_exemplars") else None,
            "related_postings": related, "previous_substatus": posting.previous,
            "fact_delivery_date": self.hand.time(posting.received), "tariffication": None,
            "prr_option": {
                "code": "lift" if own else "", "price": "500.00" if own else "", "currency_code": "RUB",
                "floor": "7" if own else "",
            },
        }  # fmt: skip

    def _common(self) -> Table:
        posting, time = self.posting, self.hand.time
        return {
            "posting_number": posting.number, "order_id": self.hand.number(30_000_000_000 + posting.id),
            "order_number": posting.order_number, "status": posting.status, "substatus": posting.substatus,
            "tracking_number": posting.track, "tpl_integration_type": TPL[posting.model],
            "integration_type_flow": TPL[posting.model], "in_process_at": time(posting.placed),
            "shipment_date": time(posting.shipment), "shipment_date_without_delay": time(posting.shipment),
            "delivering_date": time(posting.handed_over), "parent_posting_number": posting.parent,
            "delivery_method": {
                "id": self.cabinet.warehouse_id, "name": f"{self._provider()[1]}, Самара", **self._place(),
            },
            "cancellation": self._cancellation(), "available_actions": posting.actions(self.now),
            "analytics_data": self._analytics() if self._asks("analytics_data") else None,
            "barcodes": {"upper_barcode": "0", "lower_barcode": "0"} if self._asks("barcodes") else None,
            "legal_info": {"company_name": "", "inn": "", "kpp": ""}, "container": None, "container_sort_type": "",
            "external_order": {"is_external": False, "platform_name": ""}, "sorting_center": None,
            "optional": {"products_with_possible_mandatory_mark": []}, "pickup_code_verified_at": None,
            "destination_place_id": 0, "destination_place_name": "", "is_click_and_collect": False,
            "is_express": False, "is_multibox": False, "is_presortable": False, "multi_box_qty": 1,
            "require_blr_traceable_attrs": False,
            "tariffication_steps": [{"min_charge": None, "tariff_charge": {"amount": "0", "currency": "RUB"},
                                     "tariff_deadline_at": _NEVER, "tariff_rate": 0, "tariff_type": "no_discount"}],
        }  # fmt: skip

    def _asks(self, name: str) -> bool:
        return self.wanted.get(name) is True

    def _provider(self) -> tuple[int, str]:
        own = self.posting.model == "rfbs"
        return (0, "Самостоятельная доставка") if own else (24, "Доставка Ozon")

    def _place(self) -> Table:
        id, name = self._provider()
        return {
            "warehouse_id": self.hand.number(self.cabinet.warehouse_id), "warehouse": self.cabinet.warehouse,
            "tpl_provider_id": id, "tpl_provider": name,
        }  # fmt: skip

    def _analytics(self) -> Table:
        where, own = self.posting.buyer["address"], self.posting.model == "rfbs"
        begin, end = self.posting.delivery or (None, None)
        return {
            "region": where["region"] if own else "", "city": where["city"] if own else "",
            "delivery_type": "Courier" if own else "PVZ", "is_premium": False, "is_legal": False,
            "payment_type_group_name": "карта Ozon Банка", "client_delivery_date_begin": None,
            "client_delivery_date_end": None, "delivery_date_begin": self.hand.time(begin),
            "delivery_date_end": self.hand.time(end), **self._place(),
        }  # fmt: skip

    def _cancellation(self) -> Table:
        why = self.posting.cancellation
        return {
            "cancel_reason_id": why.reason_id if why else 0, "cancel_reason": why.reason if why else "",
            "cancellation_type": why.type if why else "", "cancelled_after_ship": why is not None and why.after_ship,
            "affect_cancellation_rating": why is not None and why.type == "seller",
            "cancellation_initiator": why.initiator if why else "",
        }  # fmt: skip

    def _requirements(self, *, text: bool) -> Table:
        """The schema has ids as text, the examples as numbers."""
        fresh = self.posting.status == "awaiting_packaging"
        ids = [line.sku for line in self.posting.lines if line.marked and fresh]
        marked: list[Any] = [str(id) for id in ids] if text else ids
        return {f"products_requiring_{need}": marked if need == "mandatory_mark" else [] for need in _NEEDS}

    def _line_v4(self, line: Line) -> Table:
        return {
            "sku": self.hand.number(line.sku), "offer_id": line.offer_id, "name": line.name, "quantity": line.quantity,
            "price": {"amount": f"{line.price.normalize():f}", "currency": "RUB"}, "imei": [], "weight": 0.5,
            "product_color": "", "is_blr_traceable": False, "is_marketplace_buyout": False,
        }  # fmt: skip

    def _line_v3(self, line: Line) -> Table:
        return {
            "sku": self.hand.number(line.sku), "offer_id": line.offer_id, "name": line.name, "quantity": line.quantity,
            "price": f"{line.price:.4f}", "currency_code": "RUB", "is_blr_traceable": False, "has_imei": False,
            "is_marketplace_buyout": False, "is_weight_needed": False, "weight_max": 0, "weight_min": 0,
            "dimensions": {"height": "600.00", "length": "600.00", "weight": "5000", "width": "600.00"},
        }  # fmt: skip

    def _financial(self, *, v4: bool) -> Table | None:
        if not self._asks("financial_data"):
            return None
        return {
            "cluster_from": "Самара", "cluster_to": "Самара",
            "products": [
                {
                    "product_id": line.sku, "quantity": line.quantity, "price": float(line.price), "actions": [],
                    "old_price": float(line.price), "payout": 0, "total_discount_percent": 0, "total_discount_value": 0,
                    **(
                        {"customer_price": {"amount": str(line.price), "currency": "RUB"},
                         "commission": {"amount": 0, "percent": 0, "currency": "RUB"}}
                        if v4 else
                        {"customer_price": float(line.price), "customer_currency_code": "RUB", "currency_code": "RUB",
                         "commission_amount": 0, "commission_percent": 0, "commissions_currency_code": "RUB"}
                    ),
                }
                for line in self.posting.lines
            ],
        }  # fmt: skip

    def _exemplars(self) -> Table:
        return {
            "products": [
                {
                    "sku": line.sku,
                    "exemplars": [
                        {"exemplar_id": one.id, "mandatory_mark": one.mark, "gtd": "", "is_gtd_absent": True,
                         "rnpt": "", "is_rnpt_absent": True, "weight": 0, "imei": []}
                        for one in line.exemplars
                    ],
                }
                for line in self.posting.lines
            ]
        }  # fmt: skip
