"""What reads saw becomes facts by difference to what is known: nothing twice, nothing backwards, nothing lost."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from events.codec import decode
from events.log import Log
from events.order import facts as f
from events.order.state import Command, OrderState, fold
from events.recorded import Recorded
from service.database import Pool
from service.differences import of_order
from service.intake import Intake
from service.marketplaces.port import Notice, ReturnSeen, Seen
from service.onec.cloudevents import Message
from service.passing import notice_message, read_message
from tests.events.said import personal
from tests.onec.making import ORDER, SETTINGS, body, raw
from tests.servers import BODY_KEY

CHANNEL, NUMBER = ORDER.split("/")
T = datetime(2022, 11, 28, 6, tzinfo=UTC)
GOODS = f.Placed(number=NUMBER, lines=(f.Line(sku="A-1", quantity=2, price=Decimal("10.50")),), total=Decimal("21.00"))
NEW = Seen(
    NUMBER, "PROCESSING/STARTED", "placed", True, GOODS, stamp=T, raw=b'{"id": 48123456}',
    personal={"customer": {"name": "Иван"}},
)  # fmt: skip
SHIPPED = replace(NEW, status="DELIVERY", stage="shipped", stamp=T + timedelta(hours=1))


def minute(number: float) -> datetime:
    """When a read began."""
    return T + timedelta(minutes=number)


def passed(seen: Seen | ReturnSeen, began: float = 0) -> Message:
    """What a read saw, as the hub passes it on."""
    return read_message(CHANNEL, seen, minute(began))


async def history(log: Log) -> list[Recorded]:
    """The order's events."""
    return (await log.histories([ORDER]))[ORDER]


async def state(log: Log) -> OrderState:
    """The order's state."""
    return fold(ORDER, await history(log))


async def test_a_new_order(intake: Intake, log: Log) -> None:
    """The first read places the order, its buyer aside and its JSON as received; then comes its status."""
    await intake.take_messages([passed(NEW)], "read")
    placed, seen = await history(log)
    assert (placed.type, placed.source, placed.actor) == ("order.placed", "channel/ym-msk", "channel/ym-msk")
    assert decode(placed) == GOODS
    assert (await personal(log, ORDER))[placed.position] == {"customer": {"name": "Иван"}}
    assert await log.body(placed.position) == NEW.raw
    assert decode(seen) == f.Seen(status="PROCESSING/STARTED", stage="placed", stamp=T, began_at=T)
    assert seen.occurred_at == T


async def test_an_order_nobody_paid_yet(intake: Intake, log: Log) -> None:
    """Before the shop may start on it an order's status is all that is recorded."""
    await intake.take_messages([passed(replace(NEW, ready=False, status="UNPAID"))], "read")
    assert [e.type for e in await history(log)] == ["marketplace.seen"]


@pytest.mark.parametrize("stamped", [True, False])
async def test_an_equal_read_adds_nothing(intake: Intake, log: Log, stamped: bool) -> None:
    """Polls repeat themselves: the log does not."""
    seen = NEW if stamped else replace(NEW, stamp=None)
    for began in (0, 1, 2):
        await intake.take_messages([passed(seen, began)], "poll")
    assert len(await history(log)) == 2


async def test_the_same_read_twice_adds_nothing(intake: Intake, log: Log) -> None:
    """A read redelivered after the order moved on is known: it does not even count as stale news."""
    await intake.take_messages([passed(NEW)], "read")
    await intake.take_messages([passed(SHIPPED, 1)], "read")
    before = await history(log)
    await intake.take_messages([passed(NEW), passed(SHIPPED, 1)], "read")
    assert await history(log) == before


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(passed(replace(NEW, status="UNPAID", stamp=T - timedelta(hours=1)), 5), id="by its stamp"),
        pytest.param(passed(replace(NEW, status="UNPAID", stamp=None), 0.5), id="by when it began"),
        pytest.param(
            passed(replace(NEW, status="UNPAID", stamp=SHIPPED.stamp), 0.5), id="by when it began, stamps equal"
        ),
    ],
)
async def test_a_stale_read_changes_nothing(intake: Intake, log: Log, late: Message) -> None:
    """What was read before the newest news is recorded as stale and leaves the order as it is."""
    await intake.take_messages([passed(NEW), passed(SHIPPED, 1)], "read")
    before = await state(log)
    await intake.take_messages([late], "read")
    after = await state(log)
    last = decode((await history(log))[-1])
    assert isinstance(last, f.Seen)
    assert (last.status, last.stale) == ("UNPAID", True)
    assert (after.status, after.stage, after.stamp, after.lines) == (
        before.status, before.stage, before.stamp, before.lines,
    )  # fmt: skip


