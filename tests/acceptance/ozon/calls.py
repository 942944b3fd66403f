"""What each method does to the postings of one cabinet and answers: Ozon's method pages as functions."""

import base64
import datetime as dt
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.acceptance.journal import Call
from tests.acceptance.order import RefusalError

from .form import fine, listed, request_row, return_row, shipment_date, whole
from .posting import DELIVERY_REASONS, SELLER_REASONS, Posting

Postings = dict[str, Posting]
Deed = Callable[[Call], tuple[int, Any]]
FLOW = {"/v2/fbs/posting/delivering": "delivering", "/v2/fbs/posting/last-mile": "last-mile",
        "/v2/fbs/posting/delivered": "delivered"}  # fmt: skip
TRACK = "/v2/fbs/posting/tracking-number/set"
SHIP = "/v4/posting/fbs/ship"
ANSWERS = {"/v2/conditional-cancellation/approve": True, "/v2/conditional-cancellation/reject": False}
EXEMPLARS = "/v6/fbs/posting/product/exemplar/set"
SINGLE = {SHIP, EXEMPLARS, "/v2/posting/fbs/cancel", "/v2/posting/fbs/product/cancel", "/v1/posting/fbs/timeslot/set"}
CHANGING = {*FLOW, TRACK, *ANSWERS, *SINGLE}
CODES = {404: 5, 403: 7, 400: 3, 409: 9}
YEAR = dt.timedelta(days=366)


def refused(refusal: RefusalError) -> tuple[int, Any]:
    return refusal.http, {"code": CODES.get(refusal.http, 3), "message": refusal.message, "details": []}


def find(postings: Postings, number: Any) -> Posting:
    posting = postings.get(number)
    if posting is None:
        raise RefusalError("POSTING_NOT_FOUND", "POSTING_NOT_FOUND", 404)
    return posting


def changing(path: str, body: dict[str, Any], postings: Postings) -> tuple[dict[str, str], Deed]:
    """The step it means for each posting, and the deed."""
    if path in FLOW or path == TRACK:
        return _rows(path, body, postings)
    if path in ANSWERS:
        asked = (p for p in postings.values() if p.request and p.request.id == body["cancellation_id"])
        posting = next(asked, None)
        if posting is None:
            raise RefusalError("NOT_FOUND", "cancellation not found", 404)
        return {posting.life.number: "answer"}, _one(posting, partial(posting.answer, ANSWERS[path]), None)
    posting = find(postings, body["posting_number"])
    number = posting.life.number
    step, change, answer = _single(path, body, posting)
    return {number: step}, _one(posting, change, answer)


def _single(path: str, body: dict[str, Any], posting: Posting) -> tuple[str, Callable[[], None], Any]:
    number = posting.life.number
    if path == SHIP:
        return f"ship {posting.ship_failures}", partial(posting.ship, body["packages"]), {"result": [number]}
    if path == EXEMPLARS:
        given = _marks(body, posting)
        return f"exemplars {json.dumps(given)}", partial(posting.set_marks, given), None
    if path.endswith("timeslot/set"):
        slot = body["new_timeslot"]
        step = f"timeslot {slot['from']} {slot['to']}"
        return step, partial(posting.set_timeslot, slot["from"], slot["to"]), {"result": True}
    reason, message = body["cancel_reason_id"], body.get("cancel_reason_message", "")
    if path.endswith("product/cancel"):
        return "product-cancel", partial(posting.cancel_products, reason, body["items"]), {"result": number}
    return "cancel", partial(posting.cancel, reason, message), {"result": True}


def _one(posting: Posting, change: Callable[[], None], answer: Any) -> Deed:
    number = posting.life.number

    def deed(call: Call) -> tuple[int, Any]:
        try:
            change()
        except RefusalError as refusal:
            call.refused[number] = refusal.message
            return refused(refusal)
        call.applied.add(number)
        return 200, answer

    return deed


