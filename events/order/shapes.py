"""The shapes of what is known of an order. How they come about is told in `state`."""

from datetime import date, datetime
from decimal import Decimal

import msgspec

from events.order import facts as f
from events.order.stages import ASIDE, RANK, further, rank
from events.recorded import Recorded


def document_key(source: str, kind: str, document: f.Document | None) -> str:
    """What tells one document of 1C's from another: its base, what it is, and its id, else its number."""
    named = (document.id or document.number or "") if document is not None else ""
    return f"{source} {kind} {named.casefold()}"


class Command(msgspec.Struct):
    """Something that must be done, and how it stands.

    `cause`, `position`, `outcome`: of the fact behind it, of the request, of what came of it (0 while nothing has).
    `since`: from when it is tried, the last `okno retry` included.
    """

    id: str
    target: str
    action: str
    stage: str | None
    cause: int
    position: int
    version: int
    requested_at: datetime
    since: datetime
    state: str = "waiting"
    attempts: int = 0
    rounds: int = 0
    code: str | None = None
    message: str | None = None
    hint: str | None = None
    finished_at: datetime | None = None
    outcome: int = 0
    data: dict[str, str] = {}


class Attention(msgspec.Struct):
    """Something a person should look at. `about` tells one from another of the same code."""

    code: str
    message: str
    since: datetime
    position: int
    about: str = ""


class Mark(msgspec.Struct, frozen=True):
    """One of 1C's marks: where it stands in the log, and when it occurred."""

    position: int
    at: datetime


class Cancellation(msgspec.Struct, frozen=True):
    """Who cancelled, as 1C or the marketplace said it."""

    by: str
    reason: str | None
    at: datetime
    position: int


class Move(msgspec.Struct, frozen=True):
    """The delivery moved to another day, by the shop or the customer."""

    position: int
    date: date
    by: str
    at: datetime
    interval: f.Interval | None = None


class Answer(msgspec.Struct, frozen=True):
    """1C's answer to the buyer's request to cancel."""

    position: int
    accepted: bool
    reason: str | None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The newest snapshot of a document of 1C's, and what earlier ones said where it leaves that out.

    `cancelled_by`: the spellings by which it is cancelled. `stage`: how far it says the order is, None for nowhere.
    `answered`: its answer to the buyer, if there was a wish to answer.
    """

    fact: f.Snapshot
    posted: bool | None = None
    cancelled_by: frozenset[str] = frozenset()
    stage: str | None = None
    delivery: f.Agreed | None = None
    answered: str | None = None


class OrderState(msgspec.Struct, kw_only=True):
    """Everything the hub knows of an order but personal data.

    `documents`: 1C's documents of which snapshots came, by `document_key`. `uncancelled`: the position at which 1C took
    its cancellation back last, 0 for never; `taken_back`: that cancellation. `unposted`: the keys of documents that do
    not count now.
    `coded`: the position of the mark that brought the courier's code last, 0 for none.
    `shown`: the position at which both the order and its status at the marketplace were known, 0 before; what 1C marks
    earlier waits for it.
    """

    order: str
    version: int = 0
    position: int = 0
    number: str = ""
    placed: bool = False
    lines: tuple[f.Line, ...] = ()
    total: Decimal | None = None
    currency: str | None = None
    delivery: f.Delivery = f.Delivery()
    deadlines: tuple[f.Deadline, ...] = ()
    details: dict[str, str] = {}
    placed_at: datetime | None = None
    updated_at: datetime | None = None
    document: f.Document | None = None
    # what the shop's 1C says
    shop_stage: str | None = None
    marks: dict[str, Mark] = {}
    confirmed_lines: tuple[f.Line, ...] | None = None
    assembled_lines: tuple[f.Line, ...] | None = None
    delivered_lines: tuple[f.Line, ...] | None = None
    boxes: int | None = None
    track: str | None = None
    coded: int = 0
    keep_until: date | None = None
    receipt: f.Receipt | None = None
    shop_cancelled: Cancellation | None = None
    move: Move | None = None
    answer: Answer | None = None
    documents: dict[str, Known] = {}
    uncancelled: int = 0
    taken_back: Cancellation | None = None
    unposted: frozenset[str] = frozenset()
    # what the marketplace says
    status: str | None = None
    market_stage: str | None = None
    seen_at: datetime | None = None
    stamp: datetime | None = None
    shown: int = 0
    market_cancelled: Cancellation | None = None
    request: f.CancellationRequested | None = None
    returned: bool = False
    returns: dict[str, str] = {}
    # what the hub must do and did
    commands: dict[str, Command] = {}
    attention: list[Attention] = []

    @property
    def channel(self) -> str:
        """The channel's name, the first half of the key."""
        return self.order.partition("/")[0]

    @property
    def cancelled(self) -> Cancellation | None:
        """Whoever cancelled first."""
        both = [c for c in (self.shop_cancelled, self.market_cancelled) if c is not None]
        return min(both, key=lambda c: c.position, default=None)

    @property
    def stage(self) -> str:
        """How far the order is: 1C's mark, or the marketplace's own where goods moved there without one."""
        if self.shop_cancelled is not None or self.market_cancelled is not None:
            return "cancelled"
        if self.returned:
            return "returned"
        moved = self.market_stage if rank(self.market_stage) >= rank("shipped") else None
        return further(self.shop_stage, moved) or "placed"

    def reached(self, stage: str) -> bool:
        """Whether the order is at a stage or past it, here or at the marketplace; one that is over is past all."""
        if self.stage in ASIDE:
            return True
        return stage in RANK and max(rank(self.stage), rank(self.market_stage)) >= rank(stage)

    def waiting(self, target: str) -> list[Command]:
        """Commands for a target without an outcome, in the order they were requested."""
        return [c for c in self.commands.values() if c.target == target and c.state == "waiting"]

    def attend(self, event: Recorded, code: str, message: str, about: str = "") -> None:
        """Calls for a person, once per code and what it is about."""
        if not any(a.code == code and a.about == about for a in self.attention):
            attention = Attention(code, message, event.recorded_at, event.position, about)
            self.attention = [*self.attention, attention]

    def settle(self, code: str, about: str | None = None) -> None:
        """Ends a call for a person; without `about` all of that code."""
        if self.attention:
            self.attention = [a for a in self.attention if a.code != code or (about is not None and a.about != about)]