async def test_two_reads_of_one_order_in_one_batch(intake: Intake, log: Log) -> None:
    """Each is taken against the order as the one before left it."""
    await intake.take_messages([passed(NEW), passed(SHIPPED, 1), passed(SHIPPED, 2)], "read")
    assert [e.type for e in await history(log)] == ["order.placed", "marketplace.seen", "marketplace.seen"]
    assert (await state(log)).status == "DELIVERY"


async def test_changed_goods(intake: Intake, log: Log) -> None:
    """Only what differs is said."""
    fewer = replace(NEW, order=f.Placed(number=NUMBER, lines=(f.Line(sku="A-1", quantity=1),), total=Decimal("10.50")))
    await intake.take_messages([passed(NEW), passed(replace(fewer, stamp=T + timedelta(1)), 1)], "read")
    changed = decode((await history(log))[-1])
    assert changed == f.Changed(lines=(f.Line(sku="A-1", quantity=1),), total=Decimal("10.50"))


async def test_a_cancellation_and_the_wish_for_one(intake: Intake, log: Log) -> None:
    """The buyer's wish, its end and the marketplace's cancellation are facts, once each."""
    wish = replace(NEW, request=f.CancellationRequested(due=minute(99)), stamp=T + timedelta(1))
    gone = replace(
        NEW, status="CANCELLED", stage="cancelled", stamp=T + timedelta(2), cancelled=f.Cancelled(by="customer")
    )
    await intake.take_messages(
        [passed(NEW), passed(wish, 1), passed(wish, 2), passed(gone, 3), passed(gone, 4)], "read"
    )
    assert [e.type for e in await history(log)][2:] == [
        "marketplace.seen", "order.cancellation_requested", "marketplace.seen", "order.cancelled",
    ]  # fmt: skip


async def test_a_cancelled_orders_goods_are_no_change(intake: Intake, log: Log) -> None:
    """An order that is shown cancelled, and without goods, is cancelled: what was ordered stays on record."""
    gone = replace(
        NEW, status="CANCELLED", stage="cancelled", cancelled=f.Cancelled(by="shop"), order=f.Placed(number=NUMBER),
        stamp=T + timedelta(1),
    )  # fmt: skip
    await intake.take_messages([passed(NEW), passed(gone, 1)], "read")
    assert [e.type for e in await history(log)][2:] == ["marketplace.seen", "order.cancelled"]
    assert (await state(log)).lines == NEW.order.lines


async def test_details_that_are_no_longer_shown_stay(intake: Intake, log: Log) -> None:
    """A list tells less of an order than the read of it did: that is no change; a new detail is."""
    plain = f.Placed(number=NUMBER, lines=NEW.order.lines, total=NEW.order.total)
    known = replace(NEW, order=msgspec.structs.replace(plain, details={"floor": "7", "lift": "yes"}))
    less = replace(NEW, order=msgspec.structs.replace(plain, details={"floor": "7"}), stamp=T + timedelta(1))
    more = replace(NEW, order=msgspec.structs.replace(plain, details={"parent": "1"}), stamp=T + timedelta(2))
    await intake.take_messages([passed(known), passed(less, 1)], "read")
    assert [e.type for e in await history(log)] == ["order.placed", "marketplace.seen"]
    await intake.take_messages([passed(more, 2)], "read")
    assert (await state(log)).details == {"floor": "7", "lift": "yes", "parent": "1"}


async def test_a_wish_only_callbacks_tell_stays_open(intake: Intake, log: Log) -> None:
    """A read that can't show the buyer's wish does not end it; another wish is another fact, a repeat is none."""
    part = f.CancellationRequested(lines=(f.Line(sku="A-1", quantity=1),))
    quiet = replace(NEW, tells_request=False)
    wishes = [replace(quiet, request=part), quiet, replace(quiet, request=part), quiet]
    await intake.take_messages([passed(seen, n) for n, seen in enumerate([quiet, *wishes])], "read")
    assert [e.type for e in await history(log)].count("order.cancellation_requested") == 1
    assert (await state(log)).request == part
    other = f.Line(sku="B-2", quantity=1)
    await intake.take_messages([passed(replace(quiet, request=f.CancellationRequested(lines=(other,))), 8)], "read")
    assert (await state(log)).request == f.CancellationRequested(lines=(*(part.lines or ()), other))
    await intake.take_messages([passed(replace(quiet, request=f.CancellationRequested()), 9)], "read")
    assert (await state(log)).request == f.CancellationRequested()


async def test_a_buyer_may_ask_again(intake: Intake, log: Log) -> None:
    """The same wish after the shop's no is asked of 1C once more; while it waits for its answer it is not."""
    wish = replace(NEW, tells_request=False, request=f.CancellationRequested())
    await intake.take_messages([passed(NEW), passed(wish, 1), passed(wish, 2)], "read")
    await intake.take([raw(body("order.cancellation_declined", {"reason": "in_delivery"}))])
    await intake.take_messages([passed(wish, 3)], "read")
    assert [e.type for e in await history(log)].count("order.cancellation_requested") == 2


