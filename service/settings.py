"""`okno.toml`: read strictly, refused with the path of what is wrong.

Any string may be `{ env = "NAME" }` or `{ file = "path" }`. A marketplace's own keys are handed to its folder, secrets as
functions, so that a changed file is taken up without a restart.
"""

import os
import re
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from service.marketplaces import kinds
from service.marketplaces.port import Marketplace

CHANNEL_NAME = re.compile(r"[a-z0-9-]+")
DURATION = re.compile(r"(\d+)\s*([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class ConfigError(Exception):
    """The configuration can't be used: what, where, what to do, in one line."""


class Postgres(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    url: str | None = None


class RabbitMQ(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    url: str | None = None
    partitions: int = 1


class Http(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    host: str = "127.0.0.1"
    port: int = 8080


class OnecSource(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One base of 1C; what it leaves out is as in `[onec]` and `timezone`."""

    dialect: str = "okno"
    timezone: str | None = None
    statuses: dict[str, str] = {}
    mapping: dict[str, str] = {}


class Onec(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    statuses: dict[str, str] = {}
    sources: dict[str, OnecSource] = {}


class ChannelKeys(msgspec.Struct, frozen=True):
    """What every channel may have; the rest of its table is its kind's."""

    kind: str
    model: str
    mode: str = "live"
    base_url: str | None = None
    hook_secret: str | None = None
    poll_seconds: float = 300
    give_up_after: str = "72h"
    deadline_warning: str = "1h"
    triggers: dict[str, list[str]] = {}


class Channel(msgspec.Struct, frozen=True):
    """One shop on one marketplace, ready to use."""

    name: str
    kind: str
    model: str
    live: bool
    hook_secret: str | None
    poll_seconds: float
    give_up_after: timedelta
    deadline_warning: timedelta
    triggers: dict[str, list[str]]
    marketplace: Marketplace


class Settings(msgspec.Struct, frozen=True):
    """The whole configuration, checked."""

    timezone: ZoneInfo
    data_dir: Path
    postgres: Postgres
    rabbitmq: RabbitMQ
    http: Http
    onec: Onec
    channels: dict[str, Channel]

    def zone(self, source: str) -> ZoneInfo:
        """The time zone of a sender's times without one; `source` as CloudEvents name it (`1c/ut11`)."""
        base = self.onec.sources.get(source.rpartition("/")[2])
        return ZoneInfo(base.timezone) if base is not None and base.timezone else self.timezone

    def status_type(self, source: str, status: str) -> str | None:
        """The message type a status of 1C stands for, blanks and case aside; None where it is not mapped."""
        base = self.onec.sources.get(source.rpartition("/")[2])
        names = {**self.onec.statuses, **(base.statuses if base is not None else {})}
        return {_plain(name): type for name, type in names.items()}.get(_plain(status))


class _File(msgspec.Struct, forbid_unknown_fields=True):
    timezone: str = "Europe/Moscow"
    data_dir: str = "var"
    postgres: Postgres = Postgres()
    rabbitmq: RabbitMQ = RabbitMQ()
    http: Http = Http()
    onec: Onec = Onec()
    channels: dict[str, dict[str, Any]] = {}


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()


def load(path: Path | None, base: Path | None = None) -> Settings:
    """Reads a configuration file; None gives the defaults. Relative paths in it are relative to its own folder."""
    if path is None:
        return parse({}, base or Path.cwd())
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: name another file with --config or OKNO_CONFIG") from error
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    try:
        return parse(tree, path.resolve().parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse(tree: dict[str, Any], base: Path) -> Settings:
    """Checks a configuration's tree; `base` is the folder its relative paths start from."""
    tables = tree.get("channels", {})
    if not isinstance(tables, dict):
        raise ConfigError("channels: must be tables, as [channels.ym-msk]")
    rest = {key: value for key, value in tree.items() if key != "channels"}
    try:
        file = msgspec.convert(_resolved(rest, base, ""), _File)
        zone = ZoneInfo(file.timezone)
        for source in file.onec.sources.values():
            ZoneInfo(source.timezone or file.timezone)
    except msgspec.ValidationError as error:
        raise ConfigError(_readable(str(error))) from error
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"timezone: {error}: write it as Europe/Samara") from error
    if not 1 <= file.rabbitmq.partitions <= 256:
        raise ConfigError(f"rabbitmq.partitions: {file.rabbitmq.partitions} is not within 1 to 256")
    _check_statuses(file.onec)
    channels = {name: _channel(name, table, base) for name, table in tables.items()}
    return Settings(zone, base / file.data_dir, file.postgres, file.rabbitmq, file.http, file.onec, channels)


def _check_statuses(onec: Onec) -> None:
    from events.order.facts import ONEC_TYPES

    tables = [("onec.statuses", onec.statuses)]
    tables += [(f"onec.sources.{name}.statuses", source.statuses) for name, source in onec.sources.items()]
    for path, names in tables:
        for status, type in names.items():
            if type not in ONEC_TYPES or type in ("order.status", "order.snapshot"):
                raise ConfigError(f'{path}."{status}": {type!r} is no message type of 1C, such as order.confirmed')


def _channel(name: str, table: Any, base: Path) -> Channel:
    at = f"channels.{name}"
    if not CHANNEL_NAME.fullmatch(name) or name == "1c":
        raise ConfigError(f"{at}: a channel's name is small Latin letters, digits and '-', and not 1c")
    if not isinstance(table, dict):
        raise ConfigError(f"{at}: must be a table")
    own = {key: value for key, value in table.items() if key in ChannelKeys.__struct_fields__}
    try:
        keys = msgspec.convert(_resolved(own, base, at), ChannelKeys)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{at}: {_readable(str(error))}") from error
    kind = kinds().get(keys.kind)
    if kind is None:
        raise ConfigError(f"{at}.kind: {keys.kind!r} is not one of {', '.join(sorted(kinds()))}")
    if keys.mode not in ("live", "shadow"):
        raise ConfigError(f"{at}.mode: {keys.mode!r} is neither live nor shadow")
    options = {key: _secret(value, base, f"{at}.{key}") for key, value in table.items() if key not in own}
    try:
        marketplace: Marketplace = kind.make(name, model=keys.model, base_url=keys.base_url, options=options)
    except ValueError as error:
        raise ConfigError(f"{at}.{error}") from error
    for trigger, steps in keys.triggers.items():
        for step in steps:
            if step not in marketplace.steps:
                known = ", ".join(sorted(marketplace.steps))
                raise ConfigError(f"{at}.triggers.{trigger}: {step!r} is no step of {keys.kind}; there are {known}")
    return Channel(
        name, keys.kind, keys.model, keys.mode == "live", keys.hook_secret, keys.poll_seconds,
        duration(keys.give_up_after, f"{at}.give_up_after"), duration(keys.deadline_warning, f"{at}.deadline_warning"),
        keys.triggers, marketplace,
    )  # fmt: skip


def duration(text: str, at: str) -> timedelta:
    """`72h`, `30m`, `10s`, `2d` as a duration."""
    match = DURATION.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"{at}: {text!r} is not a duration such as 72h or 30m")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def _resolved(value: Any, base: Path, at: str) -> Any:
    """The tree with every `{ env = … }` and `{ file = … }` replaced by its text."""
    secret = _secret(value, base, at)
    if callable(secret):
        return secret()
    if isinstance(value, dict):
        return {key: _resolved(item, base, f"{at}.{key}".lstrip(".")) for key, item in value.items()}
    return value


def _secret(value: Any, base: Path, at: str) -> Any:
    """A function that gives the text of `{ env = … }` or `{ file = … }`; anything else as it is."""
    if not isinstance(value, dict) or len(value) != 1 or not set(value) <= {"env", "file"}:
        return value
    ((where, name),) = value.items()
    if not isinstance(name, str):
        return value
    read: Callable[[], str] = (
        (lambda: os.environ[name]) if where == "env" else (lambda: (base / name).read_text(encoding="utf-8").strip())
    )
    try:
        read()
    except KeyError as error:
        raise ConfigError(f"{at}: the environment variable {name} is not set") from error
    except OSError as error:
        raise ConfigError(f"{at}: {base / name}: {error.strerror}") from error
    return read


def _readable(message: str) -> str:
    """msgspec's message with its path first: `http.port: Expected …`."""
    what, _, path = message.partition(" - at ")
    return f"{path.strip('`').lstrip('$.')}: {what}" if path else what
