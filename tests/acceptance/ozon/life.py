"""What happens to each posting, decided by (seed, number) alone, and what 1C says about it."""

import datetime as dt
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from tests.acceptance.marks import Mark, by_status, document, goods, knows, muddle
from tests.acceptance.scenario import GOODS, ZONE

Model = Literal["rfbs", "fbs"]
Ending = Literal[
    "completed", "shop_cancel", "buyer_cancel", "request_accept", "request_decline", "request_expire", "returned"
]  # fmt: skip
CHANNELS: dict[Model, str] = {"rfbs": "oz-rfbs", "fbs": "oz-fbs"}
BAD = "BAD"
GS = "\u001d"


@dataclass(frozen=True)
class Line:
    """One product: `sku` is the shop's article (offer_id), `id` what Ozon calls sku."""

    id: int
    sku: str
    name: str
    count: int
    unit: int
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class OzonLife:
    """One posting's life; a `split` one loses its last line to a second posting before the shop may touch it."""

    number: str
    model: Model
    ending: Ending
    lines: tuple[Line, ...]
    kept: tuple[int, ...]
    moved: bool
    track: str
    bad_marks: bool
    ship_fails: bool
    registered: bool
    by_document: bool
    over_http: bool
    cancel_after: str
    cancel_reason: str
    placed: dt.datetime
    split_from: str = ""
    moved_away: tuple[Line, ...] = ()

    @property
    def channel(self) -> str:
        return CHANNELS[self.model]

    @property
    def key(self) -> str:
        return f"{self.channel}/{self.number}"

    @property
    def digits(self) -> int:
        return int(self.number.replace("-", ""))

    @property
    def document_id(self) -> str:
        return f"0f9619ff-8b86-d011-b42d-{self.digits % 10**12:012d}"

    @property
    def document_number(self) -> str:
        return f"ОЗ{self.digits % 10**9:09d}"

    @property
    def cancelled(self) -> bool:
        return self.ending in ("shop_cancel", "buyer_cancel", "request_accept", "request_expire")

    @property
    def marked(self) -> bool:
        return any(line.marks for line in self.lines)

    @property
    def needs_market(self) -> bool:
        """1C waits for what only a hub that may act can bring about."""
        return self.ending in ("request_accept", "request_decline", "request_expire") or self.bad_marks

    @property
    def moved_date(self) -> dt.date:
        return (self.placed + dt.timedelta(days=5)).astimezone(ZONE).date()

    @property
    def timeslot(self) -> tuple[dt.datetime, dt.datetime]:
        """What 1C's 10:00-18:00 of that day is, in UTC."""
        day = dt.datetime.combine(self.moved_date, dt.time(), ZONE)
        return (day + dt.timedelta(hours=10)).astimezone(dt.UTC), (day + dt.timedelta(hours=18)).astimezone(dt.UTC)


def script(life: OzonLife, seed: int) -> list[Mark]:
    """What 1C says, in the order it says it: some skipped, some neighbours swapped."""
    rng = Random(f"ozon marks:{seed}:{life.number}")
    marks = _whole(life, rng)
    names = [mark.type for mark in marks]
    if life.ending == "shop_cancel":
        cancel = {"by": "shop", "reason": life.cancel_reason, "comment": "Отменено менеджером"}
        marks = [*muddle(marks[: names.index(life.cancel_after) + 1], rng), Mark("order.cancelled", cancel)]
    elif life.ending == "buyer_cancel":
        marks = marks[: names.index("order.confirmed") + 1]
    elif life.ending.startswith("request"):
        cut = names.index("order.shipped") + 1
        marks = [*muddle(marks[:cut], rng), *_answered(life, marks[cut:])]
    else:
        marks = muddle(marks, rng)
    if life.moved_away or life.split_from:
        marks[0] = replace(marks[0], until=knows(sum(life.kept)))
    return [by_status(mark, rng) for mark in marks]


def _answered(life: OzonLife, rest: list[Mark]) -> list[Mark]:
    asked = "order.cancellation_requested"
    if life.ending == "request_accept":
        return [Mark("order.cancellation_accepted", {}, wait=asked)]
    if life.ending == "request_expire":
        return []
    return [Mark("order.cancellation_declined", {"reason": "in_delivery"}, wait=asked), *rest]


