"""What differs between a document as 1C has it and its order as the hub knows it. Pure.

    missing_here    1C has an order that the hub never heard of
    not_placed      the hub has 1C's marks of it, and the marketplace has not shown it
    missing_there   the hub told 1C of an order that 1C does not list
    document        the hub does not know 1C's document, or under another number
    stage           1C is further, or has cancelled; or the hub is, where 1C has a status for that
    lines           other goods, or another number of them
    sum             the same goods for another sum
    marks           something else that 1C's document says: a new day, a posting, boxes, an answer to the buyer

What follows from a document is asked of the code that takes snapshots (`service.documents`), so that what is reported
here is what would happen if 1C sent it now. Nothing is reported of a document older than one that was taken.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from events.order import facts as f
from events.order import snapshots as known_of
from events.order.shapes import document_key
from events.order.stages import rank
from events.order.state import OrderState
from service.differences import Difference as News
from service.documents import of_document
from service.marketplaces.goods import pieces
from service.onec.cloudevents import Message
from service.onec.snapshots import Sent
from service.settings import Settings

KINDS = ("missing_here", "not_placed", "missing_there", "document", "stage", "lines", "sum", "marks")

SEND, READ, TELL = "send", "read", "tell"
"""What mends a difference: 1C's document sent in, a read of the marketplace, telling 1C again."""

ASIDE = ("order.cancelled", "order.uncancelled", "order.returned")
"""What leads off the path, or back to it."""

KOPECK = Decimal("0.01")
"""Sums may differ by less."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that differs. `onec`, `hub`: what each says, None for nothing; `fix`: what mends it, None: a person."""

    order: str
    kind: str
    onec: str | None = None
    hub: str | None = None
    document: str | None = None
    source: str | None = None
    fix: str | None = None


class Claim(msgspec.Struct, frozen=True):
    """A document that 1C says it has, and the order it is about as far as the message tells."""

    order: str
    message: Message
    sent: Sent


def compare(state: OrderState, claim: Claim, sayable: frozenset[str]) -> list[Difference]:
    """What differs; `sayable`: the stages for which 1C's base has a status."""
    found = _Comparing(state, claim, sayable)
    return list(found.all())


def sayable(source: str, settings: Settings) -> frozenset[str]:
    """The stages for which a base has a status of its own."""
    names: Mapping[str, str] = {**settings.onec.statuses, **settings.onec.base(source).statuses}
    return frozenset(stage for type in names.values() if (stage := f.ONEC_STAGES.get(type)) is not None)