def _rows(path: str, body: dict[str, Any], postings: Postings) -> tuple[dict[str, str], Deed]:
    """One row for each posting, always HTTP 200; `error` is a string, or an empty list where there is none."""
    if path == TRACK:
        codes = {one["posting_number"]: one["tracking_number"] for one in body["tracking_numbers"]}
    else:
        codes = dict.fromkeys(body["posting_number"], "")
    if not 1 <= len(codes) <= 20:
        raise RefusalError("BATCH", "value must contain between 1 and 20 items, inclusive")
    step = FLOW.get(path, "track")

    def row(call: Call, number: str) -> dict[str, Any]:
        posting = postings.get(number)
        if posting is None:
            return {"posting_number": number, "result": False, "error": "POSTING_NOT_FOUND"}
        try:
            if path == TRACK:
                posting.set_track(codes[number])
            else:
                posting.move_on(step)
        except RefusalError as refusal:
            waits = posting.pending() and refusal.message == "TRANSITION_IS_NOT_POSSIBLE"
            call.refused[number] = f"{refusal.message} (too early)" if waits else refusal.message
            return {"posting_number": number, "result": False, "error": refusal.message}
        call.applied.add(number)
        return {"posting_number": number, "result": True, "error": [] if step == "delivering" else ""}

    steps = {number: f"{step} {codes[number]}".strip() for number in codes}
    return steps, lambda call: (200, {"result": [row(call, number) for number in codes]})


def _marks(body: dict[str, Any], posting: Posting) -> dict[int, list[str]]:
    """The codes by product, in the order of the exemplars; every exemplar must be one of this posting."""
    given: dict[int, list[str]] = {}
    for product in body["products"]:
        sku = product["product_id"]
        if sku not in posting.goods:
            raise RefusalError("UNKNOW_PRODUCT", f"UNKNOW_PRODUCT {sku}")
        own = posting.exemplars(sku)
        ids = [one["exemplar_id"] for one in product["exemplars"]]
        if set(ids) - set(own) or len(ids) != len(set(ids)):
            raise RefusalError("UNKNOWN_EXEMPLAR", f"exemplars {ids} are not those of {sku}: {own}")
        codes = [mark["mark"] for one in product["exemplars"] for mark in one.get("marks", [])
                 if mark.get("mark_type") == "mandatory_mark"]  # fmt: skip
        if codes and sku not in posting.marked:
            raise RefusalError("MANDATORY_MARK_REDUNDANT", "MANDATORY_MARK_REDUNDANT")
        given[sku] = codes
    return given


def reading(path: str, body: dict[str, Any], postings: Postings) -> tuple[Any, set[str]]:
    """The answer, and the postings whose state it tells."""
    number = body.get("posting_number", "")
    match path:
        case "/v3/posting/fbs/get":
            posting = find(postings, number)
            return {"result": whole(posting, body.get("with", {}))}, {number}
        case "/v4/posting/fbs/unfulfilled/list" | "/v4/posting/fbs/list":
            return _page(path, body, postings)
        case "/v2/conditional-cancellation/list":
            return _requests(body, postings)
        case "/v2/returns/rfbs/list":
            return {"returns": _returns(body, postings)}, set()
        case "/v6/fbs/posting/product/exemplar/create-or-get":
            return _exemplars(find(postings, number)), {number}
        case "/v5/fbs/posting/product/exemplar/status":
            posting = find(postings, number)
            return {"posting_number": number, "status": posting.marks_state or "ship_not_available",
                    "products": [_checked(posting, sku) for sku in posting.marks]}, {number}  # fmt: skip
        case "/v1/posting/fbs/timeslot/change-restrictions":
            posting = find(postings, number)
            begin, end = (fine(moment) for moment in posting.movable)
            left = {"delivery_interval": {"begin": begin, "end": end}, "remaining_changes_count": posting.moves_left}
            return left, {number}
        case "/v1/posting/fbs/cancel-reason":
            asked = [find(postings, one) for one in body["related_posting_numbers"]]
            return {"result": [{"posting_number": one.life.number, "reasons": [
                {"id": reason, "title": "Причина", "type_id": "seller"} for reason in _reasons(one)]} for one in asked]
            }, set()  # fmt: skip
        case "/v2/posting/fbs/cancel-reason/list":
            return {"result": [{"id": reason, "is_available_for_cancellation": True, "title": "Причина",
                                "type_id": "seller"} for reason in sorted(DELIVERY_REASONS)]}, set()  # fmt: skip
        case "/v1/roles":
            expires = (dt.datetime.now(dt.UTC) + dt.timedelta(days=80)).strftime("%Y-%m-%dT%H:%M:%SZ")
            return {"expires_at": expires, "roles": [{"name": "Admin", "methods": sorted(CHANGING)}]}, set()
    raise RefusalError("NOT_FOUND", f"{path} is not part of this emulator", 404)


def _reasons(posting: Posting) -> list[int]:
    return sorted(DELIVERY_REASONS if posting.status in ("delivering", "driver_pickup") else SELLER_REASONS)