def _whole(life: OzonLife, rng: Random) -> list[Mark]:
    """Every stage of a life without mishaps, in order."""
    own, fewer = life.model == "rfbs", life.kept != tuple(line.count for line in life.lines)
    marks = []
    if life.registered:
        marks.append(Mark("order.registered", {"document": document(life, rng)}, pinned=True))
    few = {"lines": goods(life, kept=True, marks=False, rng=rng)} if fewer else {}
    marks.append(Mark("order.confirmed", few, pinned=fewer))
    if life.bad_marks:
        wrong = replace(life, lines=tuple(_bad(line) for line in life.lines))
        marks.append(Mark("order.assembled", {"lines": goods(wrong, kept=True, marks=True, rng=rng)}, pinned=True))
    packed = {"lines": goods(life, kept=True, marks=True, rng=rng)} if life.marked or rng.random() < 0.3 else {}
    wait = "marketplace.refused" if life.bad_marks else ""
    marks.append(Mark("order.assembled", packed, pinned=life.marked or life.moved, wait=wait))
    if life.moved:
        moved = {"date": life.moved_date.isoformat(), "interval": {"from": "10:00", "to": "18:00"}, "by": "customer"}
        marks.append(Mark("order.rescheduled", moved, pinned=True))
    marks.append(Mark("order.shipped", {"track": life.track} if life.track else {}, pinned=bool(life.track)))
    marks.append(Mark("order.handed_over", {"courier": "Машина 12"} if own else {}))
    marks.append(Mark("order.delivered", {"receipt": {"number": f"Ч-{life.digits % 10**6}", "total": "1,00"}}))
    marks.append(Mark("order.completed", {}))
    return marks


def _bad(line: Line) -> Line:
    return replace(line, marks=tuple(f"{BAD}{mark}" for mark in line.marks))


def _lines(serial: int, rng: Random, model: Model, marked: bool) -> tuple[Line, ...]:
    lines = []
    for at, (sku, name, unit) in enumerate(rng.sample(GOODS, rng.choice([1, 2, 2, 3])), 1):
        count = rng.choice([1, 1, 2, 3])
        tail = f"{GS}91EE06{GS}92dGVzdA==" if rng.random() < 0.5 else ""
        marks = tuple(f"0104610117151237215o{serial % 10**6:06d}{at}{n}{tail}" for n in range(count))
        lines.append(Line(1_900_000_000 + GOODS.index((sku, name, unit)), sku, name, count, unit,
                          marks if marked and at == 1 else ()))  # fmt: skip
    return tuple(lines)


def lives(count: int, seed: int) -> list[OzonLife]:
    """`count` of them; one with `moved_away` lines is followed by the posting that gets these."""
    out: list[OzonLife] = []
    index = 0
    while len(out) < count:
        life = _life(seed, index)
        out.append(life)
        if life.moved_away:
            out.append(_second(life))
        index += 1
    return out[:count] if not out[count - 1].moved_away else [*out[: count - 1], _whole_again(out[count - 1])]


def _life(seed: int, index: int) -> OzonLife:
    rng = Random(f"ozon:{seed}:{index}")
    serial = seed * 1_000_000 + index
    model: Model = rng.choices(("rfbs", "fbs"), (70, 30))[0]
    own = model == "rfbs"
    plain: tuple[Ending, ...] = ("completed", "shop_cancel", "buyer_cancel", "returned")
    ending = rng.choices(plain, (72, 12, 8, 8 if own else 0))[0]
    if own and rng.random() < 0.16:
        ending = rng.choice(("request_accept", "request_decline", "request_expire"))
    lines = _lines(serial, rng, model, marked=rng.random() < 0.25)
    kept = [line.count for line in lines]
    bare = not any(line.marks for line in lines)
    if len(lines) > 1 and bare and rng.random() < 0.2:
        kept[-1] = rng.randrange(kept[-1])
    life = OzonLife(
        number=f"{70_000_000 + serial:010d}-{index % 9000 + 1:04d}-1", model=model, ending=ending, lines=lines,
        kept=tuple(kept), moved=own and ending in ("completed", "returned") and rng.random() < 0.15,
        track=f"TRK{serial:09d}" if own and rng.random() < 0.2 else "",
        bad_marks=not bare and ending == "completed" and rng.random() < 0.5, ship_fails=rng.random() < 0.04,
        registered=rng.random() < 0.7, by_document=False, over_http=rng.random() < 0.1,
        cancel_after=rng.choice(("order.confirmed", "order.assembled", "order.shipped", "order.handed_over") if own
                                else ("order.confirmed", "order.assembled")),
        cancel_reason=rng.choice(("out_of_stock", "customer_changed_mind", "not_collected", "other")),
        placed=dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(seconds=1),
    )  # fmt: skip
    whole = life.kept == tuple(line.count for line in lines)
    if len(lines) > 1 and whole and ending == "completed" and not life.bad_marks and rng.random() < 0.15:
        return replace(life, lines=lines[:-1], kept=life.kept[:-1], moved_away=lines[-1:])
    return replace(life, by_document=life.registered and rng.random() < 0.08)


def _second(life: OzonLife) -> OzonLife:
    """The posting that gets what was taken out of the first one."""
    kept = tuple(line.count for line in life.moved_away)
    fresh = replace(life, number=f"{life.number[:-1]}2", moved=False, track="", ship_fails=False)
    return replace(fresh, lines=life.moved_away, kept=kept, split_from=life.number, moved_away=())


def _whole_again(life: OzonLife) -> OzonLife:
    lines = life.lines + life.moved_away
    return replace(life, lines=lines, kept=tuple(line.count for line in lines), moved_away=())
