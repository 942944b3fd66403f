"""A channel's own keys in `okno.toml`, checked: errors say `path: what, what to do`."""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

_FAULT = re.compile(r"`\$\.(\w+)`")
_FIELD = re.compile(r"field `(\w+)`")


def options(shape: type[T], given: dict[str, Any], where: str) -> T:
    """The keys as `shape`; ValueError says which is wrong. `where`: the place in the cabinet they are found in."""
    try:
        return msgspec.convert(given, shape)
    except msgspec.ValidationError as error:
        raise ValueError(_readable(str(error), shape, where)) from error


def check_model(model: str, models: Sequence[str], marketplace: str) -> None:
    """ValueError for a model the marketplace does not have."""
    if model not in models:
        raise ValueError(f"model: {model!r} is none of {marketplace}'s, write one of {', '.join(models)}")


def secret(name: str, value: Any) -> Callable[[], str]:
    """Gives a secret as it is now: one from a file is read again each time."""
    if callable(value):
        return lambda: str(value())
    if not isinstance(value, str) or not value:
        raise ValueError(f'{name}: must be a text, write {{ env = "NAME" }} or {{ file = "path" }}')
    return lambda: value


def _readable(message: str, shape: type[msgspec.Struct], where: str) -> str:
    place, field = _FAULT.search(message), _FIELD.search(message)
    if "unknown field" in message and field is not None:
        return f"{field[1]}: unknown, take it out; there are {', '.join(shape.__struct_fields__)}"
    if "missing required" in message and field is not None:
        return f"{field[1]}: is missing, take it from {where}"
    return f"{place[1] if place is not None else 'options'}: {message.partition(' - at')[0]}, correct its type"
