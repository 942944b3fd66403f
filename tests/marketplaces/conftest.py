"""Every marketplace's sandbox over real HTTP, a shop each."""

import importlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from service.marketplaces import kinds
from service.marketplaces.port import Marketplace
from service.marketplaces.trial import Trial
from tests.acceptance.spec import Spec, specs_dir
from tests.marketplaces.hub import Hub

PACE = timedelta(seconds=0.05)


def trial(kind: str) -> Trial:
    """A folder's sandbox."""
    made: Trial = importlib.import_module(f"service.marketplaces.{kind}.sandbox").trial(seed=1, pace=PACE, first=1000)
    return made


CHANNELS = [(kind, name) for kind in sorted(kinds()) for name in trial(kind).channels]


@dataclass(frozen=True)
class Shop:
    """One channel at its sandbox."""

    kind: str
    channel: str
    trial: Trial
    url: str
    session: aiohttp.ClientSession

    def hub(self) -> Hub:
        """A hub for one order."""
        return Hub(self.market, self.session)

    @property
    def market(self) -> Marketplace:
        table: dict[str, Any] = dict(self.trial.channels[self.channel])
        made: Marketplace = kinds()[table.pop("kind")].make(
            self.channel, model=table.pop("model"), base_url=self.url, options=table
        )
        return made


@pytest.fixture(params=CHANNELS, ids=lambda pair: pair[1])
async def shop(request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    """Each model of each marketplace."""
    kind, channel = request.param
    sandbox = trial(kind)
    async with TestServer(sandbox.application({})) as server, aiohttp.ClientSession() as session:
        yield Shop(kind, channel, sandbox, str(server.make_url("")).rstrip("/"), session)


@cache
def official(kind: str) -> Spec | None:
    """A marketplace's official OpenAPI, where it lies beside the checkout."""
    found = sorted(specs_dir().glob(f"{kind}*/openapi*.json"))
    return Spec(_judging(json.loads(found[0].read_text("utf-8")))) if found else None


def _judging(node: Any) -> Any:
    """The document without patterns that are prose (`YYYY-MM-DDThh:mm:ssZ`) and match no value."""
    if isinstance(node, list):
        return [_judging(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _judging(value) for key, value in node.items() if key != "pattern" or "YYYY" not in str(value)}


@pytest.fixture(params=sorted(kinds()))
def kind(request: pytest.FixtureRequest) -> str:
    """Each marketplace."""
    return str(request.param)
