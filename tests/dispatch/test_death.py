"""Processes die anywhere, tables are lost, two hubs work at once: nothing is sent twice, nothing is forgotten."""

import asyncio

import pytest

from service.attempts import Begun
from service.marketplaces.port import Call
from service.marketplaces.yandex.sandbox import Faults, Order
from service.marketplaces.yandex.sandbox.market import Entry
from tests.dispatch.shop import SETTLE, Process, Shop, key, until
from tests.servers import project


class Grave:
    """A door a call never comes back through."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()

    async def __call__(self, call: Call) -> None:
        self.reached.set()
        await asyncio.sleep(3600)


async def dead_at(shop: Shop, hub: Process, order: Order, where: str) -> Grave:
    """Lets a process die before its first call leaves, or before the answer is recorded."""
    grave = Grave()
    setattr(hub.client, where, grave)
    await shop.mark(order, "order.delivered")
    await hub.react()
    hub.start()
    async with asyncio.timeout(5):
        await grave.reached.wait()
    await hub.die()
    return grave


@pytest.mark.parametrize(("where", "sent"), [("before", 0), ("after", 1)])
async def test_death_around_the_call(shop: Shop, where: str, sent: int) -> None:
    """The next process waits for the lease, reads the order before it sends, and each step is done once."""
    hub = shop.process()
    order = await shop.place(hub)
    await dead_at(shop, hub, order, where)
    command = (await shop.commands(order))["delivery"]
    assert await shop.row(command, "open") is True, "the mark at the moment of the effect"
    assert len(shop.calls(order)) == sent
    journal = len(shop.market.journal)
    other = shop.process()
    other.start()
    await shop.settled(other, order)
    assert shop.done(order) == ["DELIVERY", "DELIVERED"]
    assert len(shop.calls(order)) == 2
    assert shop.market.journal[journal].changes is False, "the first thing is a read"


async def test_death_before_the_attempt_is_committed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the mark nothing was sent, and nothing needs to be read back."""
    hub = shop.process()
    order = await shop.place(hub)
    reached = asyncio.Event()

    async def begin(*_: object) -> set[str]:
        reached.set()
        await asyncio.sleep(3600)
        return set()

    monkeypatch.setattr(hub.work, "begin", begin)
    await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await reached.wait()
    await hub.die()
    journal = len(shop.market.journal)
    other = shop.process()
    other.start()
    await shop.settled(other, order)
    assert shop.done(order) == ["DELIVERY"]
    assert shop.market.journal[journal].changes is True


async def test_lost_tables(shop: Shop) -> None:
    """All work tables are emptied after a call nobody knows the end of: it is read back and not sent again."""
    hub = shop.process()
    order, untold = await shop.place(hub), await shop.place(hub)
    await dead_at(shop, hub, order, "after")
    await shop.mark(untold, "order.shipped")
    await shop.process().react()
    await shop.admin("TRUNCATE okno.dispatch, okno.attempts, okno.reads, okno.leases, okno.progress")
    other = shop.process()
    other.start()
    await shop.settled(other, order, untold)
    assert shop.done(order) == ["DELIVERY", "DELIVERED"]
    assert shop.done(untold) == ["DELIVERY"]
    assert len(shop.calls(order)) == 2
    assert (await shop.commands(order))["delivery"].message == "read back"


async def test_lost_lanes_alone(shop: Shop) -> None:
    """Only the lanes are emptied: the next reactor brings back every one in which something waits."""
    hub = shop.process()
    order = await shop.place(hub)
    await shop.mark(order, "order.shipped")
    await hub.react()
    await project(shop.pool, shop.log)
    await shop.admin("TRUNCATE okno.dispatch")
    other = shop.process()
    reacting = asyncio.create_task(other.reactor.run(asyncio.Event(), other.told))
    other.start()
    await shop.settled(other, order)
    reacting.cancel()
    await asyncio.gather(reacting, return_exceptions=True)
    assert shop.done(order) == ["DELIVERY"]


async def test_a_read_counts_only_when_the_attempt_has_settled(shop: Shop) -> None:
    """A call whose answer is lost is read back no sooner than it must have settled."""
    hub = shop.process()
    order = await shop.place(hub)
    shop.market.faults = Faults(lost=1.0, hang=0.9)
    await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await shop.settled(hub, order)
    (call,) = shop.calls(order)
    reads = [e for e in after(shop, call) if str(order.number) in f"{e.body}"]
    assert reads
    assert (reads[0].at - call.at).total_seconds() > SETTLE
    assert await shop.outcomes(order) == {"delivery": "done"}


