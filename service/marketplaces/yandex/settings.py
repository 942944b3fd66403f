"""What a channel of this kind needs in `okno.toml`."""

import re
from collections.abc import Callable
from typing import Any

import msgspec

MODELS = ("dbs", "fbs", "express")
BASE_URL = "https://api.partner.market.yandex.ru"

_FAULT = re.compile(r"`\$\.(\w+)`")
_FIELD = re.compile(r"field `(\w+)`")


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The channel's own keys. `api_key` may be a function, so that a changed secret is taken up without a restart."""

    business_id: int
    campaign_id: int
    api_key: Any
    test_orders: bool = False

    @property
    def key(self) -> Callable[[], str]:
        """Gives the key as it is now."""
        return self.api_key if callable(self.api_key) else lambda: self.api_key


def settings(model: str, options: dict[str, Any]) -> Settings:
    """The options, checked; ValueError says `path: what, what to do`."""
    if model not in MODELS:
        raise ValueError(f"model: {model!r} is none of Yandex Market's, write one of {', '.join(MODELS)}")
    try:
        found = msgspec.convert(options, Settings)
    except msgspec.ValidationError as error:
        raise ValueError(_readable(str(error))) from error
    for name in ("business_id", "campaign_id"):
        if getattr(found, name) < 1:
            raise ValueError(f"{name}: must be a positive number, GET /v2/campaigns or the cabinet's API page shows it")
    if not callable(found.api_key) and not (isinstance(found.api_key, str) and found.api_key):
        raise ValueError('api_key: must be a text, write { env = "NAME" } or { file = "path" }')
    return found


def _readable(message: str) -> str:
    place, field = _FAULT.search(message), _FIELD.search(message)
    if "unknown field" in message and field is not None:
        return f"{field[1]}: unknown, take it out; there are {', '.join(Settings.__struct_fields__)}"
    if "missing required" in message and field is not None:
        return f"{field[1]}: is missing, take it from the cabinet's page of API settings"
    return f"{place[1] if place is not None else 'options'}: {message.partition(' - at')[0]}, correct its type"
