"""An order's history over HTTP and on its page: changes, raw messages for those who may, verdicts, moments."""

import re
import string
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from events.codec import own_event
from events.order import facts as f
from service.audit.legs import WHY
from service.audit.verdicts import SAYS, TAILS
from service.web.pages.speech import texts
from tests.web.served import served
from tests.web.shop import CONFIG, HUB, MARKET, Shop

ORDER = "ym-msk/48123456"
PATH = f"/v1/orders/{ORDER}/history"
HOUR = timedelta(hours=1)


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with served(database_url, tmp_path, CONFIG) as made:
        yield Shop(made)


async def late(shop: Shop) -> datetime:
    """An order due an hour ago, marked two hours ago, recorded and told just now; when it was marked."""
    now = datetime.now(UTC)
    await shop.place(ORDER, deadlines=(f.Deadline("shipped", now - HOUR),))
    await shop.log.append([own_event(ORDER, "deadline.near", "n", f.DeadlineNear(stage="shipped", due=now - HOUR), 1)])
    mark = await shop.say(ORDER, "order.shipped", f.Shipped(track="RA123"), at=now - 2 * HOUR)
    await shop.command(ORDER, "delivery", mark, "done", stage="shipped", attempts=2, trouble="HTTP 503")
    await shop.settle()
    return now - 2 * HOUR


async def raw(shop: Shop, body: bytes) -> None:
    """A message with its body as received."""
    from tests.events.said import new

    await shop.log.append([new("raw", order=ORDER, type="order.confirmed", fact=f.Confirmed(), body=body)])


async def test_the_api_tells_who_was_late(shop: Shop) -> None:
    """`marks` has the minutes of each leg, whose the deadline passed in, and the sentence."""
    marked = await late(shop)
    status, found = await shop.served.get(PATH)
    assert status == 200
    (mark,) = found["marks"]
    told = (mark["stage"], mark["step"], mark["state"], mark["verdict"], mark["attempts"])
    assert told[:3] == ("shipped", "delivery", "done")
    assert mark["legs"][0]["who"] == "1c"
    assert mark["legs"][0]["from"] == marked.isoformat().replace("+00:00", "Z")
    assert mark["legs"][0]["seconds"] == pytest.approx(7200, abs=30)
    assert mark["says"].startswith(("1C late", "hub late"))
    shipped = found["items"][2]
    assert {change["field"]: change["after"] for change in shipped["changed"]}["stage"] == "shipped"
    assert shipped["effects"] == [4]


async def test_only_auditors_and_admins_see_raw_messages(shop: Shop) -> None:
    """An operator is refused; without the wish nobody gets them."""
    await raw(shop, b'{"secret": "as received"}')
    for role in ("auditor", "admin"):
        _, found = await shop.served.get(PATH, role, raw="1")
        assert found["items"][0]["body"] == '{"secret": "as received"}'
    assert (await shop.served.get(PATH, "operator", raw="1"))[0] == 403
    _, found = await shop.served.get(PATH, "operator")
    assert "body" not in found["items"][0]
    assert "as received" in await shop.page(f"/orders/{ORDER}", role="auditor")
    assert "as received" not in await shop.page(f"/orders/{ORDER}", role="operator")


async def test_a_history_up_to_a_version(shop: Shop) -> None:
    """With its state; together with `at` it is refused, with `known_at` not."""
    await late(shop)
    _, found = await shop.served.get(PATH, version="1")
    assert ([e["version"] for e in found["items"]], found["state"]["stage"]) == ([1], "placed")
    assert (await shop.served.get(PATH, version="1", at="2026-01-01T00:00:00Z"))[0] == 400
    assert (await shop.served.get(PATH, version="x"))[0] == 400
    _, known = await shop.served.get(PATH, version="1", known_at="2020-01-01T00:00:00Z")
    assert (known["items"], known["state"], known["marks"]) == ([], None, [])


async def test_a_document_leads_to_its_order(shop: Shop) -> None:
    """The API answers with the order's history, the page leads to the order's."""
    from tests.events.said import new

    registered = f.Registered(document=f.Document("D-7", "УТ-7"))
    await shop.log.append([new(1, order=ORDER, type="order.registered", fact=registered, document="d-7")])
    _, found = await shop.served.get("/v1/orders/1c/D-7/history")
    assert (found["order"], len(found["items"])) == (ORDER, 1)
    async with shop.client.get(
        "/orders/1c/D-7", headers=await shop.served.headers("auditor"), allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, f"/orders/{ORDER}")


