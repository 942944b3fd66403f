"""What a channel of this kind needs in `okno.toml`."""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from service.marketplaces.options import check_model, options, secret

MODELS = ("rfbs", "fbs")
BASE_URL = "https://api-seller.ozon.ru"


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The channel's own keys. `api_key` may be a function, so that a changed secret is taken up without a restart.

    `timezone`: in which the hours of a moved delivery are meant.
    """

    client_id: int | str
    api_key: Any
    timezone: str = "Europe/Moscow"

    @property
    def key(self) -> Callable[[], str]:
        """Gives the key as it is now."""
        return secret("api_key", self.api_key)

    @property
    def zone(self) -> ZoneInfo:
        """The zone as Python has it."""
        return ZoneInfo(self.timezone)


def settings(model: str, given: dict[str, Any]) -> Settings:
    """The channel's keys, checked; ValueError says `path: what, what to do`."""
    check_model(model, MODELS, "Ozon")
    found = options(Settings, given, "the cabinet's page Настройки → Seller API")
    client = str(found.client_id).strip()
    if not (client.isascii() and client.isdigit() and int(client) > 0):
        raise ValueError("client_id: must be a number, the cabinet shows it as Client ID beside the API keys")
    secret("api_key", found.api_key)
    try:
        _ = found.zone
    except (OSError, ValueError, LookupError) as error:
        raise ValueError("timezone: is no time zone known here, write one such as Europe/Moscow") from error
    return found
