"""What follows from a document of 1C's, against what is known of its order. Pure.

    equal to the newest snapshot of that document     ─▶ nothing
    older than it                                     ─▶ order.snapshot, marked stale
    else                                              ─▶ order.snapshot, then in this order, each only where it is news:
        order.registered                                 a document not seen before, or with another number
        order.uncancelled                                every spelling it was cancelled by is said to be false now
        order.cancelled                                  by any spelling; nothing else follows then
        order.unposted, order.posted                     while it is unposted no stage follows
        the stages it shows, up to its own               a stage skipped is not made up; only `confirmed` is implied by
                                                         all later ones, for it carries what the lines came to
        a new day, an answer to the buyer, a return

1C joins changes into one snapshot: what lay between two of them nobody can tell.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from events.order import facts as f
from events.order import snapshots as known_of
from events.order.shapes import Known, document_key
from events.order.stages import PATH, rank
from events.order.state import OrderState
from service.differences import Difference
from service.onec import marks
from service.onec.snapshots import TYPE, Sent

ANSWERS = {"accepted": "order.cancellation_accepted", "declined": "order.cancellation_declined"}

_ZONE = ZoneInfo("UTC")
"""Times in the facts a snapshot holds are aware already."""


def of_document(state: OrderState, sent: Sent, source: str) -> list[Difference]:
    """The facts a snapshot adds to its order, itself the first; none where it says nothing new."""
    fact = sent.fact
    key = document_key(source, fact.kind, fact.document)
    known = state.documents.get(key)
    if known is not None and known.fact.content == fact.content:
        return []
    if known is not None and _older(fact, known.fact):
        stale = msgspec.structs.replace(fact, stale=True)
        return [Difference(TYPE, stale, sent.personal, fact.at)]
    if known is not None and known.posted and sent.sparse and fact.posted is None:
        fact = msgspec.structs.replace(fact, posted=False)
    return [Difference(TYPE, fact, sent.personal, fact.at), *_Following(state, fact, sent.carried, key, known).all()]


def _older(fact: f.Snapshot, known: f.Snapshot) -> bool:
    """Whether a snapshot was taken before the newest one: by its version, else by the sender's clock."""
    if fact.version is not None and known.version is not None and fact.version != known.version:
        new, old = _comparable(fact.version), _comparable(known.version)
        if new is not None and old is not None and new[0] == old[0]:
            return bool(new[1] < old[1])
    return fact.at is not None and known.at is not None and fact.at < known.at


def _comparable(version: str) -> tuple[object, Any] | None:
    """What a version is compared by, after the kind it must share: a number, a time, or 1C's version of data.

    That one is 8 bytes in base64, by all signs two whole numbers; nothing tells how the second one counts.
    """
    if re.fullmatch(r"\d+", version):
        return "number", int(version)
    moment = marks.moment(version, _ZONE)
    if moment is not None:
        return "time", moment
    try:
        raw = base64.b64decode(version, validate=True)
    except (binascii.Error, ValueError):
        return None
    return (raw[4:], raw[:4]) if len(raw) == 8 else None


