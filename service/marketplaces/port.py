"""What a marketplace must be able to do, and the words the hub and its adapters share.

An adapter is pure: it makes requests and reads answers, and never sends. Whatever needs several calls is a `Talk`, a
generator that yields a `Call` and is sent its `Reply`. A transport failure is thrown into the generator as
`CallFailed`; an adapter that does not catch it lets the whole talk fail, and the hub tries again later.

    Marketplace  one per channel, made by the folder's `make(name, settings)`
    Call, Reply  one HTTP exchange
    Sent, Refused, Later, Unknown   what an answer to a changing call means
    Applied, NotApplied, Unclear    what a later read says about a call whose answer is not known
    Seen, ReturnSeen                what a read saw of an order
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias, TypeVar

from events.order.facts import CancellationRequested, Cancelled, Placed, Returned
from events.order.reactions import Step
from events.order.state import Command, OrderState

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One request. `path` is joined to the channel's base URL; `resource` names the limit it counts against.

    `shared`: that limit is the account's, not the channel's alone.
    """

    method: str
    path: str
    resource: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    changes: bool = False
    shared: bool = False


@dataclass(frozen=True)
class Reply:
    """One answer, whatever its status. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class CallFailed(Exception):
    """No answer. `sent`: bytes may have reached the marketplace, so whether it acted is unknown."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class AnswerFailed(CallFailed):
    """An answer a read can't go on with: a limit, a refused key, a fault over there. `limit`, `until` as in `Later`."""

    def __init__(self, message: str, *, status: int, limit: bool = False, until: datetime | None = None) -> None:
        super().__init__(message, sent=True)
        self.status, self.limit, self.until = status, limit, until


Talk: TypeAlias = Generator[Call, Reply, T]


@dataclass(frozen=True)
class Sent:
    """Done, as the marketplace says. `status`: the order's status there now, if the answer tells."""

    status: str | None = None


@dataclass(frozen=True)
class Refused:
    """The marketplace will not. `final`: no point in trying again even where a read shows the order unmoved.

    `hint` says what a person can do, in the cabinet or in 1C.
    """

    code: str
    message: str
    hint: str | None = None
    final: bool = False


@dataclass(frozen=True)
class Later:
    """Certainly not done; try again, not before `until` where that is known. `limit`: its own limit was hit."""

    reason: str
    until: datetime | None = None
    limit: bool = False


@dataclass(frozen=True)
class Unknown:
    """Nobody knows whether it was done: read the order before anything else is sent for it."""

    reason: str


Outcome: TypeAlias = Sent | Refused | Later | Unknown


@dataclass(frozen=True)
class Applied:
    """The read shows that the step is done, or was overtaken by a later one."""

    status: str | None = None


@dataclass(frozen=True)
class NotApplied:
    """The read shows the order as it was before; the step may be sent (again)."""


@dataclass(frozen=True)
class Overtaken:
    """The step can't be done any more (the order is cancelled, or gone a way this step is not on)."""

    code: str
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class Unclear:
    """The read can't tell; an operator decides."""

    reason: str


Finding: TypeAlias = Applied | NotApplied | Overtaken | Unclear


@dataclass(frozen=True)
class Seen:
    """One order as a read saw it.

    `status` as the marketplace writes it (`PROCESSING/STARTED`), `stage` in our words. `stamp`: the marketplace's own
    time of the last change. `ready`: the shop may start on it (paid, not a draft); before that nothing is told to 1C.
    `order`: everything `order.placed` holds. `personal`: customer, address, notes, unknown fields: erasable, by our
    names `{"customer": {"name", "phone", "email"}, "address": str, "comment": str, "extra": {...}}`. `raw`: the order's
    JSON as received.
    """

    number: str
    status: str
    stage: str | None
    ready: bool
    order: Placed
    stamp: datetime | None = None
    cancelled: Cancelled | None = None
    request: CancellationRequested | None = None
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

    `hints`: what notifications said (`return:987`), in the adapter's own words.
    """

    number: str
    new: bool = False
    hints: Sequence[str] = ()


@dataclass(frozen=True)
class Notice:
    """What a notification says, as the log keeps it: `notice` is the marketplace's own type name.

    `at` is the event's own time; `hint` is handed back in `Wanted.hints` when the order is read. `key` tells this
    notification from any other one, equal for a repeat of the same one.
    """

    number: str
    notice: str
    key: str
    at: datetime | None = None
    status: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class HookAnswer:
    """How a callback must be answered once its notices are durable."""

    status: int
    body: Any
    notices: Sequence[Notice] = ()


@dataclass(frozen=True)
class Job:
    """A step to send for one order: the command, the order's state, and its personal data by event position."""

    command: Command
    state: OrderState
    personal: Mapping[int, Any]


@dataclass(frozen=True)
class Limit:
    """What an answer's headers say of a limit: how many calls are left, until when."""

    remaining: int
    until: datetime


class Marketplace(Protocol):
    """One channel's dialect."""

    name: str
    kind: str
    model: str
    base_url: str
    account: str  # whose key it is: channels with the same one share its limits and its outages
    steps: Mapping[str, Step]
    triggers: Mapping[str, Sequence[str]]  # the default trigger map of this model
    parallel: int  # calls at once, over all of the channel; the configuration may change it
    call_timeout: float  # seconds a call may take, all in all
    settle_seconds: float  # a read begun this long after a call shows what the call did, answered or not
    applied_seconds: float  # the same after a call that was answered well

    def headers(self) -> Mapping[str, str]:
        """What every request carries, the key included."""

    def read(self, wanted: Sequence[Wanted]) -> Talk[list[Seen | ReturnSeen]]:
        """Reads these orders, many in one call; one that does not exist is missing in the result."""

    def poll(self, since: datetime | None, now: datetime) -> Talk[list[Seen | ReturnSeen]]:
        """Whatever changed since then, overlapping; None: everything that is open (the first time)."""

    def hook(self, tail: str, headers: Mapping[str, str], body: bytes, now: datetime) -> HookAnswer:
        """What a callback says and how it is answered; a malformed one is answered as the marketplace requires."""

    def request(self, job: Job, now: datetime) -> Call | Refused:
        """The call a command becomes now, or why it can't be one."""

    def judge(self, job: Job, reply: Reply, now: datetime) -> Outcome:
        """What the answer to `request` means. A 400 is Refused; the hub reads the order before it believes it."""

    def batch_limit(self, action: str) -> int:
        """How many orders one call can carry for this step; 1 where there is no batch call."""

    def batchable(self, job: Job, now: datetime) -> bool:
        """Whether this very command may go into a batch call."""

    def request_batch(self, jobs: Sequence[Job], now: datetime) -> Call:
        """One call for several orders waiting for the same step."""

    def judge_batch(self, jobs: Sequence[Job], reply: Reply, now: datetime) -> dict[str, Outcome]:
        """What the answer means for each command, by command id; every job has an outcome."""

    def finding(self, job: Job, seen: Seen | None) -> Finding:
        """What a read says about a command: done, not done, can't be done any more, or can't be told."""

    def limit(self, reply: Reply) -> Limit | None:
        """The limit an answer's headers tell."""

    def check(self) -> Talk[list[str]]:
        """Tries key and reach for `okno doctor`; returns what is wrong, each with what to do about it."""
