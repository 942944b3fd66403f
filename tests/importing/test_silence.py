"""The past is told to nobody: no command, no message, no read; and what was had then is not asked for now."""

import json
import secrets
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from events.codec import decode
from events.order import facts as f
from service.deadlines import Deadlines
from service.importing.running import Reader, run
from service.leases import Leases
from service.settings import parse
from tests.dispatch.conftest import market, open_shop, shop, short_pauses, url
from tests.dispatch.shop import Process, Shop
from tests.servers import BODY_KEY, project

__all__ = ["market", "open_shop", "shop", "short_pauses", "url"]  # fixtures

THEN = datetime(2026, 3, 1, 9, tzinfo=UTC)
WHOLE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("order.placed", {"lines": [{"sku": "A", "quantity": 1}]}), ("marketplace.seen", {"status": "PROCESSING/STARTED"}),
    ("order.registered", {"document": {"id": "d1", "number": "N-1"}}), ("order.confirmed", {}), ("order.assembled", {}),
    ("order.shipped", {}), ("order.rescheduled", {"date": "2026-03-03"}), ("order.arrived", {}),
    ("order.delivered", {}), ("marketplace.seen", {"status": "DELIVERED", "stage": "delivered"}),
)  # fmt: skip
"""An order's whole life."""


def told(number: str, *what: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines of an order's life."""
    return [
        {
            "specversion": "1.0", "id": f"{number}-{n}", "source": "1c/ut11", "type": type, "subject": f"ym/{number}",
            "time": (THEN + timedelta(hours=n)).isoformat(), "data": data,
        }
        for n, (type, data) in enumerate(what)
    ]  # fmt: skip


async def take(shop: Shop, folder: Path, lines: list[dict[str, Any]]) -> None:
    """Imports them beside the running hub."""
    path = folder / f"{secrets.token_hex(4)}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = {"kind": "yandex", "model": "dbs", "business_id": 1, "campaign_id": 2, "api_key": "k"}
    with path.open("rb") as file:
        reader = Reader(file, parse({"channels": {"ym": table}}, folder), "import/anna")
        faults = list[Any]()
        found = await run(
            shop.pool, BODY_KEY, reader, None, resumed=lambda _: None, faulty=faults.extend, progress=lambda _: None
        )
    assert (found.appended, faults) == (len(lines), [])


async def wanted(shop: Shop) -> Counter[tuple[str, str, str]]:
    """Every command the log holds: order, target, action."""
    facts = [(event.order, decode(event)) for event in await shop.log.read(0, 10_000)]
    return Counter((o, fact.target, fact.action) for o, fact in facts if isinstance(fact, f.CommandRequested))


CANCELLED = (*WHOLE[:4], ("order.cancelled", {"by": "shop", "reason": "out_of_stock"}))


@pytest.mark.parametrize("cut", range(1, len(WHOLE) + 1))
async def test_nothing_follows_from_the_past(shop: Shop, tmp_path: Path, cut: int) -> None:
    """However much of a life is imported: nobody is asked, told or read, and the rows are those of the order."""
    hub = shop.process()
    await take(shop, tmp_path, told("1", *WHOLE[:cut]) + told("2", *CANCELLED) + told("3", *WHOLE[2:]))
    await hub.react()
    await project(shop.pool, shop.log)
    assert await wanted(shop) == Counter()
    for table in ("reads", "dispatch", "attempts"):
        assert await shop.pool.fetchval(f"SELECT count(*) FROM okno.{table}") == 0, table
    assert shop.market.journal == []
    rows = await shop.pool.fetch("SELECT order_key, stage FROM okno.orders ORDER BY order_key")
    assert [(row["order_key"], row["stage"]) for row in rows[1:]] == [("ym/2", "cancelled"), ("ym/3", "delivered")]


async def test_what_comes_live_later_asks_for_what_is_above(shop: Shop, tmp_path: Path) -> None:
    """The steps of stages that were imported count as had; a live mark's own are asked for."""
    hub = shop.process()
    await take(shop, tmp_path, told("1", *WHOLE[:5]))
    await hub.react()
    await shop.said("ym/1", "order.shipped")
    await hub.react()
    asked = {action for (order, target, action) in await wanted(shop) if target == "ym"}
    assert asked
    assert "external-id" not in asked
    stages = {fact.stage for event in await shop.log.read(0) if isinstance(fact := decode(event), f.CommandRequested)}
    assert stages == {"shipped"}


async def test_past_deadlines_are_nobodys_news(shop: Shop, tmp_path: Path) -> None:
    """Those that passed long ago warn nobody."""
    due = (THEN + timedelta(days=1)).isoformat()
    placed = ("order.placed", {"deadlines": [{"stage": "shipped", "due": due}]})
    await take(shop, tmp_path, told("1", placed, WHOLE[1]))
    await project(shop.pool, shop.log)
    deadlines = Deadlines(shop.log, shop.pool, {"ym": shop.channel}, Leases(shop.pool, "x"))
    assert await deadlines.look(datetime.now(UTC)) == 0
    await Process(shop).react()
    assert await wanted(shop) == Counter()
