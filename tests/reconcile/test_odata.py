"""1C's OData is read page by page, whatever a publication refuses."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from service.onec.config import OData
from service.reconcile import ODataError, Orders, odata
from tests.reconcile.base import LOGIN, PASSWORD, Base, document, published

SAMARA = ZoneInfo("Europe/Samara")
NOON = datetime(2022, 11, 28, 8, tzinfo=UTC)
"""By the clock of Samara."""

DOCUMENTS = [document(n, f"ym-msk/{n}", f"2022-11-28T{8 + n:02}:00:00") for n in range(1, 8)]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(odata, "PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture
async def base() -> AsyncIterator[Base]:
    async with published() as made:
        made.documents = DOCUMENTS[::-1]
        yield made


async def listed(base: Base, since: datetime | None = None, url: str = "", **configured: Any) -> list[dict[str, Any]]:
    """The documents it lists, three a page."""
    own = OData(**{"url": base.url, "login": LOGIN, "password": PASSWORD, **configured})
    async with Orders(url or base.url, own, SAMARA, page=3) as orders:
        pages = [json.loads(body) async for body in orders.bodies(since, lambda _: None)]
    assert {page["odata.metadata"].partition("#")[2] for page in pages} <= {base.entity}
    return [found for page in pages for found in page["value"]]


def numbers(found: list[dict[str, Any]]) -> list[str]:
    """The orders they are about."""
    return [one["НомерПоДаннымКлиента"].partition("/")[2] for one in found]


async def test_page_by_page_in_order_of_dates(base: Base) -> None:
    """To the page that is empty: a server may give fewer than asked for."""
    assert numbers(await listed(base)) == list("1234567")
    assert [q["$skip"] for entity, q in base.asked if entity == base.entity] == ["0", "3", "6", "7"]


async def test_since_by_the_bases_own_clock(base: Base) -> None:
    """1C has no zones: 8 in Greenwich is noon in Samara."""
    assert numbers(await listed(base, NOON)) == list("4567")
    assert base.asked[0][1]["$filter"] == "Date ge datetime'2022-11-28T12:00:00'"


async def test_a_publication_that_refuses_dates(base: Base) -> None:
    """Everything is read, and dates are looked at here."""
    base.takes_dates = False
    assert numbers(await listed(base, NOON)) == list("4567")
    base.takes_order = False
    assert sorted(numbers(await listed(base, NOON))) == list("4567")
    assert sorted(numbers(await listed(base))) == list("1234567")


async def test_goods_get_their_articles(base: Base) -> None:
    """A reference says nothing to the marketplace; each is looked up once."""
    found = await listed(base)
    assert [line["Артикул"] for line in found[-1]["Товары"]] == ["A-1", "B-7"]
    assert sum(entity.startswith("Catalog") for entity, _ in base.asked) == 1
    base.shows_goods = False
    assert "Артикул" not in (await listed(base))[0]["Товары"][0]


async def test_the_document_is_found_by_trying(base: Base) -> None:
    """УНФ has another one; a configured one, and one in the address, is taken as it is."""
    base.entity = "Document_ЗаказПокупателя"
    assert len(await listed(base)) == 7
    base.entity, base.asked = "Document_Заказы", []
    assert len(await listed(base, entity="Document_Заказы")) == 7
    assert len(await listed(base, url=f"{base.url}/Document_Заказы?$format=json")) == 7
    assert {entity for entity, _ in base.asked if not entity.startswith("Catalog")} == {"Document_Заказы"}
    with pytest.raises(ODataError, match=r"404: let 1C's OData interface show this document"):
        await listed(base)


async def test_a_fault_is_waited_out(base: Base) -> None:
    """500 and 503, then fine; one that stays is said, with what the server says."""
    base.faults = [500, 503, 429]
    assert len(await listed(base)) == 7
    base.faults = [500] * 100
    with pytest.raises(ODataError, match=r"500.*Внутренняя ошибка"):
        await listed(base)


async def test_login_and_password(base: Base) -> None:
    """Wrong ones are said at once; those of an address go to no other one; the address may hold its own."""
    with pytest.raises(ODataError, match="401: login and password"):
        await listed(base, password="x")
    with pytest.raises(ODataError, match="401"):
        await listed(base, url=base.url.replace("127.0.0.1", "localhost"))
    assert len(base.asked) == 2
    held = base.url.replace("//", "//%D0%BE%D0%B1%D0%BC%D0%B5%D0%BD:%D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C@")
    assert len(await listed(base, url=held, login="")) == 7
    base.faults = [404] * 9
    with pytest.raises(ODataError) as refused:
        await listed(base, url=held)
    assert "%D0%BF%D0%B0%D1%80" not in str(refused.value)


async def test_a_server_that_does_not_page(base: Base) -> None:
    """The same page for ever is an error, and no endless list."""
    base.knows_skip = False
    with pytest.raises(ODataError, match="same page"):
        await listed(base)


async def test_nobody_answers() -> None:
    """Whoever is away is named with its address."""
    async with Orders("http://127.0.0.1:9/x", None, SAMARA) as orders:
        with pytest.raises(ODataError, match="does not answer"):
            await anext(orders.bodies(None, lambda _: None))


async def test_somebody_else_answers(base: Base) -> None:
    """A page for people, or JSON of another kind: the address is wrong, and nothing is taken for an empty list."""
    for text in ("<html>Войдите</html>", "{}", '{"value": 1}', "[]"):
        base.instead = text
        with pytest.raises(ODataError, match="gives no OData in JSON"):
            await listed(base)
