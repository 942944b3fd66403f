"""A client of one posting for the tests of the emulator, as correct or careless as they want it."""

import asyncio
from typing import Any

import aiohttp

from tests.acceptance.checks import Findings

from . import checks
from .emulator import Emulator
from .life import OzonLife

DELAY = 0.06
NOTHING = Findings({}, [], [], [], [])


class Shop:
    """Places the posting and calls for it; a non-JSON or empty answer is None."""

    def __init__(self, ozon: Emulator, http: aiohttp.ClientSession, one: OzonLife) -> None:
        self.ozon, self.one, self._http = ozon, one, http
        self.client = ozon.server.clients[one.model]
        ozon.place(one)

    @property
    def posting(self) -> Any:
        return self.ozon.postings[self.one.number]

    async def call(self, path: str, body: Any, key: str = "") -> tuple[int, Any]:
        headers = {"Client-Id": str(self.client), "Api-Key": key or self.ozon.server.key(self.client)}
        async with self._http.post(self.ozon.url + path, json=body, headers=headers) as response:
            return response.status, await response.json(content_type=None) if response.content_length else None

    async def of(self, path: str, **fields: Any) -> tuple[int, Any]:
        return await self.call(path, {"posting_number": self.one.number, **fields})

    async def ship(self, **changes: int) -> tuple[int, Any]:
        goods = [{"product_id": sku, "quantity": count + changes.get("more", 0)}
                 for sku, count in self.posting.goods.items() if count]  # fmt: skip
        return await self.of("/v4/posting/fbs/ship", packages=[{"products": goods}])

    async def row(self, path: str) -> tuple[bool, str]:
        _, answer = await self.call(f"/v2/fbs/posting/{path}", {"posting_number": [self.one.number]})
        return answer["result"][0]["result"], answer["result"][0]["error"]

    async def read(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.of("/v3/posting/fbs/get"))[1]["result"]
        return found

    async def until(self, substatus: str) -> dict[str, Any]:
        """Reads until the posting is there; a second is far longer than anything takes here."""
        for _ in range(100):
            found = await self.read()
            if found["substatus"] == substatus:
                return found
            await asyncio.sleep(DELAY / 4)
        raise AssertionError(f"{self.one.number} never came to {substatus}: {self.posting.state}")

    def faults(self) -> dict[str, list[str]]:
        """The checks of calls and details that found something."""
        found = [*checks.of_calls(self.ozon.server, NOTHING), *checks.of_orders([self.posting], NOTHING)]
        return {name: offenders for name, offenders in found if offenders}


async def set_codes(shop: Shop, prefix: str = "") -> None:
    """The whole set of codes, and what becomes of it."""
    _, made = await shop.of("/v6/fbs/posting/product/exemplar/create-or-get")
    codes = {line.id: line.marks for line in shop.one.lines}
    products = [{"product_id": product["product_id"], "exemplars": [
        {"exemplar_id": one["exemplar_id"], "marks": [{"mark": prefix + mark, "mark_type": "mandatory_mark"}]}
        for one, mark in zip(product["exemplars"], codes[product["product_id"]], strict=True)]}
        for product in made["products"] if product["is_mandatory_mark_needed"]]  # fmt: skip
    assert await shop.of("/v6/fbs/posting/product/exemplar/set", products=products) == (200, None)
    for _ in range(100):
        _, status = await shop.of("/v5/fbs/posting/product/exemplar/status")
        if status["status"] != "validation_in_process":
            return
        await asyncio.sleep(DELAY / 4)
