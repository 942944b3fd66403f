"""What 1C says about one order, mark by mark: pure, decided by the scenario and the seed."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random
from typing import Any, Protocol

from .scenario import MOSCOW, Scenario

Heard = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Mark:
    """One message of 1C. `wait` names a message from the hub without which 1C does not go on.

    `until` asks more exactly: it gets everything the hub has told 1C about this order and says whether to go on.
    """

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    wait: str = ""
    until: Callable[[Heard], bool] | None = None
    days_ago: int = 0
    by_status: str = ""
    pinned: bool = False


class GoodsLine(Protocol):
    """A line, as 1C knows it."""

    @property
    def sku(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def marks(self) -> tuple[str, ...]: ...


class Goods(Protocol):
    """What of a scenario 1C needs to write lines and documents; `kept` is how much of each line it has."""

    @property
    def lines(self) -> Sequence[GoodsLine]: ...
    @property
    def kept(self) -> Sequence[int]: ...
    @property
    def document_id(self) -> str: ...
    @property
    def document_number(self) -> str: ...


STATUS_NAMES = {"order.confirmed": "Заказ подтвержден", "order.completed": "Выполнен", "order.handed_over": "У курьера"}


def goods(scenario: Goods, *, kept: bool, marks: bool, rng: Random) -> list[dict[str, Any]]:
    """Lines as 1C writes them: numbers as strings now and then, a field of its own."""
    counts = scenario.kept if kept else tuple(line.count for line in scenario.lines)
    out = []
    for line, count in zip(scenario.lines, counts, strict=True):
        if not count:
            continue
        quantity = rng.choice([count, count, str(count), f"{count},000"])
        entry: dict[str, Any] = {"sku": line.sku, "quantity": quantity}
        if marks and line.marks:
            entry["marks"] = list(line.marks)
        if rng.random() < 0.2:
            entry["Номенклатура"] = line.name
        out.append(entry)
    return out


def document(scenario: Goods, rng: Random) -> dict[str, Any]:
    date = "0001-01-01T00:00:00" if rng.random() < 0.1 else "2026-01-12T09:58:00"
    return {"id": scenario.document_id, "number": scenario.document_number, "date": date}


def _whole(scenario: Scenario, rng: Random) -> list[Mark]:
    """Every stage of a life without mishaps, in order."""
    total = sum(line.unit * count for line, count in zip(scenario.lines, scenario.kept, strict=True))
    ago = 1 if scenario.late else 0
    marks = []
    if scenario.registered:
        marks.append(Mark("order.registered", {"document": document(scenario, rng)}, pinned=True))
    confirmed: dict[str, Any] = {}
    if scenario.fewer:
        confirmed["lines"] = goods(scenario, kept=True, marks=False, rng=rng)
    marks.append(Mark("order.confirmed", confirmed, pinned=scenario.fewer))
    assembled: dict[str, Any] = {}
    if scenario.marked or rng.random() < 0.3:
        assembled["lines"] = goods(scenario, kept=True, marks=True, rng=rng)
    marks.append(Mark("order.assembled", assembled, pinned=scenario.marked))
    if scenario.moved_by:
        moved = {"date": scenario.moved_date.isoformat(), "interval": {"from": "10:00", "to": "18:00"}}
        marks.append(Mark("order.rescheduled", moved | {"by": scenario.moved_by}, pinned=True))
    shipped = {"track": scenario.track} if scenario.track else {"to": "SHOP-7"} if scenario.pickup else {}
    marks.append(Mark("order.shipped", shipped, pinned=bool(scenario.track)))
    if scenario.pickup:
        arrived: dict[str, Any] = {"store": "SHOP-7", "keep_until": "0001-01-01T00:00:00"}
        if scenario.keep_until:
            arrived["keep_until"] = storage_limit(scenario)
        marks.append(Mark("order.arrived", arrived, pinned=scenario.keep_until, days_ago=ago))
    else:
        marks.append(
            Mark("order.handed_over", {"courier": "Машина 12"} if scenario.model == "dbs" else {}, days_ago=ago)
        )
    receipt = {"number": f"Ч-{scenario.number % 10**6}", "total": f"{total},00" if rng.random() < 0.5 else total}
    fixed = scenario.late or bool(scenario.moved_by)
    marks.append(Mark("order.delivered", {"receipt": receipt}, days_ago=ago, pinned=fixed))
    marks.append(Mark("order.completed", {}))
    return marks


def storage_limit(scenario: Scenario) -> str:
    return (scenario.placed.astimezone(MOSCOW).date() + dt.timedelta(days=9)).isoformat()


def script(scenario: Scenario, seed: int) -> list[Mark]:
    """The marks of one order in the order 1C sends them: some skipped, some neighbours swapped."""
    rng = Random(f"marks:{seed}:{scenario.number}")
    marks = _whole(scenario, rng)
    names = [mark.type for mark in marks]
    if scenario.ending == "shop_cancel":
        cut = names.index(scenario.cancel_after) + 1
        cancel = {"by": "shop", "reason": scenario.cancel_reason, "comment": "Отменено менеджером"}
        marks = [*muddle(marks[:cut], rng), Mark("order.cancelled", cancel)]
    elif scenario.ending == "buyer_cancel":
        cut = names.index(rng.choice([names[0], "order.confirmed"]))
        marks = marks[: cut + 1]
        if scenario.model == "dbs" and rng.random() < 0.4:
            marks.append(Mark("order.shipped", {}))
    elif scenario.ending in ("request_accept", "request_decline"):
        cut = names.index("order.shipped") + 1
        marks = [*muddle(marks[:cut], rng), *_answered(scenario, marks[cut:])]
    else:
        marks = muddle(marks, rng)
    return [by_status(mark, rng) for mark in marks]


def _answered(scenario: Scenario, rest: list[Mark]) -> list[Mark]:
    if scenario.ending == "request_accept":
        return [Mark("order.cancellation_accepted", {}, wait="order.cancellation_requested")]
    return [Mark("order.cancellation_declined", {"reason": "in_delivery"}, wait="order.cancellation_requested"), *rest]


def muddle(marks: list[Mark], rng: Random) -> list[Mark]:
    """Skips and swaps where that must not change where the order ends; never the last mark."""
    last = len(marks) - 1
    kept = [mark for at, mark in enumerate(marks) if mark.pinned or at == last or rng.random() > 0.12]
    if rng.random() < 0.2 and len(kept) > 2:
        at = rng.randrange(len(kept) - 1)
        if not kept[at].pinned and not kept[at + 1].pinned:
            kept[at], kept[at + 1] = kept[at + 1], kept[at]
    return kept


def by_status(mark: Mark, rng: Random) -> Mark:
    """Now and then 1C sends its own status name in place of the type, where nothing else is to be said."""
    if mark.type not in STATUS_NAMES or set(mark.data) - {"courier"} or rng.random() > 0.15:
        return mark
    name = STATUS_NAMES[mark.type]
    return replace(mark, data={"status": name}, by_status=name)


@cache
def knows(units: int) -> Callable[[Heard], bool]:
    """1C goes on once the hub has told it, in whatever message, that so many pieces are left in the order."""

    def told(heard: Heard) -> bool:
        lines: list[dict[str, Any]] = next((event["data"]["lines"] for event in reversed(heard)
                                            if "lines" in (event.get("data") or {})), [])  # fmt: skip
        return sum(int(float(line["quantity"])) for line in lines) == units

    return told
