"""A private RabbitMQ node, where a RabbitMQ server is installed: for the demo and the tests.

It listens on 127.0.0.1 only, has its own ports (AMQP, distribution, epmd), cookie, logs and data, and so disturbs no
other node of the machine and is not disturbed. Ports are kept with the data: a restart comes back at the same URL.

The process that starts the node owns it (a lock on `rabbitmq.owner`, which goes with the process) and stops it; others
that ask for the same `data_dir` meanwhile join it. The node dies with its owner (Linux); where it does not, the next
start ends what is left of it. Published messages are durable, so nothing is lost by that.

    data_dir/rabbitmq/   rabbitmq.conf, enabled_plugins, node.json (ports, process ids), data/, log/
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from service.embedded.folders import (
    EmbeddedServerError,
    free_port,
    make_folder,
    open_lock,
    port_is_free,
    process_with,
    try_lock,
)

START_SECONDS = 60
STOP_SECONDS = 30
SERVERS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server")
PLUGINS = ("rabbitmq_consistent_hash_exchange",)


class Node(msgspec.Struct):
    """What `node.json` keeps: the ports, and the processes that may still have to be ended."""

    amqp: int
    distribution: int
    epmd: int
    management: int
    pids: list[int] = []


@dataclass(slots=True)
class PrivateRabbitMQ:
    """A running node. One that was joined, not started, is left alone by `stop`."""

    folder: Path
    node: Node
    management: bool
    owner: int = field(repr=False)  # the lock's descriptor, negative where somebody else owns the node
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)

    @property
    def url(self) -> str:
        """Where AMQP clients connect."""
        return _url(self.node)

    @property
    def management_url(self) -> str:
        """Where the management plugin answers, on a node started with it."""
        return f"http://guest:guest@127.0.0.1:{self.node.management}"

    async def start(self) -> None:
        """Starts the node again after `kill` or `halt`, at the same URL with the same data."""
        await _launch(self)

    async def halt(self) -> None:
        """Stops the node in good order; `start` brings it back."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """Kills the node as a power cut would; `start` brings it back.

        RabbitMQ 3.10 forgets a quorum queue declared less than about a second before (its registry is saved
        every 500 ms): the queue is there afterwards, and answers nothing.
        """
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Stops the node for good. Safe to call twice."""
        if self.owner >= 0:
            await self.halt()
            os.close(self.owner)
            self.owner = -1

    async def _end(self, how: signal.Signals) -> None:
        if self.owner < 0:
            return
        for process in self.processes:  # the node, then its epmd, which needs no good order
            process.send_signal(how if process is self.processes[0] else signal.SIGKILL)
            if not await _ended(process, STOP_SECONDS):
                process.kill()
                await _ended(process, STOP_SECONDS)
        self.processes.clear()


def find_rabbitmq() -> Path | None:
    """The server's own start script, if RabbitMQ is installed.

    Debian's wrapper in /usr/sbin insists on one system user; the script it wraps does not.
    """
    for script in (*SERVERS, shutil.which("rabbitmq-server")):
        if script and Path(script).exists():
            return Path(script)
    return None


def running_rabbitmq(data_dir: Path) -> str | None:
    """The URL of the node that another process of this user runs under `data_dir`, if one answers."""
    node = _read(data_dir / "rabbitmq")
    return _url(node) if node and _answers(node.amqp) else None


async def start_rabbitmq(data_dir: Path, *, management: bool = False) -> PrivateRabbitMQ | None:
    """Starts the node of `data_dir`, or joins the one another process runs; None where RabbitMQ is not installed."""
    if find_rabbitmq() is None:
        return None
    folder = make_folder(data_dir / "rabbitmq", 0o700)
    owner = open_lock(folder.with_name("rabbitmq.owner"))
    if not try_lock(owner):
        os.close(owner)
        return await _join(folder, management)
    server = PrivateRabbitMQ(folder, _read(folder) or _new_node(), management, owner)
    try:
        _end_leftovers(server)
        if not all(map(port_is_free, _ports(server.node))):
            server.node = _new_node()
        await _launch(server)
    except BaseException:
        await server.stop()
        raise
    return server


