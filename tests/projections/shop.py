"""Histories to project, and what rows should be made of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from itertools import count
from typing import Any

from events.codec import encode
from events.log import Log
from events.order import facts as f
from events.order.state import OrderState, fold
from events.recorded import NewEvent
from projections.catalogue import PROJECTIONS
from projections.differences import Difference
from projections.filling import Report, Work, fill
from projections.follow import Follower, begin
from projections.orders.project import ORDERS
from projections.projection import Projection, Rows, Table
from projections.rebuild import Outcome, rebuild
from projections.slices import SLICES
from service.database import Pool

WHEN = datetime(2022, 11, 28, 6, 0, tzinfo=UTC)
MARKET = "channel/ym-msk"
ONEC = "1c/ut11"
ALL_SLICES = set(range(SLICES))
EVERY = list(PROJECTIONS.values())

_ids = count(1)


def event(order: str, type: str, fact: f.Fact, source: str = ONEC, **more: Any) -> NewEvent:
    """A fact that no other equals."""
    id = str(next(_ids))
    return NewEvent(
        order=order, type=type, source=source, id=id, digest=sha256(id.encode()).digest(), data=encode(fact),
        actor=source, occurred_at=WHEN, **more,
    )  # fmt: skip


def placed(order: str, *skus: str, **more: Any) -> NewEvent:
    """A buyer placed it."""
    lines = tuple(f.Line(sku=sku, quantity=1, price=Decimal("10.50")) for sku in skus or ("BOSCH-1",))
    fact = f.Placed(
        number=order.partition("/")[2], lines=lines, total=Decimal("10.50"), currency="RUB",
        deadlines=(f.Deadline("shipped", WHEN),), placed_at=WHEN,
    )  # fmt: skip
    return event(order, "order.placed", fact, MARKET, **more)


def registered(order: str, document: str, number: str | None = None) -> NewEvent:
    """1C made its document for it."""
    fact = f.Registered(document=f.Document(id=document, number=number))
    return event(order, "order.registered", fact, document=document)


def confirmed(order: str) -> NewEvent:
    """1C confirmed it."""
    return event(order, "order.confirmed", f.Confirmed())


def requested(order: str, command: str, target: str = "ym-msk") -> NewEvent:
    """Something must be done."""
    return event(order, "command.requested", f.CommandRequested(command=command, target=target, action="do"), "okno")


def stumbling(bad: str, error: str = "no price") -> Projection:
    """The projection of orders, with a fault that one order meets."""

    def project(state: OrderState) -> Rows:
        if state.order == bad:
            raise ZeroDivisionError(error)
        return ORDERS.project(state)

    return replace(ORDERS, project=project)


def orders(number: int, channel: str = "ym-msk") -> list[str]:
    """Keys of orders."""
    return [f"{channel}/{48_000_000 + n}" for n in range(number)]


def follower(pool: Pool, log: Log, projections: Sequence[Projection] = EVERY, owner: str = "one") -> Follower:
    """Somebody who follows."""
    return Follower(pool, log, projections, owner)


async def follow(pool: Pool, log: Log, projections: Sequence[Projection] = EVERY) -> None:
    """Follows up to the head."""
    await begin(pool, projections)
    while await follower(pool, log, projections).step(ALL_SLICES):
        pass


class Watched(Report):
    """What a rebuild tells, kept."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.done: list[int] = []
        self.differences: list[Difference] = []

    def stage(self, what: str) -> None:
        """Which stage it is at."""
        self.stages.append(what)

    def progress(self, done: int, total: int) -> None:
        """How far it is."""
        self.done.append(done)

    def difference(self, one: Difference) -> None:
        """What differs."""
        self.differences.append(one)


async def filled(pool: Pool, work: Work) -> None:
    """All buckets beside."""
    await fill(pool, work, Report())


async def checked(pool: Pool, projection: Projection) -> Outcome:
    """A check, and what came of it."""
    return await rebuild(pool, projection, only_check=True)


async def check(pool: Pool, projection: Projection) -> list[Difference]:
    """What a check finds."""
    report = Watched()
    await rebuild(pool, projection, only_check=True, report=report)
    return report.differences


async def live(pool: Pool, table: Table) -> list[tuple[Any, ...]]:
    """Rows as they are in Postgres."""
    rows = await pool.fetch(f"SELECT {', '.join(table.columns)} FROM okno.{table.name}")
    return sorted((tuple(row) for row in rows), key=str)


async def expected(log: Log, keys: Iterable[str], projection: Projection) -> dict[str, list[Any]]:
    """Rows of a fresh fold, as Postgres gives them: JSON too comes back as it was written."""
    states = [fold(key, history) for key, history in (await log.histories(keys)).items() if history]
    found = {}
    for table in projection.tables:
        rows = [row for state in states for row in projection.project(state)[table.name]]
        found[table.name] = sorted([tuple(row) for row in rows], key=str)
    return found


async def assert_true_to_the_log(pool: Pool, log: Log, keys: Iterable[str]) -> None:
    """Live rows are those of a fresh fold."""
    wanted = list(keys)
    for projection in EVERY:
        for name, rows in (await expected(log, wanted, projection)).items():
            (table,) = (table for table in projection.tables if table.name == name)
            assert await live(pool, table) == rows
    assert len(await live(pool, ORDERS.tables[0])) == len(wanted)


def plan_nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A query plan's nodes, all levels."""
    yield plan
    for below in plan.get("Plans", []):
        yield from plan_nodes(below)
