"""The marketplaces: a folder each, found by looking. A folder's `__init__` exports `KIND`, `MODELS` and `make`."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType


@cache
def kinds() -> dict[str, ModuleType]:
    """Every kind there is a folder for."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg:
            package = importlib.import_module(f"{__name__}.{module.name}")
            found[package.KIND] = package
    return found
