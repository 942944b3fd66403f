"""Every way to call Megamarket wrongly is found out, and nothing else is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from tests.acceptance.faults import CALM, Faults

from .careful import Client, now, until
from .emulator import Emulator
from .scenario import TOKENS, Lot, Scenario, scenario
from .shipment import Shipment

DELAY = 0.06


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        yield session


@pytest.fixture
async def client(http: aiohttp.ClientSession) -> AsyncIterator[Client]:
    emulator = Emulator(Faults(1, CALM), 1, delay=DELAY)
    await emulator.start()
    yield Client(emulator, http)
    await emulator.stop()


class Careless:
    """One order and a hub that sends whatever the test wants; `wait` lets the marketplace come to rest."""

    def __init__(self, client: Client, one: Scenario) -> None:
        self.client, self.one, self.emulator = client, one, client.emulator
        self.emulator.orders.setdefault(one.number, Shipment(one, 1, 0.0, DELAY))

    async def send(self, op: str, items: list[dict[str, Any]] | None = None, **more: Any) -> bool:
        shipment = {"shipmentId": str(self.one.number), **more} | ({"items": items} if items is not None else {})
        _, answer = await self.client.call(self.one, f"order/{op}", shipments=[shipment])
        return answer.get("success") == 1 and answer["data"].get("result", 1) == 1

    async def pack(self, *indices: int, **more: Any) -> bool:
        items = [{"itemIndex": at, "quantity": 1} for at in indices or [lot.index for lot in self.one.goods]]
        return await self.send("packing", items, **({"orderCode": "A-1"} | more))

    async def close(self, *indices: int, result: Any = True) -> bool:
        items = [{"itemIndex": at, "handoverResult": result} for at in indices or [lot.index for lot in self.one.lots]]
        return await self.send("close", items, closeDate=now())

    async def wait(self) -> None:
        await until(lambda: not self.emulator.orders[self.one.number].moving)

    async def packed(self) -> "Careless":
        assert await self.pack()
        await self.wait()
        return self


def bare(**changes: Any) -> Scenario:
    """Two bulbs and a tent by own courier, all straight, delivery paid."""
    lots = (Lot(1, "LAMP-E27", "Лампа", 149), Lot(2, "ПАЛ-12", "Палатка", 12490), Lot(3, "LAMP-E27", "Лампа", 149),
            Lot(4, "delivery", "Доставка", 800, delivery=True))  # fmt: skip
    counts = (("LAMP-E27", 2), ("ПАЛ-12", 1))
    plain = replace(scenario(1, 0), model="dbs", ending="completed", gone=(), moved_by="", slow_status=False)
    return replace(plain, lots=lots, kept=counts, taken=counts, **changes)


@pytest.fixture
def hub(client: Client) -> Careless:
    return Careless(client, bare())


def box(code: str, index: int = 1) -> dict[str, Any]:
    return {"boxes": [{"boxIndex": index, "boxCode": code}]}


Send = Callable[[Careless], Awaitable[bool]]
BAD_SHAPES: list[tuple[str, Send]] = [
    ("orderCode", lambda hub: hub.pack(orderCode="УТ-000001")),
    ("orderCode", lambda hub: hub.pack(orderCode="")),
    ("orderCode", lambda hub: hub.pack(orderCode="A 1")),
    ("itemIndex '7'", lambda hub: hub.send("packing", [{"itemIndex": "7", "quantity": 1}], orderCode="A-1")),
    ("itemIndex given twice", lambda hub: hub.pack(1, 1)),
    ("quantity 2", lambda hub: hub.send("packing", [{"itemIndex": 1, "quantity": 2}], orderCode="A-1")),
    ("boxes is not known", lambda hub: hub.send("packing", [{"itemIndex": 1, "quantity": 1, **box("1*A-1*1")}],
                                                orderCode="A-1")),
    ("is no boolean", lambda hub: hub.close(result="TRUE")),
    ("with reason None", lambda hub: hub.close(result=False)),
    ("closeDate", lambda hub: hub.send("close", [{"itemIndex": 1, "handoverResult": True}], closeDate="2026-01-01")),
    ("closeDate is missing", lambda hub: hub.send("close", [{"itemIndex": 1, "handoverResult": True}])),
    ("offerId 'other'", lambda hub: hub.send("reject", [{"itemIndex": 1, "offerId": "other"}])),
    ("shippingDate is missing", lambda hub: hub.send("confirm", [{"itemIndex": 2, "offerId": "ПАЛ-12"}])),
    ("does not exist for dbs", lambda hub: hub.send("shipping", boxes=[], shipping={})),
    ("canceled 'true'", lambda hub: hub.send("cancelResult", [{"itemIndex": 1, "canceled": "true"}])),
]  # fmt: skip


NAMES = [f"{at} {fault}" for at, (fault, _) in enumerate(BAD_SHAPES)]


@pytest.mark.parametrize(("fault", "send"), BAD_SHAPES, ids=NAMES)
async def test_a_wrong_shape_is_a_violation(fault: str, send: Send, hub: Careless) -> None:
    """Refused, changes nothing, and is told apart."""
    assert not await send(hub)
    violations = hub.emulator.journal.violations
    assert len(violations) == 1
    assert fault in violations[0]
    assert not hub.emulator.orders[hub.one.number].moving


async def test_boxes_and_marking_codes_of_fbs(client: Client) -> None:
    """boxCode is merchantId*orderCode*boxIndex, a marked lot has a code of its own, shipping names the packed boxes."""
    lots = tuple(Lot(at, "LAMP-E27", "Лампа", 149, mark=f"mark-{at}") for at in (1, 2))
    fbs = Careless(client, replace(bare(model="fbs"), lots=lots))
    violations, misuse = fbs.emulator.journal.violations, fbs.emulator.misuse
    assert await fbs.send("confirm", [{"itemIndex": at, "offerId": "LAMP-E27"} for at in (1, 2)])
    await fbs.wait()
    good = box(f"{fbs.one.merchant}*A-1*1")

    async def pack(boxes: dict[str, Any], *marks: str | None) -> bool:
        items = [
            {"itemIndex": at, **boxes} | ({"digitalMark": mark} if mark else {}) for at, mark in enumerate(marks, 1)
        ]
        return await fbs.send("packing", items, orderCode="A-1")

    assert not await pack(box("1*A-1*1"), "mark-1", "mark-2")
    assert not await pack(box(f"{fbs.one.merchant}*A-2*1"), "mark-1", "mark-2")
    assert not await pack(good, "mark-1", "mark-1")
    assert not await pack(good, "mark-1", "mark-9")
    assert len(violations) == 4
    assert not await pack(good, "mark-1", None)
    assert not misuse
    assert await pack(good, "mark-2", "mark-1")
    await fbs.wait()
    shipping = {"shippingDate": now()}
    assert not await fbs.send("shipping", boxes=box(f"{fbs.one.merchant}*A-1*2", 2)["boxes"], shipping=shipping)
    assert "shipping with boxes" in misuse[0]
    assert await fbs.send("shipping", **good, shipping=shipping)


async def test_envelope_token_and_batch(hub: Careless, client: Client) -> None:
    """The token belongs into body and header, meta is an object, 20 shipments are changed and 400 read at once."""
    url, token = hub.emulator.url, TOKENS["dbs"]
    get = f"{url}/api/market/v1/orderService/order/get"
    for body, header in (
        ({"meta": {}, "data": {"shipments": ["1"]}}, token),
        ({"meta": [], "data": {"token": token, "shipments": ["1"]}}, token),
        ({"meta": {}, "data": {"token": token, "shipments": ["1"]}}, "other"),
        ({"meta": {}, "data": {"token": token, "shipments": [1]}}, token),
        ({"meta": {}, "data": {"token": token, "shipments": [str(at) for at in range(401)]}}, token),
    ):
        async with client.http.post(get, json=body, headers={"X-Merchant-Token": header}) as response:
            assert (await response.json())["data"] == {}
    many = [{"shipmentId": str(hub.one.number), "items": [{"itemIndex": 1, "offerId": "LAMP-E27"}]}] * 21
    await client.call(hub.one, "order/reject", shipments=many)
    window = {"dateFrom": "2026-01-01", "dateTo": now()}
    await client.call(hub.one, "order/search", **window)
    assert len(hub.emulator.journal.violations) == 7


async def test_lots_may_not_skip_repeat_or_hurry(hub: Careless) -> None:
    """Close before packing, close while packing is under way, packing twice, close twice: each is an offence."""
    assert not await hub.close()
    assert await hub.pack(1, 2, 3)
    assert not await hub.close()
    await hub.wait()
    assert not await hub.pack(1, 2, 3)
    assert await hub.close()
    await hub.wait()
    assert not await hub.close()
    misuse = [text.split(": ", 1)[1] for text in hub.emulator.misuse]
    assert [text.split(" (at")[0].split(", done")[0] for text in misuse] == [
        "close of lot 1 in NEW", "close of lot 1 while it is PENDING_PACKING", "packing of lot 1 again",
        "close of lot 1 again"]  # fmt: skip
    assert {state.status for state in hub.emulator.orders[hub.one.number].lots.values()} == {"DELIVERED"}


async def test_paid_delivery_is_closed_and_never_packed(hub: Careless) -> None:
    """Packed or rejected with part of the goods, or left out of close: an offence each."""
    assert not await hub.pack(1, 2, 3, 4)
    offers = {lot.index: lot.sku for lot in hub.one.lots}
    assert not await hub.send("reject", [{"itemIndex": at, "offerId": offers[at]} for at in (1, 4)])
    await hub.packed()
    assert not await hub.close(1, 2, 3)
    assert [text.split(": ")[1].split(" (at")[0] for text in hub.emulator.misuse] == [
        "delivery lot in packing", "delivery lot in reject", "delivery lot left out of close"]  # fmt: skip


async def test_nothing_goes_to_what_the_hub_knows_to_be_cancelled(hub: Careless) -> None:
    """Not yet read: nobody's fault. Read, and sent all the same: an offence."""
    order = hub.emulator.orders[hub.one.number]
    order.cancel([1, 2, 3])
    assert not await hub.pack(1, 2, 3)
    assert not hub.emulator.misuse
    await hub.client.read(hub.one)
    for state in order.lots.values():
        state.read = [(at - 60, status) for at, status in state.read]
    assert not await hub.pack(1, 2, 3)
    assert "known to be cancelled" in hub.emulator.misuse[0]


