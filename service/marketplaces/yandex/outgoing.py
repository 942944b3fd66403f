"""The call each step becomes. Pure: the command, the order's state and the time decide."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from events.order.stages import rank
from events.order.state import OrderState
from service.marketplaces.goods import fewer, kept, unlike
from service.marketplaces.port import Call, Job, Refused
from service.marketplaces.yandex.boxes import layout
from service.marketplaces.yandex.steps import CANNOT, marked
from service.marketplaces.yandex.values import MOSCOW

Body = Mapping[str, Any]

STATUS = {
    "delivery": {"status": "DELIVERY"},
    "pickup": {"status": "PICKUP"},
    "delivered": {"status": "DELIVERED"},
    "ready_to_ship": {"status": "PROCESSING", "substatus": "READY_TO_SHIP"},
}
"""The steps that set a status, and can share a call with other orders."""

BATCH_LIMIT = 30

_CANCEL_REASONS = {"customer_changed_mind": "USER_CHANGED_MIND", "unreachable": "USER_UNREACHABLE"}
REQUIRED = ("CIS", "UIN")
_MARKS = {"CIS": "cis", "CIS_OPTIONAL": "cis", "UIN": "uin", "RNPT": "rnpt", "GTD": "gtd"}


@dataclass(frozen=True)
class Occasion:
    """What a call depends on besides the order."""

    model: str
    now: datetime


@dataclass(frozen=True)
class Route:
    """Where a step's call goes: the method, the path behind the order, what the body is made by."""

    method: str
    path: str
    body: Callable[[Job, Occasion], Body | Refused]


def request(job: Job, campaign: int, on: Occasion) -> Call | Refused:
    """The call a command becomes now, or why it can't be one."""
    if (cannot := CANNOT.get((on.model, job.command.action))) is not None:
        return cannot
    route = ROUTES[job.command.action]
    if job.command.action == "cancel" and job.state.request is not None:
        route = GRANT
    body = route.body(job, on)
    if isinstance(body, Refused):
        return body
    path = f"/v2/campaigns/{campaign}/orders/{job.state.number}/{route.path}"
    return Call(route.method, path, resource=f"orders/{route.path}", body=body, changes=True)


def batchable(job: Job, now: datetime) -> bool:
    """Whether this command may share a call: the batch call can't say that something was done on another day."""
    return job.command.action in STATUS and real_date(job, now) is None


def request_batch(jobs: Sequence[Job], campaign: int) -> Call:
    """One call for several orders waiting for the same step."""
    orders = [{"id": int(job.state.number), **STATUS[job.command.action]} for job in jobs]
    path = f"/v2/campaigns/{campaign}/orders/status-update"
    return Call("POST", path, resource="orders/status-update", body={"orders": orders}, changes=True)


def real_date(job: Job, now: datetime) -> date | None:
    """The day a delivery was really made, where that is not today; never before the order was placed."""
    stage = {"delivered": "delivered", "pickup": "arrived"}.get(job.command.action)
    times = [mark.at for marked, mark in job.state.marks.items() if stage and rank(marked) >= rank(stage)]
    if not times:
        return None
    today, done = _moscow(now), _moscow(min(times))
    if job.state.placed_at is not None:
        done = max(done, _moscow(job.state.placed_at))
    return done if done < today else None


def instances(state: OrderState) -> dict[str, list[dict[str, str]]]:
    """The marking codes of each line (by its id), one for each piece, under the name of their kind."""
    marks: dict[str, list[str]] = {}
    for line in state.assembled_lines or ():
        marks.setdefault(line.sku.strip(), []).extend(line.marks)
    out: dict[str, list[dict[str, str]]] = {}
    for line in state.lines:
        codes = marks.get(line.sku.strip(), [])
        kind = state.details.get(f"marking.{line.id}", "").partition(",")[0]
        mine, marks[line.sku.strip()] = codes[: line.quantity], codes[line.quantity :]
        if mine and line.id is not None:
            out[line.id] = [{_MARKS.get(kind, "cis"): code} for code in mine]
    return out


def uncoded(state: OrderState) -> list[str]:
    """The skus that need a marking code for each piece and have too few of 1C's."""
    found, left = instances(state), kept(state)
    needs = {line.id: state.details.get(f"marking.{line.id}", "").partition(",")[0] for line in state.lines}
    return [
        line.sku
        for line in state.lines
        if needs[line.id] in REQUIRED and len(found.get(line.id or "", ())) < left.get(line.id or "", 0)
    ]


def _status(job: Job, on: Occasion) -> Body:
    order: dict[str, Any] = dict(STATUS[job.command.action])
    done = real_date(job, on.now)
    if done is not None:
        order["delivery"] = {"dates": {"realDeliveryDate": done.isoformat()}}
    return {"order": order}


def _external_id(job: Job, _: Occasion) -> Body | Refused:
    number = job.state.document.number if job.state.document is not None else None
    return {"externalOrderId": number} if number else Refused("no_document", "1C's document has no number", final=True)


