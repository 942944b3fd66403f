"""The sandbox keeps its orders, is there once in a folder, and feeds a hub that has no configuration."""

import asyncio
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from service.demo import buyers, channels
from service.demo.channels import SHOPS
from service.demo.keeping import Running, alone, running
from service.demo.pace import Pace
from service.demo.sandbox import opened
from service.embedded import EmbeddedServerError
from service.marketplaces.yandex.sandbox import OPEN, Market, dump, restore
from service.settings import load
from tests.demo.conftest import Command, becomes, finished


def market(first: int = 52_700_000_001) -> Market:
    """A market with orders in many states."""
    made = Market(SHOPS, seed=7, first=first)
    for campaign in (*SHOPS, 102, 101):
        made.place(campaign, marked=campaign == 102)
    cancelled, asking, returned, *_ = made.orders.values()
    made.buyer_cancels(cancelled)
    asking.model, asking.status = "dbs", "DELIVERY"
    made.buyer_cancels(asking)
    made.move(returned, "DELIVERED", "DELIVERY_SERVICE_DELIVERED")
    made.buyer_returns(returned)
    return made


def test_a_market_remembers() -> None:
    """A market that got its orders back is the one it was, to the last field."""
    before, after = market(), Market(SHOPS)
    restore(after, dump(before))
    assert after.orders == before.orders
    assert (after.next_number, after.next_return) == (before.next_number, before.next_return)


def test_numbers_never_fall() -> None:
    """A market goes on with its own next number where the kept one is lower, and with the kept one where it is not."""
    kept = dump(market(first=1000))
    later, earlier = Market(SHOPS, first=2000), Market(SHOPS, first=10)
    restore(later, kept)
    restore(earlier, kept)
    assert later.next_number == 2000
    assert earlier.next_number == 1005


async def test_a_broken_file_starts_afresh(tmp_path: Path) -> None:
    """Without a readable file there are no old orders, and numbers are above all that were given."""
    async with opened(tmp_path, 0, Pace()) as sandbox:
        first = set(sandbox.market.orders)
        assert len(first) == buyers.AT_ONCE
    async with opened(tmp_path, 0, Pace()) as sandbox:
        second = set(sandbox.market.orders)
        assert first < second
    (tmp_path / "sandbox.json").write_text('{"next_number": 5')
    await asyncio.sleep(0.05)  # a process takes longer to start
    async with opened(tmp_path, 0, Pace()) as sandbox:
        assert min(sandbox.market.orders) > max(second)


async def test_once_in_a_folder(tmp_path: Path) -> None:
    """A second sandbox in a folder is refused with the first one's process; after the end the folder is free."""
    async with opened(tmp_path, 0, Pace()) as sandbox:
        with pytest.raises(EmbeddedServerError, match=r"process \d+"), alone(tmp_path):
            pass
        found = running(tmp_path)
        assert found is not None
        assert found.sandbox == sandbox.url
    assert running(tmp_path) is None
    with alone(tmp_path):
        pass


def test_without_a_configuration_the_folders_demo_counts(tmp_path: Path) -> None:
    """Commands beside a demo use its sandbox, port and broker, and the usual ones once it has ended."""
    settings = load(None, tmp_path)
    with alone(settings.data_dir) as kept:
        kept.tell(Running(1, "http://127.0.0.1:9999", 9998, "amqp://127.0.0.1:9997/"))
        beside = channels.with_channels(settings)
    after = channels.with_channels(settings)
    urls = {name: channel.marketplace.base_url for name, channel in beside.channels.items()}
    assert urls == dict.fromkeys(("ym-dbs", "ym-fbs", "ym-express"), "http://127.0.0.1:9999")
    assert (beside.http.port, beside.rabbitmq.url) == (9998, "amqp://127.0.0.1:9997/")
    assert (after.http.port, after.rabbitmq.url) == (8080, None)


def test_buyers_stop_at_thirty() -> None:
    """Nobody buys while thirty orders wait; what the shop forgets Market cancels, and they buy again."""
    shop = Market(SHOPS, seed=3)
    for _ in range(50):
        buyers.shop(shop, Random(1), 3)
    assert len(shop.orders) == buyers.MOST_OPEN
    for order in list(shop.orders.values())[:10]:
        order.updated = datetime.now(UTC) - timedelta(hours=1)
    buyers.tidy(shop, timedelta(minutes=15))
    assert sum(order.status in OPEN for order in shop.orders.values()) == buyers.MOST_OPEN - 10
    buyers.shop(shop, Random(1), 3)
    assert len(shop.orders) == buyers.MOST_OPEN + 3


def test_only_ended_orders_are_forgotten() -> None:
    """However few are kept, no open order is among those let go."""
    shop = market()
    open_ones = {number for number, order in shop.orders.items() if order.status in OPEN}
    shop.forget(1)
    assert open_ones < set(shop.orders)
    assert len(shop.orders) == len(open_ones) + 1


def test_a_taken_port(tmp_path: Path) -> None:
    """A port that is taken is said in one line, with what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = finished(tmp_path, "sandbox", "--port", str(taken.getsockname()[1]))
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "--port" in ended.stderr


async def test_a_hub_beside_it(start: Callable[..., Command], tmp_path: Path) -> None:
    """`okno run` without a configuration, started beside the sandbox, finds its orders."""
    sandbox = start("sandbox", "--port", "0")
    sandbox.until_says("orders by themselves")
    hub = start("run", "--role", "intake,react,dispatch,poll")

    async def found() -> bool:
        return "order.placed" in finished(tmp_path, "events").stdout

    assert await becomes(found)
    for command in (hub, sandbox):
        assert command.end() < 10
        assert command.process.returncode == 0
    assert sandbox.left() == []
