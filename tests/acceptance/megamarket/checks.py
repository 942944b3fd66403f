"""What must be true of Megamarket's orders in the end; each check is a name and its offenders."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.acceptance.emulator import Truth, unseen, unsettled, untold

from .scenario import CANCELED, FINAL, Scenario
from .shipment import Shipment

if TYPE_CHECKING:
    from tests.acceptance.checks import Findings

    from .emulator import Emulator

BY_BUYER = ("buyer_cancel", "buyer_part")


def next_move(order: Shipment) -> str:
    """What buyer and couriers will do to this order now, if anything."""
    one, living = order.scenario, [state for state in order.goods if state.status not in FINAL]
    if one.ending == "buyer_cancel" and living and (order.known or one.model == "fbs"):
        return "cancel"
    if one.ending == "buyer_part" and not any(state.by_buyer for state in order.goods):
        return "cancel" if any(status for state in order.goods for _, status in state.read) else ""
    if one.ending.startswith("request") and not order.requested and order.known:
        packed = all(state.status == "PACKED" for state in order.goods)
        return "request" if packed or (one.asked_early and living) else ""
    return "deliver" if any(state.status == "SHIPPED" for state in order.goods) else ""


def _stages(one: Scenario, shadow: bool) -> frozenset[str]:
    if one.ending == "too_late":
        return frozenset({"cancelled", "shipped", "handed_over", "delivered", "completed"})
    if shadow and one.needs_market:
        return frozenset({"placed", "confirmed", "assembled", "shipped", "cancelled", "completed"})
    return frozenset({"cancelled" if one.cancelled else "completed"})


def truth(order: Shipment, shadow: bool) -> Truth:
    """Of an order whose lots stand apart the hub may name any of their statuses, with the sub-status or without."""
    one, problem = order.scenario, unfinished(order, shadow)
    state = "; ".join(f"{sku} {dict(count)}" for sku, count in _ends(order).items())
    pairs = {(order.status, None)} | {(state.status, state.sub) for state in order.goods}
    seen = {status for status, _ in pairs} | {f"{status}/{sub}" for status, sub in pairs if sub}
    hears = {"order.placed": 1, "order.cancellation_requested": int(bool(order.requested))}
    if one.ending != "request_accept":  # 1C agreed to that one before: to tell it again or not are both right
        hears["order.cancelled"] = int(one.ending == "buyer_cancel")
    if (one.cancelled and one.ending != "buyer_cancel") or one.unchanged:  # its own doing is not told to 1C as a change
        hears["order.changed"] = 0
    some = set[str]()  # what the buyer took out 1C may hear with order.placed already; its marks wait until it has
    if not shadow:
        some |= {"marketplace.refused"} if one.refusal or too_late(order) else set()
        some |= set() if one.cancelled or one.ending in ("stuck", "too_late") else {"marketplace.accepted"}
    wanted = frozenset({problem or state})
    return Truth(one.key, one.ending, state, wanted, _stages(one, shadow), frozenset(seen), hears, frozenset(some))


def too_late(order: Shipment) -> bool:
    """1C cancelled what had left the shop."""
    return order.scenario.ending == "too_late" and any(state.status not in CANCELED for state in order.goods)


def _ends(order: Shipment) -> dict[str, Counter[str]]:
    out: dict[str, Counter[str]] = defaultdict(Counter)
    for state in order.goods:
        out[state.lot.sku][state.status] += 1
    return dict(out)


def _same(have: Counter[str], wanted: Counter[str]) -> bool:
    exact = Counter({status: count for status, count in wanted.items() if status != "CANCELED"})
    rest = have - exact
    return not exact - have and set(rest) <= CANCELED and rest.total() == wanted["CANCELED"]


def unfinished(order: Shipment, shadow: bool) -> str:
    """What is still wanted of this order; "" where it is where its scenario says."""
    one, have, wanted = order.scenario, _ends(order), order.scenario.wanted()
    statuses = {state.status for state in order.goods}
    if shadow:
        mine = one.ending in BY_BUYER and "CUSTOMER_CANCELED" not in statuses
        return "the buyer's cancellation" if mine else ""
    if order.moving:
        return "what was taken to happen"
    if one.ending == "too_late":
        return "" if statuses <= {"PACKED", "DELIVERED", "MERCHANT_CANCELED"} else "shipped or cancelled"
    if not all(_same(have[sku], ends) for sku, ends in wanted.items()):
        return "; ".join(f"{sku} {dict(ends)}" for sku, ends in wanted.items())
    if one.ending == "stuck" and not order.blocked:
        return "packing tried once"
    if one.ending.startswith("request") and order.accepted is not (one.ending != "request_decline"):
        return f"the buyer's request answered, not {order.accepted}"
    return ""


def _details(order: Shipment) -> Iterator[str]:
    """What besides the statuses must have reached the marketplace."""
    one = order.scenario
    if one.moved_by and one.model == "dbs" and order.date[:10] != one.moved_date.isoformat():
        yield f"{one.key}: delivery {order.date}, wanted {one.moved_date}"
    for state in order.lots.values():
        if state.boxes and state.lot.mark and not state.mark:
            yield f"{one.key}: lot {state.lot.index} packed without its marking code"
        if state.reason and (whose := _blamed(one)) and state.reason != whose:
            yield f"{one.key}: lot {state.lot.index} closed with {state.reason}, wanted {whose}"
        if state.lot.delivery and state.status not in FINAL and order.goods[0].status in FINAL:
            yield f"{one.key}: the paid delivery stands at {state.status}"
    marks = [state.mark for state in order.goods if state.mark]
    if len(set(marks)) < len(marks):
        yield f"{one.key}: one marking code for two lots: {marks}"


def _blamed(one: Scenario) -> str:
    """Cancellations by the seller are fined: who was it?"""
    if one.ending == "not_taken" or (one.ending == "shop_cancel" and one.cancel_by == "customer"):
        return "CANCEL_BY_CUSTOMER"
    return "HANDOVER_IMPOSSIBLE" if one.ending == "shop_cancel" else ""


def _codes(emulator: "Emulator") -> Iterator[str]:
    """orderCode: one per order for ever, one order per code, made of 1C's number where there is one."""
    owners: dict[tuple[str, str], str] = {}
    for order in emulator.orders.values():
        one, codes = order.scenario, set(order.codes)
        if len(codes) > 1:
            yield f"{one.key}: several orderCodes {sorted(codes)}"
        for code in codes:
            if (owner := owners.setdefault((one.channel, code), one.key)) != one.key:
                yield f"{one.key}: orderCode {code} is {owner}'s"
        if one.registered and str(one.number) in codes:
            yield f"{one.key}: orderCode is the shipment's number, 1C's {one.document_number!r} is not carried"


