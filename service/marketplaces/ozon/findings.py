"""What a later read says about a call: done, under way, not done, can't be done any more, or can't be told."""

from collections.abc import Callable, Mapping
from typing import Any

from service.marketplaces import goods, lenient
from service.marketplaces.ozon import exemplars, going, incoming, packing, statuses, steps, timeslots, values, wire
from service.marketplaces.ozon.incoming import Answers
from service.marketplaces.ozon.looking import AS_RETURN, actions
from service.marketplaces.ozon.statuses import SHIP_FAILED, reached
from service.marketplaces.port import Applied, Finding, Job, NotApplied, Overtaken, Pending, Seen, Unclear


def finding(job: Job, seen: Seen | None) -> Finding:
    """What the posting as it was read says of the command."""
    if seen is None:
        return Unclear("Ozon does not show the posting; check client_id and the posting in the cabinet")
    told = incoming.answers(seen.raw)
    if told is None:
        return Unclear("what was read of the posting is not a posting of Ozon")
    look = _FINDINGS.get(job.command.action)
    if look is None:
        return Unclear("this step is never sent to Ozon")
    found = look(job, told)
    if isinstance(found, Applied):
        return Applied(seen.status)
    if told.posting.status in statuses.CANCELLED:
        return Overtaken("cancelled", f"the posting is cancelled at Ozon ({seen.status})")
    return found


def _moved(job: Job, told: Answers) -> Finding:
    """Where the step is not offered and not done, Ozon is at a change: those are applied in its own time [S]."""
    posting, step = told.posting, job.command.action
    if going.moved(posting, step):
        return Applied()
    offered = actions(posting)
    if posting.status in statuses.CANCELLED or not offered or going.MOVES[step].action in offered:
        return NotApplied()
    return Pending(f"Ozon shows {statuses.written(posting)}")


def _ship(_: Job, told: Answers) -> Finding:
    """`ship_failed` says that it must be sent again [S]; facts 5."""
    posting = told.posting
    if reached(posting, "assembled"):
        return Applied()
    if posting.substatus != SHIP_FAILED and packing.ASSEMBLING in actions(posting):
        return Pending("Ozon is assembling the posting")
    return NotApplied()


def _exemplars(job: Job, told: Answers) -> Finding:
    if reached(told.posting, "assembled"):
        return Applied()
    status, wanted = told.exemplars, lenient.inside(job.before, "wanted") or steps.needing(job.state)
    if status is None:
        offered = actions(told.posting)
        return Applied() if packing.SHIP & offered and packing.ASKS_MORE not in offered else NotApplied()
    if not exemplars.there(job.state, status, wanted):
        return NotApplied()
    if status.status in exemplars.AVAILABLE:
        return Applied()
    if wrong := exemplars.faults(status):
        what = f"Ozon found codes wrong: {', '.join(wrong)}"
        return Overtaken("exemplars_failed", what, exemplars.CODES.format("the goods that need one"))
    return Pending("Ozon checks the codes") if exemplars.checking(status) else NotApplied()


def _product_cancel(job: Job, told: Answers) -> Finding:
    return _less(job, told.posting, goods.kept(job.state))


def _goods_back(job: Job, told: Answers) -> Finding:
    found = _less(job, told.posting, goods.left(job.state, job.state.delivered_lines))
    if isinstance(found, NotApplied) and reached(told.posting, "delivered"):
        return Overtaken("delivered", f"the posting is {statuses.written(told.posting)} at Ozon", AS_RETURN)
    return found


def _less(job: Job, posting: wire.Posting, keep: Mapping[str, int]) -> Finding:
    """A repeat takes out more, so it is sent again only where the goods are just as they were before."""
    there, before = incoming.counted(posting), lenient.inside(job.before, "left")
    if all(count <= keep.get(sku, 0) for sku, count in there.items()):
        return Applied()
    if isinstance(before, Mapping) and there == {sku: values.whole(count) for sku, count in before.items()}:
        return NotApplied()
    return Unclear("the posting's goods are neither those before the call nor those 1C keeps")


def _timeslot(job: Job, told: Answers) -> Finding:
    """Whether a move was used up is asked before it is sent again."""
    slot = [values.moment(values.text(lenient.inside(job.before, name))) for name in ("from", "to")]
    since, until = slot
    if since is None or until is None:
        return NotApplied()
    if timeslots.shows(told.posting, since, until):
        return Applied()
    if reached(told.posting, "delivered"):
        return Overtaken("delivered", f"the posting is {statuses.written(told.posting)} at Ozon")
    return NotApplied()


def _track(job: Job, told: Answers) -> Finding:
    if values.text(told.posting.tracking_number) == job.state.track:
        return Applied()
    if reached(told.posting, "delivered"):
        return Overtaken("delivered", f"the posting is {statuses.written(told.posting)} at Ozon")
    return NotApplied()


def _cancel(job: Job, told: Answers) -> Finding:
    if told.posting.status in statuses.CANCELLED:
        return Applied()
    if reached(told.posting, "delivered"):
        return Overtaken("delivered", f"the posting is {statuses.written(told.posting)} at Ozon", AS_RETURN)
    approved = lenient.inside(job.before, "wish") is not None and _state(told) == "APPROVED"
    return Pending("Ozon cancels the posting") if approved else NotApplied()


def _answer(job: Job, told: Answers) -> Finding:
    accepted = job.state.answer is None or job.state.answer.accepted
    if told.posting.status in statuses.CANCELLED:
        return Applied() if accepted else NotApplied()  # the caller says that it is cancelled
    if incoming.open_wish(told.wish):
        return NotApplied()
    if not accepted:
        return Applied()
    if _state(told) == "APPROVED":
        return Pending("Ozon cancels the posting")
    return Overtaken("not_requested", "Ozon shows no open wish of the buyer to cancel", "send order.cancelled")


def _state(told: Answers) -> Any:
    return told.wish.state.state if told.wish is not None and told.wish.state is not None else None


_FINDINGS: Mapping[str, Callable[[Job, Answers], Finding]] = {
    "delivering": _moved,
    "last_mile": _moved,
    "delivered": _moved,
    "ship": _ship,
    "exemplars": _exemplars,
    "product_cancel": _product_cancel,
    "goods_back": _goods_back,
    "timeslot": _timeslot,
    "track": _track,
    "cancel": _cancel,
    "cancellation_answer": _answer,
}
