"""The call each step becomes. Pure: the command, the order's state, what was seen before it and the time decide."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from events.order.stages import rank
from service.marketplaces import goods
from service.marketplaces.megamarket import envelope, lots, order_code, statuses
from service.marketplaces.megamarket.lots import View
from service.marketplaces.megamarket.settings import Shop
from service.marketplaces.megamarket.unable import refusal
from service.marketplaces.port import Call, Job, Refused

NOON = time(12)

_BACK, _NOT_THERE = "CANCEL_BY_CUSTOMER", "HANDOVER_IMPOSSIBLE"
"""Why a lot was not handed over. [OBS S8, S4b, S6b] facts 9"""


@dataclass(frozen=True)
class Occasion:
    """What a call depends on besides the order."""

    shop: Shop
    now: datetime


@dataclass(frozen=True)
class Step:
    """What a body is made of: the job, and what was seen before it."""

    job: Job
    seen: View
    on: Occasion

    @property
    def code(self) -> str:
        """The order's number for Megamarket: what it holds already, else 1C's, else its own.

        It may show its own number before it was told one. [?] facts 8
        """
        state = self.job.state
        fresh = all(status in ("", "NEW") for status in self.seen.lots.values())
        if self.seen.code and not (fresh and self.seen.code == state.number):
            return self.seen.code
        number = state.document.number if state.document is not None else None
        return order_code.encode(number) if number else state.number

    def item(self, lot: str, **more: Any) -> dict[str, Any]:
        """A lot as calls name it."""
        return {"itemIndex": lots.index(lot), **more}

    def named(self, lot: str, **more: Any) -> dict[str, Any]:
        """A lot with its offerId."""
        return self.item(lot, offerId=self.seen.offers.get(lot, ""), **more)

    def time(self, moment: datetime) -> str:
        """A time with the shop's offset."""
        return moment.astimezone(self.on.shop.zone).isoformat(timespec="seconds")


def request(job: Job, on: Occasion) -> Call | Refused:
    """The call a command becomes now, or why it can't be one."""
    action = job.command.action
    if (unable := refusal(action, on.shop.model)) is not None:
        return unable
    return _CALLS[action](Step(job, lots.known(job.before, job.state), on))


def moved_to(job: Job, seen: View, shop: Shop) -> datetime | None:
    """When a moved delivery begins; without hours of 1C's at the hour it began before. None where no date is named.

    Megamarket takes one moment, not an interval. [OBS S6b] facts 7
    """
    move = job.state.move
    if move is None:
        return None
    hours = (move.interval.since or move.interval.until or "") if move.interval is not None else ""
    try:
        begins = time.fromisoformat(hours)
    except ValueError:  # none, or 24:00
        begins = seen.since.astimezone(shop.zone).time() if seen.since is not None else NOON
    return datetime.combine(move.date, begins, shop.zone)


def _shipments(path: str, shipment: Mapping[str, Any], **more: Any) -> Call:
    return envelope.call(path, {"shipments": [shipment], **more}, changes=True)


def _shipment(step: Step, **more: Any) -> dict[str, Any]:
    return {"shipmentId": step.job.state.number, **more}


def _reject(step: Step) -> Call | Refused:
    state = step.job.state
    if (unlike := goods.unlike(state)) is not None:
        return unlike
    if not lots.kept(state, step.seen):
        hint = "an order without goods is cancelled, not cut: send order.cancelled from 1C"
        return Refused("nothing_left", "1C confirmed none of the ordered goods", hint, final=True)
    return _rejected(step, lots.refused(state, step.seen), "out_of_stock")


def _rejected(step: Step, which: Sequence[str], reason: str | None) -> Call:
    """order/reject; its reason may be left out, and each model has its own. [OBS S5, S8, S6b] facts 9"""
    kind = {
        "fbs": "OUT_OF_STOCK" if reason == "out_of_stock" else None,
        "cnc": "OUT_OF_STOCK" if reason == "out_of_stock" else "NOT_ACCEPTABLE",
        "dbs": None,
    }[step.on.shop.model]
    shipment = _shipment(step, items=[step.named(lot) for lot in which])
    return _shipments("order/reject", shipment, **({"reason": {"type": kind, "comment": None}} if kind else {}))


def _confirm(step: Step) -> Call | Refused:
    stay = _left(step, "CONFIRMED")
    if isinstance(stay, Refused):
        return stay
    return _shipments("order/confirm", _shipment(step, orderCode=step.code, items=[step.named(lot) for lot in stay]))


def _packing(step: Step) -> Call | Refused:
    """What is packed already is left out: a second call is for the rest. [OFF S1] C&C may pack in stages; facts 7"""
    stay = _left(step, "PACKED")
    if isinstance(stay, Refused):
        return stay
    state, codes = step.job.state, lots.marks(step.job.state, step.seen)
    in_boxes = lots.boxes(lots.kept(state, step.seen), state.boxes or 1) if step.on.shop.model == "fbs" else {}
    items = []
    for lot in stay:
        item = step.item(lot, quantity=1)
        if lot in in_boxes:
            item["boxes"] = [_box(step, box) for box in in_boxes[lot]]
        if lot in codes:
            item["digitalMark"] = codes[lot]
        items.append(item)
    return _shipments("order/packing", _shipment(step, orderCode=step.code, items=items))