class _Comparing:
    def __init__(self, state: OrderState, claim: Claim, sayable: frozenset[str]) -> None:
        self._state, self._claim, self._sayable = state, claim, sayable
        fact = claim.sent.fact
        known = state.documents.get(document_key(claim.message.source, fact.kind, fact.document))
        self._fact = fact
        self._posted = fact.posted if fact.posted is not None or known is None else known.posted
        before = known.cancelled_by if known is not None else frozenset()
        self._cancelled = fact.kind == "order" and bool(known_of.spellings(fact, before))
        self._strange = _strange(state, fact)

    def all(self) -> Iterable[Difference]:
        state = self._state
        if state.position == 0:
            return [self._differs("missing_here", self._says(), None, SEND)]
        first = [] if state.placed else [
            self._differs("not_placed", self._says(), f"marked {state.shop_stage or 'by 1C'}", READ)
        ]  # fmt: skip
        news = of_document(state, self._claim.sent, self._claim.message.source)
        if news and isinstance(news[0].fact, f.Snapshot) and news[0].fact.stale:
            return first
        return [*first, *self._known(news[1:])]

    def _known(self, news: list[News]) -> Iterable[Difference]:
        """Of an order that both know."""
        state, types = self._state, {one.type for one in news}
        if state.cancelled is not None and self._cancelled:
            return
        if state.cancelled is not None and self._fact.kind == "order" and "order.uncancelled" not in types:
            by = "the marketplace" if state.market_cancelled is not None else "1C"
            yield self._differs(
                "stage", self._says(), f"cancelled by {by}", TELL if state.market_cancelled is not None else None
            )
            return
        yield from self._by_news(news)
        if not types & {"order.cancelled", "order.uncancelled"}:
            yield from self._behind(types)
            yield from self._goods(news)

    def _by_news(self, news: list[News]) -> Iterable[Difference]:
        """What would follow from the document, sorted by what it is about."""
        stages, others = list[str](), list[str]()
        for one in news:
            further = rank(f.ONEC_STAGES.get(one.type)) > rank(self._state.shop_stage)
            if one.type == "order.registered":
                numbers = _number(self._fact.document), _number(self._state.document)
                yield self._differs("document", *numbers, self._send())
            elif further or one.type in ASIDE:
                stages.append(one.type)
            elif one.type != "order.confirmed":  # said again, it has other lines: see `_goods`
                others.append(one.type)
        if stages:
            hub = f"{self._state.stage}; would follow: {', '.join(stages)}"
            yield self._differs("stage", self._says(), hub, self._send())
        if others:
            yield self._differs("marks", ", ".join(others), self._state.stage, self._send())

    def _behind(self, types: set[str]) -> Iterable[Difference]:
        """The hub has a later mark of 1C's than the document, and 1C has a status for that stage."""
        stage, marked = known_of.stage(self._fact, self._posted), self._state.shop_stage
        ahead = marked in self._sayable and stage is not None and rank(stage) < rank(marked)
        if ahead and self._fact.kind == "order" and self._fact.means is not None and not types & set(f.ONEC_STAGES):
            yield self._differs("stage", self._says(), marked, None)

    def _goods(self, news: list[News]) -> Iterable[Difference]:
        state, fact = self._state, self._fact
        if fact.kind != "order" or not fact.lines or not state.lines:
            return
        theirs = +pieces(fact.lines)
        ours = [+pieces(lines) for lines in (state.confirmed_lines or state.lines, state.delivered_lines) if lines]
        same = theirs in ours or (self._strange and sum(theirs.values()) in [sum(one.values()) for one in ours])
        if not same:
            follows = any(isinstance(one.fact, f.Confirmed | f.Delivered) and one.fact.lines for one in news)
            yield self._differs("lines", _goods(theirs), _goods(ours[0]), self._send() if follows else None)
            return
        if theirs != ours[0] and not self._strange:
            return
        one, other = _sum(fact.lines, fact.lines), _sum(state.lines, state.confirmed_lines or state.lines)
        if one is not None and other is not None and abs(one - other) >= KOPECK:
            yield self._differs("sum", f"{one:.2f}", f"{other:.2f}", None)

    def _send(self) -> str | None:
        """Sending the document mends it, unless its goods go by names that the order does not have."""
        return None if self._strange else SEND

    def _says(self) -> str:
        """How far 1C says the order is."""
        fact = self._fact
        if self._cancelled:
            return "cancelled"
        if self._posted is False:
            return f"{fact.kind} not posted"
        stage = known_of.stage(fact, self._posted)
        named = f"«{fact.status}»" if fact.status is not None else None
        return " ".join(word for word in (stage, named) if word) or fact.kind

    def _differs(self, kind: str, onec: str | None, hub: str | None, fix: str | None) -> Difference:
        return Difference(
            order=self._state.order, kind=kind, onec=onec, hub=hub, document=_number(self._fact.document),
            source=self._claim.message.source, fix=fix,
        )  # fmt: skip


def _strange(state: OrderState, fact: f.Snapshot) -> bool:
    """Whether 1C's goods go by other names than the order's: none of them is one of its."""
    return bool(fact.lines and state.lines) and not set(pieces(fact.lines)) & set(pieces(state.lines))


def _number(document: f.Document | None) -> str | None:
    return (document.number or document.id) if document is not None else None


def _goods(count: Mapping[str, int]) -> str:
    return ", ".join(f"{sku} × {number}" for sku, number in sorted(count.items())) or "nothing"


def _sum(prices: Iterable[f.Line], lines: Iterable[f.Line]) -> Decimal | None:
    """What so many pieces come to at these prices; None where one has no price, or several."""
    by_sku: dict[str, set[Decimal | None]] = {}
    for line in prices:
        by_sku.setdefault(line.sku.strip(), set()).add(line.price)
    if any(len(known) > 1 or None in known for known in by_sku.values()):
        return None
    total = Decimal()
    for sku, count in pieces(lines).items():
        price = next(iter(by_sku.get(sku, {None})))
        if price is None:
            return None
        total += price * count
    return total
