"""`okno demo` shows something real in a minute, leaves nothing behind, and goes on where it was."""

import json
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from service.demo.channels import SANDBOX_PORT, shops
from service.demo.trials import makers
from service.embedded import find_rabbitmq
from tests.conftest import NO_BROKER
from tests.demo.conftest import Command, becomes, finished

pytestmark = pytest.mark.long

Start = Callable[..., Command]
END_SECONDS = 10


async def check_an_order_runs_through(demo: Command) -> None:
    """At each marketplace an order comes to its end, there too; it may have to be told more than once."""
    waiting = set(makers())

    async def agreed() -> bool:
        for order in (await demo.api("/v1/orders", stage="completed", limit="500"))["items"]:
            if order["kind"] in waiting and order["marketplace"]["stage"] in ("delivered", "completed"):
                assert order["kind"] != "yandex" or await demo.at_market(order["number"]) == "DELIVERED"
                waiting.discard(order["kind"])
        return not waiting

    assert await becomes(agreed, seconds=60), waiting


async def registered(demo: Command) -> list[str]:
    """The orders there are, once 1C has made its document for one at each marketplace."""
    found: list[dict[str, Any]] = []

    async def some() -> bool:
        found[:] = (await demo.api("/v1/orders", limit="500"))["items"]
        return {order["kind"] for order in found if order["document"]} == set(makers())

    assert await becomes(some)
    return [order["order"] for order in found]


async def test_without_a_broker(start: Start) -> None:
    """Orders of all marketplaces run through, the link signs in, a second demo hears of the first, SIGTERM ends all."""
    demo = start("demo", "--rabbitmq", "none")
    demo.until_says("Ctrl-C")
    assert "RabbitMQ: none" in demo.out

    url, token = demo.hub
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.get(f"{url}/", allow_redirects=False) as stranger:
            assert stranger.status != 200
        async with browser.get(f"{url}/login", params={"token": token}) as page:
            assert page.status == 200
        async with browser.get(f"{url}/") as page:
            assert page.status == 200
            text = await page.text()
            assert [name for name in shops() if name not in text] == []

    second = finished(demo.folder, "demo")
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f"process {demo.process.pid}" in second.stderr

    await check_an_order_runs_through(demo)
    assert demo.end() < END_SECONDS
    assert demo.process.returncode == 0
    assert demo.left() == []
    assert demo.err == ""


async def test_through_a_private_rabbitmq(start: Start) -> None:
    """Where RabbitMQ is installed the same goes through a node of the demo's own, and that ends with it."""
    if find_rabbitmq() is None:
        pytest.skip(f"{NO_BROKER}: install rabbitmq-server")
    demo = start("demo")
    demo.until_says("Ctrl-C")
    assert "RabbitMQ: a private node in" in demo.out
    await check_an_order_runs_through(demo)
    assert "rabbitmq: okno.1c" in finished(demo.folder, "doctor").stdout
    assert demo.end() < END_SECONDS
    assert demo.process.returncode == 0
    assert demo.left() == []
    assert demo.err == ""


async def test_the_next_start_goes_on(start: Start) -> None:
    """What one demo leaves open the next one brings to its end, or before a person; no order is begun twice."""
    first = start("demo", "--rabbitmq", "none", pace="2")
    first.until_says("Ctrl-C")
    left = await registered(first)
    assert first.end() < END_SECONDS

    again = start("demo", "--rabbitmq", "none")
    again.until_says("Ctrl-C")
    waiting = set(left)

    async def ended() -> bool:
        ends = [{"stage": "completed"}, {"stage": "cancelled"}, {"stage": "returned"}, {"attention": "any"}]
        for end in ends:
            there = (await again.api("/v1/orders", limit="500", **end))["items"]
            waiting.difference_update(order["order"] for order in there)
        return not waiting

    # What the first one was cut off in waits for its lease, 45 s; what a courier got no code for, or a marketplace's
    # limit keeps back, for the marketplace's own end: 90 s at this pace.
    assert await becomes(ended, seconds=150), waiting
    for order in left:
        types = [event["type"] for event in (await again.api(f"/v1/orders/{order}/history"))["items"]]
        assert types.count("order.placed") == 1
        assert types.count("order.registered") + types.count("order.cancelled") >= 1
        assert types.count("order.registered") <= 1


async def test_a_killed_demo_starts_again(start: Start, tmp_path: Path) -> None:
    """After kill -9 the marketplace knows every order the hub knows, and gives no number twice."""
    first = start("demo", "--rabbitmq", "none")
    first.until_says("Ctrl-C")
    known = await registered(first)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    for order in known:
        channel, _, number = order.partition("/")
        assert number in (tmp_path / "var" / f"sandbox-{shops()[channel]['kind']}.json").read_text()
    before = numbers(tmp_path)

    again = start("demo", "--rabbitmq", "none")
    again.until_says("Ctrl-C")

    async def more() -> bool:
        return bool(numbers(tmp_path) - before)

    assert await becomes(more)  # where a marketplace has its fill of open orders, some are worked off first
    assert min(numbers(tmp_path) - before) > max(before)
    assert [
        order for order in known if order.startswith("ym-") and not await again.at_market(order[order.index("/") + 1 :])
    ] == []
    assert again.end() < END_SECONDS
    assert again.left() == []


def numbers(folder: Path) -> set[str]:
    """The orders in the file of the sandbox Yandex Market."""
    kept = json.loads((folder / "var" / "sandbox-yandex.json").read_bytes())
    return {str(order["number"]) for order in kept["orders"]}


def take(taken: socket.socket, port: int) -> None:
    """Takes a port; waits for another test's demo to let go of it, which else might do so a moment later."""
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    until = time.monotonic() + 170
    while True:
        try:
            taken.bind(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > until:
                return  # somebody else's for good: taken all the same
            time.sleep(0.2)
        else:
            taken.listen()
            return


async def test_taken_ports(start: Start, tmp_path: Path) -> None:
    """With the hub's and the sandbox's ports taken both move to others; without configuration commands find them."""
    with socket.socket() as hub, socket.socket() as sandbox:
        take(hub, 8080)
        take(sandbox, SANDBOX_PORT)
        demo = start("demo", "--rabbitmq", "none")
        demo.until_says("Ctrl-C")
        url, _ = demo.hub
        assert not url.endswith(":8080")
        assert not demo.sandbox.endswith(f":{SANDBOX_PORT}")
        assert (await demo.api("/v1/projections"))["items"]
        assert finished(tmp_path, "doctor").stdout.count("key and reach are good") == len(shops())


def test_a_broker_that_is_not_there(tmp_path: Path) -> None:
    """A broker that can't be reached is said in one line, without its password."""
    ended = finished(tmp_path, "demo", "--rabbitmq", "amqp://guest:hush@127.0.0.1:1/")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "127.0.0.1:1" in ended.stderr
    assert "hush" not in ended.stderr + ended.stdout
