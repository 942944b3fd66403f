"""What Market's answer to a changing call means.

200                       done; a batch row may still say ERROR, a courier's code may still be wrong
400, 404                  refused; the hub reads the order before it believes it
401, 403, 423             certainly not done: a key, a right or a lock that a person or time will change
420 (429)                 certainly not done: a limit
5xx and all the rest      unknown: it may have acted
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.marketplaces import lenient
from service.marketplaces.port import Job, Later, Outcome, Refused, Reply, Sent, Unknown
from service.marketplaces.yandex import limits, values, wire
from service.marketplaces.yandex.outgoing import uncoded
from service.marketplaces.yandex.statuses import written

LOOK = "look at the order in Market's cabinet and put it right there; then: okno retry"
CODES = "send order.assembled again with a right mark for every piece that needs one"
CHECKING = timedelta(hours=1)
"""Codes that are not found valid for so long are taken for wrong ones."""

AGAIN = timedelta(minutes=2)
"""Marking codes are checked for minutes; an early READY_TO_SHIP is refused and asked again."""


@dataclass(frozen=True)
class Known:
    """A refusal we know: by its code or by its words, which come without a code in batch rows.

    `success`: what was asked for is there already. `wait`: it will be allowed by itself.
    """

    code: str
    words: str
    hint: str | None = None
    final: bool = False
    success: bool = False
    wait: bool = False


KNOWN = (
    Known("SAME_DELIVERY_DATES", "delivery dates are the same", success=True),
    Known("CODE_ALREADY_ACCEPTED", "code.* already accepted", success=True),
    Known("CIS_VALIDATION_IN_PROGRESS_ERROR", "validation.*in progress", wait=True),
    Known("TOO_FEW_CISES_FOR_ITEM", "too few cis", CODES, final=True),
    Known("", "order requires valid", wait=True),
    Known("EDIT_COUNT_EXCEEDED", "number of edits of delivery dates",
          "Market lets no further moves: deliver in time, agree with the buyer in the chat, or cancel", final=True),
    Known("DAYS_COUNT_EXCEEDED", "number of days to edit", "choose an earlier date", final=True),
    Known("USER_UNREACHABLE_NOT_ALLOWED", "user_unreachable",
          "Market wants three calls between 8 and 21 of the buyer's time, 90 minutes from the first to the third; "
          "call again, or cancel with another reason", final=True),
    Known("PICKUP_EXPIRED_CANCELLATION_FORBIDDEN", "pickup_expired", "cancel after the storage date has passed"),
    Known("SUBSTATUS_NOT_ALLOWED", "cancellation request substatus",
          "this reason is not allowed in the order's status; cancel with another reason", final=True),
    Known("CANCELLATION_REQUESTED", "cancellation.*requested",
          "the buyer asked to cancel: answer with order.cancellation_accepted or order.cancellation_declined"),
    Known("CANNOT_REMOVE_LAST_ITEM", "last item|only item", "cancel the whole order instead", final=True),
    Known("DELETED_ITEMS_EXCEEDS_THRESHOLD", "exceeds.*threshold|99 ?%", "cancel the whole order instead", final=True),
    Known("PROMO_PROHIBITS_DELETE", "promo.*(delet|remov)",
          "goods of a promotion can't be taken out: cancel the whole order", final=True),
    Known("ITEM_NOT_FOUND", "items? not found", "the order changed at Market: send order.confirmed again", final=True),
    Known("ITEM_DUPLICATE", "items? (are )?(duplicate|repeated)", final=True),
    Known("ITEMS_ADDITION_NOT_SUPPORTED", "addition.*not supported|can't be added",
          "an order can only get smaller", final=True),
    Known("TRACK_CODE_ALREADY_USED", "track.*already",
          "another track stands in the cabinet: correct it there", final=True),
    Known("CODE_NEED_BE_REFRESHED", "code.*refreshed", "ask the courier for a new code", final=True),
    Known("NO_BOXES", "no boxes found", "the boxes were not taken: retry the boxes step first"),
    Known("", "invalid order boxes layout|after ready_to_ship", "correct the boxes in Market's cabinet", final=True),
    Known("", "real delivery date|can't be in the future", "the day in 1C's mark is not one Market takes", final=True),
    Known("ORDER_IN_TERMINAL_STATE", "terminal state", "the order is finished at Market"),
    Known("NOT_FOUND", "order not found", "check campaign_id: the order is not this shop's"),
    Known("STATUS_NOT_ALLOWED", "no permission to set|no transition found|transition .* not allowed|status not allowed",
          "the order stands elsewhere at Market: compare it in the cabinet"),
    Known("INVALID_ORDER_STATUS", "not in shop-processing status"),
    Known("ACTION_FORBIDDEN", "action is not allowed", "the order's status at Market does not allow this any more"),
)  # fmt: skip

_SET_ALREADY = re.compile(r"external id already set.*externalId\s*=\s*(.*?)\)\s*$", re.IGNORECASE | re.DOTALL)
_WAITS = {
    401: "Market refuses the key: check api_key in the channel's settings",
    403: "the key has no right to this: give it «inventory-and-order-processing», check campaign_id and business_id",
    423: "Market is moving the shop's data",
}


def judge(job: Job, reply: Reply, now: datetime) -> Outcome:
    """What the answer to a single call means."""
    told = lenient.body(reply.body)
    if reply.status == 200:
        return _taken(job, told, now)
    code, message = failure(told)
    if reply.status in limits.TOO_MANY:
        return Later(message or "Market's limit is used up", until=limits.free_at(reply), limit=True)
    if reply.status in _WAITS:
        return Later(f"{_WAITS[reply.status]} ({reply.status}: {message or code or 'no reason given'})")
    if 400 <= reply.status < 500 and reply.status not in (408, 499):
        return refusal(job, code or str(reply.status), message or f"answered {reply.status}", now)
    return Unknown(f"answered {reply.status}: {message or 'no reason given'}")


def judge_batch(jobs: Sequence[Job], reply: Reply, now: datetime) -> dict[str, Outcome]:
    """What the answer to a batch call means for each command; a row for each order decides."""
    if reply.status != 200:
        return {job.command.id: judge(job, reply, now) for job in jobs}
    found = lenient.inside(lenient.body(reply.body), "result", "orders")
    rows = [
        row for value in (found if isinstance(found, list) else ()) if (row := lenient.read(wire.StatusAnswer, value))
    ]
    by_number = {values.text(row.id): row for row in rows}
    return {job.command.id: _row(job, by_number.get(job.state.number), now) for job in jobs}


def refusal(job: Job, code: str, message: str, now: datetime) -> Outcome:
    """A 400 in plain words; some say that it is done already, or will be possible soon."""
    already = _SET_ALREADY.search(message)
    if already is not None:
        return _external_id(job, already[1].strip(), code, message)
    known = recognise(code, message)
    if known is None:
        return Refused(code, message, LOOK)
    if known.success:
        return Sent()
    if known.wait:
        return _wait(job, code, message, now)
    return Refused(code, message, known.hint or LOOK, known.final)


def _wait(job: Job, code: str, message: str, now: datetime) -> Outcome:
    """Codes are under check over there; where 1C sent too few, or the check takes too long, a person is told."""
    if lacking := uncoded(job.state):
        return Refused(code, f"{message}; 1C sent too few marking codes for {', '.join(lacking)}", CODES, final=True)
    if now - job.command.since > CHECKING:
        return Refused(code, message, CODES, final=True)
    return Later(message, until=now + AGAIN)


def recognise(code: str | None, message: str) -> Known | None:
    """A refusal we know, by its code; by its words where it comes without, or with a code that says less."""
    exact = next((k for k in KNOWN if k.code and k.code == code), None)
    worded = next((k for k in KNOWN if re.search(k.words, message, re.IGNORECASE)), None)
    vague = exact is None or (exact.code == "STATUS_NOT_ALLOWED" and worded is not None and worded.wait)
    return worded if vague else exact


def failure(told: Any) -> tuple[str | None, str]:
    """The code and the words of `{"errors": [...]}`; several are joined."""
    errors = lenient.inside(told, "errors")
    rows = [row for value in (errors if isinstance(errors, list) else ()) if (row := lenient.read(wire.Failure, value))]
    message = "; ".join(row.message for row in rows if row.message)
    return next((row.code for row in rows if row.code), None), message


def _taken(job: Job, told: Any, now: datetime) -> Outcome:
    if lenient.inside(told, "status") == "ERROR":
        code, message = failure(told)
        return refusal(job, code or "ERROR", message or "Market answers ERROR without a reason", now)
    verdict = lenient.inside(told, "result", "verificationResult")
    if verdict is not None and verdict != "ACCEPTED":
        left = lenient.inside(told, "result", "attemptsLeft")
        hint = "ask the courier for the code again, and send order.handed_over with it in `code`"
        return Refused(str(verdict), f"the courier's code is not accepted, attempts left: {left}", hint, final=True)
    order = lenient.read(wire.StatusAnswer, lenient.inside(told, "order"))
    return Sent(written(order.status, order.substatus) if order is not None and order.status else None)


def _row(job: Job, row: wire.StatusAnswer | None, now: datetime) -> Outcome:
    if row is None or row.update_status not in ("OK", "ERROR"):
        return Unknown("Market's answer does not tell about this order")
    if row.update_status == "OK":
        return Sent(written(row.status, row.substatus) if row.status else None)
    message = row.error_details or "Market answers ERROR without a reason"
    known = recognise(None, message)
    return refusal(job, (known.code if known is not None else "") or "ERROR", message, now)


def _external_id(job: Job, there: str, code: str, message: str) -> Outcome:
    ours = job.state.document.number if job.state.document is not None else None
    if there == ours:
        return Sent()
    return Refused(code, message, "Market keeps the first number for ever; nothing else depends on it", final=True)
