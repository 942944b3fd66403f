"""What a later read says about a call whose answer is not known."""

from collections import Counter
from collections.abc import Callable, Mapping

from service.marketplaces import lenient
from service.marketplaces.goods import kept
from service.marketplaces.port import Applied, Finding, Job, NotApplied, Overtaken, Seen, Unclear
from service.marketplaces.yandex import outgoing, values, wire
from service.marketplaces.yandex.statuses import PACKED, reached

_OPEN = ("PROCESSING", "DELIVERY", "PICKUP")
NO_MORE = "nothing is left to be told; where it matters, put it right in Market's cabinet"
_FINISHED = ("DELIVERED", "PARTIALLY_RETURNED", "RETURNED")


def finding(job: Job, seen: Seen | None) -> Finding:
    """Done, not done, can't be done any more, or can't be told."""
    if seen is None:
        return Unclear("Market does not show the order; check campaign_id and the order in the cabinet")
    order = lenient.read(wire.Order, lenient.body(seen.raw))
    if order is None:
        return Unclear("what was read of the order is not an order of Market")
    action = job.command.action
    if action == "cancel":
        return _cancel(order, seen.status)
    if action == "cancellation_accept":
        return _answered(job, order, seen.status)
    found = _FINDINGS[action](job, order)
    if isinstance(found, Applied):
        return Applied(seen.status)
    if order.status == "CANCELLED":
        return Overtaken("cancelled", f"the order is cancelled at Market ({seen.status})")
    return found


def _moved(wanted: str) -> Callable[[Job, wire.Order], Finding]:
    def look(_: Job, order: wire.Order) -> Finding:
        return Applied() if reached(order.status, wanted) else _undone(order)

    return look


def _ready(_: Job, order: wire.Order) -> Finding:
    packed = order.status == "PROCESSING" and order.substatus in PACKED
    return Applied() if packed or reached(order.status, "DELIVERY") else _undone(order)


def _undone(order: wire.Order) -> Finding:
    """Before the wanted status; the step waits for a status the shop can leave."""
    if reached(order.status, "PROCESSING"):
        return NotApplied()
    return Unclear(f"Market shows the order as {order.status}")


def _cancel(order: wire.Order, status: str) -> Finding:
    if order.status == "CANCELLED":
        return Applied(status)
    if order.status in _FINISHED:
        return Overtaken("delivered", f"the order is {order.status} at Market", "take the goods back as a return")
    return NotApplied()


def _answered(job: Job, order: wire.Order, status: str) -> Finding:
    accepted = job.state.answer is None or job.state.answer.accepted
    if order.status == "CANCELLED":
        return Applied(status) if accepted else Overtaken("cancelled", f"the order is cancelled at Market ({status})")
    if order.cancel_requested:
        return NotApplied()
    if not accepted:
        return Applied(status)
    return Overtaken("not_requested", "Market shows no wish of the buyer to cancel any more", "send order.cancelled")


def _external_id(job: Job, order: wire.Order) -> Finding:
    ours = job.state.document.number if job.state.document is not None else None
    there = values.text(order.external_order_id)
    if there == ours:
        return Applied()
    if there:
        return Overtaken("other_external_id", f"Market holds the number {there}", "nothing else depends on it")
    return _if(order, *_OPEN)


def _items(job: Job, order: wire.Order) -> Finding:
    there = {values.text(item.id) or "": values.whole(item.count) for item in order.items or () if item is not None}
    if _present(there) == _present(kept(job.state)):
        return Applied()
    return NotApplied() if (order.status, order.substatus) == ("PROCESSING", "STARTED") else _late(order)


def _identifiers(job: Job, order: wire.Order) -> Finding:
    there = {values.text(item.id): _codes(item.instances) for item in order.items or () if item is not None}
    for line, wanted in outgoing.instances(job.state).items():
        if Counter(code for one in wanted for code in one.values()) - there.get(line, Counter()):
            return _if(order, *_OPEN)
    return Applied()


