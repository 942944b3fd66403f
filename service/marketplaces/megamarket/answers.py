"""What Megamarket's answer to a changing call means.

200, success 1            taken; lots change a moment later (PENDING_*), so the order is read until they show it
200, success 0            refused; so is success 1 with data.result other than 1. [OBS S5] facts 5, 11
200, neither              unknown
401, 403, a refused token certainly not done: a token that a person will change
429                       certainly not done: a limit. [?] none is known; facts 11
other 4xx                 refused
5xx and all the rest      unknown: it may have acted

A refusal is believed only after the order was read: packing has answered an error though the lot became PACKED.
[OBS S9] facts 11
"""

from datetime import datetime

from service.marketplaces.megamarket import envelope, lots, statuses
from service.marketplaces.port import Accepted, Job, Later, Outcome, Refused, Reply, Sent, Unknown

LOOK = "look at the order in Megamarket's cabinet and put it right there; then: okno retry"
CODES = "check the marking codes: send order.assembled again with a right mark for every piece that needs one"
EXPIRED = "Megamarket's time for it is over: settle it in the cabinet or through its support, or send order.cancelled"

_HINTS = {
    "move_date": "move the date in Megamarket's cabinet; it may be fined",
    "cancel": "cancel in Megamarket's cabinet or through its support; it may be fined",
    "close": "compare the order's lots in Megamarket's cabinet with what was handed over; then: okno retry",
    "cancel_result": "answer the buyer's wish in Megamarket's cabinet",
}


def judge(job: Job, reply: Reply, now: datetime) -> Outcome:  # noqa: ARG001 - the port's: no answer here names a time
    """What the answer to a call means."""
    told = envelope.told(reply)
    words = told.message or "no reason given"
    if reply.status in (401, 403) or (told.success is False and envelope.no_token(told.message)):
        return Later(f"Megamarket refuses the token ({reply.status}: {words}): {envelope.ADVICE}")
    if reply.status == 429:
        return Later(told.message or "Megamarket's limit is used up", limit=True)
    if reply.status == 200 and told.success is True and told.result is not False:
        return _taken(job)
    if reply.status == 200 and told.success is not None:
        return _refused(job, told.code or "refused", told.message or "Megamarket gives no reason")
    if 400 <= reply.status < 500 and reply.status not in (408, 499):
        return _refused(job, told.code or str(reply.status), told.message or f"answered {reply.status}")
    return Unknown(f"answered {reply.status}: {words}")


def _taken(job: Job) -> Outcome:
    """What a read will show is waited for; a moved date or a wish declined may never be shown. [?] facts 8, 9"""
    answer = job.state.answer
    if job.command.action == "move_date" or (
        job.command.action == "cancel_result" and answer is not None and not answer.accepted
    ):
        return Sent()
    return Accepted("Megamarket has taken it, the order does not show it yet")


def _refused(job: Job, code: str, message: str) -> Refused:
    seen = lots.known(job.before, job.state)
    if any(seen.lots[lot] in statuses.EXPIRED for lot in seen.alive):
        return Refused(code, message, EXPIRED, final=True)
    hint = _HINTS.get(job.command.action, LOOK)
    if job.command.action == "packing" and _marking(job):
        hint = f"{CODES}; else {LOOK}"
    return Refused(code, message, hint)


def _marking(job: Job) -> bool:
    """Whether marking codes play a part: 1C sent some, or goods need them."""
    needed = any(key.startswith("marking.") for key in job.state.details)
    return needed or any(line.marks for line in job.state.assembled_lines or ())
