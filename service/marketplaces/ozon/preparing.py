"""What is read of a posting just before a step is sent for it, and whether the step may be sent."""

from collections.abc import Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from service.marketplaces import lenient
from service.marketplaces.ozon import asking, ending, going, packing, statuses, timeslots, wire
from service.marketplaces.ozon.looking import Look, cancelled, wait
from service.marketplaces.port import Job, Preparation, Refused, Talk

ANSWERS_CANCELLED = ("cancel", "cancellation_answer")
"""Steps a cancelled posting means something else to."""


def prepare(job: Job, zone: ZoneInfo, now: datetime) -> Talk[Preparation]:
    """Reads the posting, and what else the step needs."""
    told = yield from asking.posting(job.state.number)
    posting = lenient.read(wire.Posting, told)
    if posting is None:
        hint = "check client_id: the posting is not this cabinet's"
        return wait(job, now, "Ozon does not show the posting", Refused("POSTING_NOT_FOUND", "no such posting", hint))
    look, action = Look(job, posting, now, zone), job.command.action
    if posting.status in statuses.CANCELLED and action not in ANSWERS_CANCELLED:
        return cancelled(look.status)
    if action in _AT_ONCE:
        return _AT_ONCE[action](look)
    return (yield from _ASKING[action](look))


_AT_ONCE: Mapping[str, Callable[[Look], Preparation]] = {
    "product_cancel": packing.product_cancel,
    "ship": packing.ship,
    "delivering": going.move,
    "last_mile": going.move,
    "delivered": going.move,
    "track": going.track,
}
"""Steps for which the posting says enough."""

_ASKING: Mapping[str, Callable[[Look], Talk[Preparation]]] = {
    "exemplars": packing.codes,
    "goods_back": packing.goods_back,
    "timeslot": timeslots.timeslot,
    "cancel": ending.cancel,
    "cancellation_answer": ending.answer,
}
"""Steps that need to know more."""
