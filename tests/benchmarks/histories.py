"""Orders' whole histories, as the hub would have recorded them, made by the million.

A few roads an order may take are walked once with the hub's own reactions at Yandex Market's own plan; each order is a
copy of one, with its own number, ids, times and causes. Orders overlap as in a shop's life: an order's events lie far
apart in the log.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

from events.codec import command_id, encode
from events.order import facts as f
from events.order.reactions import Plan, requests
from events.recorded import NewEvent, Recorded
from service import settings
from service.plans import plan_of

CHANNEL = "ym-dbs"
MARKET = f"channel/{CHANNEL}"
ONEC = "1c/ut11"
START = datetime(2026, 1, 1, tzinfo=UTC)
ABREAST = 3000
"""Orders under way at any time."""

NUMBER = b"@NUMBER@"
COMMAND = b"@COMMAND@"

Said = tuple[str, f.Fact, str, float]


def seen(status: str, stage: str, hours: float) -> Said:
    """What a read of the marketplace showed."""
    fact = f.Seen(status=status, stage=stage, began_at=START + timedelta(hours=hours))
    return "marketplace.seen", fact, MARKET, hours


LINES = (
    f.Line(sku="BOSCH-WAN24260OE", quantity=1, id="1", name="Стиральная машина Bosch", price=Decimal("38990.00")),
    f.Line(sku="BORK-K711", quantity=1, id="2", name="Чайник Bork K711", price=Decimal("12900.00")),
)
PLACED = f.Placed(
    number=NUMBER.decode(), lines=LINES, total=Decimal("51890.00"), currency="RUB",
    delivery=f.Delivery(type="courier", since=START + timedelta(days=2), until=START + timedelta(days=2, hours=4)),
    deadlines=(f.Deadline("shipped", START + timedelta(hours=30)),), placed_at=START,
)  # fmt: skip
DOCUMENT = f.Document(id=f"d-{NUMBER.decode()}", number=f"ЦСУТ-{NUMBER.decode()}", date=START)
FIRST: list[Said] = [
    ("order.placed", PLACED, MARKET, 0.0),
    seen("PROCESSING/STARTED", "placed", 0.01),
    ("order.registered", f.Registered(document=DOCUMENT), ONEC, 0.5),
    ("order.confirmed", f.Confirmed(), ONEC, 1.0),
]
ROADS: tuple[list[Said], ...] = (
    [
        *FIRST,
        ("order.assembled", f.Assembled(boxes=1), ONEC, 4.0),
        ("order.shipped", f.Shipped(track="TRACK-1"), ONEC, 20.0),
        seen("DELIVERY", "shipped", 20.1),
        ("order.handed_over", f.HandedOver(), ONEC, 44.0),
        ("order.delivered", f.Delivered(receipt=f.Receipt("77", Decimal("51890.00"))), ONEC, 50.0),
        seen("DELIVERED", "delivered", 50.1),
        ("order.completed", f.Completed(), ONEC, 80.0),
    ],
    [
        *FIRST,
        ("order.shipped", f.Shipped(), ONEC, 26.0),
        ("order.rescheduled", f.Rescheduled(date=(START + timedelta(days=4)).date(), by="customer"), ONEC, 30.0),
        ("order.delivered", f.Delivered(), ONEC, 96.0),
        seen("DELIVERED", "delivered", 96.1),
    ],
    [
        *FIRST,
        ("order.cancelled", f.Cancelled(by="customer", reason="customer_changed_mind"), ONEC, 9.0),
        seen("CANCELLED/USER_CHANGED_MIND", "cancelled", 9.1),
        ("order.cancelled", f.Cancelled(by="marketplace", status="CANCELLED"), MARKET, 9.1),
    ],
)

PERSONAL = encode({
    "customer": {"name": f"Покупатель {NUMBER.decode()}", "phone": f"+7927{NUMBER.decode()}"},
    "address": {"city": "Самара", "street": "Ново-Садовая", "house": "106"},
})  # fmt: skip
BODIES = {ONEC: b'{"raw":"' + b"1C " * 130 + b'"}', MARKET: b'{"raw":"' + b"read " * 300 + b'"}', f.HUB: b"call " * 120}
"""Raw bodies of the sizes they have: 1C's messages, what reads saw, calls with their answers."""


@dataclass(frozen=True)
class Step:
    """One event of a road. `cause` and `command` name other steps of it; `by_cause`: the command's id holds its cause's
    position."""

    type: str
    source: str
    hours: float
    data: bytes
    cause: int | None
    target: str | None = None
    action: str | None = None
    by_cause: bool = False
    request: int | None = None
    told: bool = False


