"""What a marketplace must be able to do, and the words the hub and its adapters share.

An adapter is pure: it makes requests and reads answers, and never sends.

    exchange   Call, Reply, Talk: HTTP, one exchange or several
    outcomes   what a read before a step, its answer and a read after it mean
    here       what reads and callbacks say: Seen, ReturnSeen, Notice; what is to be done: Job; the dialect: Marketplace
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from events.order.facts import CancellationRequested, Cancelled, Placed, Returned
from events.order.reactions import Step
from events.order.state import Command, OrderState
from service.marketplaces.exchange import AnswerFailed, Call, CallFailed, Reply, Talk
from service.marketplaces.outcomes import (
    Accepted,
    Applied,
    Finding,
    Later,
    NotApplied,
    Outcome,
    Overtaken,
    Pending,
    Preparation,
    Ready,
    Refused,
    Sent,
    Unclear,
    Unknown,
)

__all__ = [
    "Accepted", "AnswerFailed", "Applied", "Call", "CallFailed", "Finding", "HookAnswer", "Job", "Label", "Later",
    "Limit", "Marketplace", "NotApplied", "Notice", "Outcome", "Overtaken", "Pending", "Preparation", "Ready",
    "Refused", "Reply", "ReturnSeen", "Seen", "Sent", "Talk", "Unclear", "Unknown", "Wanted",
]  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """One order as a read saw it.

    `status` as the marketplace writes it (`PROCESSING/STARTED`), `stage` in our words. `stamp`: the marketplace's own
    time of the last change. `ready`: the shop may start on it (paid, not a draft); before that nothing is told to 1C.
    `order`: everything `order.placed` holds; details that are no longer shown stay as they were. `request`: the buyer's
    open wish to cancel; `tells_request` False: only callbacks tell of one, so that none here says nothing. `personal`:
    customer, address, notes, unknown fields: erasable, by our names `{"customer": {"name", "phone", "email"},
    "address": str, "comment": str, "extra": {...}}`. `raw`: what was received of the order, JSON.
    """

    number: str
    status: str
    stage: str | None
    ready: bool
    order: Placed
    stamp: datetime | None = None
    cancelled: Cancelled | None = None
    request: CancellationRequested | None = None
    tells_request: bool = True
    personal: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes = b""


@dataclass(frozen=True)
class ReturnSeen:
    """A return as a read saw it; `fact.id` and `fact.status` tell one state of it from another."""

    number: str
    fact: Returned
    raw: bytes = b""


@dataclass(frozen=True)
class Wanted:
    """An order to read. `new`: not placed in the log yet, so everything about it is wanted, the buyer too.

    `hints`: what notifications said (`return:987`), in the adapter's own words. `notices`: what notifications held, as
    received, for adapters that read them: some marketplaces tell there what no read tells.
    """

    number: str
    new: bool = False
    hints: Sequence[str] = ()
    notices: Sequence[bytes] = ()


@dataclass(frozen=True)
class Notice:
    """What a notification says, as the log keeps it: `notice` is the marketplace's own type name.

    `at` is the event's own time; `hint` is handed back in `Wanted.hints` when the order is read. `key` tells this
    notification from any other one, equal for a repeat of the same one. `body`: this order's part of a callback that
    tells of several, so that what is kept of one order names no other one's buyer.
    """

    number: str
    notice: str
    key: str
    at: datetime | None = None
    status: str | None = None
    hint: str | None = None
    body: bytes | None = None


@dataclass(frozen=True)
class HookAnswer:
    """How a callback must be answered once its notices are durable."""

    status: int
    body: Any
    notices: Sequence[Notice] = ()


@dataclass(frozen=True)
class Job:
    """A step to send for one order: the command, the order's state, and its personal data by event position.

    `before`: what `prepare` saw before the last attempt (`Ready.before`); None where there was none.
    """

    command: Command
    state: OrderState
    personal: Mapping[int, Any]
    before: Any = None


@dataclass(frozen=True)
class Limit:
    """What an answer tells of a limit: how many calls of its resource are left, until when."""

    remaining: int
    until: datetime


@dataclass(frozen=True)
class Label:
    """What the shop sticks on an order's boxes, as the marketplace prints it."""

    content_type: str
    content: bytes


