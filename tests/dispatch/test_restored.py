"""The log is restored to an earlier moment: what was told in the time that is lost is not told again, the rest is."""

import asyncio
from pathlib import Path

import pytest

from events.order import facts as f
from service.marketplaces.port import Wanted
from service.marketplaces.yandex.sandbox import Market, Order
from service.restored import Watch
from service.work import Expected
from tests.backups import dump, restore
from tests.dispatch.conftest import DBS
from tests.dispatch.shop import Process, Shop, opened, until
from tests.servers import Databases

CANCELLED = f.Cancelled(by="shop", reason="out_of_stock")
REGISTERED = f.Registered(document=f.Document(id="d-1", number="N-1"))
SHIPPED = f.Shipped(track="T-1")


async def marked(shop: Shop, hub: Process, *marks: tuple[Order, str, f.Fact | None]) -> None:
    """1C marks, and nothing is left to be told."""
    for order, kind, fact in marks:
        await shop.mark(order, kind, fact)
    await quiet(shop, hub)


async def quiet(shop: Shop, hub: Process) -> None:
    """Until nothing waits for Market."""

    async def nothing_waits() -> bool:
        await hub.react()
        states = [await shop.state(order) for order in shop.market.orders.values()]
        return not any(state.waiting("ym") for state in states)

    await until(nothing_waits)


class Lost:
    """Orders, a dump in the middle, and what was told after it."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop, self.hub, self.folder = shop, shop.process(), folder
        self.watch = Watch(shop.pool, folder)

    async def live(self) -> None:
        """Runs orders through; the dump is made while one is requested, one marked only, and others not there yet."""
        shop, hub = self.shop, self.hub
        self.early, self.marked, self.wanted, self.later = [await shop.place(hub) for _ in range(4)]
        self.cancelled = await shop.place(hub)
        hub.start()
        await marked(shop, hub, (self.early, "order.shipped", SHIPPED))
        await hub.die()
        await shop.mark(self.wanted, "order.shipped", SHIPPED)
        await hub.react()
        await shop.mark(self.marked, "order.shipped", SHIPPED)
        await dump(shop.database_url, self.folder / "okno.dump")
        hub.start()
        await quiet(shop, hub)
        self.new = await shop.place(hub)
        self.marks: list[tuple[Order, str, f.Fact | None]] = [
            (self.early, "order.delivered", None),
            (self.later, "order.shipped", SHIPPED),
            (self.cancelled, "order.cancelled", CANCELLED),
            (self.new, "order.registered", REGISTERED),
            (self.new, "order.delivered", None),
        ]
        await marked(shop, hub, *self.marks)
        await self.watch.look()
        await hub.die()


@pytest.fixture
async def lost(shop: Shop, tmp_path: Path) -> Lost:
    found = Lost(shop, tmp_path)
    await found.live()
    return found


@pytest.mark.parametrize("polled", [True, False])
async def test_nothing_is_told_twice(
    lost: Lost, databases: Databases, market: Market, url: str, *, polled: bool
) -> None:  # fmt: skip
    """The next hub notices, reads each order before it tells it anything, and tells only what is new."""
    database = await databases.empty()
    await restore(lost.folder / "okno.dump", database)
    before = len(market.journal)
    async with opened(database, market, DBS, url) as shop:
        assert await Watch(shop.pool, lost.folder).look() is True
        assert (await shop.log.head()).epoch == 2
        hub = shop.process()
        hub.start()
        await quiet(shop, hub)  # what was requested, or marked, when the dump was made
        assert [entry for entry in market.journal[before:] if entry.changes] == []
        if polled:
            await hub.poller.poll()
        await hub.reader.see([Wanted(str(lost.new.number), new=True)])
        await marked(
            shop, hub, *lost.marks, (lost.later, "order.delivered", None), (lost.marked, "order.delivered", None)
        )
        assert await Watch(shop.pool, lost.folder).look() is False
    changing = [(entry.path, entry.body) for entry in market.journal[before:] if entry.changes]
    assert len(changing) == 2, changing
    for order in (lost.early, lost.later, lost.marked, lost.new):
        assert shop.done(order)[-1] == "DELIVERED"
        assert len(shop.done(order)) == len(set(shop.done(order)))
    assert shop.done(lost.cancelled) == ["CANCELLED"]


async def test_what_a_read_can_not_tell_is_left_to_a_person(shop: Shop, tmp_path: Path) -> None:
    """Nobody has looked after a restore: what may have been told is refused, and told when an operator says so."""
    hub = shop.process()
    order = await shop.place(hub)
    await Watch(shop.pool, tmp_path).say()
    await shop.mark(order, "order.shipped")
    await hub.react()
    hidden = shop.market.orders.pop(order.number)
    hub.start()
    await shop.settled(hub, order)
    command = (await shop.commands(order))["delivery"]
    assert (command.state, command.code) == ("refused", "unclear")
    shop.market.orders[order.number] = hidden
    await shop.retry(command, order)
    await shop.settled(hub, order)
    assert shop.done(order) == ["DELIVERY"]


async def test_a_note_made_at_the_same_moment(shop: Shop, tmp_path: Path) -> None:
    """A command noted as never tried while the restore is said: its note is forgotten, or says that it must be read."""
    work, said = shop.process().work, "SELECT open FROM okno.attempts WHERE command = $1"
    async with shop.pool.acquire() as noting, noting.transaction():
        await work.expect_in(noting, [Expected("before", "ym/1", "ym")])
        saying = asyncio.ensure_future(Watch(shop.pool, tmp_path).say())
        await asyncio.sleep(0.3)
        assert not saying.done(), "it waits for whoever notes something"
    await saying
    assert await shop.pool.fetchval(said, "before") is None
    async with shop.pool.acquire() as saying_it, shop.pool.acquire() as noting:
        async with saying_it.transaction():
            await saying_it.execute("SELECT okno.restored(epoch) FROM okno.head")
            noted = asyncio.create_task(work.expect_in(noting, [Expected("after", "ym/1", "ym")]))
            await asyncio.sleep(0.3)
        await noted
    assert await shop.pool.fetchval(said, "after") is True