async def _join(folder: Path, management: bool) -> PrivateRabbitMQ:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        node = _read(folder)
        if node and _answers(node.amqp):
            return PrivateRabbitMQ(folder, node, management, -1)
        await asyncio.sleep(0.2)
    raise EmbeddedServerError(f"another process is starting RabbitMQ in {folder}, and it does not answer: end that one")


async def _launch(server: PrivateRabbitMQ) -> None:
    """Starts the node and waits until it speaks AMQP. Call it from the thread that lives longest."""
    _spawn(server)
    deadline = time.monotonic() + START_SECONDS
    while not _answers(server.node.amqp):
        ended = server.processes[0].poll() is not None
        if ended or time.monotonic() > deadline:
            await server.kill()
            why = "ended while starting" if ended else f"did not answer within {START_SECONDS} s"
            logs = server.folder / "log"
            raise EmbeddedServerError(f"RabbitMQ {why}: see {logs}, or name a running one in rabbitmq.url")
        await asyncio.sleep(0.1)


def _spawn(server: PrivateRabbitMQ) -> None:
    """Starts epmd and the node, and notes their process ids at once, for whoever has to end them one day."""
    script, epmd = find_rabbitmq(), shutil.which("epmd")
    if script is None or epmd is None:
        raise EmbeddedServerError("RabbitMQ's server or Erlang's epmd is not installed: install rabbitmq-server")
    environment = _configure(server)
    # Linux ends a child with the *thread* that started it, so a worker thread must not do this.
    setpriv = shutil.which("setpriv")
    dies_with_us = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
    with (server.folder / "log" / "start.log").open("wb") as output:
        for words in ([epmd, "-address", "127.0.0.1", "-port", str(server.node.epmd)], [str(script)]):
            process = subprocess.Popen(
                [*dies_with_us, *words],
                cwd=server.folder,
                env=environment,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            server.processes.insert(0, process)
            _write(server)


def _configure(server: PrivateRabbitMQ) -> dict[str, str]:
    """Writes the node's files and returns the environment it starts with; nothing of /etc/rabbitmq is read."""
    folder, node = server.folder, server.node
    for name in ("data", "log", "home"):
        (folder / name).mkdir(exist_ok=True)
    plugins = [*PLUGINS, "rabbitmq_management"] if server.management else PLUGINS
    (folder / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
    (folder / "rabbitmq-env.conf").write_text("")
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{node.amqp}\n"
        "log.console = false\n"
        "log.file.level = warning\n"
        + (f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {node.management}\n" if server.management else "")
    )
    return {
        "PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin",
        "HOME": str(folder / "home"),  # of the cookie
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "ERL_EPMD_PORT": str(node.epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_CRASH_DUMP": str(folder / "log" / "erl_crash.dump"),
        "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the node instead of watching over it
        "RABBITMQ_NODENAME": "okno@localhost",
        "RABBITMQ_DIST_PORT": str(node.distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "home"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_MNESIA_DIR": str(folder / "data" / "node"),
        "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "data" / "feature_flags"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "data" / "node.pid"),
    }


def _end_leftovers(server: PrivateRabbitMQ) -> None:
    """Ends what is left of a node whose owner was killed."""
    for pid in server.node.pids:
        for executable, argument in (("beam.smp", str(server.folder)), ("epmd", f"-port {server.node.epmd}")):
            process = process_with(pid, executable=executable, argument=argument)
            if process is not None:
                process.kill()
                process.wait(STOP_SECONDS)


async def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


def _answers(port: int) -> bool:
    """Whether AMQP is spoken there: a greeting is answered with a method frame."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(b"AMQP\x00\x00\x09\x01")
        return connection.recv(1) == b"\x01"
    return False


def _url(node: Node) -> str:
    return f"amqp://guest:guest@127.0.0.1:{node.amqp}/"


def _new_node() -> Node:
    return Node(amqp=free_port(), distribution=free_port(), epmd=free_port(), management=free_port())


def _ports(node: Node) -> tuple[int, ...]:
    return node.amqp, node.distribution, node.epmd, node.management


def _read(folder: Path) -> Node | None:
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((folder / "node.json").read_bytes(), type=Node)
    return None


def _write(server: PrivateRabbitMQ) -> None:
    server.node.pids = [process.pid for process in server.processes]
    unfinished = server.folder / "node.json.new"
    unfinished.write_bytes(msgspec.json.encode(server.node))
    unfinished.replace(server.folder / "node.json")