async def test_returns(intake: Intake, log: Log) -> None:
    """A return is a fact for each state it passes through."""
    states = [ReturnSeen(NUMBER, f.Returned(id="9", status=s), raw=b"{}") for s in ("CREATED", "CREATED", "PICKED")]
    await intake.take_messages([passed(NEW), *(passed(one, n) for n, one in enumerate(states))], "read")
    assert [decode(e) for e in await history(log)][2:] == [states[0].fact, states[2].fact]


class Racing(Log):
    """A log in which, once, somebody else appends between the look at an order and the append."""

    raced = False

    async def histories(self, orders: Iterable[str]) -> dict[str, list[Recorded]]:
        """Histories, and right behind them what a rival read saw."""
        found = await super().histories(orders)
        if not self.raced:
            self.raced = True
            await Intake(self, SETTINGS).take_messages([passed(SHIPPED, 1)], "rival")
        return found


async def test_a_read_that_lost_a_race_is_taken_again(pool: Pool) -> None:
    """Appended at a version that is gone by now, it is compared anew: the order is placed once, the newer stands."""
    log = Racing(pool, BODY_KEY)
    await Intake(log, SETTINGS).take_messages([passed(NEW)], "read")
    assert [e.type for e in await history(log)] == ["order.placed", "marketplace.seen", "marketplace.seen"]
    assert (await state(log)).status == "DELIVERY"
    last = decode((await history(log))[-1])
    assert isinstance(last, f.Seen)
    assert last.stale


async def test_marks_of_1c_between_reads_do_no_harm(intake: Intake, log: Log) -> None:
    """What a batch says of an order is recorded in the order it came, whatever raises the version between two reads."""
    await intake.take([raw(passed(NEW).wire(), "read"), raw(body()), raw(passed(SHIPPED, 1).wire(), "read")])
    types = ["order.placed", "marketplace.seen", "order.confirmed", "marketplace.seen"]
    assert [e.type for e in await history(log)] == types


async def test_notifications_are_hints_kept_once(intake: Intake, log: Log) -> None:
    """A callback is recorded with its body, and its repeat is the same, even in another spelling."""
    notice = Notice(NUMBER, "ORDER_STATUS_UPDATED", key="n1", at=T, status="DELIVERY", hint="return:9")
    await intake.take_messages([notice_message(CHANNEL, notice, b'{"a": 1}')], "hook")
    await intake.take_messages([notice_message(CHANNEL, notice, b'{"a":1}')], "hook")
    (event,) = await history(log)
    assert decode(event) == f.Notified(notice="ORDER_STATUS_UPDATED", status="DELIVERY", hint="return:9")
    assert await log.body(event.position) == b'{"a": 1}'


async def test_u0000_from_a_marketplace_stops_nothing(intake: Intake, log: Log) -> None:
    """Texts of a marketplace end in columns of text: they get there without U+0000."""
    odd = replace(NEW, status="A\x00B", order=f.Placed(number=NUMBER, lines=(f.Line(sku="s\x00", quantity=1),)))
    notice = Notice(NUMBER, "X\x00", key="k", hint="h\x00")
    await intake.take_messages([passed(odd), notice_message(CHANNEL, notice, b"\x00")], "read")
    events = await history(log)
    assert sorted(e.type for e in events) == ["marketplace.notified", "marketplace.seen", "order.placed"]
    assert not [e for e in events if b"\\u0000" in e.data]


async def test_a_read_nobody_can_read_is_rejected(intake: Intake, pool: Pool) -> None:
    """What an older or newer hub left in the queue in another shape is kept, not dropped."""
    strange = Message(
        type="marketplace.order", source="channel/ym-msk", subject=ORDER, id="x", data={"saw": 1}, body=b""
    )
    await intake.take_messages([strange], "read")
    assert await pool.fetchval("SELECT reason FROM okno.rejected") == "bad_data"


def test_a_wish_that_was_answered_while_it_was_read_is_no_new_one() -> None:
    """A read of several calls may begin after one that no longer saw the wish, and have asked for the wishes before."""
    answer = Command(
        "c-1", CHANNEL, "answer", "cancellation_answered", 1, 2, 2, minute(1), minute(1), state="done",
        finished_at=minute(5),
    )  # fmt: skip
    known = OrderState(order=ORDER, placed=True, lines=GOODS.lines, total=GOODS.total, status=NEW.status, stamp=T)
    answered = msgspec.structs.replace(known, commands={"c-1": answer})
    wish = replace(NEW, request=f.CancellationRequested(due=minute(99)))
    assert of_order(answered, wish, minute(4)) == []
    assert [new.type for new in of_order(answered, wish, minute(6))][-1] == "order.cancellation_requested"
    assert [new.type for new in of_order(known, wish, minute(4))][-1] == "order.cancellation_requested"
