"""The calls about exemplars: a marking code for every piece that needs one. Codes are checked some moments later."""

from typing import Any

from service.marketplaces.ozon.sandbox.asked import Asked, Table, items, tables, text, whole
from service.marketplaces.ozon.sandbox.clock import faults_of
from service.marketplaces.ozon.sandbox.posting import Exemplar, Line, Posting
from service.marketplaces.ozon.sandbox.refusal import invalid, refused

_MARK = "mandatory_mark"


def create_or_get(asked: Asked) -> Any:
    """An `exemplar_id` for every piece, with what is known of it."""
    posting = asked.posting()
    return {
        "posting_number": posting.number, "multi_box_qty": 1,
        "products": [
            {
                "product_id": line.sku, "quantity": line.quantity, "has_imei": False, "is_gtd_needed": False,
                "is_jw_uin_needed": False, "is_mandatory_mark_needed": line.marked,
                "is_mandatory_mark_possible": line.marked, "is_rnpt_needed": False, "is_weight_needed": False,
                "weight_max": 0, "weight_min": 0,
                "exemplars": [{**_exemplar(asked, one), "marks": _marks(one)} for one in line.exemplars],
            }
            for line in posting.lines
        ],
    }  # fmt: skip


def put(asked: Asked) -> Any:
    """Takes the full set: what is not named has no code any more. 200 says no more than that it will be checked."""
    posting = asked.posting()
    if posting.status != "awaiting_packaging" or posting.change is not None:
        raise refused("Posting must have 'awaiting_packaging' status")
    if whole(asked.body, "multi_box_qty", 0, 2**31) > 1:
        raise refused("Posting has no multibox products")
    marks: dict[int, str] = {}
    for product in tables(asked.body, "products", 1):
        line = _line(posting, whole(product, "product_id", 1, 2**63))
        for one in tables(product, "exemplars", 0):
            marks[_id(line, one)] = _mark(line, one)
    for line in posting.lines:
        for exemplar in line.exemplars:
            exemplar.mark = marks.get(exemplar.id, "")
            exemplar.check = "processing" if exemplar.mark else ""
    posting.checking = asked.now + asked.ozon.delay()
    asked.done.append(posting.number)
    return {}


def status(asked: Asked) -> Any:
    """How far the check is, and whether the posting may be packed."""
    posting = asked.posting()
    return {
        "posting_number": posting.number, "status": _available(posting),
        "products": [
            {"product_id": line.sku, "exemplars": [_checked(asked, one) for one in line.exemplars]}
            for line in posting.lines
        ],
    }  # fmt: skip


def validate(asked: Asked) -> Any:
    """Whether codes have the right form; nothing is kept."""
    posting = asked.posting()
    products = []
    for product in tables(asked.body, "products", 1):
        line = _line(posting, whole(product, "product_id", 1, 2**63))
        exemplars = [_validated(one) for one in tables(product, "exemplars", 0)]
        good = all(one["valid"] for one in exemplars)
        products.append({"product_id": line.sku, "valid": good, "error": "", "exemplars": exemplars})
    return {"products": products}


def _available(posting: Posting) -> str:
    if posting.status != "awaiting_packaging":
        return "update_not_available"
    if posting.checking is not None:
        return "validation_in_process"
    return "ship_available" if posting.filled else "ship_not_available"


def _exemplar(asked: Asked, one: Exemplar) -> Table:
    id = asked.ozon.hand.number(one.id)
    return {"exemplar_id": id, "gtd": "", "is_gtd_absent": True, "is_rnpt_absent": True, "rnpt": "", "weight": 0}


def _marks(one: Exemplar) -> list[Table]:
    return [{"mark": one.mark, "mark_type": _MARK}] if one.mark else []


def _checked(asked: Asked, one: Exemplar) -> Table:
    codes = ["INVALID_MANDATORY_MARK"] if one.check == "failed" else []
    return {
        **_exemplar(asked, one), "gtd_check_status": "passed", "gtd_error_codes": [], "rnpt_check_status": "passed",
        "rnpt_error_codes": [], "weight_check_status": "passed", "weight_error_codes": [],
        "marks": [{**mark, "check_status": one.check, "error_codes": codes} for mark in _marks(one)],
    }  # fmt: skip


def _validated(one: Table) -> Table:
    marks = [
        {"mark": mark, "mark_type": _MARK, "valid": not faults_of(mark), "errors": faults_of(mark)}
        for mark in (text(each, "mark") for each in tables(one, "marks", 0))
    ]
    good = all(mark["valid"] for mark in marks)
    return {
        "gtd": "",
        "rnpt": "",
        "weight": 0,
        "marks": marks,
        "valid": good,
        "errors": [] if good else ["INVALID_MARK"],
    }


def _line(posting: Posting, sku: int) -> Line:
    found = next((line for line in posting.lines if line.sku == sku), None)
    if found is None:
        raise refused("UNKNOWN_PRODUCT_DEFINED")
    return found


def _id(line: Line, one: Table) -> int:
    id = whole(one, "exemplar_id", 1, 2**63)
    if id not in [exemplar.id for exemplar in line.exemplars]:
        raise refused(f"{id} does not belong to product {line.sku}")
    return id


def _mark(line: Line, one: Table) -> str:
    marks = [mark for mark in tables(one, "marks", 0) if mark.get("mark_type", _MARK) == _MARK]
    if len(items(one, "marks", 0, 100)) != len(marks) or len(marks) > 1:
        raise invalid("Request validation error: invalid marks")
    if marks and not line.marked:
        raise refused("MANDATORY_MARK_REDUNDANT")
    return text(marks[0], "mark", needed=False) if marks else ""
