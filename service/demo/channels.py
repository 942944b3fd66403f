"""The demo's channels: what the hub sells on where no configuration says otherwise."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from service.demo.keeping import running
from service.demo.trials import makers
from service.settings import Http, RabbitMQ, Settings, parse

SANDBOX_PORT: Final = 8090
POLL_SECONDS: Final = 30


@cache
def shops() -> dict[str, Mapping[str, Any]]:
    """Every sandbox's shops by channel name, each as its marketplace describes it."""
    return {name: table for make in makers().values() for name, table in make(seed=1).channels.items()}


def address(url: str, kind: str) -> str:
    """Where a kind's sandbox answers among those at `url`."""
    return f"{url}/{kind}"


def hook_secret(data_dir: Path) -> str:
    """A folder's own, so that another sandbox on this machine does not reach this folder's hub."""
    return hashlib.sha256(str(data_dir.absolute()).encode()).hexdigest()


def with_channels(settings: Settings) -> Settings:
    """The settings of whoever has no configuration: with the shops of the sandbox or demo that runs here, if one does.

    A hub beside a demo must know its broker: one without would take its messages to 1C for told.
    """
    found = running(settings.data_dir)
    if found is None or not found.sandbox:
        return selling_at(settings, f"http://127.0.0.1:{SANDBOX_PORT}")
    return msgspec.structs.replace(
        selling_at(settings, found.sandbox),
        http=Http(settings.http.host, settings.http.port if found.port is None else found.port),
        rabbitmq=RabbitMQ(found.rabbitmq),
    )


def selling_at(settings: Settings, url: str) -> Settings:
    """The settings with the sandboxes' shops, which answer at `url`."""
    common = {"hook_secret": hook_secret(settings.data_dir), "poll_seconds": POLL_SECONDS}
    tables = {name: {**table, **common, "base_url": address(url, table["kind"])} for name, table in shops().items()}
    return msgspec.structs.replace(settings, channels=parse({"channels": tables}, Path.cwd()).channels)