def _items(job: Job, _: Occasion) -> Body | Refused:
    left = kept(job.state)
    if "" in left:
        return _no_line_ids()
    if (other := unlike(job.state)) is not None:
        return other
    if not any(left.values()):
        hint = "an order without goods is cancelled, not cut: send order.cancelled from 1C"
        return Refused("nothing_left", "1C confirmed none of the ordered goods", hint, final=True)
    items = [{"id": int(line), "count": count} for line, count in left.items()]
    return {"items": items, "reason": "PARTNER_REQUESTED_REMOVE"}


def _identifiers(job: Job, _: Occasion) -> Body | Refused:
    found = instances(job.state)
    if not found:
        hint = "check that the skus in order.assembled are those of the order"
        return Refused("no_marks", "none of the marking codes belongs to a line of the order", hint, final=True)
    return {"items": [{"id": int(line), "instances": codes} for line, codes in found.items()]}


def _boxes(job: Job, _: Occasion) -> Body | Refused:
    left = kept(job.state)
    if "" in left:
        return _no_line_ids()
    if fewer(job.state) and (other := unlike(job.state)) is not None:
        return other
    if not any(left.values()):
        hint = "send order.cancelled from 1C"
        return Refused("nothing_left", "1C confirmed none of the ordered goods", hint, final=True)
    codes = instances(job.state) if marked(job.state) else {}
    return {"boxes": layout(left, job.state.boxes or 1, codes), "allowRemove": fewer(job.state)}


def _track(job: Job, _: Occasion) -> Body | Refused:
    service = job.state.details.get("delivery_service_id", "")
    if not service.isdecimal():
        hint = "choose a delivery service for the shop in Market's cabinet, or enter the track there"
        return Refused("no_delivery_service", "the order names no delivery service for the track", hint, final=True)
    return {"trackCode": job.state.track, "deliveryServiceId": int(service)}


def _storage_limit(job: Job, _: Occasion) -> Body | Refused:
    until = job.state.keep_until
    return {"newDate": until.isoformat()} if until else Refused("no_date", "1C named no keep_until", final=True)


def _delivery_date(job: Job, _: Occasion) -> Body | Refused:
    move = job.state.move
    if move is None:
        return Refused("no_date", "1C named no new date", final=True)
    who = "USER" if move.by == "customer" else "PARTNER"
    return {"dates": {"toDate": move.date.isoformat()}, "reason": f"{who}_MOVED_DELIVERY_DATES"}


def _verify_eac(job: Job, _: Occasion) -> Body | Refused:
    personal = job.personal.get(job.state.coded)
    code = personal.get("code") if isinstance(personal, Mapping) else None
    if not code:
        hint = "put the courier's code into order.handed_over as `code`; without codes set triggers.handed_over = []"
        return Refused("no_code", "1C's mark carries no code", hint, final=True)
    return {"code": str(code)}


def _cancel(job: Job, on: Occasion) -> Body:
    return {"order": {"status": "CANCELLED", "substatus": cancel_substatus(job.state, on.model)}}


def cancel_substatus(state: OrderState, model: str) -> str:
    """Why the shop cancels, in Market's words; each status allows its own, FBS and Express only one."""
    why = state.shop_cancelled
    if why is None or model != "dbs":
        return "SHOP_FAILED"
    if why.reason == "not_collected":
        return "PICKUP_EXPIRED" if _at_pickup(state) else "USER_CHANGED_MIND"
    by_whom = "USER_CHANGED_MIND" if why.by == "customer" and why.reason in (None, "other") else "SHOP_FAILED"
    return _CANCEL_REASONS.get(why.reason or "", by_whom)


def _at_pickup(state: OrderState) -> bool:
    """At the pickup point over there: seen, or told and not seen yet."""
    told = any(c.action == "pickup" and c.state == "done" for c in state.commands.values())
    return told or rank(state.market_stage) >= rank("arrived")


def _cancellation_accept(job: Job, _: Occasion) -> Body:
    """1C's answer to the buyer's wish to cancel."""
    answer, state = job.state.answer, job.state
    if answer is None or answer.accepted:
        return {"accepted": True}
    done = answer.reason == "delivered" or (answer.reason is None and rank(state.shop_stage) >= rank("delivered"))
    return {"accepted": False, "reason": "ORDER_DELIVERED" if done else "ORDER_IN_DELIVERY"}


def _no_line_ids() -> Refused:
    return Refused("no_line_id", "Market gave a line of the order no id", "do it in Market's cabinet", final=True)


def _moscow(moment: datetime) -> date:
    return moment.astimezone(MOSCOW).date()


GRANT = Route("PUT", "cancellation/accept", lambda *_: {"accepted": True})
"""How the shop cancels an order whose buyer has asked for it: by saying yes."""

ROUTES: Mapping[str, Route] = {
    **{step: Route("PUT", "status", _status) for step in STATUS},
    "external_id": Route("POST", "external-id", _external_id),
    "items": Route("PUT", "items", _items),
    "identifiers": Route("PUT", "identifiers", _identifiers),
    "boxes": Route("PUT", "boxes", _boxes),
    "track": Route("POST", "delivery/track", _track),
    "storage_limit": Route("PUT", "delivery/storage-limit", _storage_limit),
    "verify_eac": Route("PUT", "verifyEac", _verify_eac),
    "delivery_date": Route("PUT", "delivery/date", _delivery_date),
    "cancel": Route("PUT", "status", _cancel),
    "cancellation_accept": Route("PUT", "cancellation/accept", _cancellation_accept),
}
