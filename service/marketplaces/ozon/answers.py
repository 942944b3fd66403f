"""What Ozon's answer to a changing call means.

200                       done, or taken and applied later: then the posting is read until it shows; rows decide alone
400, 404, 409             refused; the hub reads the posting before it believes it
401, 403                  certainly not done: a key or a right that a person will change
429, "Circle is open"     certainly not done: a limit
5xx and all the rest      unknown: it may have acted
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from service.marketplaces import lenient
from service.marketplaces.ozon import asking, exemplars, failures, steps, values, wire
from service.marketplaces.ozon.looking import AS_FBS, CABINET, wait
from service.marketplaces.ozon.outgoing import BATCHED, STATUS
from service.marketplaces.port import Accepted, Job, Later, Outcome, Refused, Reply, Sent, Unknown

LIMIT_PAUSE: Final = timedelta(seconds=1)
ROLE: Final = "give it the role «Posting FBS» or «Admin» in the cabinet: Настройки → Seller API"
_BAD_KEY: Final = re.compile(r"api-?key.*(invalid|deactivated|expired)|(invalid|expired) api-?key", re.IGNORECASE)
_CODES: Final = exemplars.CODES.format("the goods that need one")


@dataclass(frozen=True)
class Known:
    """A refusal we know by its key. `there`: what was asked for is done or under way, the posting will show it."""

    hint: str | None = None
    final: bool = False
    there: bool = False


KNOWN: Final[Mapping[str, Known]] = {
    # Status of the refusals of a repeated ship: 400 in a mock, 409 in a note, unproven: the message decides; facts 9.
    "POSTING_ALREADY_SHIPPED": Known(there=True),
    "EXEMPLAR_INFO_ALREADY_DEFINED": Known(there=True),
    "TRANSITION_IS_NOT_POSSIBLE": Known("the posting stands elsewhere at Ozon: compare it in the cabinet"),
    "STATE_NOT_VALID": Known("the posting stands elsewhere at Ozon: compare it in the cabinet"),  # [C1]
    "HAS_INCORRECT_STATUS": Known("the posting stands elsewhere at Ozon: compare it in the cabinet"),
    "HAS_INCORRECT_TPL_INTEGRATION_TYPE": Known(AS_FBS, final=True),
    "POSTING_NOT_FOUND": Known("check client_id: the posting is not this cabinet's"),
    "POSTING_ALREADY_CANCELLED": Known("the posting is cancelled at Ozon"),  # [I] what a repeated cancel answers
    "HAS_INCORRECT_PRODUCT_QUANTITY": Known("the goods of the posting changed at Ozon: compare it in the cabinet"),
    "HAS_INCORRECT_CANCEL_REASON": Known("cancel it in Ozon's cabinet, with a reason offered there", final=True),
    "UNKNOWN_PRODUCT_DEFINED": Known("the goods of the posting changed at Ozon: compare it in the cabinet"),
    "UNKNOW_PRODUCT": Known("the goods of the posting changed at Ozon: compare it in the cabinet"),
    "MANDATORY_MARK_REDUNDANT": Known("take the codes of goods that need none out of order.assembled", final=True),
    "SHIP_FBP_POSTINGS_IS_FORBIDDEN": Known("Ozon's partner assembles this posting: nothing is to be told", final=True),
    "INCORRECT_OVH_FOR_POSTING": Known("the parcel is too big for its drop-off point: see the cabinet", final=True),
    "WEIGHT_IS_REQUIRED": Known(exemplars.BY_HAND, final=True),
}  # fmt: skip
NOT_FILLED: Final = "EXEMPLAR_INFO_NOT_FILLED_COMPLETELY"


def judge(job: Job, reply: Reply, now: datetime) -> Outcome:
    """What the answer to a call for one posting means."""
    if reply.status != 200:
        return _failed(job, reply, now)
    told = lenient.body(reply.body)
    if job.command.action in BATCHED:
        return _rows([job], told)[job.command.id]
    return _taken(job, told)


def judge_batch(jobs: Sequence[Job], reply: Reply, now: datetime) -> dict[str, Outcome]:
    """What the answer to a call for several means for each; a row for each posting decides."""
    if reply.status != 200:
        return {job.command.id: _failed(job, reply, now) for job in jobs}
    return _rows(jobs, lenient.body(reply.body))


def _failed(job: Job, reply: Reply, now: datetime) -> Outcome:
    told = failures.failure(reply)
    words = told.message or "no reason given"
    if failures.limited(reply):
        return Later(words, until=failures.free_at(reply, now), limit=True)
    if failures.key_refused(reply):
        return Later(f"{why_refused(reply)} ({reply.status}: {words})")
    if 400 <= reply.status < 500 and reply.status not in (408, 499):
        return refusal(job, named(words) or _named(reply, told), words, now)
    return Unknown(f"answered {reply.status}: {words}")


def named(message: str) -> str | None:
    """The key in a message that may hold more: one we know before any other."""
    return next((known for known in (*KNOWN, NOT_FILLED) if known in message), failures.key(message))


def _named(reply: Reply, told: failures.Failure) -> str:
    return "POSTING_NOT_FOUND" if told.code == 5 or reply.status == 404 else str(reply.status)


def why_refused(reply: Reply) -> str:
    """What to do about a refused key."""
    told = failures.failure(reply)
    if "offer not signed" in told.message.lower():
        return "the offer with Ozon lapsed: sign it in the cabinet"
    key = _BAD_KEY.search(told.message) is not None
    if reply.status == 401 or told.code == 16 or key:
        return "Ozon refuses the key: it may have expired; make a new one in the cabinet (Настройки → Seller API)"
    return f"the key has no right to this: {ROLE}"


def refusal(job: Job, key: str, message: str, now: datetime) -> Outcome:
    """A refusal in plain words; some say that it is done already, or will be possible soon."""
    if key == NOT_FILLED:
        short = exemplars.lacking(job.state, steps.needing(job.state))
        return short or wait(job, now, message, Refused(key, message, _CODES, final=True))
    known = KNOWN.get(key, Known(CABINET))
    if known.there:
        return Accepted(f"Ozon says {key}: the posting will show it")
    return Refused(key, message, known.hint, known.final)


def _taken(job: Job, told: Any) -> Outcome:
    """A 200 to a call about one posting. ship, set of exemplars: only a task was made [S]."""
    action, result = job.command.action, lenient.inside(told, "result")
    if result is False:
        return Refused("not_done", "Ozon answers that it did not do it, and gives no reason", CABINET)
    if action in ("product_cancel", "goods_back", "timeslot"):
        return Sent() if told is not None else Unknown("Ozon's answer can't be read")
    return Accepted(_WAITED_FOR[action])


_WAITED_FOR: Mapping[str, str] = {
    "ship": "Ozon is assembling the posting",
    "exemplars": "Ozon checks the codes",
    "cancel": "Ozon cancels the posting",
    "cancellation_answer": "Ozon has the answer to the buyer",
}


def _rows(jobs: Sequence[Job], told: Any) -> dict[str, Outcome]:
    rows = [row for value in asking.rows(told, "result") if (row := lenient.read(wire.Row, value)) is not None]
    by_number = {row.posting_number: row for row in rows}
    return {job.command.id: _row(job, by_number.get(job.state.number)) for job in jobs}


def _row(job: Job, row: wire.Row | None) -> Outcome:
    if row is None or row.result is None:
        return Unknown("Ozon's answer does not tell about this posting")
    if row.result:
        return Accepted("Ozon changes the status in its own time") if job.command.action in STATUS else Sent()
    message = _error(row.error) or "Ozon refuses without a reason"
    key = named(message) or "refused"
    known = KNOWN.get(key, Known(CABINET))
    return Refused(key, message, known.hint, known.final)


def _error(error: Any) -> str:
    """[S] text by the schema, a list in its example; null was not seen; facts 4."""
    if isinstance(error, list):
        return "; ".join(part for one in error if (part := _error(one)))
    if isinstance(error, Mapping):
        return values.text(error.get("message")) or values.text(error.get("code")) or ""
    return values.text(error) or ""
