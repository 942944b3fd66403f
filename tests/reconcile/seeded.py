"""A log with orders in it as the hub would have recorded them, and the command over it."""

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner, Result

from events.codec import encode, own_event
from events.log import Log
from events.order import facts as f
from events.order.reactions import ONEC, Plan, requests
from events.order.state import OrderState, fold
from service import database, settings
from service.body_key import body_key
from service.cli import main
from service.database import Pool
from service.intake import Intake
from service.marketplaces.port import Seen
from service.onec.cloudevents import Raw
from service.passing import read_message
from service.settings import Settings

GOODS = (f.Line(sku="A-1", quantity=2, price=Decimal("10.50")), f.Line(sku="B-7", quantity=1, price=Decimal(5)))
LINES = [{"sku": "A-1", "quantity": 2, "price": "10.50"}, {"sku": "B-7", "quantity": 1, "price": "5"}]
T = datetime(2022, 11, 28, 6, tzinfo=UTC)
"""When the orders of these tests are placed: 10 o'clock in Samara."""

CONFIG = """
timezone = "Europe/Samara"
data_dir = "{folder}/var"
[postgres]
url = "{url}"
[channels.ym-msk]
kind = "yandex"
model = "dbs"
business_id = 1
campaign_id = 1
api_key = "key"
[channels.ym-spb]
kind = "yandex"
model = "dbs"
business_id = 1
campaign_id = 2
api_key = "key"
[onec.sources.ut11]
channel = "ym-msk"
{more}
"""


def snapshot(number: int | str, channel: str = "ym-msk", **data: Any) -> dict[str, Any]:
    """1C's document of an order, confirmed there at 10 o'clock, as a clean snapshot that names no base."""
    document = {"id": f"d-{number}", "number": f"УТ-{number}", "date": "2022-11-28T10:00:00"}
    return {
        "specversion": "1.0", "id": f"s{number}", "type": "order.snapshot", "subject": f"{channel}/{number}",
        "data": {"document": document, "posted": True, "lines": LINES, **data},
    }  # fmt: skip


@dataclass
class Hub:
    """The log of one hub, its configuration, and hands."""

    pool: Pool
    log: Log
    settings: Settings
    config: Path

    @classmethod
    async def at(cls, url: str, folder: Path, more: str = "") -> "Hub":
        """Opens it, configured; `more` stands in its only base's table, and behind it."""
        config = folder / "okno.toml"
        config.write_text(CONFIG.format(folder=folder, url=url, more=more))
        pool, known = await database.open_pool(url, size=4), settings.load(config)
        return cls(pool, Log(pool, body_key(known.data_dir)), known, config)

    async def place(self, *numbers: int, channel: str = "ym-msk", at: datetime = T, told: bool = True) -> None:
        """The marketplace shows orders, and 1C is told of them."""
        intake = Intake(self.log, self.settings)
        placed = f.Placed(number="", lines=GOODS, placed_at=at)
        seen = Seen("", "PROCESSING/STARTED", "placed", True, placed, stamp=at, raw=b"{}",
                    personal={"customer": {"name": "Иван"}})  # fmt: skip
        for number in numbers:
            own = replace(seen, number=str(number), order=msgspec.structs.replace(placed, number=str(number)))
            await intake.take_messages([read_message(channel, own, at)], "read")
            if told:
                await self.tell(f"{channel}/{number}")

    async def tell(self, order: str) -> None:
        """What 1C must be told is requested, and told."""
        history = (await self.log.histories([order]))[order]
        wanted = requests(order, history, 0, Plan(order.partition("/")[0], {}, {}))
        asked = [own_event(order, "command.requested", w.fact.command, w.fact, w.cause) for w in wanted]
        positions = [one.position for one in await self.log.append(asked)]
        done = [
            own_event(order, "command.done", f"{id}/0/done", f.CommandOutcome(command=id, attempts=1), at)
            for id, at in zip((w.fact.command for w in wanted if w.fact.target == ONEC), positions, strict=True)
        ]
        await self.log.append(done)

    async def say(self, *events: dict[str, Any]) -> None:
        """1C's base ut11 sends messages."""
        await Intake(self.log, self.settings).take([Raw(encode(one), {"source": "1c/ut11"}, "amqp") for one in events])

    async def agreed(self, *numbers: int, channel: str = "ym-msk") -> None:
        """Orders that both have, alike."""
        await self.place(*numbers, channel=channel)
        await self.say(*(snapshot(number, channel) for number in numbers))

    async def state(self, order: str) -> OrderState:
        """What the hub knows of an order."""
        return fold(order, (await self.log.histories([order]))[order])

    def file(self, *values: Any, name: str = "orders.json") -> Path:
        """A file with these as an array."""
        path = self.config.parent / name
        path.write_text(json.dumps(values, ensure_ascii=False))
        return path

    async def okno(self, *words: object) -> Result:
        """`okno reconcile onec` with these words, in a thread: it has a loop of its own."""
        arguments = ["reconcile", "onec", *map(str, words), "--config", str(self.config)]
        return await asyncio.to_thread(CliRunner().invoke, main, arguments)

    async def said(self, *words: object) -> list[dict[str, Any]]:
        """What it says as JSON."""
        result = await self.okno(*words, "--json")
        assert result.exit_code in (0, 1), result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    async def found(self, *words: object) -> list[tuple[str, str, str | None]]:
        """Order, kind and fix of what it finds."""
        said = await self.said(*words)
        return [(one["order"], one["kind"], one["fix"]) for one in said if one["what"] == "difference"]
