"""What both embedded servers need of the machine: folders, file locks, free ports, other processes."""

import fcntl
import hashlib
import os
import random
import socket
from pathlib import Path

import psutil


class EmbeddedServerError(Exception):
    """An embedded server could not be started; the message says what, where, and what to do."""


def writable_data_dir(wanted: Path) -> Path:
    """`wanted` where this user can write there, else a folder of his own that stands for it.

    So `okno demo` works in a checkout that belongs to somebody else. The same `wanted` gives the same folder.
    """
    wanted = wanted.absolute()
    existing = wanted
    while not existing.exists():
        existing = existing.parent
    if os.access(existing, os.W_OK | os.X_OK):
        return wanted
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return state / "okno" / hashlib.sha256(str(wanted).encode()).hexdigest()[:12]


def make_folder(path: Path, mode: int) -> Path:
    """Makes `path` with `mode` if it is missing, and returns it in full."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=mode, exist_ok=True)
    except OSError as error:
        raise EmbeddedServerError(f"cannot make the folder {path}: {error.strerror}; set another data_dir") from error
    return path.resolve()


def open_lock(path: Path) -> int:
    """A descriptor to lock `path` with; the lock goes with the process, however that ends."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise EmbeddedServerError(f"cannot open {path}: {error.strerror}; set another data_dir") from error


def try_lock(descriptor: int) -> bool:
    """Takes the lock for itself alone, or says at once that others hold it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on, below those the system lends to outgoing connections.

    A lent port may be taken by anybody while a server restarts; one from here is likely to be free again.
    """
    for _ in range(200):
        port = random.randrange(20000, 32000)  # noqa: S311 - chance, not secrecy
        if port_is_free(port):
            return port
    raise EmbeddedServerError("found no free port on 127.0.0.1 between 20000 and 32000")


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def process_with(pid: int, *, executable: str, argument: str = "") -> psutil.Process | None:
    """The live process `pid` if it runs `executable` with `argument`: after a crash its number may be a stranger's."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or process.name() != executable:
            return None
        return process if argument in " ".join(process.cmdline()) else None
    except psutil.Error:
        return None