async def test_the_page_says_who_was_late_in_both_languages(shop: Shop) -> None:
    """The verdict, the minutes of each leg and what the mark changed."""
    await late(shop)
    for language, words in (
        ("en", ("late", "Minutes of each leg", "from 1C&#39;s mark to the hub&#39;s log", "Placed → <b>Shipped</b>")),
        ("ru", ("Опоздал", "Минуты каждого участка", "от отметки в 1С до журнала хаба", "Оформлен → <b>Отгружен</b>")),
    ):
        page = await shop.page(f"/orders/{ORDER}", language=language)
        assert 'class="mark late"' in page
        for word in words:
            assert word in page, word


async def test_the_page_shows_what_was_known_then(shop: Shop) -> None:
    """By version, by when it was recorded, by when it occurred; without buttons and without refreshing itself."""
    await late(shop)
    then = await shop.page(f"/orders/{ORDER}?version=1")
    assert "After event No. 1" in then
    assert "stage-placed" in then
    assert "The buyer placed the order" in then
    assert "RA123" not in then
    assert "hx-get" not in then
    marked = datetime.now(UTC) - 1.5 * HOUR
    local = marked.astimezone(shop.served.hub.settings.timezone).strftime("%Y-%m-%dT%H:%M:%S")
    occurred = await shop.page(f"/orders/{ORDER}?moment={local}&by=occurred")
    assert "RA123" in occurred
    assert "What had occurred by" in occurred
    assert f'value="{local}"' in occurred
    assert "By then nothing was known" in await shop.page(f"/orders/{ORDER}?moment={local}&by=recorded", status=404)
    assert "A moment is written as" in await shop.page(f"/orders/{ORDER}?moment=yesterday", status=400)
    assert "hx-get" in await shop.page(f"/orders/{ORDER}")


async def test_the_page_shows_the_buyer_as_he_was_known_then(shop: Shop) -> None:
    """An address that was told later is not shown for a moment before it, nor one of before for the present."""
    await shop.place(ORDER, personal={"customer": {"name": "Пётр"}, "address": "Самара, Садовая"})
    await shop.say(ORDER, "order.confirmed", f.Confirmed(), personal={"address": "Самара, Полевая"})
    now, then = await shop.page(f"/orders/{ORDER}"), await shop.page(f"/orders/{ORDER}?version=1")
    for page, shown, hidden in ((now, "Полевая", "Садовая"), (then, "Садовая", "Полевая")):
        about = page[page.index("Пётр") :]
        assert shown in about[:500]
        assert hidden not in about[:500]
    assert "Полевая" not in then


async def test_what_was_destroyed_is_said_on_the_page(shop: Shop) -> None:
    """By whom and when, also for a moment before it."""
    await shop.place(ORDER)
    await shop.say(ORDER, "order.erased", f.Erased(reason="asked for"), HUB, actor="cli/anna")
    for query in ("", "?version=1"):
        assert "cli/anna" in await shop.page(f"/orders/{ORDER}{query}")


async def test_a_message_to_1c_names_the_answer_it_follows_from(shop: Shop) -> None:
    """And an entry the one it was caused by, as a link."""
    placed = await shop.place(ORDER)
    mark = await shop.say(ORDER, "order.shipped", f.Shipped(), cause=placed)
    await shop.command(ORDER, "delivery", mark, "done", stage="shipped")
    outcome = (await shop.log.head()).position
    await shop.command(ORDER, "marketplace.accepted", outcome, "done", target="1c", stage="shipped")
    await shop.say(ORDER, "marketplace.seen", f.Seen(status="X", began_at=datetime.now(UTC)), MARKET)
    page = await shop.page(f"/orders/{ORDER}")
    assert re.search(rf'because of: <a href="#e{placed}">The buyer placed the order</a>', page)
    assert "because of: on its way" in page


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_verdict_has_its_words_on_the_page(language: str) -> None:
    """The same verdicts and legs as the audit knows, with the same values; in English the same sentences."""
    table = texts(language)
    for section, known in (("verdict", SAYS), ("verdict_tail", TAILS), ("leg", WHY)):
        assert set(table[section]) == set(known)
        for key, text in known.items():
            names = [
                {name for _, name, _, _ in string.Formatter().parse(one) if name} for one in (text, table[section][key])
            ]
            assert names[0] == names[1], key
            if language == "en":
                assert table[section][key].casefold().replace("“", "").replace("”", "") == text.casefold(), key
