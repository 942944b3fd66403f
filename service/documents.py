"""What follows from a document of 1C's, against what is known of its order. Pure.

    equal to the newest snapshot of that document     ─▶ nothing
    older than it                                     ─▶ order.snapshot, marked stale
    else                                              ─▶ order.snapshot, then in this order, each only where it is news:
        order.registered                                 a document not seen before, or with another number
        order.cancelled                                  by any spelling; nothing but order.posted follows then
        order.uncancelled                                every spelling it was cancelled by is said to be false now
        order.unposted, order.posted                     while it is unposted no stage follows
        an answer to the buyer's wish to cancel          before the stages: the goods are on their way while he waits
        the stages it shows, up to its own               a stage skipped is not made up; only `confirmed` is implied by
                                                         all later ones, for it carries what the lines came to
        a new day                                        among the stages before `shipped`: later none is taken any more
        a return

1C joins changes into one snapshot: what lay between two of them nobody can tell.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from events.order import facts as f
from events.order import snapshots as known_of
from events.order.shapes import Known
from events.order.stages import PATH, rank
from events.order.state import OrderState
from service.differences import Difference
from service.onec import marks
from service.onec.snapshots import TYPE, Sent
from service.onec.versions import older

SHIPPED = rank("shipped")


def of_document(state: OrderState, sent: Sent, source: str) -> list[Difference]:
    """The facts a snapshot adds to its order, itself the first; none where it says nothing new."""
    fact = sent.fact
    key = known_of.known_as(state, source, fact)
    known = state.documents.get(key)
    if known is not None and known.fact.content == fact.content:
        return []
    if known is not None and older(fact, known.fact):
        stale = msgspec.structs.replace(fact, stale=True)
        return [Difference(TYPE, stale, sent.personal, fact.at)]
    if known is not None and known.posted and sent.sparse and fact.posted is None:
        fact = msgspec.structs.replace(fact, posted=False)
    return [Difference(TYPE, fact, sent.personal, fact.at), *_Following(state, fact, sent, key, known).all()]


class _Following:
    """One snapshot's news, read off in the order of the module's table."""

    def __init__(self, state: OrderState, fact: f.Snapshot, sent: Sent, key: str, known: Known | None) -> None:
        self._state, self._fact, self._key, self._known = state, fact, key, known
        self._carried, self._zone = sent.carried, sent.zone
        self._posted = fact.posted if fact.posted is not None or known is None else known.posted
        if fact.kind != "order" and fact.deleted:
            self._posted = False
        self._stage = known_of.stage(fact, self._posted)

    def all(self) -> Iterator[Difference]:
        """Every fact that follows."""
        if self._fact.kind != "order":
            yield from self._other_document()
            return
        yield from self._registered()
        before = self._known.cancelled_by if self._known is not None else frozenset()
        if known_of.spellings(self._fact, before):
            yield from self._cancelled()
            yield from self._posted_again()
            return
        back = bool(before) and self._state.shop_cancelled is not None and not self._cancelled_elsewhere()
        if back:
            yield self._mark("order.uncancelled", {})
        yield from self._posting(counted=back and rank(self._state.shop_stage) >= rank("confirmed"))
        yield from self._answer()
        stages, moved = list(self._stages()), list(self._moved())
        late = next((at for at, one in enumerate(stages) if rank(f.ONEC_STAGES[one.type]) >= SHIPPED), len(stages))
        yield from (*stages[:late], *moved, *stages[late:])
        yield from self._returned()

    def _mark(self, type: str, data: Mapping[str, Any]) -> Difference:
        """A mark as 1C would have sent it by itself."""
        given = {key: value for key, value in data.items() if value is not None}
        fact, personal = marks.understood(type, given, self._zone)
        return Difference(type, fact, personal, self._fact.at)

    def _registered(self) -> Iterator[Difference]:
        document, known = self._fact.document, self._state.document or f.Document()
        if document is None or not (document.id or document.number) or self._state.channel == "1c":
            return
        first = self._known is None and document.id is not None and _id(document) != _id(known)
        if first or (document.number is not None and document.number != known.number):
            yield self._mark("order.registered", {"document": _plain(document)})

    def _cancelled(self) -> Iterator[Difference]:
        data = {key: self._carried.get(key) for key in ("by", "reason", "comment")}
        new, done = self._mark("order.cancelled", {**data, "by": data["by"] or "shop"}), self._state.shop_cancelled
        reason = new.fact.reason if isinstance(new.fact, f.Cancelled) else None
        if done is None or (reason is not None and reason != done.reason):
            yield new

    def _cancelled_elsewhere(self) -> bool:
        """Whether another document of the order, another base's perhaps, says that it is cancelled."""
        return any(key != self._key and known.cancelled_by for key, known in self._state.documents.items())

    def _posting(self, *, counted: bool = False) -> Iterator[Difference]:
        """What became of a document that counted: by its own newest snapshot, or as the caller knows."""
        yield from self._posted_again()
        counted = counted or known_of.counts(self._known)
        if counted and self._posted is False and self._key not in self._state.unposted:
            yield self._mark("order.unposted", self._this_document())

    def _posted_again(self) -> Iterator[Difference]:
        if self._key in self._state.unposted and self._posted is not False:
            yield self._mark("order.posted", self._this_document())

    def _this_document(self) -> dict[str, Any]:
        before = self._known.fact.document if self._known is not None else None
        return {"document": _plain(known_of.named(self._fact.document, before)), "kind": self._fact.kind}

    def _stages(self) -> Iterator[Difference]:
        for stage in PATH[1 : rank(self._stage) + 1]:
            said = self._shows(stage)
            if said is None:
                continue
            new = self._mark(f"order.{stage}", said)
            if rank(stage) > rank(self._state.shop_stage) or self._is_new(stage, new):
                yield new

    def _shows(self, stage: str) -> dict[str, Any] | None:
        """What the document says of a stage; None where it does not say that the order reached it."""
        carried, fact, own = self._carried, self._fact, stage == self._stage
        match stage:
            case "confirmed":
                return {"document": _plain(fact.document), "lines": self._lines_left()}
            case "assembled":
                packed = fact.lines if fact.lines and any(line.marks or line.serials for line in fact.lines) else None
                data = {"lines": _plain(packed), "boxes": carried.get("boxes")}
                return data if own or any(data.values()) else None
            case "shipped":
                return {key: _of(carried, "shipment", key) for key in ("track", "to")} if own or fact.shipment else None
            case "arrived":
                data = {key: _of(carried, "arrival", key) or carried.get(key) for key in ("store", "keep_until")}
                return data if own or fact.arrived else None
            case "handed_over":
                return {key: carried.get(key) for key in ("courier", "code")} if own else None
            case "delivered":
                data = {"receipt": _plain(fact.receipt), "lines": self._lines_taken(), "code": carried.get("code")}
                return data if own or fact.receipt is not None else None
            case _:
                return {} if own else None

    def _is_new(self, stage: str, new: Difference) -> bool:
        """Whether a stage that was marked is said again with something else than before."""
        state = self._state
        if "code" in new.personal:
            refused = any(c.stage == stage and c.state in ("refused", "given_up") for c in state.commands.values())
            if refused or (stage == "handed_over" and not state.coded):
                return True
        match new.fact:
            case f.Confirmed(lines=lines):
                return lines is not None
            case f.Assembled(lines=lines, boxes=boxes):
                return lines not in (None, state.assembled_lines) or boxes not in (None, state.boxes)
            case f.Shipped(track=track):
                return track not in (None, state.track)
            case f.Arrived(keep_until=keep_until):
                return keep_until not in (None, state.keep_until)
            case f.Delivered(lines=lines, receipt=receipt):
                known, had = state.receipt or f.Receipt(), state.delivered_lines or self._sent()
                other = receipt is not None and (
                    receipt.number not in (None, known.number) or receipt.total not in (None, known.total)
                )
                return other or (lines is not None and _pieces(lines) != _pieces(had))
            case _:
                return False

    def _sent(self) -> Sequence[f.Line]:
        """The goods as they were confirmed, else as they were ordered."""
        return self._state.confirmed_lines or self._state.lines

    def _lines_left(self) -> Any:
        """The lines that a confirmation carries: where they are not what was ordered, or confirmed before.

        Once the goods are on their way nothing is left out of the order any more: less of them is what the buyer takes.
        """
        lines, before = self._fact.lines, self._sent()
        if not lines or rank(self._state.shop_stage) >= SHIPPED:
            return None
        return _plain(lines) if _pieces(lines) != _pieces(before) and not _renamed(lines, before) else None

    def _lines_taken(self) -> Any:
        """The lines that were handed out: as the receipt names them, or where goods on their way became fewer."""
        lines, there = self._fact.lines, rank(self._state.shop_stage)
        if (named := _of(self._carried, "receipt", "lines")) is not None:
            return named
        if self._fact.kind != "receipt" and not SHIPPED <= there < rank("delivered"):
            return None
        fewer = lines and sum(_pieces(lines).values()) < sum(_pieces(self._sent()).values())
        return _plain(lines) if fewer else None

    def _answer(self) -> Iterator[Difference]:
        """The answer to the buyer, where it was not there before: one that stays is none to another wish."""
        state, said = self._state, known_of.answer(self._fact)
        before = self._known.answered if self._known is not None else None
        if said is None or said == before or state.request is None:
            return
        accepted = said == "accepted"
        if state.answer is None or state.answer.accepted != accepted:
            data = {} if accepted else {"reason": self._carried.get("reason")}
            yield self._mark(f"order.cancellation_{said}", data)

    def _moved(self) -> Iterator[Difference]:
        new, before = self._fact.delivery, self._known.delivery if self._known is not None else None
        if new is not None and before is not None and new != before:
            yield self._mark("order.rescheduled", msgspec.to_builtins(new))

    def _returned(self) -> Iterator[Difference]:
        fact, known = self._fact, self._known.fact if self._known is not None else f.Snapshot()
        meant = fact.means == "order.returned" and known.means != fact.means
        if (fact.returned is not None and fact.returned != known.returned) or (meant and fact.returned is None):
            yield self._mark("order.returned", {"lines": _plain(fact.returned) or None})

    def _other_document(self) -> Iterator[Difference]:
        """What a shipment, a receipt or a return says by being there; and once it does not count any more."""
        fact, known = self._fact, self._known
        yield from self._posting()
        if self._posted is False:
            return
        if fact.kind == "return":
            counted = known_of.counts(known) or self._key in self._state.unposted
            if known is None or not counted or known.fact.lines != fact.lines:
                yield self._mark("order.returned", {"lines": _plain(fact.lines) or None})
            return
        stage = "shipped" if fact.kind == "shipment" else "delivered"
        said = self._shows(stage) or {}
        if stage == "delivered" and fact.receipt is None and fact.document is not None:
            said["receipt"] = {"number": fact.document.number}
        new = self._mark(f"order.{stage}", said)
        if rank(stage) > rank(self._state.shop_stage) or self._is_new(stage, new):
            yield new


def _plain(value: Any) -> Any:
    """A fact's part as a message has it."""
    return None if value is None else msgspec.to_builtins(value)


def _of(carried: Mapping[str, Any], thing: str, key: str) -> Any:
    part = carried.get(thing)
    return part.get(key) if isinstance(part, dict) else None


def _id(document: f.Document) -> str | None:
    return document.id.casefold() if document.id else None


def _pieces(lines: Sequence[f.Line]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        if line.quantity:
            found[line.sku] = found.get(line.sku, 0) + line.quantity
    return found


def _renamed(lines: Sequence[f.Line], before: Sequence[f.Line]) -> bool:
    """Whether these are the same goods under other names, such as ids of 1C's: as many pieces at each price."""
    new, old = _pieces(lines), _pieces(before)
    priced = [sorted((line.price or 0, line.quantity) for line in some if line.quantity) for some in (lines, before)]
    return not new.keys() <= old.keys() and not old.keys() <= new.keys() and priced[0] == priced[1]
