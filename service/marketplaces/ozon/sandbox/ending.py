"""The calls that end a posting or a part of it, and those about what buyers ask for."""

from typing import Any, Final

from service.marketplaces.ozon.sandbox.asked import Asked, inner, tables, text, texts, whole
from service.marketplaces.ozon.sandbox.posting import TPL, Posting
from service.marketplaces.ozon.sandbox.reasons import BUYERS, OTHER, REASONS, allowed
from service.marketplaces.ozon.sandbox.refusal import invalid, missing, refused, repeated
from service.marketplaces.ozon.sandbox.wishes import Request

_SELLER: Final = ("seller", "Продавец")
_STATES: Final = {"ON_APPROVAL": (1, "На рассмотрении"), "APPROVED": (2, "Подтверждена"), "REJECTED": (3, "Отклонена")}


def reasons_of(asked: Asked) -> Any:
    """The reasons that are good for each posting now."""
    found = []
    for number in texts(asked.body, "related_posting_numbers", 1, 100):
        posting = asked.find(number)
        if posting is None:
            raise missing()
        reasons = [{"id": id, "title": REASONS[id][0], "type_id": REASONS[id][1]} for id in allowed(posting)]
        found.append({"posting_number": number, "reasons": reasons})
    return {"result": found}


def reasons(_: Asked) -> Any:
    """All there are."""
    return {
        "result": [
            {"id": id, "title": title, "type_id": who, "is_available_for_cancellation": id in (352, 400, OTHER)}
            for id, (title, who) in REASONS.items()
        ]
    }


def cancel(asked: Asked) -> Any:
    """Ends the whole posting at once."""
    posting = asked.posting()
    reason, words = _why(asked, posting, "cancel")
    asked.ozon.cancel(posting, (reason, words), _SELLER, asked.now)
    asked.done.append(posting.number)
    return {"result": True}


def cancel_products(asked: Asked) -> Any:
    """Takes pieces out. It adds up: said again it takes out more, while there are any; the last ones end it all."""
    posting = asked.posting()
    text(asked.body, "cancel_reason_message")
    wanted: dict[int, int] = {}
    for item in tables(asked.body, "items", 1):
        sku = whole(item, "sku", 1, 2**63)
        wanted[sku] = wanted.get(sku, 0) + whole(item, "quantity", 1, 2**31)
    there = {line.sku: line.quantity for line in posting.lines}
    last = wanted == there
    why = _why(asked, posting, "product_cancel")
    if set(wanted) - set(there):
        raise refused("UNKNOWN_PRODUCT_DEFINED")
    if any(count > there[sku] for sku, count in wanted.items()):
        raise refused("HAS_INCORRECT_PRODUCT_QUANTITY")
    if last:
        asked.ozon.cancel(posting, why, _SELLER, asked.now)
    else:
        asked.ozon.cancel_pieces(posting, wanted, why)
    asked.done.append(posting.number)
    return {"result": posting.number}


def _why(asked: Asked, posting: Posting, action: str) -> tuple[int, str]:
    reason = whole(asked.body, "cancel_reason_id", 0, 2**31)
    if posting.status == "cancelled":
        raise repeated("POSTING_ALREADY_CANCELLED")
    if action not in posting.actions(asked.now):
        raise refused("HAS_INCORRECT_STATUS")
    if reason not in allowed(posting):
        raise refused("HAS_INCORRECT_CANCEL_REASON")
    words = text(asked.body, "cancel_reason_message", needed=reason == OTHER)
    return reason, words or REASONS[reason][0]


def requests(asked: Asked) -> Any:
    """Buyers' requests to cancel, by their ids."""
    filters, limit = inner(asked.body, "filters"), whole(asked.body, "limit", 1, 500)
    after, state = whole(asked.body, "last_id", 0, 2**63), filters.get("state") or "ALL"
    if state not in ("ALL", *_STATES):
        raise invalid(f'proto: syntax error: invalid value for enum field state: "{state}"')
    numbers = texts(filters, "posting_number", 0, 1000)
    by = texts(filters, "cancellation_initiator", 0, 5)
    mine = [one for one in asked.ozon.requests.values() if one.channel == asked.cabinet.channel]
    found = [
        one for one in mine
        if one.id > after and state in ("ALL", one.state) and (not numbers or one.posting in numbers)
        and (not by or "CLIENT" in by)
    ][:limit]  # fmt: skip
    answer = {"result": [_request(asked, one) for one in found], "last_id": found[-1].id if found else after}
    if inner(asked.body, "with").get("counter") is True:
        answer["counter"] = asked.ozon.hand.number(sum(one.state == "ON_APPROVAL" for one in mine))
    return answer


def _request(asked: Asked, one: Request) -> dict[str, Any]:
    hand, posting = asked.ozon.hand, asked.ozon.postings[one.posting]
    id, name = _STATES[one.state]
    return {
        "cancellation_id": one.id, "posting_number": one.posting, "cancellation_initiator": "CLIENT",
        "cancellation_reason": {"id": BUYERS[0], "name": BUYERS[1]}, "cancellation_reason_message": "",
        "cancelled_at": hand.time(one.asked), "order_date": hand.time(posting.placed),
        "auto_approve_date": hand.time(one.auto), "approve_date": hand.time(one.answered),
        "approve_comment": one.comment, "state": {"id": id, "name": name, "state": one.state}, "source_id": 0,
        "tpl_integration_type": TPL[posting.model],
    }  # fmt: skip


def approve(asked: Asked) -> Any:
    """The posting is cancelled, the money goes back."""
    return _answer(asked, "APPROVED")


def reject(asked: Asked) -> Any:
    """It is to be delivered."""
    return _answer(asked, "REJECTED")


def _answer(asked: Asked, state: str) -> Any:
    found = asked.ozon.requests.get(whole(asked.body, "cancellation_id", 1, 2**63))
    if found is None or found.channel != asked.cabinet.channel:
        raise missing("Cancellation not found")
    if found.state != "ON_APPROVAL":
        raise refused("Cancellation is not in ON_APPROVAL state")  # the documents have no name for it
    asked.ozon.answer(found, state, text(asked.body, "comment", needed=False), asked.now)
    asked.done.append(found.posting)
    return None  # the documents name no body
