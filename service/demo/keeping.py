"""The sandboxes' files, the lock that keeps others away from them, and the note that says where they run.

The lock goes with its process, however that ends, so a note that nobody holds locked is an old one.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog

from service.embedded import EmbeddedServerError
from service.embedded.folders import make_folder, open_lock, try_lock
from service.marketplaces.trial import Trial

logger = structlog.get_logger()


OWNER: Final = "sandbox.owner"


class Running(msgspec.Struct, omit_defaults=True):
    """What runs in a folder: the sandboxes, and around it, where it is a demo, the hub's port and its broker."""

    process: int
    sandbox: str = ""
    port: int | None = None
    rabbitmq: str | None = None


class Kept:
    """One sandbox's orders in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved = b""

    def load(self, trial: Trial) -> None:
        """Gives the sandbox what the file holds; without one, or with one that is broken, it begins empty."""
        try:
            trial.restore(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            logger.warning("the sandbox starts afresh", file=str(self._path), error=str(error))

    def save(self, trial: Trial) -> None:
        """Puts the sandbox's orders into the file, all or nothing; nothing is written where nothing has changed."""
        found = trial.dump()
        if found == self._saved:
            return
        unfinished = self._path.with_suffix(".new")
        try:
            unfinished.write_bytes(found)
            unfinished.replace(self._path)
        except OSError as error:
            logger.warning("the sandbox can't be kept", file=str(self._path), error=str(error))
        self._saved = found


class Home:
    """A folder that this process has for itself."""

    def __init__(self, folder: Path, note: Path) -> None:
        self._folder, self._note = folder, note

    def kept(self, kind: str) -> Kept:
        """The file of a kind's sandbox."""
        return Kept(self._folder / f"sandbox-{kind}.json")

    def tell(self, running: Running) -> None:
        """Says where the sandboxes and the demo are."""
        with suppress(OSError):  # the file is another user's: the lock counts, the note is a courtesy
            self._note.write_bytes(msgspec.json.encode(running))


def running(data_dir: Path) -> Running | None:
    """The sandbox or demo that runs in a folder, if one does."""
    note = data_dir / OWNER
    if not note.exists():
        return None
    lock = open_lock(note)
    try:
        return None if try_lock(lock) else _read(note)
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    """Takes the lock; somebody may only be looking, and lets go at once."""
    for _ in range(10):
        if try_lock(lock):
            return True
        time.sleep(0.05)
    return False


def _read(note: Path) -> Running | None:
    try:
        return msgspec.json.decode(note.read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None


@contextmanager
def alone(data_dir: Path) -> Iterator[Home]:
    """`data_dir`, for one process at a time."""
    folder = make_folder(data_dir, 0o711)
    note = folder / OWNER
    lock = open_lock(note)
    try:
        if not _locked(lock):
            found = _read(note)
            which = f" (process {found.process})" if found is not None else ""
            raise EmbeddedServerError(
                f"a demo or sandbox already runs in {folder}{which}: look at that one, end it, or start elsewhere"
            )
        home = Home(folder, note)
        home.tell(Running(os.getpid()))
        yield home
    finally:
        os.close(lock)
