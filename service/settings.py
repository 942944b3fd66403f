"""`okno.toml`: read strictly, refused with the path of what is wrong.

Any string may be `{ env = "NAME" }` or `{ file = "path" }`. A marketplace's own keys are handed to its folder, secrets
as functions, so that a changed file is taken up without a restart.
"""

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from events.order.stages import PATH
from service.config import MAX_DAYS, ConfigError, converted, duration, named_zone, resolved, secret
from service.marketplaces import kinds
from service.marketplaces.port import Marketplace
from service.onec import dialects
from service.onec.config import Onec, OnecSource

__all__ = [
    "Channel", "ChannelKeys", "ConfigError", "Http", "Onec", "OnecSource", "Postgres", "RabbitMQ", "Settings",
    "check_triggers", "load", "parse",
]  # fmt: skip

CHANNEL_NAME = re.compile(r"[a-z0-9-]+")
HOOK_SECRET = re.compile(r"[A-Za-z0-9._~-]{12,}")
TRIGGERS = ("registered", *PATH[1:], "rescheduled", "cancelled", "cancellation_answered")
MAX_PARTITIONS = 256


class Postgres(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    url: str | None = None


class RabbitMQ(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    url: str | None = None
    partitions: int = 1


class Http(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    host: str = "127.0.0.1"
    port: int = 8080


class ChannelKeys(msgspec.Struct, frozen=True):
    """What every channel may have; the rest of its table is its kind's."""

    kind: str
    model: str
    mode: str = "live"
    base_url: str | None = None
    hook_secret: str | None = None
    poll_seconds: float = 300
    parallel: int | None = None
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
    """The whole configuration, checked. `raw_retention_days` None: raw messages are kept."""

    timezone: ZoneInfo
    data_dir: Path
    postgres: Postgres
    rabbitmq: RabbitMQ
    http: Http
    onec: Onec
    channels: dict[str, Channel]
    raw_retention_days: int | None = None

    def zone(self, source: str) -> ZoneInfo:
        """The time zone of a sender's times without one; `source` as CloudEvents name it (`1c/ut11`)."""
        zone = self.onec.base(source).timezone
        return ZoneInfo(zone) if zone else self.timezone

    def status_type(self, source: str, status: str) -> str | None:
        """The message type a status of 1C stands for, blanks and case aside; None where it is not mapped."""
        return self.onec.status_type(source, status)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    timezone: str = "Europe/Moscow"
    data_dir: str = "var"
    postgres: Postgres = Postgres()
    rabbitmq: RabbitMQ = RabbitMQ()
    http: Http = Http()
    onec: Onec = Onec()
    channels: dict[str, dict[str, Any]] = {}
    raw_retention_days: int | None = None


def load(path: Path | None, base: Path | None = None) -> Settings:
    """Reads a configuration file; None gives the defaults. Relative paths in it are relative to its own folder."""
    if path is None:
        return parse({}, base or Path.cwd())
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: name another file with --config or OKNO_CONFIG") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8: save it as UTF-8") from error
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
    file = converted(resolved(rest, base, ""), _File, "")
    zone = named_zone(file.timezone, "timezone")
    _check_servers(file)
    file.onec.check(set(tables), dialects.names())
    channels = {name: _channel(name, table, base, zone) for name, table in tables.items()}
    return Settings(
        zone, base / file.data_dir, file.postgres, file.rabbitmq, file.http, file.onec, channels,
        file.raw_retention_days,
    )  # fmt: skip


def _check_servers(file: _File) -> None:
    urls = (
        ("postgres.url", file.postgres.url, ("postgresql://", "postgres://")),
        ("rabbitmq.url", file.rabbitmq.url, ("amqp://", "amqps://")),
    )
    for at, url, schemes in urls:
        if url is not None and not url.startswith(schemes):
            raise ConfigError(f"{at}: must begin with {' or '.join(schemes)}")
    if not 1 <= file.rabbitmq.partitions <= MAX_PARTITIONS:
        raise ConfigError(f"rabbitmq.partitions: {file.rabbitmq.partitions} is not within 1 to {MAX_PARTITIONS}")
    if not 0 <= file.http.port <= 65535:
        raise ConfigError(f"http.port: {file.http.port} is not within 0 to 65535")
    if not file.data_dir:
        raise ConfigError("data_dir: must not be empty: name a folder")
    if file.raw_retention_days is not None and not 1 <= file.raw_retention_days <= MAX_DAYS:
        raise ConfigError(f"raw_retention_days: {file.raw_retention_days} is not within 1 to {MAX_DAYS} whole days")


def _channel(name: str, table: Any, base: Path, zone: ZoneInfo) -> Channel:
    at = f"channels.{name}"
    if not CHANNEL_NAME.fullmatch(name) or name == "1c":
        raise ConfigError(f"{at}: a channel's name is small Latin letters, digits and '-', and not 1c")
    if not isinstance(table, dict):
        raise ConfigError(f"{at}: must be a table")
    own = {key: value for key, value in table.items() if key in ChannelKeys.__struct_fields__}
    keys = converted(resolved(own, base, at), ChannelKeys, at)
    _check_channel(at, keys)
    options = {key: secret(value, base, f"{at}.{key}") for key, value in table.items() if key not in own}
    kind = kinds()[keys.kind]
    if "timezone" in kind.Settings.__struct_fields__:  # 1C's hours are meant by 1C's clock
        options.setdefault("timezone", zone.key)
    try:
        marketplace: Marketplace = kind.make(name, model=keys.model, base_url=keys.base_url, options=options)
    except ValueError as error:
        raise ConfigError(f"{at}.{error}") from error
    check_triggers(f"{at}.triggers", keys.triggers, keys.kind, marketplace)
    if keys.parallel is not None:
        marketplace.parallel = keys.parallel
    return Channel(
        name, keys.kind, keys.model, keys.mode == "live", keys.hook_secret, keys.poll_seconds,
        duration(keys.give_up_after, f"{at}.give_up_after"), duration(keys.deadline_warning, f"{at}.deadline_warning"),
        keys.triggers, marketplace,
    )  # fmt: skip


def _check_channel(at: str, keys: ChannelKeys) -> None:
    if keys.kind not in kinds():
        raise ConfigError(f"{at}.kind: {keys.kind!r} is not one of {', '.join(sorted(kinds()))}")
    if keys.mode not in ("live", "shadow"):
        raise ConfigError(f"{at}.mode: {keys.mode!r} is neither live nor shadow")
    if keys.base_url is not None and not keys.base_url.startswith(("https://", "http://")):
        raise ConfigError(f"{at}.base_url: {keys.base_url!r} must begin with https://")
    if keys.hook_secret is not None and not HOOK_SECRET.fullmatch(keys.hook_secret):
        raise ConfigError(f"{at}.hook_secret: must be 12 or more Latin letters, digits, '.', '_', '~' and '-'")
    if keys.parallel is not None and not 1 <= keys.parallel <= 100:
        raise ConfigError(f"{at}.parallel: {keys.parallel} is not within 1 to 100")
    if not 0 < keys.poll_seconds <= 86400:
        raise ConfigError(f"{at}.poll_seconds: {keys.poll_seconds:g} must be more than 0 and at most 86400")


def check_triggers(at: str, triggers: dict[str, list[str]], kind: str, marketplace: Marketplace) -> None:
    """Refuses stages and steps that a channel does not have."""
    for trigger, steps in triggers.items():
        if trigger not in TRIGGERS and trigger not in marketplace.triggers:
            raise ConfigError(f"{at}.{trigger}: there is no such stage; there are {', '.join(TRIGGERS)}")
        for step in steps:
            if step not in marketplace.steps:
                known = ", ".join(sorted(marketplace.steps))
                raise ConfigError(f"{at}.{trigger}: {step!r} is no step of {kind}; there are {known}")
