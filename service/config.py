"""The values of `okno.toml`: texts from elsewhere, durations, and errors that begin with the path of what is wrong."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

T = TypeVar("T")

DURATION = re.compile(r"(\d+)\s*([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
MAX_DAYS = 3650

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_FIELD = re.compile(r"field `([^`]+)`")


class ConfigError(Exception):
    """The configuration can't be used: what, where, what to do, in one line."""


class EnvSecret:
    """A text from an environment variable."""

    def __init__(self, at: str, name: str) -> None:
        if name not in os.environ:
            raise ConfigError(f"{at}: the environment variable {name} is not set: set it, or write the value itself")
        self._value = os.environ[name]

    def __call__(self) -> str:
        return self._value


class FileSecret:
    """A text from a file, read again on each use; while the file can't be read, what it last said."""

    def __init__(self, at: str, path: Path) -> None:
        self._path = path
        try:
            self._last = self._read()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "is not UTF-8"
            raise ConfigError(f"{at}: the file {path} can't be read: {why}") from error

    def __call__(self) -> str:
        try:
            self._last = self._read()
        except (OSError, UnicodeDecodeError):  # a secret being replaced is away for a moment
            return self._last
        return self._last

    def _read(self) -> str:
        return self._path.read_text(encoding="utf-8").strip()


def secret(value: Any, base: Path, at: str) -> Any:
    """A function that gives the text of `{ env = … }` or `{ file = … }`; anything else as it is."""
    if not isinstance(value, dict) or len(value) != 1 or not set(value) <= {"env", "file"}:
        return value
    ((where, name),) = value.items()
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{at}.{where}: must be a text, the name of the {'variable' if where == 'env' else 'file'}")
    return EnvSecret(at, name) if where == "env" else FileSecret(at, base / name)


def resolved(value: Any, base: Path, at: str) -> Any:
    """The tree with every `{ env = … }` and `{ file = … }` replaced by its text."""
    found = secret(value, base, at)
    if found is not value:
        return found()
    if isinstance(value, dict):
        return {key: resolved(item, base, f"{at}.{key}".lstrip(".")) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item, base, f"{at}[{number}]") for number, item in enumerate(value)]
    return value


def converted(tree: Any, shape: type[T], at: str) -> T:
    """A tree as a struct; what does not fit is refused with its path, which begins with `at`."""
    try:
        return msgspec.convert(tree, shape)
    except msgspec.ValidationError as error:
        what, _, inside = str(error).partition(" - at ")
        inside = _named(tree, shape, str(error), inside.strip("`").removeprefix("$").lstrip("."))
        field = _FIELD.search(what)
        if "unknown field" in what and field is not None:
            inside, what = f"{inside}.{field[1]}", "there is no such key: take it out, or correct its spelling"
        elif "missing required" in what and field is not None:
            inside, what = f"{inside}.{field[1]}", "is missing"
        path = ".".join(part for part in (at, inside.strip(".")) if part)
        raise ConfigError(f"{path}: {what}" if path else what) from error


def _named(tree: Any, shape: type[T], message: str, path: str) -> str:
    """The path with the key itself where msgspec writes `[...]` for some key of a table: each is tried alone."""
    before, some, after = path.partition("[...]")
    if not some:
        return path
    steps = before.split(".")
    table = tree
    for step in steps:
        table = table[step]
    for key in table:
        try:
            msgspec.convert(_only(tree, steps, key), shape)
        except msgspec.ValidationError as error:
            if str(error) == message:
                return f"{before}.{key}{after}" if _BARE.fullmatch(key) else f'{before}."{key}"{after}'
    return path


def _only(tree: Any, steps: list[str], key: str) -> Any:
    """The tree with one key left in the table at the end of `steps`."""
    return {**tree, steps[0]: _only(tree[steps[0]], steps[1:], key)} if steps else {key: tree[key]}


def named_zone(name: str, at: str) -> ZoneInfo:
    """A time zone by its name, such as Europe/Samara."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # an unknown name, an unlikely one, a folder
        raise ConfigError(f"{at}: {name!r} is no time zone: write it as Europe/Samara") from error


def duration(text: str, at: str) -> timedelta:
    """`72h`, `30m`, `10s`, `2d` as a duration."""
    match = DURATION.fullmatch(text.strip())
    found = timedelta(**{UNITS[match[2]]: int(match[1])}) if match is not None and len(match[1]) < 10 else timedelta()
    if not timedelta() < found <= timedelta(days=MAX_DAYS):
        raise ConfigError(f"{at}: {text!r} is not a duration such as 72h or 30m")
    return found