@pytest.mark.parametrize("look", [False, True], ids=["blindly", "after a look"])
async def test_a_lost_answer_asks_for_a_look(look: bool, http: aiohttp.ClientSession) -> None:
    """Sent again without a read it is blind; after one that showed the change it is twice the same."""
    emulator = Emulator(Faults(1, replace(CALM, lost=1.0, hang_share=0)), 1, delay=DELAY)
    await emulator.start()
    hub = Careless(Client(emulator, http), bare())
    assert not await hub.pack(1, 2, 3)
    if look:
        await hub.client.read(hub.one)
    assert not await hub.pack(1, 2, 3)
    assert bool(list(emulator.journal.blind())) is not look
    assert bool(emulator.misuse) is look
    await emulator.stop()


async def test_an_error_though_it_was_done(http: aiohttp.ClientSession) -> None:
    """What facts.md saw in the field: success 0, and the lots did move."""
    emulator = Emulator(Faults(1, replace(CALM, error=2.0)), 1, delay=DELAY)
    emulator.faults.pick = lambda what, changing: "error_after" if changing else ""  # type: ignore[method-assign]
    await emulator.start()
    answers = set()
    for number in range(1, 12):
        hub = Careless(Client(emulator, http), bare(number=number))
        one = {"shipmentId": str(number), "orderCode": f"A-{number}", "items": [{"itemIndex": 2, "quantity": 1}]}
        _, answer = await hub.client.call(hub.one, "order/packing", shipments=[one])
        answers.add(answer.get("success", "none"))
        assert emulator.orders[number].lots[2].visible in ("PENDING_PACKING", "PACKED")
    assert {0, "none"} <= answers
    await emulator.stop()
