"""Reading what Market sends without breaking on it.

A field that does not fit its type is set aside, never the whole order; what no type names is kept by `leftover`.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from events.codec import loads

T = TypeVar("T", bound=msgspec.Struct)

_FAULT = re.compile(r"`\$(.*?)`")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def body(raw: bytes) -> Any:
    """An answer's JSON with numbers as Decimal; None where it is none."""
    try:
        return loads(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the last: nested too deep
        return None


def inside(value: Any, *keys: str) -> Any:
    """`value[a][b]…`, None where anything on the way is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def read(shape: type[T], value: Any) -> T | None:
    """The value as `shape`, what does not fit left out; None where it can't be one at all."""
    for _ in range(50):
        try:
            return msgspec.convert(value, shape, strict=False)
        except msgspec.ValidationError as error:
            pruned = _without(value, _path(str(error)))
            if pruned is None:
                return None
            value = pruned
    return None


def _path(message: str) -> list[str | int]:
    """Where a ValidationError points: ``Expected `int`, got `str` - at `$.items[0].count` ``."""
    found = _FAULT.search(message)
    return [key or int(index) for key, index in _STEP.findall(found[1])] if found else []


def _without(value: Any, path: Sequence[str | int]) -> Any:
    """A copy without the element at a path; None where there is nothing to leave out."""
    if not path:
        return None
    key, *rest = path
    if isinstance(value, dict) and key in value:
        inner = _without(value[key], rest) if rest else None
        return {k: inner if k == key else v for k, v in value.items() if k != key or inner is not None}
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        inner = _without(value[key], rest) if rest else None
        return [*value[:key], *([inner] if inner is not None else []), *value[key + 1 :]]
    return None


def leftover(value: Any, shape: type[msgspec.Struct]) -> dict[str, Any]:
    """What a JSON object holds that `shape` does not name, nested parts included; lists of parts by their number."""
    if not isinstance(value, dict):
        return {}
    names, out = _names(shape), {}
    for key, inner in value.items():
        if key not in names:
            rest: Any = inner
        elif (part := names[key]) is None:
            continue
        elif isinstance(inner, list):
            rest = {str(n): more for n, one in enumerate(inner) if (more := leftover(one, part))}
        else:
            rest = leftover(inner, part)
        if rest not in (None, {}, []):
            out[key] = rest
    return out


@cache
def _names(shape: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct] | None]:
    hints = get_type_hints(shape)
    return {field.encode_name: _part(hints[field.name]) for field in msgspec.structs.fields(shape)}


def _part(hint: Any) -> type[msgspec.Struct] | None:
    """The struct inside an annotation such as `list[Item | None] | None`."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    if get_origin(hint) in (list, Union, UnionType):
        return next((part for inner in get_args(hint) if (part := _part(inner)) is not None), None)
    return None