class Marketplace(Protocol):
    """One channel's dialect. Adapters inherit from it: what they do not offer is answered here."""

    name: str
    kind: str
    model: str
    base_url: str
    account: str  # whose key it is: channels with the same one share its limits and its outages
    steps: Mapping[str, Step]
    triggers: Mapping[str, Sequence[str]]  # the default trigger map of this model
    parallel: int  # calls at once, over all of the channel; the configuration may change it
    rate: float | None = None  # calls a second that the account may make; None: no such limit is known
    reads_notices: bool = False  # whether reads want what callbacks held (`Wanted.notices`)
    call_timeout: float  # seconds a call may take, all in all
    settle_seconds: float  # a read begun this long after a call shows what the call did, answered or not
    applied_seconds: float  # so soon after a call that was answered well its effect may show

    def headers(self) -> Mapping[str, str]:
        """What every request carries, the key included."""
        ...

    def body(self, call: Call) -> Any:
        """A call's body as it goes out: with the key, where the marketplace wants it there; `Call.body` holds none."""
        return call.body

    def read(self, wanted: Sequence[Wanted]) -> Talk[list[Seen | ReturnSeen]]:
        """Reads these orders, many in one call; one that does not exist is missing in the result."""
        ...

    def poll(self, since: datetime | None, now: datetime) -> Talk[list[Seen | ReturnSeen]]:
        """Whatever changed since then, overlapping; None: everything that is open (the first time)."""
        ...

    def hook(self, tail: str, headers: Mapping[str, str], body: bytes, now: datetime) -> HookAnswer:
        """What a callback says and how it is answered; a malformed one is answered as the marketplace requires."""
        ...

    def prepare(self, job: Job, now: datetime) -> Talk[Preparation] | None:
        """Reads what a step needs to know just before it is sent; None: nothing. It changes nothing over there.

        `job.before` is what the last attempt at the same command had seen.
        """
        return None

    def request(self, job: Job, now: datetime) -> Call | Refused:
        """The call a command becomes now, or why it can't be one."""
        ...

    def judge(self, job: Job, reply: Reply, now: datetime) -> Outcome:
        """What the answer to `request` means. A 400 is Refused; the hub reads the order before it believes it."""
        ...

    def batch_limit(self, action: str) -> int:
        """How many orders one call can carry for this step; 1 where there is no batch call."""
        return 1

    def batchable(self, job: Job, now: datetime) -> bool:
        """Whether this very command may go into a batch call."""
        return False

    def request_batch(self, jobs: Sequence[Job], now: datetime) -> Call:
        """One call for several orders waiting for the same step."""
        raise AssertionError("a marketplace without batch calls is not asked for one")

    def judge_batch(self, jobs: Sequence[Job], reply: Reply, now: datetime) -> dict[str, Outcome]:
        """What the answer means for each command, by command id; every job has an outcome."""
        raise AssertionError("a marketplace without batch calls is not asked for one")

    def settles(self, action: str) -> float:
        """`settle_seconds` of a step's call: longer where to send it twice would do harm."""
        return self.settle_seconds

    def finding(self, job: Job, seen: Seen | None) -> Finding:
        """What a read says about a command: done, not done, under way, can't be done any more, or can't be told."""
        ...

    def limit(self, reply: Reply, now: datetime) -> Limit | None:
        """The limit an answer tells, for calls of the same resource."""
        return None

    def check(self) -> Talk[list[str]]:
        """Tries key and reach for `okno doctor`; returns what is wrong, each with what to do about it."""
        ...

    def key_until(self) -> Talk[datetime | None] | None:
        """Until when the key is good; None where the marketplace does not tell."""
        return None

    def survey(self, now: datetime) -> Talk[list[str]] | None:
        """Reads some orders of a live account and says where they differ from what this folder knows."""
        return None

    def label(self, state: OrderState) -> Talk[Label | Refused] | None:
        """Asks for the labels of an order's boxes; None where the marketplace has none to give."""
        return None
