"""The sandbox marketplaces there are: found by looking into each marketplace's folder."""

import importlib
from importlib.util import find_spec

from service.marketplaces import kinds
from service.marketplaces.trial import MakeTrial


def makers() -> dict[str, MakeTrial]:
    """What makes a sandbox, for each kind whose folder has one."""
    found = {}
    for kind, folder in sorted(kinds().items()):
        name = f"{folder.__name__}.sandbox"
        make = getattr(importlib.import_module(name), "trial", None) if find_spec(name) is not None else None
        if make is not None:
            found[kind] = make
    return found
