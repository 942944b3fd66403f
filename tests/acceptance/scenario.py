"""What happens to each order, decided by (seed, number) alone, so that market, 1C and checks agree on it."""

import datetime as dt
from dataclasses import dataclass
from random import Random
from typing import Literal
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Samara")
MOSCOW = ZoneInfo("Europe/Moscow")
BUSINESS = 77001
CAMPAIGNS = {"dbs": 100200301, "fbs": 100200302, "express": 100200303}
CHANNELS = {"dbs": "ym-dbs", "fbs": "ym-fbs", "express": "ym-express"}
Ending = Literal["completed", "shop_cancel", "buyer_cancel", "request_accept", "request_decline", "returned"]
GOODS = [
    ("BOSCH-WAN24260OE", "Стиральная машина Bosch WAN24260OE", 38990),
    ("HOSE-15-25", "Шланг заливной 2,5 м", 590),
    ("CASE-RED", "Чехол силиконовый, красный", 790),
    ("LAMP-E27", "Лампа E27 «тёплая»", 149),
    ("ПАЛ-12", "Палатка туристическая", 12490),
]


@dataclass(frozen=True)
class Line:
    id: int
    sku: str
    name: str
    count: int
    unit: int
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """One order's life: the goods, how it ends, and what happens on the way."""

    number: int
    model: Literal["dbs", "fbs", "express"]
    pickup: bool
    ending: Ending
    lines: tuple[Line, ...]
    kept: tuple[int, ...]
    moved_by: Literal["", "shop", "customer"]
    track: str
    keep_until: bool
    late: bool
    registered: bool
    by_document: bool
    over_http: bool
    cancel_after: str
    cancel_reason: str
    placed: dt.datetime

    @property
    def campaign(self) -> int:
        return CAMPAIGNS[self.model]

    @property
    def channel(self) -> str:
        return CHANNELS[self.model]

    @property
    def key(self) -> str:
        return f"{self.channel}/{self.number}"

    @property
    def fewer(self) -> bool:
        return self.kept != tuple(line.count for line in self.lines)

    @property
    def cancelled(self) -> bool:
        return self.ending in ("shop_cancel", "buyer_cancel", "request_accept")

    @property
    def marked(self) -> bool:
        return any(line.marks for line in self.lines)

    @property
    def first_date(self) -> dt.date:
        return (self.placed + dt.timedelta(days=4)).astimezone(MOSCOW).date()

    @property
    def moved_date(self) -> dt.date:
        return self.first_date + dt.timedelta(days=1 + self.number % 2)

    @property
    def document_id(self) -> str:
        return f"6f9619ff-8b86-d011-b42d-{self.number % 10**12:012d}"

    @property
    def document_number(self) -> str:
        return f"УТ{self.number % 10**7:09d}" if self.number % 3 else f"00-{self.number % 10**7:07d}"


def _line(number: int, at: int, good: tuple[str, str, int], rng: Random, marked: bool) -> Line:
    count = rng.choice([1, 1, 2, 3])
    marks = tuple(f"0103041094787443215q{number % 10**6:06d}{at}{n}" for n in range(count)) if marked else ()
    return Line(number * 10 + at, good[0], good[1], count, good[2], marks)


def _kept(lines: tuple[Line, ...], rng: Random) -> tuple[int, ...]:
    """Less than ordered, never the last line and never nearly all of the cost."""
    counts = [line.count for line in lines]
    cheapest = min(range(len(lines)), key=lambda at: lines[at].unit)
    counts[cheapest] = rng.randrange(counts[cheapest])
    return tuple(counts)


def scenario(seed: int, index: int) -> Scenario:
    """The `index`-th order of the run with this seed."""
    number = 52_700_000_000 + seed * 1_000_000 + index
    rng = Random(f"{seed}:{index}")
    model: Literal["dbs", "fbs", "express"] = rng.choices(("dbs", "fbs", "express"), (60, 25, 15))[0]
    dbs = model == "dbs"
    endings: tuple[Ending, ...] = ("completed", "shop_cancel", "buyer_cancel", "returned")
    ending = rng.choices(endings, (76, 9, 7, 8))[0]
    if dbs and rng.random() < 0.12:
        ending = rng.choice(("request_accept", "request_decline"))
    lines = tuple(_line(number, at, good, rng, not dbs and at == 1 and index % 4 == 0)
                  for at, good in enumerate(rng.sample(GOODS, rng.choice([1, 2, 2, 3])), 1))  # fmt: skip
    pickup = dbs and rng.random() < 0.4
    fewer = dbs and len(lines) > 1 and rng.random() < 0.12
    late = dbs and ending in ("completed", "returned") and rng.random() < 0.06
    registered = rng.random() < 0.7
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    return Scenario(
        number=number, model=model, pickup=pickup, ending=ending, lines=lines,
        kept=_kept(lines, rng) if fewer else tuple(line.count for line in lines),
        moved_by=rng.choice(("shop", "customer")) if dbs and rng.random() < 0.1 else "",
        track=f"TRK{number}" if dbs and not pickup and rng.random() < 0.15 else "",
        keep_until=pickup and ending == "completed" and rng.random() < 0.3,
        late=late, registered=registered, by_document=registered and rng.random() < 0.08,
        over_http=rng.random() < 0.1,
        cancel_after=rng.choice(("order.confirmed", "order.assembled", "order.shipped") if dbs
                                else ("order.confirmed", "order.assembled")),
        cancel_reason=rng.choice(("out_of_stock", "customer_changed_mind", "other")),
        placed=now - dt.timedelta(days=2 if late else 0, seconds=1),
    )  # fmt: skip
