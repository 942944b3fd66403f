"""The BSL linter from the package index, in an environment of its own beside the tests'.

It asks for Python 3.12, yet runs under 3.11 (nothing in this version needs more), and its dependencies are none of the
project's: so it is installed apart, pinned, and told to take the Python there is. A broken sample proves that it works.
"""

import fcntl
import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

VERSION = "0.8.53"
PACKAGE = "onec-hbk-bsl-core"

IGNORED = {
    "BSL008": "a function that returns where it knows its answer reads better",
    "BSL029": "HTTP statuses and minutes read better as numbers",
    "BSL035": "a key of JSON stands where it is used",
    "BSL062": "the platform hands its handlers arguments they may not need",
    "BSL065": "a private function's comment says why, not what it returns",
    "BSL077": "any rows will do for cleaning",
    "BSL176": "the new way to tell errors begins with platform 8.3.17",
    "BSL178": "the same",
    "BSL192": "Получить is what the job does",
    "BSL199": "where nothing is to be done otherwise, nothing stands",
    "BSL203": "the kit is there to talk to the hub",
    "BSL215": "a private function's comment says why, not what its arguments are",
    "BSL224": "a call within a call is no worse than two lines",
    "BSL247": "users who post documents need no rights to the exchange's registers",
    "BSL251": "?(,,) is the language's own",
    "BSL256": "its dictionary does not know our words",
    "BSL262": "what is tried again by itself is a warning",
}


class NoLinterError(Exception):
    """It can't be had here."""


def linter() -> Path:
    """The linter's command, installed once."""
    home = Path(sys.prefix).with_name(f"bsl-{VERSION}-py{sys.version_info.major}.{sys.version_info.minor}")
    command, complete = home / "bin" / "onec-hbk-bsl", home / ".complete"
    with home.with_name(f".lock-{home.name}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # processes of one test run start together
        if not complete.exists():
            _install(home)
            complete.touch()
    return command


def _install(home: Path) -> None:
    venv.create(home, with_pip=True, clear=True)
    words = ["install", "--quiet", "--no-input", "--disable-pip-version-check", "--ignore-requires-python"]
    try:
        subprocess.run(
            [home / "bin" / "python", "-m", "pip", *words, f"{PACKAGE}=={VERSION}"],
            check=True, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise NoLinterError(f"{PACKAGE} {VERSION} can't be installed: {error} {error.stderr!r}") from error


def findings(*paths: Path) -> list[str]:
    """What the linter has to say, each with its place."""
    words: list[str | Path] = [
        linter(),
        "check",
        "--no-config",
        "--format",
        "json",
        "--ignore",
        ",".join(IGNORED),
        *paths,
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    if not done.stdout.strip():
        raise AssertionError(f"the linter said nothing: {done.stderr}")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return [f"{Path(each['file']).name}:{each['line']} {each['code']} {each['message']}" for each in found]
