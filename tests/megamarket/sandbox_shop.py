"""A shop that calls the sandbox over HTTP, as plainly as can be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer

from service.marketplaces.invented import Goods
from service.marketplaces.megamarket.sandbox import PREFIX, SHOPS, Lot, Market, Order, Telling, application
from service.marketplaces.megamarket.sandbox.goods import lots
from service.marketplaces.values import MOSCOW

PACE = timedelta(hours=1)
"""So slow that nothing happens by itself: `later` says when it does."""
SOON = (datetime.now(MOSCOW) + timedelta(days=30)).replace(hour=12, minute=0, second=0, microsecond=0)
SOME_DAY = SOON.isoformat()
TYRE = Goods("PL02-19", "Шина", Decimal(7446))


def quiet() -> Market:
    """A marketplace without chance: no faults, callbacks once each."""
    return Market(dict(SHOPS), pace=PACE, telling=Telling(twice=0, unsaid=0, retry_seconds=0.01))


def tyres(count: int, *, delivery: bool = False, marked: bool = False) -> list[Lot]:
    """So many identical goods."""
    goods = Goods(TYRE.sku, TYRE.name, TYRE.price, marked)
    return lots([(goods, count)], datetime.now(UTC), delivery=Decimal(800) if delivery else None)


class Seller:
    """The shops' side of one marketplace."""

    def __init__(self, market: Market, session: aiohttp.ClientSession, url: str) -> None:
        self.market, self.session, self.url = market, session, url
        self._now = datetime.now(UTC)

    def place(self, model: str, count: int = 1, *, delivery: bool = False, marked: bool = False) -> Order:
        """An order of tyres, in the plainest form."""
        return self.market.place(
            f"mm-{model}", lots=tyres(count, delivery=delivery, marked=marked), blank=False, drift=()
        )

    def later(self) -> None:
        """So much later that everything that is on its way has come."""
        self._now += 2 * PACE
        self.market.work(self._now)

    async def post(self, model: str, path: str, data: Any, **sent: Any) -> tuple[int, bytes]:
        """One call; status and body of the answer."""
        body = {"meta": {}, "data": {"token": SHOPS[f"mm-{model}"].token, **data}, **sent}
        async with self.session.post(f"{self.url}{PREFIX}{path}", json=body) as answer:
            return answer.status, await answer.read()

    async def call(self, model: str, path: str, data: Any) -> Any:
        """The answer's envelope; it is HTTP 200."""
        async with self.session.post(
            f"{self.url}{PREFIX}{path}",
            json={"meta": {}, "data": {"token": SHOPS[f"mm-{model}"].token, **data}},
        ) as answer:
            assert answer.status == 200
            return await answer.json()

    async def done(self, order: Order, step: str, items: list[Any] | None = None, **more: Any) -> None:
        """A step that is accepted."""
        answer = await self.call(order.model, f"order/{step}", one(order, items, **more))
        assert (answer["success"], answer["data"]) == (1, {"result": 1}), answer

    async def refused(self, order: Order, step: str, items: list[Any] | None = None, **more: Any) -> list[Any]:
        """A step that is refused and changes nothing; what was wrong."""
        before = repr(order)
        answer = await self.call(order.model, f"order/{step}", one(order, items, **more))
        assert (answer["success"], answer["data"], repr(order)) == (0, {}, before)
        return problems(answer)

    async def statuses(self, order: Order) -> list[str]:
        """Each lot's, as `order/get` tells."""
        answer = await self.call(order.model, "order/get", {"shipments": [order.number]})
        return [item["status"] for item in answer["data"]["shipments"][0]["items"]]

    async def until(self, order: Order, *statuses: str) -> None:
        """Waits until the marketplace itself has brought the lots there."""
        for _ in range(500):
            if await self.statuses(order) == list(statuses):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"never became {statuses}: {await self.statuses(order)}")


@asynccontextmanager
async def serving(market: Market, hooks: dict[str, str] | None = None) -> AsyncIterator[Seller]:
    """The sandbox behind real HTTP, and who calls it."""
    async with TestServer(application(market, hooks)) as server, aiohttp.ClientSession() as session:
        yield Seller(market, session, str(server.make_url("")).rstrip("/"))


def one(order: Order, items: list[Any] | None, **more: Any) -> dict[str, Any]:
    """A call about one order; `reason` belongs beside the shipments."""
    beside = {"reason": more.pop("reason")} if "reason" in more else {}
    named = {} if items is None else {"items": items}
    return {"shipments": [{"shipmentId": order.number, **named, **more}], **beside}


def problems(answer: Any) -> list[Any]:
    """`error`, whichever of its two forms it has."""
    error = answer["error"]
    return error if isinstance(error, list) else [error]


def named(*indexes: Any, **said: Any) -> list[Any]:
    """Lots with their `offerId`."""
    return [{"itemIndex": index, "offerId": TYRE.sku, **said} for index in indexes]


def boxed(order: Order, *indexes: int, code: str | None = None) -> list[Any]:
    """Lots for an FBS packing, each in the box of its own number."""
    merchant = SHOPS[order.channel].merchant_id
    return [
        {"itemIndex": at, "boxes": [{"boxIndex": at, "boxCode": f"{merchant}*{code or order.number}*{at}"}]}
        for at in indexes
    ]


def packed(*indexes: int) -> list[Any]:
    """Lots for a DBS or C&C packing."""
    return [{"itemIndex": index, "quantity": 1} for index in indexes]


def closed(*indexes: int, result: Any = True, reason: str | None = None) -> list[Any]:
    """Lots for a close."""
    why = {} if reason is None else {"reason": {"type": reason, "comment": None}}
    return [{"itemIndex": index, "handoverResult": result, **why} for index in indexes]
