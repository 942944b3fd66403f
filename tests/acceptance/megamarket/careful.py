"""A hub in miniature that does everything right: what it does must pass, or the judge is wrong."""

import asyncio
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import aiohttp
from aiohttp import web

from tests.acceptance.checks import Findings
from tests.acceptance.marks import Mark

from .callbacks import LOGIN, PASSWORD
from .emulator import PREFIX, Emulator
from .marks import script
from .scenario import CANCELED, FINAL, TOKENS, Scenario

Lots = dict[int, str]
STAGES = ["confirmed", "assembled", "shipped", "arrived", "handed_over", "delivered", "completed"]
REFUSED = {"stage": "assembled", "message": "…", "hint": "…"}


async def until(ready: Callable[[], bool]) -> None:
    """Looks every few milliseconds."""
    while True:
        if ready():
            return
        await asyncio.sleep(0.01)


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


class Client:
    """Calls as the documents want them: one at a time for an order, and a look before anything is sent again."""

    def __init__(self, emulator: Emulator, http: aiohttp.ClientSession) -> None:
        self.emulator, self.http = emulator, http

    async def call(self, one: Scenario, op: str, **data: Any) -> tuple[int, dict[str, Any]]:
        """HTTP status and body; status 0 where no answer came."""
        token = TOKENS[one.model]
        body = {"meta": {}, "data": {"token": token, **data}}
        headers = {"X-Merchant-Token": token}
        try:
            async with self.http.post(f"{self.emulator.url}{PREFIX}{op}", json=body, headers=headers) as response:
                return response.status, await response.json() if response.status == 200 else {}
        except (aiohttp.ClientError, TimeoutError):
            return 0, {}

    async def read(self, one: Scenario) -> tuple[Lots, dict[str, Any]]:
        """Statuses by lot, once none is PENDING or empty; and the whole order."""
        while True:
            status, answer = await self.call(one, "order/get", shipments=[str(one.number)])
            if status == 200:
                order = answer["data"]["shipments"][0]
                lots = {int(item["itemIndex"]): item["status"] for item in order["items"]}
                if all(state and not state.startswith("PENDING") for state in lots.values()):
                    return lots, order
            await asyncio.sleep(self.emulator.delay / 6)

    async def do(self, one: Scenario, op: str, shipment: dict[str, Any],
                 done: Callable[[Lots, dict[str, Any]], bool] | None = None, **data: Any) -> bool:  # fmt: skip
        """Until it is done (True) or refused for good (False)."""
        while True:
            if done:
                lots, order = await self.read(one)
                if done(lots, order):
                    return True
                if op in ("order/confirm", "order/packing"):  # the buyer may have cancelled some of it meanwhile
                    left = [item for item in shipment["items"] if lots[item["itemIndex"]] not in CANCELED]
                    shipment = {**shipment, "items": left}
            body = {"shipments": [{"shipmentId": str(one.number), **shipment}], **data}
            status, answer = await self.call(one, op, **body)
            good = answer.get("success") == 1 and answer["data"].get("result", 1) == 1
            if good and done is None:
                return True
            if status != 429 and done:
                for _ in range(12):  # longer than any application takes
                    await asyncio.sleep(self.emulator.delay / 6)
                    if done(*await self.read(one)):
                        return True
            if status == 200 and not good:
                return False


