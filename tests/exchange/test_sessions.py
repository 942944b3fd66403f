"""Sessions: who may, what is refused, and what a refusal says."""

from typing import Any

import pytest

from service import tokens
from tests.exchange.conftest import Shop
from tests.exchange.onec import OneC
from tests.onec.commerceml.making import document, file

FILE = file(document("ym-msk/1", {"Проведен": "true"}))


async def refused(base: OneC, mode: str, **more: Any) -> str:
    """Why an answer is a failure; with status 200, as 1C shows only then what stands there."""
    failure, why = await base.lines(mode, **more)
    assert failure == "failure"
    assert why
    return why


async def test_checkauth_gives_a_cookie_and_a_sessid(shop: Shop) -> None:
    """Four lines, in plain ASCII, ending each in one newline."""
    base = await shop.base()
    status, body = await base.ask("checkauth")
    assert status == 200
    success, name, value, sessid, end = body.decode("ascii").split("\n")
    assert (success, name, sessid.partition("=")[0], end) == ("success", "okno_exchange", "sessid", "")
    assert len(value) > 40


async def test_without_a_login_1c_is_asked_for_it(shop: Shop) -> None:
    """401 with Basic: there are clients that send theirs only then."""
    async with shop.client.get("/exchange/1c/ym-msk?type=sale&mode=checkauth") as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="okno"')
        assert (await answer.text()).startswith("\ufefffailure\n")


async def test_a_wrong_password_is_refused(shop: Shop) -> None:
    """So is a token with another role, and a header that is no login."""
    wrong = [await tokens.add(shop.pool, role, role) for role in ("auditor", "operator")]
    for token in (*wrong, "okno_wrong", ""):
        assert "токен" in await refused(OneC(shop.client, token), "checkauth")
    base = await shop.base()
    base.login = "Basic ?"
    assert "токен" in await refused(base, "checkauth")


async def test_without_a_session_nothing_is_answered(shop: Shop) -> None:
    """No cookie, one nobody gave, and one that is over."""
    modes = ("init", "query", "success", "file", "import", "info")
    base = await shop.base()
    for cookie in (None, "okno_exchange=made-up"):
        base.cookie = cookie
        for mode in modes:
            assert "сеанс" in await refused(base, mode)
    await base.begin()
    await shop.pool.execute("UPDATE okno.exchange_sessions SET seen_at = now() - interval '61 minutes'")
    for mode in modes:
        assert "сеанс" in await refused(base, mode)


async def test_a_session_is_for_its_address_and_its_token(shop: Shop) -> None:
    """Another address begins another one; a token made anew ends those of the old one."""
    base = await shop.base()
    await base.begin()
    base.address = "/exchange/1c/ym-spb"
    assert "каналов" in await refused(base, "query")
    base.address = "/exchange/1c/ym-msk"
    assert await base.orders() == []
    await tokens.add(shop.pool, "exchange-ut11", "onec", "ut11")
    assert "сеанс" in await refused(base, "query")


async def test_a_sessid_must_be_the_sessions(shop: Shop) -> None:
    """Who named a version knows it, and must send it; the old protocol may leave it out, not have it wrong."""
    old, new = await shop.base(), await shop.base("unf", version="2.08")
    await old.begin()
    assert await old.orders() == []
    assert "sessid" in await refused(old, "query", sessid="wrong")
    await new.begin()
    assert await new.orders() == []
    new.sessid = "wrong"
    assert "sessid" in await refused(new, "query")
    new.sessid = None
    assert "sessid" in await refused(new, "query")


VERSIONS = {
    "2.04": "2.04", "2.10": "2.10", "3.1": "3.1", "3.5": "3.1", "2.99": "2.10", "1.0": "2.03", "x": "2.03",
}  # fmt: skip


async def test_the_version_is_the_one_asked_for_if_we_know_it(shop: Shop) -> None:
    """Else the nearest; where one is set for the base, that one."""
    for asked, given in VERSIONS.items():
        assert (await (await shop.base(version=asked)).begin())[-1] == f"version={given}"
        assert (await (await shop.base("unf", version=asked)).begin())[-1] == "version=2.09"


