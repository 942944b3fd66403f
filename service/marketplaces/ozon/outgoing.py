"""The call each step becomes: the command, the order's state, and what was seen just before (`Job.before`) decide."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from service.marketplaces import goods, lenient
from service.marketplaces.ozon import exemplars, values
from service.marketplaces.ozon.asking import call
from service.marketplaces.ozon.ending import OTHER
from service.marketplaces.port import Call, Job, Refused

Body = dict[str, Any]

BATCH_LIMIT: Final = 20
"""[C1] said by the answer of last-mile, [S] of tracking-number/set; [I] for delivering and delivered; facts 4."""

STATUS: Final[Mapping[str, str]] = {
    "delivering": "/v2/fbs/posting/delivering",
    "last_mile": "/v2/fbs/posting/last-mile",
    "delivered": "/v2/fbs/posting/delivered",
}
TRACK: Final = "/v2/fbs/posting/tracking-number/set"
SHIP: Final = "/v4/posting/fbs/ship"
EXEMPLARS: Final = "/v6/fbs/posting/product/exemplar/set"
PRODUCT_CANCEL: Final = "/v2/posting/fbs/product/cancel"
TIMESLOT: Final = "/v1/posting/fbs/timeslot/set"
CANCEL: Final = "/v2/posting/fbs/cancel"
APPROVE: Final = "/v2/conditional-cancellation/approve"
REJECT: Final = "/v2/conditional-cancellation/reject"

BATCHED: Final = (*STATUS, "track")
OUT_OF_STOCK: Final = 352

_WORDS: Final[Mapping[str, str]] = {
    "out_of_stock": "Товара нет в наличии",
    "customer_changed_mind": "Покупатель передумал",
    "unreachable": "Не удалось связаться с покупателем",
    "not_collected": "Покупатель не забрал заказ",
    "handed_back": "Покупатель отказался от части товаров при получении",
}
_SHOP_CANCELS: Final = "Отмена магазином"

NOT_HERE: Final[Mapping[str, Refused]] = {
    "timeslot": Refused(
        "not_possible", "Ozon sets the day of an FBS delivery itself", "tell the buyer in Ozon's chat", final=True
    ),
    "cancellation_answer": Refused(
        "not_possible", "Ozon itself answers buyers of FBS postings", "send order.cancelled where goods are not to go",
        final=True,
    ),
    "goods_back": Refused(
        "not_possible", "Ozon hands FBS goods over itself and books what comes back",
        "wait for the return in Ozon's cabinet (Возвраты)", final=True,
    ),
    "courier_code": Refused(
        "not_possible", "only the code of an Ozon partner's courier can be checked, and in the cabinet",
        "enter the courier's code in Ozon's cabinet at the posting", final=True,
    ),
}  # fmt: skip
"""What 1C may ask and Ozon can't be told; `courier_code` in both models, the rest in fbs."""


def never(model: str, action: str) -> Refused | None:
    """Why a step can't be told in this model at all."""
    return NOT_HERE.get(action) if model == "fbs" or action == "courier_code" else None


def request(job: Job, model: str) -> Call | Refused:
    """The call a command becomes now, or why it can't be one."""
    action = job.command.action
    return never(model, action) or (request_batch([job]) if action in BATCHED else _SINGLE[action](job))


def request_batch(jobs: Sequence[Job]) -> Call:
    """One call for several postings; always a list: a bare number is a syntax error [C1]."""
    action = jobs[0].command.action
    if action in STATUS:
        return call(STATUS[action], {"posting_number": [job.state.number for job in jobs]}, changes=True)
    rows = [{"posting_number": job.state.number, "tracking_number": job.state.track or ""} for job in jobs]
    return call(TRACK, {"tracking_numbers": rows}, changes=True)


def _ship(job: Job) -> Call:
    """`product_id` is the SKU [S]."""
    products = [{"product_id": int(sku), "quantity": count} for sku, count in _there(job).items() if count and sku]
    return call(SHIP, {"posting_number": job.state.number, "packages": [{"products": products}]}, changes=True)


def _exemplars(job: Job) -> Call:
    ids, wanted = (lenient.inside(job.before, name) or {} for name in ("units", "wanted"))
    boxes = job.state.boxes if lenient.inside(job.before, "multibox") else None
    return call(EXEMPLARS, exemplars.body(job.state, ids, wanted, boxes=boxes), changes=True)


def _product_cancel(job: Job) -> Call:
    return _less(job, goods.kept(job.state), OUT_OF_STOCK, "out_of_stock")


def _goods_back(job: Job) -> Call:
    reason = values.whole(lenient.inside(job.before, "reason")) or OTHER
    return _less(job, goods.left(job.state, job.state.delivered_lines), reason, "handed_back")


def _less(job: Job, keep: Mapping[str, int], reason: int, why: str) -> Call:
    out = {sku: count - keep.get(sku, 0) for sku, count in _there(job).items()}
    items = [{"sku": int(sku), "quantity": count} for sku, count in out.items() if count > 0 and sku]
    body = {"cancel_reason_id": reason, "cancel_reason_message": _WORDS[why], "items": items}
    return call(PRODUCT_CANCEL, {"posting_number": job.state.number, **body}, changes=True)


def _there(job: Job) -> dict[str, int]:
    """The pieces of each SKU: as seen just before, else as they were last known."""
    seen = lenient.inside(job.before, "left")
    if isinstance(seen, Mapping):
        return {str(sku): values.whole(count) for sku, count in seen.items()}
    return {line.id: line.quantity for line in job.state.lines if line.id is not None}


def _timeslot(job: Job) -> Call | Refused:
    since, until = (lenient.inside(job.before, name) for name in ("from", "to"))
    if since is None or until is None:
        return Refused("no_date", "1C named no new date", final=True)
    slot = {"from": since, "to": until}
    return call(TIMESLOT, {"posting_number": job.state.number, "new_timeslot": slot}, changes=True)


def _cancel(job: Job) -> Call:
    if (wish := lenient.inside(job.before, "wish")) is not None:
        return call(APPROVE, {"cancellation_id": int(wish), "comment": _words(job)}, changes=True)
    reason = values.whole(lenient.inside(job.before, "reason")) or OTHER
    body = {"cancel_reason_id": reason, "cancel_reason_message": _words(job)}
    return call(CANCEL, {"posting_number": job.state.number, **body}, changes=True)


def _words(job: Job) -> str:
    why = job.state.shop_cancelled
    return _WORDS.get((why.reason if why is not None else None) or "", _SHOP_CANCELS)


def _answer(job: Job) -> Call | Refused:
    wish, answer = lenient.inside(job.before, "wish"), job.state.answer
    if wish is None:
        return Refused("not_requested", "Ozon shows no open wish of the buyer to cancel", "send order.cancelled")
    if answer is None or answer.accepted:
        return call(APPROVE, {"cancellation_id": int(wish), "comment": "Отмена согласована"}, changes=True)
    words = "Заказ уже доставлен" if answer.reason == "delivered" else "Заказ уже передан в доставку"
    return call(REJECT, {"cancellation_id": int(wish), "comment": words}, changes=True)


_SINGLE: Mapping[str, Callable[[Job], Call | Refused]] = {
    "ship": _ship,
    "exemplars": _exemplars,
    "product_cancel": _product_cancel,
    "goods_back": _goods_back,
    "timeslot": _timeslot,
    "cancel": _cancel,
    "cancellation_answer": _answer,
}
