"""Cancelling, and answering the buyer who wants to cancel."""

from service.marketplaces import lenient
from service.marketplaces.ozon import asking, incoming, reading, statuses, values, wire
from service.marketplaces.ozon.looking import AS_RETURN, Look, cancelled, wait
from service.marketplaces.ozon.statuses import reached
from service.marketplaces.port import Applied, Overtaken, Preparation, Ready, Refused, Talk

OTHER = 402
"""The reason that needs words; it is the seller's fault."""
_REASONS = {"out_of_stock": 352, "not_collected": 665}


def cancel(look: Look) -> Talk[Preparation]:
    """With the buyer's wish open, the shop cancels by saying yes to it."""
    if look.posting.status in statuses.CANCELLED:
        return Applied(look.status)
    if reached(look.posting, "delivered"):
        return Overtaken("delivered", f"the posting is {look.status} at Ozon", AS_RETURN)
    if statuses.mine(look.posting.integration_type_flow, look.posting.tpl_integration_type, "rfbs"):
        wish = yield from _wish(look)
        if wish is not None and incoming.open_wish(wish):
            return Ready({"wish": str(wish.cancellation_id)})
    if look.actions and "cancel" not in look.actions:
        refused = _not_offered(look)
        under_way = reached(look.posting, "shipped")
        return refused if under_way else wait(look.job, look.now, refused.message, refused)
    said = look.job.state.shop_cancelled
    number = yield from reason(look, _REASONS.get((said.reason if said is not None else None) or "", OTHER))
    return number if isinstance(number, Refused) else Ready({"reason": number})


def _not_offered(look: Look) -> Refused:
    why = f"Ozon does not let the seller cancel now ({look.status})"
    hint = "cancel it in Ozon's cabinet or through its support; what is under way comes back as a return"
    return Refused("cancel_not_offered", why, hint, final=True)


def reason(look: Look, wanted: int) -> Talk[int | Refused]:
    """The reason's number Ozon allows for this posting: the wanted one, else "other, the seller's fault"."""
    told = yield from asking.ask_or_none(
        asking.CANCEL_REASONS, {"related_posting_numbers": [look.posting.posting_number]}
    )
    if told is None:
        return wanted
    allowed = [
        values.whole(lenient.inside(one, "id"))
        for row in asking.rows(told, "result")
        for one in asking.rows(row, "reasons")
    ]
    chosen = next((id for id in (wanted, OTHER) if id in allowed), None)
    if chosen is not None:
        return chosen
    if not allowed:
        return wanted if look.actions else _not_offered(look)
    what = f"Ozon allows only the reasons {', '.join(map(str, allowed))} in {look.status}"
    return Refused("HAS_INCORRECT_CANCEL_REASON", what, "cancel it in Ozon's cabinet", final=True)


def answer(look: Look) -> Talk[Preparation]:
    said, gone = look.job.state.answer, look.posting.status in statuses.CANCELLED
    accepted = said is None or said.accepted
    if gone:
        return Applied(look.status) if accepted else cancelled(look.status)
    wish = yield from _wish(look)
    if wish is not None and incoming.open_wish(wish):
        return Ready({"wish": str(wish.cancellation_id)})
    state = wish.state.state if wish is not None and wish.state is not None else None
    if not accepted or state == "APPROVED":
        return Applied(look.status)
    return Overtaken("not_requested", "Ozon shows no open wish of the buyer to cancel", "send order.cancelled")


def _wish(look: Look) -> Talk[wire.Wish | None]:
    number = look.posting.posting_number
    rows = yield from reading.wishes([number])
    return lenient.read(wire.Wish, incoming.wish_of(rows, number))