def plan() -> Plan:
    """What a channel of Yandex Market is told."""
    table = {"kind": "yandex", "model": "dbs", "business_id": 1, "campaign_id": 2, "api_key": "k"}
    return plan_of(settings.parse({"channels": {CHANNEL: table}}, Path.cwd()).channels[CHANNEL])


def walked(road: list[Said], wanted: Plan) -> list[Step]:
    """A road with all that follows from it: what the hub requests, and that it was done."""
    order, history, steps = f"{CHANNEL}/0", list[Recorded](), list[Step]()

    def add(step: Step, fact: f.Fact, at: float) -> None:
        steps.append(step)
        history.append(_recorded(order, len(steps), step, fact, at))

    for type, fact, source, hours in road:
        behind = len(steps)
        add(Step(type, source, hours, encode(fact), None), fact, hours)
        while asked := requests(order, history, behind, wanted):
            for one in asked:
                request, cause = one.fact, one.cause - 1
                by_cause = request.command != command_id(order, request.target, request.action)
                data = encode(request).replace(request.command.encode(), COMMAND)
                asking = len(steps)
                add(Step("command.requested", f.HUB, hours, data, cause, request.target, request.action, by_cause),
                    request, hours)  # fmt: skip
                done = f.CommandOutcome(command=request.command, attempts=1)
                data = encode(done).replace(request.command.encode(), COMMAND)
                told = request.target == CHANNEL
                add(Step("command.done", f.HUB, hours, data, asking, request=asking, told=told), done, hours)
    return steps


def _recorded(order: str, position: int, step: Step, fact: f.Fact, hours: float) -> Recorded:
    at = START + timedelta(hours=hours)
    return Recorded(
        position=position, order=order, version=position, type=step.type, source=step.source, id=str(position),
        cause=None if step.cause is None else step.cause + 1, actor=step.source, occurred_at=at, recorded_at=at,
        id_reused=False, data=encode(fact),
    )  # fmt: skip


@dataclass
class Order:
    """An order on its road, and where its events lie."""

    number: int
    steps: list[Step]
    positions: list[int] = field(default_factory=list)
    commands: dict[int, str] = field(default_factory=dict)

    def next(self, position: int) -> NewEvent:
        """The next event, to be recorded at a position."""
        at = len(self.positions)
        step, number = self.steps[at], b"%d" % self.number
        order, id = f"{CHANNEL}/{self.number}", f"{self.number}-{at}"
        cause = None if step.cause is None else self.positions[step.cause]
        data = step.data.replace(NUMBER, number)
        if step.action is not None and step.target is not None:
            id = command_id(order, step.target, step.action, cause if step.by_cause else None)
            self.commands[at] = id
            data = data.replace(COMMAND, id.encode())
        elif step.request is not None:
            command = self.commands[step.request]
            id, data = f"{command}/0/done", data.replace(COMMAND, command.encode())
        self.positions.append(position)
        first = step.type == "order.placed"
        return NewEvent(
            order=order, type=step.type, source=step.source, id=id,
            digest=sha256(f"{step.source}\n{step.type}\n{id}".encode()).digest(),
            data=data, actor=step.source, cause=cause,
            occurred_at=START + timedelta(seconds=self.number * 20, hours=step.hours),
            document=f"d-{self.number}" if step.type == "order.registered" else None,
            body=BODIES[step.source] if step.source != f.HUB or step.told else None,
            personal=PERSONAL.replace(NUMBER, number) if first else None,
        )  # fmt: skip

    @property
    def over(self) -> bool:
        """Whether it has come to its end."""
        return len(self.positions) == len(self.steps)


def events(first_number: int, first_position: int, abreast: int = ABREAST) -> Iterator[NewEvent]:
    """Events without end, in the log's order from a position on."""
    wanted = plan()
    roads = [walked(road, wanted) for road in ROADS]
    shares = [roads[0]] * 7 + [roads[1]] * 2 + [roads[2]]
    number, position = first_number, first_position
    under_way = deque[Order]()
    while True:
        while len(under_way) < abreast:
            under_way.append(Order(number, shares[number % len(shares)]))
            number += 1
        order = under_way.popleft()
        for _ in range(1 + (position + order.number) % 3):
            if not order.over:
                yield order.next(position)
                position += 1
        if not order.over:
            under_way.append(order)
