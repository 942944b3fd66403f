"""Histories to fill a served hub with, and its pages as a browser gets them."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from events.codec import command_id, encode
from events.order import facts as f
from events.recorded import NewEvent, Rejected
from tests.web.served import Served

ONEC, MARKET, HUB = "1c/ut11", "channel/ym-msk", "okno"

CONFIG: dict[str, Any] = {
    "timezone": "Europe/Samara",
    "channels": {
        name: {
            "kind": "yandex", "model": model, "mode": "shadow", "business_id": 1, "campaign_id": number, "api_key": "k",
        }
        for number, (name, model) in enumerate((("ym-msk", "dbs"), ("ym-fbs", "fbs")), 2)
    },
}  # fmt: skip

LINES = (f.Line(sku="BOSCH-WAN24260OE", quantity=1, name="Washing machine", price=Decimal("38990.00")),)


class Shop:
    """Appends facts, and looks at the pages of a served hub."""

    def __init__(self, served: Served) -> None:
        self.served, self.client = served, served.client
        self.pool, self.log = served.storage.pool, served.storage.log
        self.said = 0

    async def say(
        self, order: str, type: str, fact: f.Fact | bytes, source: str = ONEC, *, cause: int | None = None,
        actor: str | None = None, at: datetime | None = None, personal: Any = None,
    ) -> int:  # fmt: skip
        """Appends one fact; its position."""
        self.said += 1
        id = f"m{self.said}"
        event = NewEvent(
            order=order, type=type, source=source, id=id, digest=hashlib.sha256(id.encode()).digest(),
            data=fact if isinstance(fact, bytes) else encode(fact), actor=actor or source, cause=cause,
            occurred_at=at or datetime.now(UTC), personal=None if personal is None else encode(personal),
        )  # fmt: skip
        (appended,) = await self.log.append([event])
        return appended.position

    async def place(self, order: str, *, personal: Any = None, **fields: Any) -> int:
        """A buyer places an order."""
        told: dict[str, Any] = {"lines": LINES, "total": Decimal("39570.00"), "currency": "RUB", **fields}
        fact = f.Placed(number=order.partition("/")[2], **told)
        return await self.say(order, "order.placed", fact, f"channel/{order.partition('/')[0]}", personal=personal)

    async def command(
        self, order: str, action: str, cause: int, outcome: str | None = None, *, target: str | None = None,
        stage: str | None = None, **answer: Any,
    ) -> str:  # fmt: skip
        """Something is requested because of a fact, and where an outcome is named, ends so; its id."""
        target = target or order.partition("/")[0]
        id = command_id(order, target, action, cause)
        fact = f.CommandRequested(command=id, target=target, action=action, stage=stage)
        position = await self.say(order, "command.requested", fact, HUB, cause=cause)
        if outcome is not None:
            ended = f.CommandOutcome(command=id, **({"attempts": 1} | answer))
            await self.say(order, f"command.{outcome}", ended, HUB, cause=position)
        return id

    async def reject(self, id: str, body: bytes, *, reason: str = "broken_json", detail: str = "not JSON") -> None:
        """A message comes that nobody understands."""
        message = Rejected(id=id, via="http", reason=reason, detail=detail, body=body, envelope={})
        await self.log.append([], [message])

    async def settle(self) -> None:
        """Brings the projections up to the log."""
        await self.served.project()

    async def page(
        self, path: str, *, language: str = "en", role: str | None = "operator", status: int = 200, **headers: str
    ) -> str:
        """A page's text, as a browser gets it."""
        asked = {"Accept": "text/html", "Accept-Language": language} | headers
        if role is not None:
            asked["Cookie"] = f"okno_token={await self.served.token(role)}"
        async with self.client.get(path, headers=asked, allow_redirects=False) as answer:
            text = await answer.text()
            assert status == answer.status, text
            return text
