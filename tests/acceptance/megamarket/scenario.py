"""What happens to each Megamarket order, decided by (seed, index) alone."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.acceptance.scenario import GOODS, MOSCOW

Model = Literal["dbs", "cnc", "fbs"]
Ending = Literal["completed", "not_taken", "shop_cancel", "too_late", "buyer_cancel", "buyer_part", "request_accept",
                 "request_decline", "request_part", "stuck", "marks_late"]  # fmt: skip
CHANNELS: dict[Model, str] = {"dbs": "mm-dbs", "cnc": "mm-cnc", "fbs": "mm-fbs"}
MERCHANTS: dict[Model, int] = {"dbs": 175306, "cnc": 3333, "fbs": 5046}
TOKENS: dict[Model, str] = {
    model: f"{merchant:08x}-0000-4000-8000-00000000f00d" for model, merchant in MERCHANTS.items()
}
CANCELED = frozenset({"MERCHANT_CANCELED", "CUSTOMER_CANCELED"})
FINAL = CANCELED | {"DELIVERED"}
ENDINGS: dict[Model, dict[Ending, int]] = {
    "dbs": {"completed": 62, "not_taken": 9, "shop_cancel": 10, "request_accept": 6, "request_decline": 4,
            "request_part": 3, "buyer_cancel": 3, "stuck": 3},
    "cnc": {"completed": 60, "not_taken": 9, "shop_cancel": 12, "request_accept": 6, "request_decline": 4,
            "request_part": 3, "buyer_cancel": 3, "stuck": 3},
    "fbs": {"completed": 66, "shop_cancel": 9, "too_late": 4, "buyer_cancel": 8, "buyer_part": 5, "marks_late": 5,
            "stuck": 3},
}  # fmt: skip


@dataclass(frozen=True)
class Lot:
    """One unit of goods, or the paid delivery."""

    index: int
    sku: str
    name: str
    price: int
    delivery: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Scenario:
    """One order's life. `kept` is what the shop has, `taken` what the buyer takes, `gone` lots the buyer cancels."""

    number: int
    model: Model
    ending: Ending
    lots: tuple[Lot, ...]
    kept: tuple[tuple[str, int], ...]
    taken: tuple[tuple[str, int], ...]
    gone: tuple[int, ...]
    moved_by: Literal["", "shop", "customer"]
    registered: bool
    document_number: str
    by_document: bool
    over_http: bool
    asked_early: bool
    cancel_after: str
    cancel_by: Literal["shop", "customer"]
    cancel_reason: str
    slow_status: bool
    placed: dt.datetime

    @property
    def channel(self) -> str:
        return CHANNELS[self.model]

    @property
    def merchant(self) -> int:
        return MERCHANTS[self.model]

    @property
    def key(self) -> str:
        return f"{self.channel}/{self.number}"

    @property
    def goods(self) -> list[Lot]:
        return [lot for lot in self.lots if not lot.delivery]

    @property
    def ordered(self) -> Counter[str]:
        return Counter(lot.sku for lot in self.goods)

    @property
    def cancelled(self) -> bool:
        return self.ending in ("shop_cancel", "stuck", "buyer_cancel", "request_accept")

    @property
    def refusal(self) -> bool:
        """1C asks for something the marketplace will not do: it must be told so, with a hint."""
        return self.ending in ("stuck", "marks_late") or bool(self.moved_by and self.model != "dbs")

    @property
    def unchanged(self) -> bool:
        """Nobody changes anything about it."""
        return self.ending == "completed" and not self.moved_by and dict(self.kept) == dict(self.ordered)

    @property
    def needs_market(self) -> bool:
        """1C waits for what only a hub that may act can bring about."""
        return self.ending.startswith("request") or self.ending in ("marks_late", "stuck")

    @property
    def document_id(self) -> str:
        return f"8c2b41aa-8b86-d011-b42d-{self.number % 10**12:012d}"

    @property
    def first_date(self) -> dt.date:
        return (self.placed + dt.timedelta(days=4)).astimezone(MOSCOW).date()

    @property
    def moved_date(self) -> dt.date:
        return self.first_date + dt.timedelta(days=2 + self.number % 2)

    def wanted(self) -> dict[str, Counter[str]]:
        """For each sku how many lots end where; CANCELED stands for either of the two."""
        kept, taken = dict(self.kept), dict(self.taken)
        out: dict[str, Counter[str]] = {}
        for sku, count in self.ordered.items():
            if self.ending in ("shop_cancel", "stuck"):
                ends = Counter({"MERCHANT_CANCELED" if self.cancel_by == "shop" else "CANCELED": count})
            elif self.ending in ("buyer_cancel", "request_accept"):
                ends = Counter({"CUSTOMER_CANCELED": count})
            else:
                back = kept[sku] - taken[sku] + sum(lot.sku == sku and lot.index in self.gone for lot in self.lots)
                ends = Counter({"DELIVERED": count - (count - kept[sku]) - back, "CUSTOMER_CANCELED": back,
                                "MERCHANT_CANCELED": count - kept[sku]})  # fmt: skip
            out[sku] = +ends
        return out