class CarefulHub:
    """Works through scenarios by the marks of 1C; `findings` is what a hub would have told."""

    def __init__(self, emulator: Emulator, http: aiohttp.ClientSession) -> None:
        self.client, self.emulator = Client(emulator, http), emulator
        self.outbox: list[dict[str, Any]] = []
        self.stages: dict[str, str] = {}
        self.asked: dict[int, list[int]] = {}
        self.healthy = True

    async def __aenter__(self) -> "CarefulHub":
        app = web.Application()
        app.router.add_post("/{channel}/order/{what}", self._hook)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port = self._runner.addresses[0][1]
        self.emulator.tables(lambda channel: f"http://127.0.0.1:{port}/{channel}", "live")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _hook(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != aiohttp.encode_basic_auth(LOGIN, PASSWORD):
            return web.json_response({"success": 0}, status=401)
        if not self.healthy:
            return web.json_response({"success": 0, "meta": {}, "data": {}})
        for shipment in (await request.json())["data"]["shipments"]:
            if request.match_info["what"] == "cancel":
                self.asked[int(shipment["shipmentId"])] = [int(item["itemIndex"]) for item in shipment["items"]]
        return web.json_response({"success": 1, "meta": {}, "data": {}})

    def tell(self, one: Scenario, kind: str, **data: Any) -> None:
        event = {"id": f"{len(self.outbox)}", "type": kind, "subject": one.key, "data": data}
        self.outbox.append(event)

    async def work(self, one: Scenario) -> None:
        """One order from its coming to 1C's last mark."""
        self.emulator.place(one)
        await self.client.read(one)
        self.tell(one, "order.placed", lines=[{"sku": sku, "quantity": n} for sku, n in one.ordered.items()])
        order, self.stages[one.key], truth = Order(self, one), "placed", partial(self.emulator.truth, one.number)
        for mark in script(one, 1):
            if mark.wait == "order.cancellation_requested":
                await until(lambda: one.number in self.asked)
                self.tell(one, mark.wait)
            elif mark.wait == "order.changed":
                await until(lambda: "CUSTOMER_CANCELED" in truth().state)
                self.tell(one, mark.wait)
            await order.follow(mark)
            if one.ending == "buyer_cancel" and order.cancelled:
                break
        if one.ending == "buyer_cancel":
            await until(lambda: truth().state in truth().wanted)
            self.tell(one, "order.cancelled")
        self.stages[one.key] = "cancelled" if one.cancelled else self.stages[one.key]

    async def findings(self) -> Findings:
        orders = {}
        for number, order in self.emulator.orders.items():
            _, seen = await self.client.read(order.scenario)
            row = {"stage": self.stages[order.scenario.key], "marketplace": {"status": seen["status"]}, "lines": []}
            orders[order.scenario.key] = row
            assert str(number) == seen["shipmentId"]
        return Findings(orders, [], self.outbox, [], [])


class Order:
    """What the hub knows of one order, and the steps each mark leads to."""

    def __init__(self, hub: CarefulHub, one: Scenario) -> None:
        self.hub, self.one, self.code = hub, one, str(one.number)
        self.kept: Counter[str] | None = None
        self.marks: dict[str, list[str]] = defaultdict(list)
        self.had: set[str] = set()
        self.cancelled = self.blocked = False

    async def follow(self, mark: Mark) -> None:
        """The steps of this mark's stage and of those before it."""
        kind, hub, one = mark.type.removeprefix("order."), self.hub, self.one
        for line in mark.data.get("lines", []):
            self.marks[line["sku"]] = self.marks[line["sku"]] or list(line.get("marks", []))
            self.blocked = self.blocked and not line.get("marks")
        if kind == "registered":
            self.code = "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in one.document_number)
        elif kind == "rescheduled":
            await self._move(mark.data["date"])
        elif kind.startswith("cancellation"):
            items = [{"itemIndex": at, "canceled": kind.endswith("accepted")} for at in hub.asked[one.number]]
            gone = self._all(hub.asked[one.number], CANCELED) if kind.endswith("accepted") else None
            await hub.client.do(one, "order/cancelResult", {"items": items}, gone)
        elif kind == "cancelled":
            await self._cancel("CANCEL_BY_CUSTOMER" if mark.data["by"] == "customer" else "HANDOVER_IMPOSSIBLE")
        if kind == "confirmed" and "lines" in mark.data:
            self.kept = Counter({line["sku"]: int(float(str(line["quantity"]).replace(",", ".")))
                                 for line in mark.data["lines"]})  # fmt: skip
        taken = mark.data.get("lines") if kind == "delivered" else None
        for stage in STAGES[: STAGES.index(kind) + 1] if kind in STAGES else []:
            if self.cancelled or self.blocked or (stage not in self.had and not await self._reach(stage, taken)):
                break
            self.had.add(stage)
        if kind in STAGES:
            hub.stages[one.key] = max(kind, hub.stages[one.key], key=["placed", *STAGES].index)
        elif kind == "cancelled":
            hub.stages[one.key] = "cancelled"

    def _all(self, indices: Iterable[int], statuses: frozenset[str]) -> Callable[[Lots, Any], bool]:
        return lambda lots, _: all(lots[at] in statuses for at in indices)

    async def _reach(self, stage: str, taken: list[dict[str, Any]] | None) -> bool:
        one = self.one
        lots, _ = await self.hub.client.read(one)
        living = [lot for lot in one.goods if lots[lot.index] not in FINAL]
        self.cancelled = not living and stage not in ("shipped", "arrived", "handed_over", "completed")
        if self.cancelled:
            return False
        steps = {"confirmed": self._confirm, "assembled": self._pack}
        steps |= {"shipped": self._ship} if one.model == "fbs" else {"delivered": lambda lots: self._close(lots, taken)}
        done = await steps[stage](lots) if stage in steps else True
        if not done and one.refusal:
            self.blocked = True
            self.hub.tell(one, "marketplace.refused", **REFUSED)
        elif done:
            self.hub.tell(one, "marketplace.accepted", stage=stage)
        return done or one.ending == "buyer_cancel"

    def _items(self, lots: Lots, want: Counter[str] | None) -> tuple[list[int], list[int]]:
        """Living goods: those wanted, and the rest."""
        left = want.copy() if want is not None else Counter(lot.sku for lot in self.one.goods)
        yes: list[int] = []
        no: list[int] = []
        for lot in self.one.goods:
            if lots[lot.index] not in FINAL:
                (yes if left[lot.sku] > 0 else no).append(lot.index)
                left[lot.sku] -= 1
        return yes, no

    def _offers(self, indices: list[int]) -> list[dict[str, Any]]:
        sku = {lot.index: lot.sku for lot in self.one.lots}
        return [{"itemIndex": at, "offerId": sku[at]} for at in indices]

    async def _confirm(self, lots: Lots) -> bool:
        yes, no = self._items(lots, self.kept)
        if no:
            await self.hub.client.do(self.one, "order/reject", {"items": self._offers(no)}, self._all(no, CANCELED),
                                     reason={"type": "OUT_OF_STOCK", "comment": None})  # fmt: skip
        if self.one.model != "fbs":
            return True
        beyond = frozenset({"CONFIRMED", "PACKED", "SHIPPED"}) | FINAL
        body = {"orderCode": self.code, "items": self._offers(yes)}
        return await self.hub.client.do(self.one, "order/confirm", body, self._all(yes, beyond))

    async def _pack(self, lots: Lots) -> bool:
        yes, _ = self._items(lots, None)
        box = {"boxIndex": 1, "boxCode": f"{self.one.merchant}*{self.code}*1"}
        items: list[dict[str, Any]] = [{"itemIndex": at, "quantity": 1} for at in yes]
        for item in items if self.one.model == "fbs" else []:
            item["boxes"] = [box]
            sku = next(lot.sku for lot in self.one.lots if lot.index == item["itemIndex"])
            if self.marks[sku]:
                item["digitalMark"] = self.marks[sku].pop()
        done = self._all(yes, frozenset({"PACKED", "SHIPPED"}) | FINAL)
        return await self.hub.client.do(self.one, "order/packing", {"orderCode": self.code, "items": items}, done)

    async def _ship(self, lots: Lots) -> bool:
        yes, _ = self._items(lots, None)
        box = {"boxIndex": 1, "boxCode": f"{self.one.merchant}*{self.code}*1"}
        body = {"boxes": [box], "shipping": {"shippingDate": now()}}
        return await self.hub.client.do(
            self.one, "order/shipping", body, self._all(yes, frozenset({"SHIPPED"}) | FINAL)
        )

    async def _close(self, lots: Lots, taken: list[dict[str, Any]] | None, reason: str = "CANCEL_BY_CUSTOMER") -> bool:
        want = None if taken is None else Counter({line["sku"]: int(float(str(line["quantity"]).replace(",", ".")))
                                                   for line in taken})  # fmt: skip
        yes, no = self._items(lots, want)
        delivery = [lot.index for lot in self.one.lots if lot.delivery and lots[lot.index] not in FINAL]
        (yes or no).extend(delivery)
        items: list[dict[str, Any]] = [{"itemIndex": at, "handoverResult": True} for at in yes]
        items += [{"itemIndex": at, "handoverResult": False, "reason": {"type": reason, "comment": "…"}} for at in no]
        done = self._all([*yes, *no], FINAL)
        return await self.hub.client.do(self.one, "order/close", {"closeDate": now(), "items": items}, done)

    async def _cancel(self, reason: str) -> None:
        lots, _ = await self.hub.client.read(self.one)
        yes, _ = self._items(lots, None)
        if any(lots[at] == "PACKED" for at in yes) and self.one.model != "fbs":
            await self._close(lots, [], reason)
        elif not yes or not await self.hub.client.do(self.one, "order/reject", {"items": self._offers(yes)},
                                                     self._all(yes, CANCELED)):  # fmt: skip
            self.hub.tell(self.one, "marketplace.refused", **REFUSED)

    async def _move(self, date: str) -> None:
        if self.one.model != "dbs":
            self.hub.tell(self.one, "marketplace.refused", **REFUSED)
            return
        yes, _ = self._items((await self.hub.client.read(self.one))[0], None)
        items = [item | {"shippingDate": f"{date}T12:00:00+03:00"} for item in self._offers(yes)]
        await self.hub.client.do(self.one, "order/confirm", {"items": items},
                                 lambda _, order: str(order["deliveryDate"])[:10] == date)  # fmt: skip
