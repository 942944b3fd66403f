"""The servers Okno brings along start anywhere, are shared, and come back after a kill."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from service.embedded import EmbeddedServerError, find_rabbitmq, start_postgres, start_rabbitmq, writable_data_dir
from service.embedded.folders import free_port, port_is_free
from tests.servers import Broker

HOLDER = """
import asyncio, sys
from pathlib import Path
from service.embedded import start_{what}

async def main():
    server = await start_{what}(Path(sys.argv[1]))
    print(server.url, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def ask(url: str, query: str) -> object:
    """What the database answers."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def hold(what: str, data_dir: Path) -> tuple["subprocess.Popen[str]", str]:
    """Another process that holds the server of `data_dir`, and the URL it got."""
    code = HOLDER.format(what=what)
    process = subprocess.Popen([sys.executable, "-c", code, str(data_dir)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        return process, process.stdout.readline().strip()


async def test_postgres_is_shared_and_the_last_one_out_stops_it(tmp_path: Path) -> None:
    """Two users get one server; it answers until both have let go."""
    first, second = await start_postgres(tmp_path), await start_postgres(tmp_path)
    assert first.url == second.url
    await first.stop()
    assert await ask(second.url, "SELECT 1") == 1
    await second.stop()
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()


async def test_postgres_outlives_a_killed_user(tmp_path: Path) -> None:
    """A hub killed with SIGKILL leaves the server running; the next start picks it up and later stops it."""
    process, url = hold("postgres", tmp_path)
    process.kill()
    process.wait()
    assert await ask(url, "SELECT 1") == 1
    server = await start_postgres(tmp_path)
    assert server.url == url
    await server.stop()
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()


async def test_postgres_comes_back_after_a_power_cut(tmp_path: Path) -> None:
    """What was committed is there after the server was killed, at the same URL."""
    server = await start_postgres(tmp_path)
    await ask(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    await server.kill()
    again = await start_postgres(tmp_path)
    assert again.url == server.url
    assert await ask(again.url, "SELECT answer FROM kept") == 42
    await again.stop()
    await server.stop()


async def test_postgres_is_not_fooled_by_a_strangers_process_id(tmp_path: Path) -> None:
    """A process id left from before a reboot may belong to anybody now."""
    server = await start_postgres(tmp_path)
    await server.stop()
    stale = f"{os.getppid()}\n{tmp_path}/postgres\n1700000000\n5432\n{tmp_path}\n\n0 0\nready\n"
    (tmp_path / "postgres" / "postmaster.pid").write_text(stale)
    server = await start_postgres(tmp_path)
    assert await ask(server.url, "SELECT 1") == 1
    await server.stop()


async def test_postgres_starts_in_a_folder_too_long_for_a_socket(tmp_path: Path) -> None:
    """Folders may be long, Cyrillic, with spaces and commas; of the one its socket was in instead nothing is left."""
    folder = tmp_path / ("очень длинная, папка " * 4).strip()
    for _ in range(2):
        server = await start_postgres(folder)
        assert await ask(server.url, "SELECT lower('Ё')") == "ё"
        apart = Path((folder / "postgres.socket").read_text())
        assert str(apart) in server.url
        assert apart.is_dir()
        await server.stop()
        assert not apart.exists()


async def test_postgres_makes_a_half_made_cluster_anew(tmp_path: Path) -> None:
    """An initdb that was killed leaves nothing that counts."""
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18\n")
    server = await start_postgres(tmp_path)
    assert await ask(server.url, "SHOW fsync") == "on"
    await server.stop()


async def test_a_start_that_fails_says_where_to_look(tmp_path: Path) -> None:
    """A folder that can't be made is one line, with the folder's name in it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedServerError, match=r"file/var.*data_dir"):
        await start_postgres(tmp_path / "file" / "var")


def test_a_folder_of_somebody_else_is_stood_for_by_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same foreign folder gives the same own one; an own one is taken as it is."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert writable_data_dir(tmp_path / "var") == tmp_path / "var"
    foreign = writable_data_dir(Path("/proc/1/var"))
    assert foreign.parent == tmp_path / "okno"
    assert foreign == writable_data_dir(Path("/proc/1/var"))


def test_free_ports_are_free() -> None:
    """A port is free until something listens on it."""
    assert port_is_free(free_port())


async def test_rabbitmq_keeps_messages_and_url_through_a_kill(restartable_rabbitmq: Broker) -> None:
    """A node killed and started again has the queue, at the same URL."""
    node = restartable_rabbitmq.node
    assert node is not None
    url = node.url
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        await channel.declare_exchange("hashed", "x-consistent-hash", auto_delete=True)
        await channel.default_exchange.publish(aio_pika.Message(b"still here", delivery_mode=2), queue.name)
        await asyncio.sleep(1.5)  # RabbitMQ 3.10 keeps a new queue's name only after half a second
    await node.kill()
    await node.start()
    assert node.url == url
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = await queue.get(timeout=30)
        assert message is not None
        assert message.body == b"still here"
        await queue.delete(if_unused=False, if_empty=False)


@pytest.mark.skipif(find_rabbitmq() is None, reason="no RabbitMQ here: install rabbitmq-server")
async def test_rabbitmq_is_joined_and_dies_with_its_owner(tmp_path: Path) -> None:
    """A second process gets the same node; killing the owner leaves neither a node nor a locked folder."""
    process, url = hold("rabbitmq", tmp_path)
    joined = await start_rabbitmq(tmp_path)
    assert joined is not None
    assert joined.url == url
    await joined.stop()
    process.send_signal(signal.SIGKILL)
    process.wait()
    server = await start_rabbitmq(tmp_path)
    assert server is not None
    await server.stop()
    assert not [p for p in server.processes if p.poll() is None]