async def test_not_done_is_believed_only_once_it_has_settled(shop: Shop) -> None:
    """A read that shows the order unmoved, begun before the call must have settled, lets nothing be sent again."""
    hub = shop.process()
    shop.channel.marketplace.applied_seconds = 0.1
    order = await shop.place(hub)
    shop.market.faults = Faults(error=1.0, reads=False)
    await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await until(lambda: shop.called(order, 2))
    first, second = shop.calls(order)[:2]
    reads = [e for e in after(shop, first) if e.at < second.at and str(order.number) in f"{e.body}"]
    assert len(reads) > 1, "it was read while it could still be applied"
    assert (second.at - first.at).total_seconds() > SETTLE + hub.dispatcher._lanes.spare


def after(shop: Shop, call: Entry) -> list[Entry]:
    return [e for e in shop.market.journal if e.at > call.at]


async def test_two_processes_at_once(shop: Shop) -> None:
    """Over one database no step is sent twice, and no order has two calls under way at once."""
    hubs = [shop.process() for _ in range(2)]
    under_way: set[str] = set()
    twice: list[str] = []
    orders = [await shop.place(hubs[0], pickup=True) for _ in range(12)]

    async def before(call: Call) -> None:
        for number in [str(o.number) for o in orders if str(o.number) in f"{call.path} {call.body}"]:
            twice.extend([number] if number in under_way else [])
            under_way.add(number)

    async def done(call: Call) -> None:
        under_way.difference_update([str(o.number) for o in orders if str(o.number) in f"{call.path} {call.body}"])

    for hub in hubs:
        hub.client.before, hub.client.after = before, done
        hub.start()
    for order in orders:
        await shop.mark(order, "order.delivered")
    await asyncio.gather(*(hub.react() for hub in hubs))
    await shop.settled(hubs[0], *orders)
    assert twice == []
    for order in orders:
        assert shop.done(order) == ["DELIVERY", "PICKUP", "DELIVERED"]
        assert len(shop.calls(order)) == 3
    assert set((await shop.outcomes(orders[0])).values()) == {"done"}


async def test_a_lease_that_ran_out_sends_nothing(shop: Shop) -> None:
    """A process that lost its lane while it waited for a slot sends nothing; whoever holds the lane does."""
    hub, other = shop.process(), shop.process()
    order = await shop.place(hub)
    await shop.mark(order, "order.shipped")
    await hub.react()
    slots = hub.client._slots
    for _ in range(4):
        await slots.acquire()
    hub.start()
    await until(shop.claimed)
    await shop.admin("UPDATE okno.dispatch SET leased_until = clock_timestamp() - interval '1 second'")
    held = other.client.before = Grave()
    other.start()
    await held.reached.wait()
    for _ in range(4):
        slots.release()
    await asyncio.sleep(0.3)
    assert shop.calls(order) == [], "the lane is the other one's"
    await other.die()
    await shop.settled(hub, order)
    assert shop.done(order) == ["DELIVERY"]

    async def let_go() -> bool:
        return key(order) not in hub.dispatcher._in_hand

    await until(let_go)


async def test_a_lane_in_hand_is_not_claimed_again(shop: Shop) -> None:
    """A process whose lease ran out while it waited for a slot does not take its own lane a second time beside it."""
    hub = shop.process()
    order = await shop.place(hub)
    await shop.mark(order, "order.shipped")
    await hub.react()
    slots = hub.client._slots
    for _ in range(4):
        await slots.acquire()
    hub.start()
    await until(shop.claimed)
    await shop.admin("UPDATE okno.dispatch SET leased_until = clock_timestamp() - interval '1 second'")
    await asyncio.sleep(0.3)
    assert await shop.pool.fetchval("SELECT leased_until < clock_timestamp() FROM okno.dispatch WHERE target = 'ym'")
    for _ in range(4):
        slots.release()
    await shop.settled(hub, order)
    assert len(shop.calls(order)) == 1


async def test_a_process_that_slept_sends_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the mark and the first byte no more time may pass than the lease has to spare."""
    hub = shop.process()
    order = await shop.place(hub)
    begin = hub.work.begin
    begun: list[int] = []

    async def slow(*args: object) -> dict[str, Begun]:
        kept = await begin(*args)  # type: ignore[arg-type]  # passed on as they came
        begun.append(1)
        if len(begun) == 1:
            await asyncio.sleep(hub.dispatcher._lanes.spare + 0.05)
            assert shop.calls(order) == []
        return kept

    monkeypatch.setattr(hub.work, "begin", slow)
    await shop.mark(order, "order.shipped")
    await hub.react()
    hub.start()
    await shop.settled(hub, order)
    assert len(begun) == 2, "the first mark was taken back, and a new one made"
    assert shop.done(order) == ["DELIVERY"]
    assert (await shop.commands(order))["delivery"].attempts == 1, "what sent nothing was no attempt"
