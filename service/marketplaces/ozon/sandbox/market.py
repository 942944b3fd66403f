"""The sandbox's truth: cabinets, postings, requests, what is to be told, and a journal of calls."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from service.marketplaces import invented
from service.marketplaces.ozon.sandbox import goods, pushes
from service.marketplaces.ozon.sandbox.cabinet import Cabinet
from service.marketplaces.ozon.sandbox.chances import Chances, Hand
from service.marketplaces.ozon.sandbox.posting import Cancellation, Change, Line, Posting
from service.marketplaces.ozon.sandbox.pushes import Push
from service.marketplaces.ozon.sandbox.reasons import BUYERS
from service.marketplaces.ozon.sandbox.wishes import Request, Return
from service.marketplaces.trial import Entry, Faults

MARKED: Final = {"rfbs": 0.15, "fbs": 0.25}
"""The share of postings with goods that need a marking code."""
_BY_BUYER: Final = ("client", "Клиент")


class Ozon:
    """Several cabinets of one Ozon.

    `pace` is about how long Ozon takes to apply what it has accepted, and for each of its own moves; `patience` how
    long a buyer's request waits for an answer. `pushes` are what it wants to tell, for `notify` to send. `changed` is
    called when postings have changed, before anybody is told.
    """

    def __init__(
        self, cabinets: Iterable[Cabinet], *, seed: int = 1, faults: Faults | None = None,
        chances: Chances | None = None, pace: timedelta = timedelta(seconds=5),
        patience: timedelta = timedelta(days=1), first: int = 1, changed: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.cabinets = {cabinet.channel: cabinet for cabinet in cabinets}
        self.random = Random(seed)  # noqa: S311 - chance, not secrets
        self.faults, self.chances = faults or Faults(), chances or Chances()
        self.pace, self.patience, self.changed = pace, patience, changed
        self.postings: dict[str, Posting] = {}
        self.requests: dict[int, Request] = {}
        self.returns: dict[int, Return] = {}
        self.journal: list[Entry] = []
        self.pushes: list[tuple[str, Push]] = []
        self.next_number, self.next_id = first, 10_000_001

    @property
    def hand(self) -> Hand:
        """How it writes."""
        return Hand(self.random, self.chances)

    def new_id(self) -> int:
        """A number nothing else has."""
        self.next_id += 1
        return self.next_id - 1

    def delay(self) -> timedelta:
        """How long it takes this time to apply what is accepted."""
        return self.pace * self.random.uniform(0.5, 1.5)

    def place(
        self, channel: str, *, marked: bool | None = None, lines: list[tuple[invented.Goods, int]] | None = None
    ) -> Posting:
        """A buyer places an order; what is not said is left to chance."""
        model, now = self.cabinets[channel].model, datetime.now(UTC)
        needs_codes = self.random.random() < MARKED[model] if marked is None else marked
        chosen = invented.goods(self.random, marked=needs_codes) if lines is None else lines
        shipment, delivery = goods.dates(self.random, now)
        posting = Posting(
            id=self.new_id(), number=f"{self.next_number:08d}-0001-1", channel=channel, model=model,
            lines=goods.lines(chosen, self.new_id), buyer=goods.buyer(self.random), placed=now, shipment=shipment,
            delivery=delivery, updated=now,
        )  # fmt: skip
        self.next_number += 1
        self.add(posting)
        return posting

    def add(self, posting: Posting) -> None:
        """A posting is there from now on, and told of."""
        self.postings[posting.number] = posting
        self.tell(posting, pushes.new_posting)

    def tell(self, posting: Posting, form: Callable[[Posting, Cabinet, Hand], Push]) -> None:
        """Puts a push among those to be sent."""
        self.pushes.append((posting.channel, form(posting, self.cabinets[posting.channel], self.hand)))

    def accept(
        self, posting: Posting, what: str, now: datetime, packages: list[dict[int, int]] | None = None,
        numbers: list[str] | None = None,
    ) -> None:  # fmt: skip
        """Takes a change on; it is applied later."""
        posting.change = Change(what, now + self.delay(), packages or [], numbers or [])

    def enter(self, posting: Posting, status: str, substatus: str, now: datetime) -> None:
        """A change of status, told by a push, whoever made it; open requests of an ended posting are closed."""
        posting.enter(status, substatus, now)
        if status == "delivered" or substatus == "posting_conditionally_delivered":
            self._close(posting, "REJECTED", now)
        self.tell(posting, pushes.state_changed)

    def cancel(self, posting: Posting, why: tuple[int, str], who: tuple[str, str], now: datetime) -> None:
        """All of it is cancelled. `who`: `cancellation_type`, and the initiator in Russian."""
        old, shipped = posting.substatus, posting.status != "awaiting_packaging"
        posting.cancellation = Cancellation(*why, *who, after_ship=shipped)
        posting.enter("cancelled", "posting_canceled", now)
        self._close(posting, "APPROVED", now)
        self.tell(posting, lambda one, cabinet, hand: pushes.cancelled(one, one.lines, old, why, cabinet, hand))

    def cancel_pieces(self, posting: Posting, pieces: dict[int, int], why: tuple[int, str]) -> None:
        """Some pieces are; whether Ozon tells of it is unknown, so it is left to chance."""
        gone: list[Line] = []
        for line in posting.lines:
            count = pieces.get(line.sku, 0)
            if count:
                gone.append(Line(line.sku, line.offer_id, line.name, line.price, count))
                line.quantity -= count
                del line.exemplars[line.quantity :]
        posting.lines = [line for line in posting.lines if line.quantity]
        if self.random.random() < 0.5:
            old = posting.substatus
            self.tell(posting, lambda one, cabinet, hand: pushes.cancelled(one, gone, old, why, cabinet, hand))

    def buyer_cancels(self, posting: Posting, now: datetime | None = None) -> Request | None:
        """Before the assembly, and in FBS before the hand-over, at once; in rFBS under way the seller is asked."""
        now = now or datetime.now(UTC)
        if posting.status == "awaiting_packaging" or (posting.model == "fbs" and posting.status == "awaiting_deliver"):
            self.cancel(posting, BUYERS, _BY_BUYER, now)
        elif posting.model == "rfbs" and "cancel" in posting.actions(now) and not self.asked(posting):
            request = Request(self.new_id(), posting.number, posting.channel, now, now + self.patience)
            self.requests[request.id] = request
            return request
        return None

    def asked(self, posting: Posting) -> bool:
        """Whether a request of its buyer waits for an answer."""
        return any(one.posting == posting.number and one.state == "ON_APPROVAL" for one in self.requests.values())

    def buyer_returns(self, posting: Posting, now: datetime | None = None) -> Return:
        """One piece of the first line is to come back."""
        line, now = posting.lines[0], now or datetime.now(UTC)
        record = Return(
            self.new_id(), posting.number, posting.channel, now, line.sku, line.offer_id, line.name, line.price
        )
        self.returns[record.id] = record
        return record

    def answer(self, request: Request, state: str, comment: str, now: datetime) -> None:
        """A request is approved, and the posting cancelled, or rejected, and it goes on."""
        request.state, request.answered, request.comment = state, now, comment
        if state == "APPROVED":
            self.cancel(self.postings[request.posting], BUYERS, _BY_BUYER, now)

    def move_delivery(self, posting: Posting, interval: tuple[datetime, datetime] | None) -> None:
        """The buyer's interval is another, or none for now."""
        old, posting.delivery = posting.delivery, interval
        self.tell(posting, lambda one, cabinet, hand: pushes.delivery_changed(one, old, cabinet, hand))

    def move_cutoff(self, posting: Posting, until: datetime) -> None:
        """It is to be packed by another time."""
        old, posting.shipment = posting.shipment, until
        self.tell(posting, lambda one, cabinet, hand: pushes.cutoff_changed(one, old, cabinet, hand))

    def forget(self, keep: int) -> None:
        """Lets go of ended postings, all but the newest so many, with what was asked about them, and of old calls."""
        del self.journal[: -10 * keep]
        ended = [posting.number for posting in self.postings.values() if not posting.open]
        for number in ended[:-keep]:
            del self.postings[number]
        self.requests = {id: one for id, one in self.requests.items() if one.posting in self.postings}
        self.returns = {id: one for id, one in self.returns.items() if one.posting in self.postings}

    def _close(self, posting: Posting, state: str, now: datetime) -> None:
        for request in self.requests.values():
            if request.posting == posting.number and request.state == "ON_APPROVAL":
                request.state, request.answered = state, now