async def test_other_exchanges_and_commands_are_refused(shop: Shop) -> None:
    """A catalogue, an unknown mode, an unknown channel: each with its reason."""
    base = await shop.base()
    assert "type=sale" in await refused(base, "checkauth", type="catalog")
    assert "каналов" not in await refused(base, "checkauth", type="")
    await base.begin()
    assert "mode=delete" in await refused(base, "delete")
    unknown = await shop.base(address="/exchange/1c/ym-msk,nowhere")
    assert "nowhere" in await refused(unknown, "checkauth")
    assert "нет каналов" in await refused(await shop.base(address="/exchange/1c/,"), "checkauth")


async def test_names_of_files_are_names(shop: Shop) -> None:
    """Folders before them are cut; what is left must be a name."""
    base = await shop.base(version="2.08")
    await base.begin()
    for path in ("/tmp/v8_1/orders.xml", "upload\\1c\\webdata\\orders.xml", "../../etc/orders.xml"):
        assert await base.lines("file", data=FILE, filename=path) == ["success"]
    rows = await shop.pool.fetch("SELECT name, bytes FROM okno.exchange_files")
    assert [tuple(row.values()) for row in rows] == [("orders.xml", 3 * len(FILE))]
    for path in ("", "..", "/", "a\nb", "x" * 300):
        assert "filename" in await refused(base, "file", data=FILE, filename=path)
    assert "не было" in await refused(base, "import", filename="other.xml")


async def test_packed_and_foreign_files_are_refused(shop: Shop) -> None:
    """ZIP, gzip, no XML, nothing at all."""
    base = await shop.base(version="2.08")
    await base.begin()
    for content in (b"PK\x03\x04...", b"\x1f\x8b\x08.."):
        assert "упакован" in await refused(base, "file", data=content, filename="orders.zip")
    assert "XML" in await refused(base, "file", data=b"{}", filename="orders.xml")
    assert "нет файла" in await refused(base, "file", data=b"", filename="orders.xml")
    headers = {"Content-Encoding": "gzip", "Cookie": base.cookie or ""}
    query = {"type": "sale", "mode": "file", "filename": "a", "sessid": base.sessid or ""}
    async with shop.client.post(base.address, params=query, data=b"\x1f\x8b", headers=headers) as answer:
        assert "failure" in await answer.text()


async def test_a_file_may_be_only_so_large(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one request as in many; what was too much is not kept."""
    monkeypatch.setattr("service.web.exchange.LARGEST", 1000)
    monkeypatch.setattr("service.exchange.files.LARGEST", 1000)
    base = await shop.base(version="2.08")
    await base.begin()
    assert "больше" in await refused(base, "file", data=b"<" + b" " * 1000, filename="a.xml")
    assert await base.lines("file", data=b"<" + b" " * 600, filename="a.xml") == ["success"]
    assert "больше" in await refused(base, "file", data=b" " * 600, filename="a.xml")
    assert await shop.pool.fetchval("SELECT sum(bytes) FROM okno.exchange_files") == 601


async def test_a_document_may_be_only_so_large(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in memory whole; nothing of its file is taken."""
    monkeypatch.setattr("service.exchange.splitting.LARGEST", 100)
    base = await shop.base()
    await base.begin()
    assert "документ больше" in await refused(base, "file", data=FILE, filename="a.xml")
    assert await shop.log.read(0) == []


async def test_info_lists_what_may_be_mapped(shop: Shop) -> None:
    """Statuses, payments and deliveries, each with its id and name."""
    base = await shop.base()
    await base.begin()
    status, body = await base.ask("info")
    text = body.decode("utf-8-sig")
    assert status == 200
    assert "<Ид>assembled</Ид>" in text
    assert "<Название>Собран</Название>" in text
    assert text.count("татусы>") == 4


async def test_without_postgres_1c_is_told_to_come_again(shop: Shop) -> None:
    """A failure it can show; nothing moves."""
    await shop.order("ym-msk/1")
    base = await shop.base()
    await base.begin()
    kept, shop.served.hub.storage = shop.served.hub.storage, None
    assert "недоступна" in await refused(base, "query")
    shop.served.hub.storage = kept
    shop.served.hub.door.intake = None
    assert "недоступна" in await refused(base, "file", data=FILE, filename="a.xml")