def _lots(number: int, model: Model, rng: Random, marked: bool, many: bool) -> tuple[Lot, ...]:
    """One to three goods, now and then four of one kind, in no order; paid delivery is the last lot of some."""
    units: list[tuple[str, str, int]] = []
    for at, good in enumerate(rng.sample(GOODS, rng.choice([2, 3] if many else [1, 2, 2, 3]))):
        units += [good] * (4 if at == 0 and rng.random() < 0.2 else rng.choice([1, 1, 2, 3]))
    first = units[0][0]
    rng.shuffle(units)
    lots = []
    for at, unit in enumerate(units, 1):
        code = f"0104601234567893215q{number % 10**7:07d}{at:02d}"
        lots.append(Lot(at, *unit, mark=code if marked and unit[0] == first else ""))
    if model == "dbs" and rng.random() < 0.35:
        lots.append(Lot(len(lots) + 1, "delivery", "Доставка", 800, delivery=True))
    return tuple(lots)


def _document_number(index: int) -> str:
    """Numbers of 1C, among them pairs that a careless transliteration makes one."""
    pair = index // 6
    return (f"УТ-{pair:06d}", f"UT-{pair:06d}", f"УТ {pair:06d}", f"УТ_{pair:06d}", f"ЦСУТ-{pair:06d}",
            f"00-{pair:06d}")[index % 6]  # fmt: skip


def _fewer(counts: Counter[str], rng: Random) -> Counter[str]:
    """One sku less by one at least; something always stays."""
    sku = rng.choice(sorted(counts))
    least = 0 if len(counts) > 1 else 1
    return counts - Counter({sku: counts[sku] - rng.randrange(least, counts[sku])})


def scenario(seed: int, index: int) -> Scenario:
    """The `index`-th order of the run with this seed."""
    number = 9_300_000_000_000 + seed * 1_000_000 + index
    rng = Random(f"megamarket:{seed}:{index}")
    model: Model = rng.choices(("dbs", "cnc", "fbs"), (40, 25, 35))[0]
    ending: Ending = rng.choices(list(ENDINGS[model]), list(ENDINGS[model].values()))[0]
    some = ending in ("not_taken", "buyer_part", "request_part")
    marked = ending == "marks_late" or (model == "fbs" and rng.random() < 0.25) or rng.random() < 0.05
    lots = _lots(number, model, rng, marked, some)
    ordered = Counter(lot.sku for lot in lots if not lot.delivery)
    gone = [lot.index for lot in lots if not lot.delivery and lot.sku == lots[0].sku]
    if ending not in ("buyer_part", "request_part"):
        gone = []
    elif len(gone) > 1 and rng.random() < 0.5:
        gone.pop()
    short = ending == "completed" and ordered.total() > 1 and rng.random() < 0.2
    kept = _fewer(ordered, rng) if short else ordered
    taken = _fewer(ordered, rng) if ending == "not_taken" else kept
    registered = rng.random() < 0.7
    by: Literal["shop", "customer"] = rng.choice(("shop", "customer")) if model != "fbs" else "shop"
    return Scenario(
        number=number, model=model, ending=ending, lots=lots, gone=tuple(gone),
        kept=tuple((sku, kept[sku]) for sku in ordered), taken=tuple((sku, taken[sku]) for sku in ordered),
        moved_by=rng.choice(("shop", "customer")) if ending == "completed" and rng.random() < 0.12 else "",
        registered=registered, document_number=_document_number(index), over_http=rng.random() < 0.1,
        by_document=registered and rng.random() < 0.08, asked_early=rng.random() < 0.3,
        cancel_after=rng.choice(("order.confirmed", "order.assembled", "order.shipped")) if model != "fbs"
        else "order.confirmed",
        cancel_by=by, cancel_reason=rng.choice(("customer_changed_mind", "not_collected", "unreachable"))
        if by == "customer" else rng.choice(("out_of_stock", "other")),
        slow_status=rng.random() < 0.2, placed=dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(seconds=1),
    )  # fmt: skip
