"""What a channel of this kind needs in `okno.toml`."""

from collections.abc import Callable
from typing import Any

import msgspec

from service.marketplaces.options import check_model, options, secret

MODELS = ("dbs", "fbs", "express")
BASE_URL = "https://api.partner.market.yandex.ru"


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The channel's own keys. `api_key` may be a function, so that a changed secret is taken up without a restart."""

    business_id: int
    campaign_id: int
    api_key: Any
    test_orders: bool = False

    @property
    def key(self) -> Callable[[], str]:
        """Gives the key as it is now."""
        return secret("api_key", self.api_key)


def settings(model: str, given: dict[str, Any]) -> Settings:
    """The channel's keys, checked; ValueError says `path: what, what to do`."""
    check_model(model, MODELS, "Yandex Market")
    found = options(Settings, given, "the cabinet's page of API settings")
    for name in ("business_id", "campaign_id"):
        if getattr(found, name) < 1:
            raise ValueError(f"{name}: must be a positive number, GET /v2/campaigns or the cabinet's API page shows it")
    secret("api_key", found.api_key)
    return found
