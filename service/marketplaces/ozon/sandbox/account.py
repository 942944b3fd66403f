"""The sandbox as the demo and the contract suite meet it: an rFBS cabinet and an FBS one."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any

from aiohttp import web

from service.marketplaces.ozon.sandbox import memory
from service.marketplaces.ozon.sandbox.api import application
from service.marketplaces.ozon.sandbox.buyers import live
from service.marketplaces.ozon.sandbox.cabinet import Cabinet
from service.marketplaces.ozon.sandbox.chances import lively
from service.marketplaces.ozon.sandbox.market import Ozon
from service.marketplaces.trial import Faults, Trial, Way


def cabinets() -> list[Cabinet]:
    """A cabinet of each model."""
    return [
        Cabinet("ozon-rfbs", "rfbs", "510001", "sandbox-rfbs-key", 22_655_170_176_000, 510001),
        Cabinet("ozon-fbs", "fbs", "510002", "sandbox-fbs-key", 20_605_650_762_000, 510002),
    ]


class OzonTrial:
    """`ozon` is what it keeps; its `chances` may be set to `Chances()` where it should always do the same."""

    title = "Ozon"

    def __init__(self, ozon: Ozon, left_lying: timedelta) -> None:
        self.ozon, self._left_lying, self.journal = ozon, left_lying, ozon.journal
        self.channels: Mapping[str, Mapping[str, Any]] = {
            name: {"kind": "ozon", "model": one.model, "client_id": one.client_id, "api_key": one.api_key}
            for name, one in ozon.cabinets.items()
        }
        self.ways: Mapping[str, Way] = {
            name: Way(shop=True, partly=True) if one.model == "rfbs" else Way() for name, one in ozon.cabinets.items()
        }

    def application(self, hooks: Mapping[str, str]) -> web.Application:
        """The sandbox over HTTP, its clock and its pushes."""
        return application(self.ozon, hooks)

    def place(self, channel: str) -> str:
        """An order of chance goods."""
        return self.ozon.place(channel).number

    def live(self, random: Random) -> None:
        """What buyers do meanwhile."""
        live(self.ozon, random, self._left_lying)
        self.ozon.changed()

    def open(self) -> list[str]:
        """What has not ended, oldest first."""
        return [f"{one.channel}/{one.number}" for one in self.ozon.postings.values() if one.open]

    def code(self, number: str) -> str | None:  # noqa: ARG002 - the port asks by number; Ozon has no such code
        """No courier says one here."""
        return None

    def dump(self) -> bytes:
        """Everything it must not forget."""
        return memory.dump(self.ozon)

    def restore(self, kept: bytes) -> None:
        """Gives it back."""
        memory.restore(self.ozon, kept)


def trial(
    *, seed: int, faults: Faults | None = None, pace: timedelta = timedelta(seconds=5),
    left_lying: timedelta = timedelta(days=1), first: int = 1, changed: Callable[[], None] = lambda: None,
) -> Trial:  # fmt: skip
    """A sandbox Ozon that now and then does what Ozon is known or feared to do."""
    ozon = Ozon(
        cabinets(), seed=seed, faults=faults, chances=lively(), pace=pace, patience=left_lying, first=first,
        changed=changed,
    )  # fmt: skip
    return OzonTrial(ozon, left_lying)
