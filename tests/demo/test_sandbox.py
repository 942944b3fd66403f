"""The sandboxes keep their orders, are there once in a folder, and feed a hub that has no configuration."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from random import Random

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from service.demo import buyers, channels
from service.demo.keeping import Running, alone, running
from service.demo.pace import Pace
from service.demo.sandbox import Sandbox, opened
from service.demo.trials import makers
from service.embedded import EmbeddedServerError
from service.marketplaces.trial import Trial
from service.settings import load
from tests.demo.conftest import YANDEX, Command, becomes, finished


def orders(sandbox: Sandbox) -> dict[str, set[str]]:
    """The open orders at each marketplace."""
    return {kind: set(trial.open()) for kind, trial in sandbox.trials.items()}


async def test_a_broken_file_starts_afresh(tmp_path: Path) -> None:
    """A sandbox begins with its kept orders; one without a readable file has new ones only, under new numbers."""
    async with opened(tmp_path, [0], Pace()) as sandbox:
        first = orders(sandbox)
        assert [len(found) for found in first.values()] == [buyers.AT_ONCE] * len(makers())
    async with opened(tmp_path, [0], Pace()) as sandbox:
        second = orders(sandbox)
        assert all(first[kind] < second[kind] for kind in makers())
    for kind in makers():
        (tmp_path / f"sandbox-{kind}.json").write_text('{"next_number": 5')
    await asyncio.sleep(0.05)  # a process takes longer to start
    async with opened(tmp_path, [0], Pace()) as sandbox:
        third = orders(sandbox)
        assert all(third[kind] and not third[kind] & second[kind] for kind in makers())


async def test_each_has_a_path(tmp_path: Path) -> None:
    """Every marketplace answers under its own path of one port, and nowhere else."""
    async with opened(tmp_path, [0], Pace()) as sandbox, aiohttp.ClientSession() as session:
        for kind in makers():
            async with session.get(f"{channels.address(sandbox.url, kind)}/no-such-call") as answer:
                assert answer.status >= 400
            assert sandbox.trials[kind].journal[-1].path.endswith("/no-such-call")
        url = f"{sandbox.url}/yandex/v2/campaigns"
        async with session.get(url, headers={"Api-Key": YANDEX["api_key"]}) as answer:
            assert [shop["id"] for shop in (await answer.json())["campaigns"]] == [101, 102, 103]
        async with session.get(f"{sandbox.url}/v2/campaigns") as answer:
            assert answer.status == 404


async def test_each_calls_its_own_shops_back(tmp_path: Path) -> None:
    """Callbacks come from every marketplace to the hub, once its address is known, and each knows its channels only."""
    called: set[str] = set()

    async def hear(request: web.Request) -> web.Response:
        called.add(request.match_info["channel"])
        return web.json_response({})

    hub = web.Application()
    hub.router.add_post("/hooks/{channel}/{secret}{tail:.*}", hear)
    async with TestServer(hub) as server, opened(tmp_path, [0], Pace(100)) as sandbox:
        sandbox.notify(str(server.make_url("")).rstrip("/"))

        async def all_called() -> bool:
            return {channels.shops()[name]["kind"] for name in called} == set(makers())

        assert await becomes(all_called, seconds=20)
        for kind, trial in sandbox.trials.items():
            assert set(sandbox.hooks[kind]) == set(trial.channels)
            assert all(f"/{name}/{sandbox.secret}" in url for name, url in sandbox.hooks[kind].items())


async def test_once_in_a_folder(tmp_path: Path) -> None:
    """A second sandbox in a folder is refused with the first one's process; after the end the folder is free."""
    async with opened(tmp_path, [0], Pace()) as sandbox:
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
    with alone(settings.data_dir) as home:
        home.tell(Running(1, "http://127.0.0.1:9999", 9998, "amqp://127.0.0.1:9997/"))
        beside = channels.with_channels(settings)
    after = channels.with_channels(settings)
    urls = {name: channel.marketplace.base_url for name, channel in beside.channels.items()}
    assert set(urls) == set(channels.shops())
    assert urls["ym-fbs"] == "http://127.0.0.1:9999/yandex"
    assert (beside.http.port, beside.rabbitmq.url) == (9998, "amqp://127.0.0.1:9997/")
    assert (after.http.port, after.rabbitmq.url) == (8080, None)


def made() -> list[Trial]:
    """Two marketplaces."""
    return [makers()["yandex"](seed=seed, first=seed * 1000) for seed in (1, 2)]


def test_buyers_stop_where_many_wait() -> None:
    """Nobody buys where twelve orders wait; the others are bought from all the same, the emptier the likelier."""
    full, empty = made()
    for _ in range(50):
        buyers.shop([full], Random(1), 3)
    assert len(full.open()) == buyers.MOST_OPEN
    buyers.shop([full, empty], Random(1), 3)
    assert (len(full.open()), len(empty.open())) == (buyers.MOST_OPEN, 3)
    for _ in range(50):
        buyers.shop([full, empty], Random(1), 3)
    assert len(empty.open()) == buyers.MOST_OPEN


async def test_what_buyers_do_is_kept_at_once() -> None:
    """Whatever they do is saved before anybody else has a turn: a hub that polls never knows more than the file."""
    trials, saved = made(), list[list[bytes]]()

    def save() -> None:
        saved.append([trial.dump() for trial in trials])

    task = asyncio.create_task(buyers.live(trials, Random(1), Pace(100), save))

    async def busy() -> bool:
        return len(saved) >= 5

    assert await becomes(busy, seconds=20)
    assert saved[-1] == [trial.dump() for trial in trials]
    assert saved[-1] != saved[0]
    task.cancel()


def test_a_taken_port(tmp_path: Path) -> None:
    """A port that is taken is said in one line, with what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = finished(tmp_path, "sandbox", "--port", str(taken.getsockname()[1]))
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "--port" in ended.stderr


@pytest.mark.long
async def test_a_hub_beside_it(start: Callable[..., Command], tmp_path: Path) -> None:
    """`okno run` without a configuration, started beside the sandbox, finds its orders; their shops are printed."""
    sandbox = start("sandbox", "--port", "0")
    sandbox.until_says("orders by themselves")
    for kind, make in makers().items():
        assert f"sandbox {make(seed=1).title}: {channels.address(sandbox.sandbox, kind)}\n" in sandbox.out
    for name, table in channels.shops().items():
        assert all(f"{key} {value}" in sandbox.out for key, value in table.items() if key != "kind"), name
    hub = start("run", "--role", "intake,react,dispatch,poll")

    async def found() -> bool:
        told = [line for line in finished(tmp_path, "events").stdout.splitlines() if "order.placed" in line]
        return {table["kind"] for name, table in channels.shops().items() if f"{name}/" in str(told)} == set(makers())

    assert await becomes(found)
    for command in (hub, sandbox):
        assert command.end() < 10
        assert command.process.returncode == 0
    assert sandbox.left() == []
