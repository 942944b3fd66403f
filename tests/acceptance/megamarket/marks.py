"""What 1C says about one Megamarket order, mark by mark."""

from collections import Counter
from random import Random
from typing import Any

from tests.acceptance.marks import Mark, by_status, knows, muddle

from .scenario import Scenario


def _lines(scenario: Scenario, counts: Counter[str], rng: Random, marks: bool = False) -> list[dict[str, Any]]:
    """1C's rows: equal goods are one row, whatever their lots."""
    out = []
    for sku, count in counts.items():
        entry: dict[str, Any] = {"sku": sku, "quantity": rng.choice([count, count, str(count), f"{count},000"])}
        codes = [lot.mark for lot in scenario.goods if lot.sku == sku and lot.mark][:count]
        if marks and codes:
            entry["marks"] = codes
        out.append(entry)
    rng.shuffle(out)
    return out


def _shipped(scenario: Scenario) -> Counter[str]:
    """What leaves the shop: what it has, without what the buyer cancelled before."""
    return Counter(dict(scenario.kept)) - Counter(lot.sku for lot in scenario.lots if lot.index in scenario.gone)


def whole(scenario: Scenario, rng: Random) -> list[Mark]:
    """Every stage of a life without mishaps, in order."""
    marks, ending, shipped = list[Mark](), scenario.ending, _shipped(scenario)
    packed = Counter(dict(scenario.kept)) if ending == "request_part" else shipped
    if scenario.registered:
        date = "0001-01-01T00:00:00" if rng.random() < 0.1 else "2026-01-12T09:58:00"
        document = {"id": scenario.document_id, "number": scenario.document_number, "date": date}
        marks.append(Mark("order.registered", {"document": document}, pinned=True))
    fewer = Counter(dict(scenario.kept)) != scenario.ordered
    left = sum(scenario.ordered.values()) - len(scenario.gone)
    until = knows(left) if ending == "buyer_part" else None
    marks.append(Mark("order.confirmed", {"lines": _lines(scenario, packed, rng)} if fewer else {}, until=until,
                      pinned=fewer or until is not None))  # fmt: skip
    coded = any(lot.mark for lot in scenario.lots)
    if ending == "marks_late":
        marks.append(Mark("order.assembled", {"lines": _lines(scenario, packed, rng)}, pinned=True))
    full = {"lines": _lines(scenario, packed, rng, marks=True)} if coded or rng.random() < 0.3 else {}
    marks.append(Mark("order.assembled", full, "marketplace.refused" if ending == "marks_late" else "", pinned=coded))
    if scenario.moved_by:
        moved = {"date": scenario.moved_date.isoformat(), "interval": {"from": "10:00", "to": "18:00"}}
        marks.append(Mark("order.rescheduled", moved | {"by": scenario.moved_by}, pinned=True))
    marks.append(Mark("order.shipped", {"to": "SHOP-7"} if scenario.model == "cnc" else {}))
    if scenario.model == "cnc":
        marks.append(Mark("order.arrived", {"store": "SHOP-7", "keep_until": "0001-01-01T00:00:00"}))
    if scenario.model == "dbs":
        marks.append(Mark("order.handed_over", {"courier": "Машина 12"}))
    if scenario.model != "fbs":
        delivered: dict[str, Any] = {"receipt": {"number": f"Ч-{scenario.number % 10**6}", "total": "100,00"}}
        if ending == "not_taken":
            delivered["lines"] = _lines(scenario, +Counter(dict(scenario.taken)), rng)
        elif ending == "request_part" and rng.random() < 0.5:
            delivered["lines"] = _lines(scenario, shipped, rng)
        marks.append(Mark("order.delivered", delivered, pinned="lines" in delivered))
    marks.append(Mark("order.completed", {}))
    return marks


def script(scenario: Scenario, seed: int) -> list[Mark]:
    """The marks of one order in the order 1C sends them: some skipped, some neighbours swapped."""
    rng = Random(f"megamarket marks:{seed}:{scenario.number}")
    marks, ending = whole(scenario, rng), scenario.ending
    names = [mark.type for mark in marks]
    if ending in ("shop_cancel", "too_late", "stuck"):
        cut = names.index(scenario.cancel_after if ending == "shop_cancel" else "order.shipped") + 1
        by = {"by": scenario.cancel_by, "reason": scenario.cancel_reason, "comment": "Отменено менеджером"}
        marks = [
            *muddle(marks[:cut], rng),
            Mark("order.cancelled", by, "marketplace.refused" if ending == "stuck" else ""),
        ]
    elif ending == "buyer_cancel":
        marks = marks[: names.index("order.confirmed") + rng.randrange(3)] or marks[:1]
    elif ending.startswith("request"):
        cut = names.index("order.assembled") + 1  # never skipped: the buyer may be waiting for the goods to be packed
        asked = "order.cancellation_requested"
        answer = Mark("order.cancellation_accepted", {}, asked)
        if ending == "request_decline":
            answer = Mark("order.cancellation_declined", {"reason": "in_delivery"}, asked)
        marks = [*muddle(marks[:cut], rng), answer, *(marks[cut:] if ending != "request_accept" else [])]
    elif ending != "marks_late":
        marks = muddle(marks, rng)
    return [by_status(mark, rng) for mark in marks]
