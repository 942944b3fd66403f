"""What a read says of a step: before it is sent, and after.

A lot's status decides, never the order's: lots go their ways one by one. Where Megamarket shows a status nobody knows
in place of the one before the attempt, nobody concludes anything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from service.marketplaces import lenient
from service.marketplaces.megamarket import lots, outgoing, statuses, wire
from service.marketplaces.megamarket.answers import EXPIRED
from service.marketplaces.megamarket.lots import View
from service.marketplaces.megamarket.settings import Shop
from service.marketplaces.port import Applied, Finding, Job, NotApplied, Overtaken, Pending, Seen, Unclear

CABINET = "where it matters, put it right in Megamarket's cabinet"


@dataclass(frozen=True)
class Look:
    """A read: the job, what it shows, and what was seen before the last attempt; None before the first."""

    job: Job
    seen: View
    before: View | None
    shop: Shop

    def was(self, lot: str) -> str:
        """A lot's status before the attempt."""
        return self.before.lots.get(lot, "") if self.before is not None else ""


def finding(job: Job, seen: Seen | None, shop: Shop) -> Finding:
    """What a read after an attempt says."""
    if seen is None:
        return Unclear("Megamarket does not show the order; check merchant_id and token, and the order in the cabinet")
    shipment = lenient.read(wire.Shipment, lenient.body(seen.raw))
    if shipment is None:
        return Unclear("what was read of the order is not an order of Megamarket")
    return look(job, lots.view(shipment), shop)


def look(job: Job, seen: View, shop: Shop) -> Finding:
    """What the lots say: done, under way, not done, can't be done any more, or can't be told."""
    if not seen.lots:
        return Pending("Megamarket does not show the order's lots yet")
    before = lots.known(job.before, job.state) if job.before is not None else None
    found = _LOOKS[job.command.action](Look(job, seen, before, shop))
    return Applied(seen.status or None) if isinstance(found, Applied) else found


def _waiting(seen: View, which: Sequence[str]) -> Pending | None:
    """Megamarket is still at these lots."""
    told = {seen.lots[lot] for lot in which if lot in seen.lots}
    pending = sorted(status for status in told if statuses.pending(status))
    if pending:
        return Pending(f"lots are {', '.join(pending)}")
    return Pending("Megamarket shows no status yet") if "" in told else None


def _over(at: Look) -> Overtaken | None:
    """Nothing is left to be told of."""
    if at.seen.alive:
        return None
    return Overtaken("cancelled", f"the order is cancelled at Megamarket ({at.seen.status or 'all lots'})", CABINET)


def _moved(wanted: str) -> Callable[[Look], Finding]:
    def look_at(at: Look) -> Finding:
        if (over := _over(at)) is not None:
            return over
        stay = lots.kept(at.job.state, at.seen)
        behind = [lot for lot in stay if not statuses.reached(at.seen.lots[lot], wanted)]
        if stay and not behind:
            return Applied()
        return _waiting(at.seen, behind) or _undone(at, behind)

    return look_at


def _undone(at: Look, behind: Sequence[str]) -> Finding:
    """Not there; whether it may be tried depends on where the lots are."""
    for lot in behind:
        status = at.seen.lots[lot]
        if at.before is None or status == at.was(lot):
            continue
        if status in statuses.EXPIRED:
            return Overtaken(status.lower(), f"lot {lot} is {status} at Megamarket", EXPIRED)
        if status not in statuses.KNOWN:
            return Unclear(f"lot {lot} became {status} at Megamarket, which is not known here")
    return NotApplied()


def _reject(at: Look) -> Finding:
    if (over := _over(at)) is not None:
        return over
    out = lots.refused(at.job.state, at.seen)
    if not out:
        return Applied()
    gone = [lot for lot in out if statuses.reached(at.seen.lots[lot], "SHIPPED")]
    if gone:
        return Overtaken("too_late", f"lots {', '.join(gone)} are shipped at Megamarket", CABINET)
    return _waiting(at.seen, out) or _undone(at, out)


def _close(at: Look) -> Finding:
    """What was sent is found again from what was seen before it: the lots that came back are cancelled by then.

    How a lot shows that came back is not known: it is enough that it is not where it was. [?] facts 9
    """
    planned = at.before or at.seen
    taken = lots.handed(at.job.state, planned)
    back = [lot for lot in planned.alive if lot not in taken]
    now = at.seen.lots
    said = at.job.state.delivered_lines
    if (over := _over(at)) is not None:
        return Applied() if said and not any(line.quantity for line in said) else over
    wrong = [lot for lot in back if now.get(lot) == "DELIVERED"]
    if wrong:
        return Overtaken("delivered", f"lots {', '.join(wrong)}, which came back, are DELIVERED at Megamarket", CABINET)
    gone = all(lot not in at.seen.alive or (at.before and now[lot] != at.was(lot)) for lot in back)
    if gone and all(now.get(lot) == "DELIVERED" or lot not in at.seen.alive for lot in taken):
        return Applied()
    return _waiting(at.seen, at.seen.alive) or _undone(at, [lot for lot in taken if lot in at.seen.alive])


def _move_date(at: Look) -> Finding:
    """The day tells, where the read shows one; a date that was asked for again and again would cost again and again."""
    wanted = outgoing.moved_to(at.job, at.before or at.seen, at.shop)
    since = at.seen.since
    if (over := _over(at)) is not None:
        return over
    if all(at.seen.lots[lot] == "DELIVERED" for lot in at.seen.alive):
        return Overtaken("delivered", "the order is DELIVERED at Megamarket")
    if wanted is None:
        return NotApplied()
    if since is None:
        return Unclear("Megamarket does not show the order's date; look into the cabinet")
    moved = at.before is not None and since != at.before.since
    same_day = since.astimezone(at.shop.zone).date() == wanted.date()
    if since == wanted or (same_day and moved):
        return Applied()
    if moved:
        return Unclear(f"Megamarket shows another date than the one asked for: {since.isoformat()}")
    return _waiting(at.seen, at.seen.alive) or NotApplied()


def _cancel(at: Look) -> Finding:
    if not at.seen.alive:
        return Applied()
    late = "SHIPPED" if at.shop.model == "fbs" else "DELIVERED"
    if any(statuses.reached(at.seen.lots[lot], late) for lot in at.seen.alive):
        hint = "take the goods back as a return, in Megamarket's cabinet"
        return Overtaken(late.lower(), f"the order is {late} at Megamarket", hint)
    return _waiting(at.seen, at.seen.alive) or _undone(at, at.seen.alive)


def _cancel_result(at: Look) -> Finding:
    """A wish granted shows by cancelled lots. One declined does not show: the same answer is given again."""
    answer = at.job.state.answer
    wish = [lot for lot in lots.asked(at.job.state, at.seen) if lot in at.seen.lots]
    if answer is None or answer.accepted:
        if not wish:
            return Applied()
        if any(at.seen.lots[lot] == "DELIVERED" for lot in wish):
            return Overtaken("delivered", "what the buyer wished to cancel is DELIVERED at Megamarket", CABINET)
        return _waiting(at.seen, wish) or _undone(at, wish)
    if not wish:
        return Overtaken("cancelled", "what the buyer wished to cancel is cancelled at Megamarket")
    return _waiting(at.seen, wish) or NotApplied()


_LOOKS: Mapping[str, Callable[[Look], Finding]] = {
    "reject": _reject,
    "confirm": _moved("CONFIRMED"),
    "packing": _moved("PACKED"),
    "shipping": _moved("SHIPPED"),
    "close": _close,
    "move_date": _move_date,
    "cancel": _cancel,
    "cancel_result": _cancel_result,
}