class _Following:
    """One snapshot's news, read off in the order of the module's table."""

    def __init__(
        self, state: OrderState, fact: f.Snapshot, carried: Mapping[str, Any], key: str, known: Known | None
    ) -> None:
        self._state, self._fact, self._carried, self._key, self._known = state, fact, carried, key, known
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
        cancelled = known_of.spellings(self._fact, before)
        if cancelled:
            yield from self._cancelled()
            return
        if before and self._state.shop_cancelled is not None:
            yield self._mark("order.uncancelled", {})
        yield from self._posting()
        yield from self._stages()
        yield from self._aside()

    def _mark(self, type: str, data: Mapping[str, Any]) -> Difference:
        """A mark as 1C would have sent it by itself."""
        given = {key: value for key, value in data.items() if value is not None}
        fact, personal = marks.understood(type, given, _ZONE)
        return Difference(type, fact, personal, self._fact.at)

    def _registered(self) -> Iterator[Difference]:
        document, known = self._fact.document, self._state.document or f.Document()
        if document is None or not (document.id or document.number) or self._state.channel == "1c":
            return
        first = self._known is None and document.id is not None and _id(document) != _id(known)
        if first or (document.number is not None and document.number != known.number):
            yield self._mark("order.registered", {"document": _plain(document)})

    def _cancelled(self) -> Iterator[Difference]:
        done, reason = self._state.shop_cancelled, self._carried.get("reason")
        if done is None or (reason is not None and reason != done.reason):
            data = {key: self._carried.get(key) for key in ("by", "reason", "comment")}
            yield self._mark("order.cancelled", {**data, "by": data["by"] or "shop"})

    def _posting(self) -> Iterator[Difference]:
        data = {"document": _plain(self._fact.document), "kind": self._fact.kind}
        counted = self._known is not None and (self._known.posted or self._known.stage is not None)
        if self._key in self._state.unposted:
            if self._posted is not False:
                yield self._mark("order.posted", data)
        elif counted and self._posted is False:
            yield self._mark("order.unposted", data)

    def _stages(self) -> Iterator[Difference]:
        for stage in PATH[1 : rank(self._stage) + 1]:
            said = self._shows(stage)
            if said is None:
                continue
            if rank(stage) > rank(self._state.shop_stage) or self._is_new(stage, said):
                yield self._mark(f"order.{stage}", said)

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
                return data if own else None
            case "handed_over":
                return {key: carried.get(key) for key in ("courier", "code")} if own else None
            case "delivered":
                data = {"receipt": _plain(fact.receipt), "lines": self._lines_taken(), "code": carried.get("code")}
                return data if own or fact.receipt is not None else None
            case _:
                return {} if own else None

    def _is_new(self, stage: str, said: Mapping[str, Any]) -> bool:
        """Whether a stage that was marked is said again with something else than before."""
        state = self._state
        if said.get("code") is not None:
            refused = any(c.stage == stage and c.state in ("refused", "given_up") for c in state.commands.values())
            return refused or (stage == "handed_over" and not state.coded)
        match stage:
            case "confirmed":
                return said["lines"] is not None
            case "assembled":
                lines = said["lines"] is not None and said["lines"] != _plain(state.assembled_lines)
                return lines or (said["boxes"] is not None and str(said["boxes"]) != str(state.boxes))
            case "shipped":
                return said["track"] is not None and str(said["track"]).strip() != state.track
            case _:
                return False

    def _lines_left(self) -> Any:
        """The lines that a confirmation carries: where they are not what was ordered, or confirmed before.

        Once the goods are on their way nothing is left out of the order any more: less of them is what the buyer takes.
        """
        if not self._fact.lines or rank(self._state.shop_stage) >= rank("shipped"):
            return None
        before = self._state.confirmed_lines or self._state.lines
        return _plain(self._fact.lines) if _pieces(self._fact.lines) != _pieces(before) else None

    def _lines_taken(self) -> Any:
        """The lines that were handed out, where the receipt names them or goods on their way became fewer."""
        named = _of(self._carried, "receipt", "lines")
        if named is not None:
            return named
        state, lines = self._state, self._fact.lines
        if not lines or rank(state.shop_stage) < rank("shipped"):
            return None
        sent = _pieces(state.confirmed_lines or state.lines)
        return _plain(lines) if sum(_pieces(lines).values()) < sum(sent.values()) else None

    def _aside(self) -> Iterator[Difference]:
        fact, known, state = self._fact, self._known, self._state
        before = known.delivery if known is not None else None
        if fact.delivery is not None and before is not None and fact.delivery != before:
            yield self._mark("order.rescheduled", msgspec.to_builtins(fact.delivery))
        answer = ANSWERS.get(str(self._carried.get("answer", "")).strip().lower(), fact.means)
        if answer is not None and answer in ANSWERS.values() and state.request is not None:
            accepted = answer == ANSWERS["accepted"]
            if state.answer is None or state.answer.accepted != accepted:
                yield self._mark(answer, {} if accepted else {"reason": self._carried.get("reason")})
        said, had = fact.returned, known.fact.returned if known is not None else None
        meant = fact.means == "order.returned" and (known is None or known.fact.means != fact.means)
        if (said is not None and said != had) or (meant and said is None):
            yield self._mark("order.returned", {"lines": _plain(said) or None})

    def _other_document(self) -> Iterator[Difference]:
        """What a shipment, a receipt or a return says by being there; and once it does not count any more."""
        fact, known = self._fact, self._known
        yield from self._posting()
        if self._posted is False:
            return
        if fact.kind == "return":
            if known is None or known.fact.lines != fact.lines:
                yield self._mark("order.returned", {"lines": _plain(fact.lines) or None})
            return
        stage = "shipped" if fact.kind == "shipment" else "delivered"
        said = self._shows(stage) or {}
        if stage == "delivered" and fact.receipt is None and fact.document is not None:
            said["receipt"] = {"number": fact.document.number}
        if rank(stage) > rank(self._state.shop_stage) or self._is_new(stage, said):
            yield self._mark(f"order.{stage}", said)


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