def _exemplars(posting: Posting) -> dict[str, Any]:
    products = [
        {"product_id": sku, "quantity": count, "is_mandatory_mark_needed": sku in posting.marked, "has_imei": False,
         "is_gtd_needed": False, "is_rnpt_needed": False, "is_jw_uin_needed": False, "is_weight_needed": False,
         "exemplars": [{"exemplar_id": one, "gtd": "", "is_gtd_absent": False, "is_rnpt_absent": False, "marks": [],
                        "rnpt": ""} for one in posting.exemplars(sku)]}
        for sku, count in posting.goods.items() if count
    ]  # fmt: skip
    return {"posting_number": posting.life.number, "products": products, "multi_box_qty": 1}


def _checked(posting: Posting, sku: int) -> dict[str, Any]:
    state = {"validation_in_process": "processing", "ship_available": "passed"}.get(posting.marks_state, "failed")
    return {"product_id": sku, "exemplars": [
        {"exemplar_id": one, "marks": [{"mark": mark, "mark_type": "mandatory_mark", "check_status": state,
                                        "error_codes": ["MARK_NOT_FOUND"] if state == "failed" else []}]}
        for one, mark in zip(posting.exemplars(sku), posting.marks[sku], strict=False)]}  # fmt: skip


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _page(path: str, body: dict[str, Any], postings: Postings) -> tuple[Any, set[str]]:
    """Keyset pages by shipment date and number; the cursor stays filled on the last page."""
    wish = body.get("filter", {})
    pairs = ["cutoff", "delivering_date"] if path.endswith("unfulfilled/list") else ["since"]
    given = [name for name in pairs if f"{name}_from" in wish or name in wish]
    if len(given) != 1:
        raise RefusalError("FILTER", "either filter.cutoff or filter.delivering_date must be specified")
    start = _moment(wish.get("since") or wish[f"{given[0]}_from"])
    end = _moment(wish.get("to") or wish[f"{given[0]}_to"])
    if end - start > YEAR or end < start:
        raise RefusalError("PERIOD_IS_TOO_LONG", "PERIOD_IS_TOO_LONG")
    after = json.loads(base64.b64decode(body["cursor"]))["after"] if body.get("cursor") else ["", ""]
    rows = []
    for number, posting in postings.items():
        at = posting.life.placed if given == ["since"] else shipment_date(posting)
        key = [at.isoformat(), number]
        done = path.endswith("unfulfilled/list") and posting.status in ("delivered", "cancelled")
        if start <= at <= end and not done and key > after and _wanted(posting, wish):
            rows.append((key, posting))
    rows.sort(key=lambda row: row[0])
    page, limit = rows[: body.get("limit", 100)], body.get("limit", 100)
    cursor = base64.b64encode(json.dumps({"after": page[-1][0] if page else after}).encode()).decode()
    out: dict[str, Any] = {"postings": [listed(posting, body.get("with", {})) for _, posting in page],
                           "has_next": len(rows) > limit, "cursor": cursor}  # fmt: skip
    return out, {posting.life.number for _, posting in page}


def _wanted(posting: Posting, wish: dict[str, Any]) -> bool:
    changed = wish.get("last_changed_status_date") or {}
    if changed.get("from") and posting.changed < _moment(changed["from"]):
        return False
    if changed.get("to") and posting.changed > _moment(changed["to"]):
        return False
    orders = wish.get("order_numbers")
    if orders and posting.life.number.rpartition("-")[0] not in orders:
        return False
    return not wish.get("statuses") or posting.status in wish["statuses"]


def _requests(body: dict[str, Any], postings: Postings) -> tuple[Any, set[str]]:
    wish = body.get("filters", {})
    numbers, state = wish.get("posting_number") or list(postings), wish.get("state", "ALL")
    asked = sorted((p for p in postings.values() if p.request), key=lambda p: p.request.id if p.request else 0)
    rows = [request_row(p) for p in asked if p.request and p.life.number in numbers
            and state in ("ALL", p.request.state) and p.request.id > body.get("last_id", 0)]  # fmt: skip
    page = rows[: body["limit"]]
    return {"result": page, "last_id": page[-1]["cancellation_id"] if page else 0, "counter": len(rows)}, set(numbers)


def _returns(body: dict[str, Any], postings: Postings) -> list[dict[str, Any]]:
    wish = body.get("filter", {})
    span = wish.get("created_at") or {}
    rows = []
    for posting in postings.values():
        at = posting.returned_at
        if at is None or wish.get("posting_number", posting.life.number) != posting.life.number:
            continue
        if (span.get("from") and at < _moment(span["from"])) or (span.get("to") and at > _moment(span["to"])):
            continue
        row = return_row(posting)
        if row["return_id"] > body.get("last_id", 0):
            rows.append(row)
    return sorted(rows, key=lambda row: row["return_id"])[: body["limit"]]
