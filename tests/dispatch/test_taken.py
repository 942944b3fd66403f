"""A marketplace that takes a step and applies it later, and steps that must never be sent twice: at a sandbox Ozon."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from events.order import facts as f
from service import lanes, readback
from service.marketplaces.exchange import Call
from service.marketplaces.invented import CATALOGUE
from service.marketplaces.ozon.sandbox import Ozon, application, cabinets
from service.marketplaces.port import Pending, Wanted
from service.marketplaces.trial import Entry, Faults
from tests.dispatch.shop import DONE, Place, Process, connected, until

NAME = "ozon-rfbs"
SLOWLY = timedelta(seconds=0.4)


@dataclass
class Posting:
    """One posting of an rFBS channel, placed and read."""

    ozon: Ozon
    place: Place
    number: str

    @property
    def key(self) -> str:
        return f"{NAME}/{self.number}"

    async def assembled(self, process: Process) -> None:
        """1C has it assembled, and Ozon has it so."""
        await self.place.said(self.key, "order.assembled")
        await self.settled(process)

    async def settled(self, process: Process) -> None:
        """Until every step has its end."""

        async def over() -> bool:
            await process.react()
            told = [c for c in (await self.place.history(self.key)).commands.values() if c.target == NAME]
            return bool(told) and all(command.state in DONE for command in told)

        await until(over, 30)

    async def state_of(self, step: str) -> str:
        commands = (await self.place.history(self.key)).commands.values()
        return [c.state for c in commands if c.action == step][-1]

    def calls(self, path: str) -> list[Entry]:
        """The calls Ozon had of one method."""
        return [entry for entry in self.ozon.journal if entry.path.endswith(path)]


@pytest.fixture
async def posting(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Posting]:
    monkeypatch.setattr(readback, "LONGEST_LOOK", 0.3)
    monkeypatch.setattr(lanes, "MOST_SPARE", 0.1)
    ozon = Ozon(cabinets(), pace=SLOWLY, faults=Faults(hang=1.0))
    async with TestServer(application(ozon, {})) as server:
        table: dict[str, Any] = {
            "kind": "ozon", "model": "rfbs", "base_url": str(server.make_url("")).rstrip("/"), "client_id": "510001",
            "api_key": "sandbox-rfbs-key",
        }  # fmt: skip
        async with connected(database_url, NAME, table) as place:
            market = place.channel.marketplace
            market.applied_seconds, market.call_timeout = 0.1, 0.8
            monkeypatch.setattr(type(market), "settles", lambda *_: 1.5)
            place.processes.append(Process(place))
            number = ozon.place(NAME, lines=[(CATALOGUE[0], 3)]).number
            await place.processes[0].reader.see([Wanted(number, new=True)])
            yield Posting(ozon, place, number)


@pytest.fixture
async def hub(posting: Posting) -> Process:
    """A process at work, for a posting that is assembled."""
    process = posting.place.processes[0]
    process.start()
    await posting.assembled(process)
    return process


async def test_taken_is_not_done(posting: Posting, hub: Process) -> None:
    """A step is done once the order shows it, and the call is made once however long that takes."""
    await posting.place.said(posting.key, "order.shipped")
    await hub.react()
    await until(lambda: _had(posting, "/delivering"))
    assert await posting.state_of("delivering") == "waiting"
    await posting.settled(hub)
    assert await posting.state_of("delivering") == "done"
    assert posting.ozon.postings[posting.number].status == "delivering"
    assert len(posting.calls("/delivering")) == 1


async def test_death_while_it_is_being_applied(posting: Posting, hub: Process) -> None:
    """Whoever comes next reads the order until the step shows, and sends nothing."""
    dies, hub.client.after = _dies(hub)
    await posting.place.said(posting.key, "order.shipped")
    await hub.react()
    await asyncio.wait_for(dies.wait(), 10)
    await hub.die()
    other = posting.place.process()
    other.start()
    await posting.settled(other)
    assert await posting.state_of("delivering") == "done"
    assert len(posting.calls("/delivering")) == 1


@pytest.mark.parametrize("died", [False, True], ids=["the answer is lost", "the hub dies"])
async def test_a_move_is_never_used_up_twice(posting: Posting, hub: Process, died: bool) -> None:
    """The day of delivery is moved once, whatever becomes of the answer: of two moves there are one is left."""
    day = (posting.ozon.postings[posting.number].delivery or [])[0].date() + timedelta(days=1)
    process, dies = hub, asyncio.Event()
    if died:
        dies, hub.client.after = _dies(hub)
    else:
        posting.ozon.faults = Faults(lost=1.0, hang=1.0, reads=False)
    await posting.place.said(posting.key, "order.rescheduled", f.Rescheduled(date=day, by="customer"))
    await hub.react()
    if died:
        await asyncio.wait_for(dies.wait(), 10)
        await hub.die()
        process = posting.place.process()
        process.start()
    await posting.settled(process)
    assert await posting.state_of("timeslot") == "done"
    assert posting.ozon.postings[posting.number].slot_moves == 1
    assert len(posting.calls("/timeslot/set")) == 1


async def test_goods_are_taken_out_once(posting: Posting) -> None:
    """A call that takes goods out and whose answer is lost is not made again: the next one would take more."""
    process, state = posting.place.processes[0], await posting.place.history(posting.key)
    (three,) = state.lines
    fewer = f.Line(sku=three.sku, quantity=three.quantity - 1)
    posting.ozon.faults = Faults(broken=1.0, reads=False)
    process.start()
    await posting.place.said(posting.key, "order.confirmed", f.Confirmed(lines=(fewer,)))
    await posting.settled(process)
    assert len(posting.calls("/product/cancel")) == 1
    assert [line.quantity for line in posting.ozon.postings[posting.number].lines] == [fewer.quantity]


async def test_what_does_not_end_is_handed_to_a_person(
    posting: Posting, hub: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that the marketplace is at for too long is refused with a hint, and calls for a person."""
    monkeypatch.setattr(readback, "PENDING", timedelta(seconds=0.5))
    monkeypatch.setattr(type(posting.place.channel.marketplace), "finding", lambda *_: Pending("at it"))
    await posting.place.said(posting.key, "order.shipped")
    await hub.react()
    await posting.settled(hub)
    command = next(c for c in (await posting.place.history(posting.key)).commands.values() if c.action == "delivering")
    assert (command.state, command.code, command.message) == ("refused", "pending", "at it")
    assert "cabinet" in (command.hint or "")


async def _had(posting: Posting, path: str) -> bool:
    return bool(posting.calls(path))


def _dies(process: Process) -> tuple[asyncio.Event, Callable[[Call], Awaitable[None]]]:
    """An event that is set once a changing call was answered, which the process never gets to see."""
    dies = asyncio.Event()

    async def after(_: Call) -> None:
        dies.set()
        await asyncio.sleep(3600)

    return dies, after