def _lines(emulator: "Emulator", found: "Findings") -> Iterator[str]:
    for item in found.outbox:
        key = str(item.get("subject", ""))
        order = emulator.orders.get(int(key.partition("/")[2])) if key.startswith("mm-") else None
        if order and item["type"] == "order.placed":
            yield from _placed(order.scenario, item.get("data") or {})


def _placed(one: Scenario, data: dict[str, Any]) -> Iterator[str]:
    """Lots are 1C's rows: equal goods together or apart, but all of them."""
    have: Counter[str] = Counter()
    for line in data.get("lines") or []:
        have[line.get("sku", "")] += int(float(line.get("quantity", 0)))
    have.pop("delivery", None)
    if have != one.ordered and one.ending not in BY_BUYER:
        yield f"{one.key}: order.placed with lines {dict(have)}, wanted {dict(one.ordered)}"


def _refused(emulator: "Emulator", found: "Findings") -> Iterator[str]:
    """What was refused is told with a hint; what was done is never told as refused."""
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in found.outbox:
        if item["type"] == "marketplace.refused":
            told[item.get("subject", "")].append(item.get("data") or {})
    for order in emulator.orders.values():
        one, mine = order.scenario, told[order.scenario.key]
        if mine and not one.refusal and one.ending not in (*BY_BUYER, "too_late"):
            yield f"{one.key} ({one.ending}): told as refused: {str(mine[0])[:200]}"
        for data in mine:
            if not all(data.get(name) for name in ("stage", "message", "hint")):
                yield f"{one.key}: marketplace.refused without stage, message or hint: {str(data)[:200]}"


def run(emulator: "Emulator", found: "Findings") -> Iterator[tuple[str, list[str]]]:
    """All checks; in shadow those alone that need no call."""
    journal, orders = emulator.journal, emulator.orders.values()
    truths = emulator.truths()
    yield "megamarket: every order where it belongs", list(unsettled(truths))
    yield "megamarket: no protocol violation", journal.violations
    yield "megamarket: callbacks answered as the documents ask", emulator.callbacks.faults
    if emulator.mode == "shadow":
        yield "megamarket: shadow changes nothing", [call.line() for call in journal.changing()]
    else:
        yield "megamarket: nothing twice, nothing out of order, nothing for what is cancelled", emulator.misuse
        yield "megamarket: nothing sent blindly after an unknown outcome", list(journal.blind())
        yield "megamarket: one call at a time for an order", list(journal.overlapping())
        yield "megamarket: dates, marking codes, reasons", [text for order in orders for text in _details(order)]
        yield "megamarket: orderCodes stable, one each, 1C's number in them", list(_codes(emulator))
        yield "megamarket: what is told as refused was, with a hint", list(_refused(emulator, found))
    yield "megamarket: the hub shows what is true", list(unseen(truths, found))
    yield "megamarket: 1C told what it must know of each order", list(untold(truths, found))
    yield "megamarket: lots told to 1C as its lines", list(_lines(emulator, found))
