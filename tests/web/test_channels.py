"""What is told of channels: until when a key is good, and labels of an order's boxes; through real sandboxes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from service import http_client
from service.channels import KEY_WARNING, KeyWatch
from service.http_client import ChannelClient
from service.marketplaces.megamarket.sandbox import trial as megamarket
from service.marketplaces.ozon.sandbox import trial as ozon
from service.marketplaces.trial import Trial
from tests.web.served import CHANNEL, Served, served

NOW = datetime.now(UTC)


@dataclass
class Shops:
    """A served hub with shops of sandboxes."""

    web: Served
    trials: dict[str, Trial]

    def channel(self, name: str) -> Any:
        return self.web.hub.settings.channels[name]

    async def key_looked_at(self, name: str) -> float:
        """The watch looks once; the seconds until the next time."""
        storage = self.web.storage
        async with http_client.sessions() as sessions:
            client = ChannelClient(sessions, self.channel(name).marketplace)
            return await KeyWatch(self.channel(name), storage.work, client, storage.leases)._asked()

    async def page(self, path: str) -> str:
        headers = {**await self.web.headers("auditor"), "Accept-Language": "en"}
        async with self.web.client.get(path, headers=headers) as answer:
            assert answer.status == 200
            return await answer.text()


@pytest.fixture
async def shops(database_url: str, tmp_path: Path) -> AsyncIterator[Shops]:
    trials: dict[str, Trial] = {"ozon": ozon(seed=1), "megamarket": megamarket(seed=1)}
    tables: dict[str, Any] = {"ym-msk": CHANNEL}
    async with (
        TestServer(trials["ozon"].application({})) as one,
        TestServer(trials["megamarket"].application({})) as two,
    ):
        for kind, server in (("ozon", one), ("megamarket", two)):
            url = str(server.make_url("")).rstrip("/")
            tables |= {name: {**table, "base_url": url} for name, table in trials[kind].channels.items()}
        async with served(database_url, tmp_path, {"channels": tables}) as web:
            yield Shops(web, trials)


async def test_a_keys_end_is_told(shops: Shops) -> None:
    """What the marketplace says of a key is in /v1/channels; who does not say is there without."""
    await shops.key_looked_at("ozon-rfbs")
    await shops.key_looked_at("mm-dbs")
    status, page = await shops.web.get("/v1/channels")
    rows = {row["channel"]: row for row in page["items"]}
    assert (status, set(rows)) == (200, set(shops.web.hub.settings.channels))
    assert datetime.fromisoformat(rows["ozon-rfbs"]["key_until"]) > NOW + KEY_WARNING
    assert rows["ozon-rfbs"]["attention"] == []
    assert (rows["mm-dbs"]["key_until"], rows["mm-dbs"]["kind"], rows["mm-dbs"]["mode"]) == (None, "megamarket", "live")


async def test_a_key_that_ends_soon_calls_for_a_person(shops: Shops) -> None:
    """Two weeks before its end the API and the pages say so, and what to do."""
    until = NOW + timedelta(days=5)
    await shops.web.storage.work.advance("key/ozon-rfbs", 0, until)
    _, page = await shops.web.get("/v1/channels")
    (attention,) = [a for row in page["items"] for a in row["attention"]]
    assert attention["code"] == "key_expires"
    assert "make a new one in the cabinet" in attention["message"]
    text = await shops.page("/")
    assert "<b>ozon-rfbs</b>" in text
    assert "key ends soon" in text


async def test_a_marketplace_that_is_away_is_asked_again_soon(shops: Shops, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is no end of a key: what was known stays, and the next look comes within minutes."""
    await shops.key_looked_at("ozon-rfbs")
    monkeypatch.setattr(shops.channel("ozon-rfbs").marketplace, "base_url", "http://127.0.0.1:1")
    assert await shops.key_looked_at("ozon-rfbs") <= 60
    _, page = await shops.web.get("/v1/channels")
    assert next(row for row in page["items"] if row["channel"] == "ozon-rfbs")["key_until"] is not None


async def test_labels_are_printed_by_who_has_them(shops: Shops) -> None:
    """An order nobody placed and a marketplace without labels are answered in words, by 409 and 404."""
    headers = await shops.web.headers("operator")
    for path, status, words in (
        ("/v1/orders/mm-fbs/1/label", 409, "nobody placed"),
        ("/v1/orders/nowhere/1/label", 404, "/v1/channels"),
    ):
        async with shops.web.client.get(path, headers=headers) as answer:
            assert (answer.status, words in await answer.text()) == (status, True)
    auditor = await shops.web.headers("auditor")
    async with shops.web.client.get("/v1/orders/mm-fbs/1/label", headers=auditor) as answer:
        assert answer.status == 403
