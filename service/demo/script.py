"""What the pretend 1C says of an order, mark by mark. Pure but for chance.

Most orders go their straight way; some are told with a stage left out, a mark twice, fewer goods, a carrier's number,
another day, or end because nothing is left in the store.
"""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

from service.marketplaces.trial import Way

STAGES: Final = ("placed", "confirmed", "assembled", "shipped", "arrived", "handed_over", "delivered", "completed")
STORES: Final = ("000000017", "000000042", "000000058")
PAUSE: Final = (5.0, 11.0)
"""Seconds before a mark, from and to."""

MARKETPLACE_DELIVERS: Final = (14.0, 20.0)
"""Where the marketplace delivers, 1C waits for its report."""

SOMETIMES: Final = 0.1

Lines = list[dict[str, Any]]


@dataclass(frozen=True)
class Mark:
    """One thing 1C says. `code`: the courier's has to be asked for first."""

    type: str
    data: dict[str, Any]
    pause: float
    twice: bool = False
    code: bool = False

    @property
    def stage(self) -> str | None:
        """The stage it tells of."""
        name = self.type.removeprefix("order.").replace("registered", "placed")
        return name if name in STAGES else None


@dataclass(frozen=True)
class Placed:
    """An order as 1C has it in its base."""

    key: str
    way: Way
    lines: Lines
    pickup: bool
    details: Mapping[str, str]

    @property
    def document(self) -> dict[str, str]:
        """1C's «Заказ покупателя»: the same for an order each time it is asked."""
        id = uuid.uuid5(uuid.NAMESPACE_URL, f"okno:{self.key}")
        return {"id": str(id), "number": f"ЦСУТ-{id.int % 10**8:08d}"}


def placed(key: str, way: Way, data: Mapping[str, Any]) -> Placed:
    """An order out of the data of `order.placed`."""
    delivery = data.get("delivery") or {}
    return Placed(key, way, list(data["lines"]), delivery.get("type") == "pickup", data.get("details") or {})


def without(lines: Lines, gone: Lines) -> Lines:
    """What is left of goods when some of them are gone."""
    away: dict[str, int] = {}
    for line in gone:
        away[line["sku"]] = away.get(line["sku"], 0) + line["quantity"]
    left = []
    for line in lines:
        fewer = min(away.get(line["sku"], 0), line["quantity"])
        away[line["sku"]] = away.get(line["sku"], 0) - fewer
        if line["quantity"] > fewer:
            left.append({**line, "quantity": line["quantity"] - fewer})
    return left


def script(order: Placed, random: Random, now: datetime, after: str | None) -> Iterator[Mark]:
    """All that is said of an order after a stage, in order; `after` None: from the beginning."""
    kept = _kept(order, random) if after is None else order.lines
    sold_out, less = random.random() < SOMETIMES / 2, kept is not order.lines
    begin = 0 if after is None else STAGES.index(after) + 1
    for stage, mark in _way(order, kept, random, now):
        if after is not None and STAGES.index(stage) < begin:
            continue
        if sold_out and stage == "assembled":
            yield _mark("order.cancelled", random, by="shop", reason="out_of_stock", comment="Нет на складе")
            return
        if _may_skip(order, stage, less=less) and random.random() < SOMETIMES:
            continue
        yield mark
        if stage == "confirmed" and order.way.shop and not order.pickup and random.random() < SOMETIMES:
            yield _moved(random, now)


def _way(order: Placed, kept: Lines, random: Random, now: datetime) -> Iterator[tuple[str, Mark]]:
    """Every stage of the order's kind and how it is told; the first one is 1C's own document."""
    dated = {**order.document, "date": now.replace(tzinfo=None).isoformat(timespec="seconds")}
    yield "placed", _mark("order.registered", random, document=dated)
    yield "confirmed", _mark("order.confirmed", random, document=order.document, lines=_brief(kept))
    packed = [{**line, **_marks(order, whole, random)} for line, whole in zip(_brief(kept), kept, strict=True)]
    yield "assembled", _mark("order.assembled", random, lines=packed, boxes=1)
    if order.way.shop and order.pickup:
        store = random.choice(STORES)
        until = (now + timedelta(days=9)).date().isoformat()
        yield "shipped", _mark("order.shipped", random, to=store)
        yield "arrived", _mark("order.arrived", random, store=store, keep_until=until)
    elif order.way.shop:
        carried = {"track": f"OK{random.randrange(10**9):09d}RU"} if random.random() < SOMETIMES else dict[str, Any]()
        yield "shipped", _mark("order.shipped", random, **carried)
        yield "handed_over", _mark("order.handed_over", random, courier="Пробный В. И.")
    elif order.way.code:
        yield "handed_over", _mark("order.handed_over", random, code=True)
    else:
        yield "shipped", _mark("order.shipped", random)
    yield "delivered", _delivered(order, kept, random)
    yield "completed", _mark("order.completed", random)


def _mark(
    type: str, random: Random, *, wait: tuple[float, float] | None = None, code: bool = False, **data: Any
) -> Mark:
    twice = random.random() < SOMETIMES
    return Mark(type, data, random.uniform(*(wait or PAUSE)), twice=twice, code=code)


def _may_skip(order: Placed, stage: str, *, less: bool) -> bool:
    """Stages a shop's people forget and the hub makes up for; never a mark that carries what nobody else knows."""
    if stage == "confirmed":
        return not less
    if stage == "assembled":
        return not any(name.startswith("marking.") for name in order.details)
    return stage == "arrived" or (stage == "handed_over" and order.way.shop)


def _kept(order: Placed, random: Random) -> Lines:
    """What is in stock; of some orders the cheapest goods are missing."""
    if len(order.lines) < 2 or random.random() >= SOMETIMES:
        return order.lines
    cheapest = min(order.lines, key=lambda line: Decimal(line.get("price") or 0))
    return [line for line in order.lines if line is not cheapest]


def _delivered(order: Placed, kept: Lines, random: Random) -> Mark:
    """Issued with a receipt; of some orders the buyer leaves a piece, where the marketplace lets him."""
    wait = None if order.way.shop else MARKETPLACE_DELIVERS
    taken, said = kept, dict[str, Any]()
    if order.way.partly and sum(line["quantity"] for line in kept) > 1 and random.random() < SOMETIMES:
        taken = without(kept, [{**random.choice(kept), "quantity": 1}])
        said = {"lines": _brief(taken)}
    receipt = {"number": f"{random.randrange(10**8):08d}", "total": _total(taken)}
    return _mark("order.delivered", random, wait=wait, receipt=receipt, **said)


def _brief(lines: Lines) -> Lines:
    return [{"sku": line["sku"], "quantity": line["quantity"]} for line in lines]


def _marks(order: Placed, line: Mapping[str, Any], random: Random) -> dict[str, Any]:
    """A marking code for every piece, where the order asks for them."""
    if f"marking.{line.get('id')}" not in order.details:
        return {}
    return {"marks": [f"0104600000000017215{random.randrange(10**11):011d}" for _ in range(line["quantity"])]}


def _moved(random: Random, now: datetime) -> Mark:
    """Another day than any the buyer could have chosen."""
    day = (now + timedelta(days=random.choice((5, 6, 7)))).date().isoformat()
    interval = {"from": "10:00", "to": "14:00"}
    return _mark("order.rescheduled", random, date=day, interval=interval, by=random.choice(("shop", "customer")))


def _total(lines: Lines) -> str:
    """As 1C writes sums: with a decimal comma."""
    total = sum((Decimal(line.get("price") or 0) * line["quantity"] for line in lines), Decimal(0))
    return f"{total:.2f}".replace(".", ",")