def _left(step: Step, wanted: str) -> list[str] | Refused:
    """The lots that stay and are not as far yet."""
    state = step.job.state
    if goods.fewer(state) and (unlike := goods.unlike(state)) is not None:
        return unlike
    stay = lots.kept(state, step.seen)
    if not stay:
        return Refused("nothing_left", "1C confirmed none of the ordered goods", "send order.cancelled", final=True)
    return [lot for lot in stay if not statuses.reached(step.seen.lots[lot], wanted)] or stay


def _box(step: Step, box: int) -> dict[str, Any]:
    return {"boxIndex": box, "boxCode": lots.box_code(step.on.shop, step.code, box)}


def _shipping(step: Step) -> Call | Refused:
    codes = lots.box_codes(step.job.state, step.seen, step.on.shop, step.code)
    boxes = [{"boxIndex": box, "boxCode": code} for box, code in codes.items()]
    when = {"shippingDate": step.time(_marked(step, "shipped"))}
    return _shipments("order/shipping", _shipment(step, boxes=boxes, shipping=when))


def _close(step: Step) -> Call | Refused:
    """Handed over; what was and is not taken came back, what 1C never confirmed could not be handed over."""
    state, seen = step.job.state, step.seen
    said = goods.other(state, state.delivered_lines, "order.delivered")
    if (unlike := said or (goods.unlike(state) if goods.fewer(state) else None)) is not None:
        return unlike
    taken, stay = lots.handed(state, seen), lots.kept(state, seen)
    back = {lot: _BACK if lot in stay else _NOT_THERE for lot in seen.alive if lot not in taken}
    return _closed(step, taken, back)


def _closed(step: Step, taken: Sequence[str], back: Mapping[str, str]) -> Call:
    """order/close; `back`: why each lot was not taken. What is delivered there already is left out.

    The lot of the paid delivery goes with what was taken, where anything was. [OBS S2] it is included; facts 6
    """
    delivery = step.seen.open_delivery
    if not taken:
        back = {**back, **dict.fromkeys(delivery, next(iter(back.values()), _NOT_THERE))}
    yes = [lot for lot in taken if step.seen.lots[lot] != "DELIVERED"] + (delivery if taken else [])
    items = [
        *(step.item(lot, handoverResult=True) for lot in yes),
        *(step.item(lot, handoverResult=False, reason={"type": why, "comment": None}) for lot, why in back.items()),
    ]
    when = _marked(step, "delivered") if taken else step.on.now
    return _shipments("order/close", _shipment(step, closeDate=step.time(when), items=items))


def _marked(step: Step, stage: str) -> datetime:
    """When 1C marked a stage, or the first one past it; never later than now."""
    times = [mark.at for marked, mark in step.job.state.marks.items() if rank(marked) >= rank(stage)]
    return min([*times, step.on.now])


def _move_date(step: Step) -> Call | Refused:
    when = moved_to(step.job, step.seen, step.on.shop)
    if when is None:
        return Refused("no_date", "1C named no new date", final=True)
    items = [step.named(lot, shippingDate=step.time(when)) for lot in step.seen.alive]
    return _shipments("order/confirm", _shipment(step, orderCode=step.code, items=items))


def _cancel(step: Step) -> Call | Refused:
    """What the buyer asked for is granted; what is not packed is rejected, what is packed was not handed over.

    An order that is partly this, partly that is cancelled in several calls: after each the rest is looked at again.
    """
    state, seen, fbs = step.job.state, step.seen, step.on.shop.model == "fbs"
    why = state.shop_cancelled
    wish = lots.asked(state, seen) if not fbs and (state.answer is None or state.answer.accepted) else []
    if wish:
        return _answered(step, wish, canceled=True)
    unpacked = [lot for lot in seen.alive if fbs or not statuses.reached(seen.lots[lot], "PACKED")]
    if unpacked:
        return _rejected(step, unpacked, why.reason if why is not None else None)
    by_customer = why is not None and why.by == "customer"
    return _closed(step, [], dict.fromkeys(seen.alive, _BACK if by_customer else _NOT_THERE))


def _cancel_result(step: Step) -> Call | Refused:
    state = step.job.state
    wish = lots.asked(state, step.seen)
    if state.answer is None or not wish:
        return Refused("not_requested", "the buyer wishes to cancel nothing that is open", final=True)
    return _answered(step, wish, canceled=state.answer.accepted)


def _answered(step: Step, which: Sequence[str], *, canceled: bool) -> Call:
    items = [step.item(lot, canceled=canceled) for lot in which]
    return _shipments("order/cancelResult", _shipment(step, items=items))


_CALLS: Mapping[str, Callable[[Step], Call | Refused]] = {
    "reject": _reject,
    "confirm": _confirm,
    "packing": _packing,
    "shipping": _shipping,
    "close": _close,
    "move_date": _move_date,
    "cancel": _cancel,
    "cancel_result": _cancel_result,
}