def _codes(instances: list[wire.Instance | None] | None) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in instances or ():
        if one is not None:
            found.update({code for code in (one.cis, one.cis_full, one.uin, one.rnpt, one.gtd) if code})
    return found


def _boxes(job: Job, order: wire.Order) -> Finding:
    """Boxes are set, not added: until READY_TO_SHIP they may be sent any number of times, then they stand."""
    if (order.status, order.substatus) != ("PROCESSING", "STARTED"):
        return Applied() if reached(order.status, "PROCESSING") else _undone(order)
    there = [box for box in (order.delivery.boxes_layout if order.delivery else None) or () if box is not None]
    goods = len(there) == (job.state.boxes or 1) and _packed(there) == _present(kept(job.state))
    codes = _codes([one for item in _box_items(there) for one in item.instances or ()])
    wanted = Counter(code for ones in outgoing.instances(job.state).values() for one in ones for code in one.values())
    return Applied() if goods and not wanted - codes else NotApplied()


def _present(lines: Mapping[str, int]) -> dict[str, int]:
    return {line: count for line, count in lines.items() if count}


def _box_items(boxes: list[wire.Box]) -> list[wire.BoxItem]:
    return [item for box in boxes for item in box.items or () if item is not None]


def _packed(boxes: list[wire.Box]) -> dict[str, int]:
    count: Counter[str] = Counter()
    for item in _box_items(boxes):
        part = item.partial_count or {}
        first_part = values.whole(part.get("current")) == 1
        count[values.text(item.id) or ""] += 1 if first_part else values.whole(item.full_count)
    return _present(count)


def _track(job: Job, order: wire.Order) -> Finding:
    tracks = (order.delivery.tracks if order.delivery else None) or ()
    if any(track is not None and track.track_code == job.state.track for track in tracks):
        return Applied()
    return _if(order, *_OPEN)


def _storage_limit(job: Job, order: wire.Order) -> Finding:
    pickup = order.delivery.pickup if order.delivery else None
    until = values.day(pickup.outlet_storage_limit_date) if pickup is not None else None
    if until is not None and until == job.state.keep_until:
        return Applied()
    return _if(order, "PICKUP")


def _delivery_date(job: Job, order: wire.Order) -> Finding:
    dates = (order.delivery.dates if order.delivery else None) or wire.Dates()
    if job.state.move is not None and values.day(dates.to_date or dates.from_date) == job.state.move.date:
        return Applied()
    return _if(order, "PROCESSING", "DELIVERY")


def _verify_eac(_: Job, order: wire.Order) -> Finding:
    """A wrong code costs one of few attempts, so it is never sent twice on a guess; the courier's next status tells."""
    taken = order.substatus == "COURIER_RECEIVED" or reached(order.status, "DELIVERED")
    if taken or (order.status == "DELIVERY" and order.substatus == "DELIVERY_SERVICE_RECEIVED"):
        return Applied()
    return Unclear("Market does not show whether it took the courier's code; ask the courier or look into the cabinet")


def _if(order: wire.Order, *allowed: str) -> Finding:
    return NotApplied() if order.status in allowed else _late(order)


def _late(order: wire.Order) -> Finding:
    return Overtaken("too_late", f"the order is {order.status}/{order.substatus}: Market takes this no more", NO_MORE)


_FINDINGS: Mapping[str, Callable[[Job, wire.Order], Finding]] = {
    "delivery": _moved("DELIVERY"),
    "pickup": _moved("PICKUP"),
    "delivered": _moved("DELIVERED"),
    "ready_to_ship": _ready,
    "external_id": _external_id,
    "items": _items,
    "identifiers": _identifiers,
    "boxes": _boxes,
    "track": _track,
    "storage_limit": _storage_limit,
    "delivery_date": _delivery_date,
    "verify_eac": _verify_eac,
    "goods_back": lambda *_: NotApplied(),
}
