"""What a channel's orders are to be told: the steps of its marketplace, by the trigger map in force or by another."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from events.order.reactions import Plan
from service.config import ConfigError, converted
from service.settings import Channel, check_triggers


class _Channel(msgspec.Struct, forbid_unknown_fields=True):
    triggers: dict[str, list[str]]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    channels: dict[str, dict[str, Any]]


def plan_of(channel: Channel, instead: Mapping[str, Sequence[str]] | None = None) -> Plan:
    """A channel's steps, with the trigger map of its kind and what the configuration changes in it, or `instead`."""
    market = channel.marketplace
    return Plan(channel.name, market.steps, {**market.triggers, **channel.triggers, **(instead or {})})


def triggers_in(path: Path, channels: Mapping[str, Channel]) -> dict[str, dict[str, list[str]]]:
    """Trigger maps to try, by channel: tables `[channels.NAME.triggers]` alone, checked as in `okno.toml`."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path}: can't be read: {why}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    try:
        tables = converted(tree, _File, "").channels
        return {name: _checked(name, table, channels) for name, table in tables.items()}
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _checked(name: str, table: dict[str, Any], channels: Mapping[str, Channel]) -> dict[str, list[str]]:
    triggers = converted(table, _Channel, f"channels.{name}").triggers
    if name not in channels:
        known = ", ".join(sorted(channels)) or "none"
        raise ConfigError(f"channels.{name}: there is no such channel in the configuration; there are {known}")
    check_triggers(f"channels.{name}.triggers", triggers, channels[name].kind, channels[name].marketplace)
    return triggers
