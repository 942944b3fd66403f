"""What a channel of this kind needs in `okno.toml`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from service.marketplaces.options import check_model, options, secret

MODELS = ("dbs", "cnc", "fbs")
BASE_URL = "https://api.megamarket.tech"


@dataclass(frozen=True)
class Shop:
    """Whose orders these are, how they are sold, and 1C's clock."""

    merchant: int
    model: str
    zone: ZoneInfo


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The channel's own keys. `token` and `hook_password` may be functions: a changed secret needs no restart.

    `timezone`: 1C's clock, by which the hours of a moved delivery are meant, and of all times told to Megamarket.
    """

    merchant_id: int
    token: Any
    hook_login: Any = None
    hook_password: Any = None
    timezone: str = "Europe/Moscow"

    @property
    def key(self) -> Callable[[], str]:
        """Gives the token as it is now."""
        return secret("token", self.token)

    @property
    def zone(self) -> ZoneInfo:
        """The shop's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def callers(self) -> Callable[[], tuple[str, str]] | None:
        """Gives the login and password Megamarket calls with; None where the secret in the path is all there is."""
        if self.hook_login is None:
            return None
        login, password = secret("hook_login", self.hook_login), secret("hook_password", self.hook_password)
        return lambda: (login(), password())


def settings(model: str, given: dict[str, Any]) -> Settings:
    """The channel's keys, checked; ValueError says `path: what, what to do`."""
    check_model(model, MODELS, "SberMegaMarket")
    found = options(Settings, given, "the cabinet's API settings")
    if found.merchant_id < 1:
        raise ValueError("merchant_id: must be a positive number, the cabinet's API settings show it")
    if (found.hook_login is None) != (found.hook_password is None):
        missing = "hook_login" if found.hook_login is None else "hook_password"
        raise ValueError(f"{missing}: is missing, write both as they stand in the cabinet, or neither")
    secret("token", found.token)
    if found.hook_login is not None:
        secret("hook_login", found.hook_login)
        secret("hook_password", found.hook_password)
    try:
        ZoneInfo(found.timezone)
    except (KeyError, ValueError, OSError) as error:  # an unknown name, an unlikely one, a folder
        raise ValueError(f"timezone: {found.timezone!r} is no time zone, write it as Europe/Samara") from error
    return found
