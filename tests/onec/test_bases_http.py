"""A token may speak for one base of 1C: what it posts is that base's, what it reads is told to that base."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from events.codec import own_event
from events.order import facts as f
from service import tokens
from service.cli import main
from tests.web.served import CHANNEL, Served, served

ORDER = "ym-msk/48123456"
CONFIG: dict[str, Any] = {
    "channels": {name: {**CHANNEL, "campaign_id": n} for n, name in enumerate(("ym-msk", "ym-spb", "ym-kzn"), 1)},
    "onec": {"sources": {"ut11": {"tells": ["ym-spb", "ym-kzn"], "timezone": "Europe/Samara"}, "perm": {}}},
}


@pytest.fixture
async def web(database_url: str, tmp_path: Path) -> AsyncIterator[Served]:
    async with served(database_url, tmp_path, CONFIG) as made:
        yield made


async def bearer(web: Served, name: str, source: str | None) -> dict[str, str]:
    """The header of a token for a base."""
    return {"Authorization": f"Bearer {await tokens.add(web.storage.pool, name, 'onec', source)}"}


def event(**changes: Any) -> dict[str, Any]:
    """A CloudEvent of 1C's that names no base."""
    return {"specversion": "1.0", "id": "1", "type": "order.confirmed", "subject": ORDER,
            "time": "2022-11-28T10:00:00", "data": {}} | changes  # fmt: skip


async def test_what_a_token_posts_is_its_bases(web: Served) -> None:
    """A source left out is filled in, the base's zone with it; its own name is welcome."""
    headers = await bearer(web, "exchange-job", "ut11")
    for id, named in (("1", {}), ("2", {"source": "1c/ut11"}), ("3", {"source": " 1c/ut11 "})):
        assert (await web.post("/v1/events", event(id=id, **named), headers=headers))[0] == 202
    stored = await web.storage.log.read(0)
    assert {(e.source, e.occurred_at.hour) for e in stored} == {("1c/ut11", 6)}


@pytest.mark.parametrize("source", ["1c/perm", "1c/UT11", "1c", "ut11", "channel/ym-msk", "okno"])
async def test_a_token_speaks_for_no_other_base(web: Served, source: str) -> None:
    """400 at /source, in binary mode and in a batch too, and nothing is taken."""
    headers = await bearer(web, "exchange-job", "ut11")
    status, told = await web.post("/v1/events", [event(), event(source=source)], headers=headers)
    assert (status, told["errors"][0]["pointer"]) == (400, "/1/source")
    assert "is for 1c/ut11 only: leave source out" in told["errors"][0]["detail"]
    binary = {"ce-type": "order.confirmed", "ce-subject": ORDER, "ce-source": source, "ce-id": "7"}
    assert (await web.post("/v1/events", {}, headers={**headers, **binary}))[0] == 400
    assert await web.storage.log.read(0) == []


async def test_a_token_for_any_base_is_what_it_was(web: Served) -> None:
    """Its name is the base where none is named, and any base may be named."""
    headers = await bearer(web, "perm", None)
    await web.post("/v1/events", [event(), event(id="2", source="1c/elsewhere")], headers=headers)
    assert [e.source for e in await web.storage.log.read(0)] == ["1c/perm", "1c/elsewhere"]


async def test_the_outbox_shows_what_a_base_is_told_of(web: Served) -> None:
    """Its own channels, page by page with a cursor that passes the others by; other tokens see all."""
    for number in range(3):
        for channel in ("ym-msk", "ym-spb", "ym-kzn"):
            order, id = f"{channel}/{number}", f"c-{channel}-{number}"
            wanted = f.CommandRequested(command=id, target="1c", action="order.placed")
            placed = own_event(order, "order.placed", id, f.Placed(number=str(number)), None)
            [cause] = await web.storage.log.append([placed])
            await web.storage.log.append([own_event(order, "command.requested", id, wanted, cause.position)])

    async def read(headers: dict[str, str]) -> list[str]:
        found, cursor = list[str](), ""
        while True:
            async with web.client.get("/v1/outbox", params={"after": cursor, "limit": "2"}, headers=headers) as answer:
                page = msgspec.json.decode(await answer.read())
            if not page["items"]:
                return found
            found += [item["id"] for item in page["items"]]
            cursor = page["cursor"]

    own = [f"c-{channel}-{number}" for number in range(3) for channel in ("ym-spb", "ym-kzn")]
    every = [f"c-{channel}-{number}" for number in range(3) for channel in ("ym-msk", "ym-spb", "ym-kzn")]
    assert await read(await bearer(web, "one", "ut11")) == own
    assert await read(await bearer(web, "two", "perm")) == await read(await bearer(web, "any", None)) == every


def test_a_token_is_made_for_a_base_that_is_there(database_url: str, tmp_path: Path) -> None:
    """Another name is refused with those there are, and no role but 1C's has a base."""
    config = tmp_path / "okno.toml"
    config.write_text(f"""
data_dir = "{tmp_path}/var"
[postgres]
url = "{database_url}"
[onec.sources.ut11]
[onec.sources.unf]
""")

    def add(*words: str) -> Any:
        return CliRunner().invoke(main, ["token", "add", "x", *words, "--config", str(config)])

    made = add("--role", "onec", "--source", "ut11")
    assert (made.exit_code, made.output.splitlines()[-1].startswith("okno_")) == (0, True)
    unknown, wrong = add("--role", "onec", "--source", "ut"), add("--role", "operator", "--source", "ut11")
    assert (unknown.exit_code, wrong.exit_code) == (2, 2)
    assert "unf, ut11" in unknown.output
    assert "--role onec" in wrong.output
