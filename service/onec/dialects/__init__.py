"""The dialects in which 1C's exchanges are written: a module each, found by looking. `port` says what one must offer.

A dialect's name is its module's, with `-` for `_`: that is the value of `dialect` in `[onec.sources.NAME]`.
"""

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:  # the port knows the settings, which want to know the names
    from service.onec.dialects.port import Dialect

CLEAN = "okno"
"""The name of CloudEvents as CONTRACT.md has them, which are no dialect."""

_MODULES = tuple(m.name for m in pkgutil.iter_modules(__path__) if m.name != "port" and not m.name.startswith("_"))


def names() -> tuple[str, ...]:
    """What may be configured as a dialect."""
    return (CLEAN, *(module.replace("_", "-") for module in _MODULES))


@cache
def dialects() -> "dict[str, Dialect]":
    """Every dialect there is a module for, by its name."""
    loaded = {module: importlib.import_module(f"{__name__}.{module}") for module in _MODULES}
    return {name.replace("_", "-"): cast("Dialect", module) for name, module in loaded.items()}
