"""The demo's channels: what the hub sells on where no configuration says otherwise."""

import hashlib
from pathlib import Path
from typing import Final

import msgspec

from service.demo.keeping import running
from service.settings import Http, RabbitMQ, Settings, parse

SANDBOX_PORT: Final = 8090
BUSINESS: Final = 77001
API_KEY: Final = "ACMA:sandbox:key"
SHOPS: Final = {101: "dbs", 102: "fbs", 103: "express"}
"""Campaigns and their models."""


def name(model: str) -> str:
    """The channel of a model's shop."""
    return f"ym-{model}"


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
    """The settings with the sandbox's shops, which answer at `url`."""
    secret = hook_secret(settings.data_dir)
    tables = {
        name(model): {
            "kind": "yandex", "model": model, "base_url": url, "hook_secret": secret, "poll_seconds": 30,
            "business_id": BUSINESS, "campaign_id": campaign, "api_key": API_KEY,
        }
        for campaign, model in SHOPS.items()
    }  # fmt: skip
    return msgspec.structs.replace(settings, channels=parse({"channels": tables}, Path.cwd()).channels)
