"""An import beside live traffic tells nobody anything; what comes after it is told as ever."""

import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from events.codec import encode
from events.order import facts as f
from events.order.reactions import Plan, Reacting, Request, reacted
from events.recorded import NewEvent, Recorded
from service import considered
from tests.dispatch.shop import Shop, key

SEEN = f.Seen(status="PROCESSING/STARTED", stage="placed", began_at=datetime(2026, 3, 1, tzinfo=UTC))


async def bring(shop: Shop, order: str, *said: tuple[str, f.Fact, str]) -> None:
    """Past events of an order, as `okno import` appends them."""
    await shop.log.append([
        NewEvent(order=order, type=type, source=source, id=secrets.token_hex(8), digest=os.urandom(32),
                 data=encode(fact), actor=f"{f.IMPORT}anna", occurred_at=datetime(2026, 3, 1, tzinfo=UTC))
        for type, fact, source in said
    ])  # fmt: skip


async def past(shop: Shop, order: str) -> None:
    """An order that was placed, registered and confirmed before the hub was there."""
    document = f.Document(id=f"d-{order}", number="N-1")
    await bring(
        shop, order,
        ("order.placed", f.Placed(number=order.partition("/")[2]), "channel/ym"),
        ("marketplace.seen", SEEN, "channel/ym"),
        ("order.registered", f.Registered(document=document), "1c/ut11"),
        ("order.confirmed", f.Confirmed(), "1c/ut11"),
    )  # fmt: skip


async def rows(shop: Shop, table: str) -> int:
    """How many rows a work table has."""
    count: int = await shop.pool.fetchval(f"SELECT count(*) FROM okno.{table}")
    return count


async def test_an_import_makes_nothing_due(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command, no message, no read, no lane; the reactor passes it by without folding an order."""
    hub = shop.process()
    await past(shop, "ym/1")
    await bring(shop, "ym/2", ("order.shipped", f.Shipped(), "1c/ut11"))  # an order never seen
    await bring(shop, "ym/3", ("marketplace.notified", f.Notified(notice="n"), "channel/ym"))
    folded: list[str] = []

    def folding(order: str, history: Sequence[Recorded], after: int, plan: Plan) -> tuple[Reacting, list[Request]]:
        folded.append(order)
        return reacted(order, history, after, plan)

    monkeypatch.setattr(considered, "reacted", folding)
    await hub.react()
    assert folded == []
    assert {e.actor for e in await shop.log.read(0)} == {f"{f.IMPORT}anna"}
    assert [await rows(shop, table) for table in ("dispatch", "attempts", "reads")] == [0, 0, 0]


async def test_live_marks_of_an_imported_order_are_told(shop: Shop) -> None:
    """In one batch with the import: the step above what was imported goes to Market, the document's number does not."""
    hub = shop.process()
    order = shop.market.place(shop.campaign, pickup=False, marked=False)
    await past(shop, key(order))
    await shop.mark(order, "order.confirmed", f.Confirmed())
    await shop.mark(order, "order.shipped", f.Shipped())
    hub.start()
    await shop.settled(hub, order)
    assert await shop.outcomes(order) == {"delivery": "done"}
    assert shop.done(order) == ["DELIVERY"]
    told = [c.action for c in (await shop.state(order)).commands.values() if c.target == "1c"]
    assert "order.placed" not in told
