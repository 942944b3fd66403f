"""One cabinet of the sandbox: a shop, its key and its warehouse."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

LIFE: Final = timedelta(days=90)
"""A key's, since September 2026."""


@dataclass
class Cabinet:
    """`client_id` and `api_key` are what its calls show; a posting belongs to one cabinet."""

    channel: str
    model: str
    client_id: str
    api_key: str
    warehouse_id: int
    seller_id: int
    expires_at: datetime = field(default_factory=lambda: datetime.now(UTC) + LIFE)
    roles: tuple[str, ...] = ("Admin", "Posting FBS")

    @property
    def warehouse(self) -> str:
        """Its warehouse's name."""
        return "Склад магазина 1" if self.model == "rfbs" else "FBS Самара"
