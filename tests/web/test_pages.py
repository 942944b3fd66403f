"""The pages say what is in the log, in two languages, to those who may see it, and let nobody's markup through."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from events.codec import encode
from events.order import facts as f
from tests.web.served import served
from tests.web.shop import CONFIG, HUB, LINES, MARKET, Shop

EVIL = '<script>alert("x")</script>'
ESCAPED = "&lt;script&gt;"


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with served(database_url, tmp_path, CONFIG) as made:
        yield Shop(made)


def rows(page: str) -> list[str]:
    """The numbers of the orders listed."""
    return re.findall(r'<a class="main" href="[^"]+">([^<]+)</a>', page)


async def refused(shop: Shop, order: str = "ym-msk/48123456") -> str:
    """An order whose shipping the marketplace refused; the command's id."""
    await shop.place(order)
    mark = await shop.say(order, "order.shipped", f.Shipped(track="RA123"))
    answer = {"code": "STATUS_NOT_ALLOWED", "message": "No such transition", "hint": "Read the order anew"}
    id = await shop.command(order, "delivery", mark, "refused", stage="shipped", **answer)
    await shop.settle()
    return id


async def test_the_list_shows_where_each_order_stands(shop: Shop) -> None:
    """An order's row has its number, 1C's document, stage, goods, total and its nearest deadline with the time left."""
    due = datetime.now(UTC) + timedelta(minutes=50, seconds=30)
    await shop.place("ym-msk/48123456", deadlines=(f.Deadline("delivered", due),))
    await shop.say("ym-msk/48123456", "order.confirmed", f.Confirmed(document=f.Document(number="ЦСУТ-004512")))
    await shop.settle()

    page = await shop.page("/")

    assert rows(page) == ["48123456"]
    for shown in ("ЦСУТ-004512", "Washing machine", "39\u202f570\u202f₽", "50\u00a0min left", "stage-confirmed"):
        assert shown in page
    assert "due near" in page
    assert page.count('<i class="done"') == 1


async def test_filters_narrow_the_list(shop: Shop) -> None:
    """Stage, channel, attention and the search box each leave only what fits, and the page's own refresh keeps them."""
    await shop.place("ym-msk/1001")
    await shop.place("ym-fbs/1002", lines=(f.Line(sku="KETTLE", quantity=2),))
    await shop.say("ym-fbs/1002", "order.assembled", f.Assembled())
    await shop.say("ym-msk/1001", "order.cancellation_requested", f.CancellationRequested(), MARKET)
    await shop.settle()

    assert rows(await shop.page("/?stage=assembled")) == ["1002"]
    assert rows(await shop.page("/?channel=ym-msk")) == ["1001"]
    assert rows(await shop.page("/?attention=any")) == ["1001"]
    assert rows(await shop.page("/?attention=cancellation_requested")) == ["1001"]
    assert rows(await shop.page("/?q=kettle")) == ["1002"]
    assert rows(await shop.page("/?stage=&channel=&q=")) == ["1001", "1002"]
    none = await shop.page("/?q=nothing-like-it")
    assert "No order matches" in none
    assert 'hx-get="/?stage=assembled&amp;q=k"' in await shop.page("/?stage=assembled&q=k")


async def test_the_list_is_paged(shop: Shop) -> None:
    """The link to older orders leads to exactly the rest, with the filters kept; a wrong cursor is told of."""
    for number in range(53):
        await shop.place(f"ym-msk/{number}")
    await shop.settle()

    first = await shop.page("/?channel=ym-msk")
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older is not None
    second = await shop.page(older[1].replace("&amp;", "&"))

    assert len(rows(first)) == 50
    assert sorted(map(int, rows(first) + rows(second))) == list(range(53))
    assert "channel=ym-msk" in older[1]
    assert "cursor" in await shop.page("/?after=x", status=400)


async def test_counts_stand_on_top(shop: Shop) -> None:
    """Each stage that has orders is a link with their number."""
    await shop.place("ym-msk/1")
    await shop.place("ym-msk/2")
    await shop.settle()
    assert re.search(r'href="/\?stage=placed"[^>]*>Placed <b>2</b>', await shop.page("/"))


async def test_nothing_from_outside_becomes_markup(shop: Shop) -> None:
    """Names, articles, comments, statuses, answers and types are text, whoever sent them, wherever they are shown."""
    order, line = "ym-msk/9", f.Line(sku=EVIL, quantity=1, name=EVIL)
    personal = {"customer": {"name": EVIL, "phone": EVIL}, "address": EVIL, "comment": EVIL}
    placed = await shop.place(order, lines=(line,), currency=EVIL, personal=personal, delivery=f.Delivery(type=EVIL))
    await shop.say(order, "marketplace.seen", f.Seen(status=EVIL, began_at=datetime.now(UTC), stage=EVIL), MARKET)
    await shop.say(order, EVIL, b'{"number": "<script>"}', f"1c/{EVIL}", personal={"comment": EVIL})
    await shop.say(order, "order.status", f.Status(status=EVIL))
    await shop.command(order, EVIL, placed, "refused", code=EVIL, message=EVIL, hint=EVIL)
    await shop.reject("bad", f"{{{EVIL}".encode(), reason=EVIL, detail=EVIL)
    await shop.settle()

    for path in ("/", f"/orders/{order}", "/commands?state=failed", "/rejected", f"/?q={EVIL}", f"/?channel={EVIL}"):
        page = await shop.page(path)
        assert ESCAPED in page, path
        assert "<script>" not in page, path
    assert ESCAPED in await shop.page(f"/orders/ym-msk/{EVIL.replace('/', '%2F')}", status=404)


async def test_an_order_tells_its_story(shop: Shop) -> None:
    """Each fact is told in words with its speaker; its commands and their answers stand beneath it."""
    order = "ym-msk/48123456"
    placed = await shop.place(order, personal={"customer": {"name": "Анна Каренина", "phone": "+7900"}})
    await shop.command(order, "order.placed", placed, "done", target="1c")
    late = datetime(2022, 11, 28, 6, 0, tzinfo=UTC)
    shipped = await shop.say(order, "order.shipped", f.Shipped(track="RA123"), at=late)
    await shop.command(order, "delivery", shipped, "done")
    await shop.settle()

    page = await shop.page(f"/orders/{order}")

    assert "The buyer placed the order" in page
    assert "Анна Каренина" in page
    story = page[page.index('id="story"') :]
    entry = story[story.index(f'id="e{shipped}"') : story.index(f'id="e{placed}"')]
    assert '<span class="speaker">1C ut11</span>' in entry
    assert "RA123" in entry
    assert "28\u00a0Nov\u00a02022, 10:00:00" in entry
    assert "occurred" in entry
    assert "recorded" in entry
    assert "on its way" in entry
    assert "attempts: 1" in entry
    assert "recorded" not in story[story.index(f'id="e{placed}"') :]
    assert "Try again" not in page


async def test_a_refused_command_says_why_and_can_be_tried_again(shop: Shop) -> None:
    """The marketplace's code, message and hint are shown with a button that retries; it does; an auditor gets none."""
    id = await refused(shop)
    for path in ("/orders/ym-msk/48123456", "/commands?state=failed"):
        page = await shop.page(path)
        for shown in ("STATUS_NOT_ALLOWED", "No such transition", "Read the order anew"):
            assert shown in page
        assert f'hx-post="/v1/commands/{id}/retry"' in page
        assert "hx-post" not in await shop.page(path, role="auditor")

    headers = {"Cookie": f"okno_token={await shop.served.token('operator')}", "Sec-Fetch-Site": "same-origin"}
    async with shop.client.post(f"/v1/commands/{id}/retry", headers=headers) as answer:
        assert answer.status == 202

    page = await shop.page("/orders/ym-msk/48123456")
    assert "Operator a-operator" in page
    assert "Asked to try again" in page
    assert "state-waiting" in page
    assert f"/v1/commands/{id}/retry" not in page


async def test_what_is_told_to_1c_about_an_answer_stands_beneath_the_mark(shop: Shop) -> None:
    """A message about a command's outcome is shown where the command is, not as a fact of its own."""
    order = "ym-msk/5"
    await shop.place(order)
    mark = await shop.say(order, "order.shipped", f.Shipped())
    await shop.command(order, "delivery", mark, "done")
    outcome = (await shop.log.head()).position
    await shop.command(order, "marketplace.accepted", outcome, "done", target="1c")
    await shop.settle()
    page = await shop.page(f"/orders/{order}")
    entry = page[page.index(f'id="e{mark}"') : page.index('id="e1"')]
    assert "marketplace accepted" in entry
    assert page.count('<li class="entry') == 2


async def test_an_unknown_type_is_still_told(shop: Shop) -> None:
    """A type this version does not know is shown under its own name, with its data as it is, whatever the data is."""
    await shop.place("ym-msk/6")
    await shop.say("ym-msk/6", "order.teleported", b'{"where": "Mars", "lines": 5, "due": {}, "total": "NaN"}')
    await shop.say("ym-msk/6", "order.vanished", b"[1, 2]")
    page = await shop.page("/orders/ym-msk/6")
    assert "Unknown message: order.teleported" in page
    assert "&#34;where&#34;: &#34;Mars&#34;" in page
    assert "Unknown message: order.vanished" in page


async def test_every_known_type_has_words_in_both_languages(shop: Shop) -> None:
    """No fact the log can hold is told as unknown."""
    for type in f.FACTS:
        await shop.say("ym-msk/7", type, _sample(type))
    for language, unknown in (("en", "Unknown message"), ("ru", "Неизвестное сообщение")):
        assert unknown not in await shop.page("/orders/ym-msk/7", language=language)


def _sample(type: str) -> bytes:
    """Data that any type can be read from."""
    moment = "2026-01-01T00:00:00Z"
    texts = dict.fromkeys(("status", "number", "notice", "target", "action", "code", "by", "stage"), "x")
    other = {"document": {"number": "1"}, "date": "2026-01-01", "began_at": moment, "due": moment, "until": 0}
    return encode(texts | other | {"command": type})


async def test_erased_personal_data_is_not_missed(shop: Shop) -> None:
    """An order without personal data says so instead of showing empty lines."""
    await shop.place("ym-msk/8")
    assert "No personal data" in await shop.page("/orders/ym-msk/8")


async def test_rejected_messages_are_shown_whole(shop: Shop) -> None:
    """Reason, detail and body of a message nobody understood, and the button to resubmit it."""
    await shop.reject("r1", b'{"type":"order.confirmed"}', reason="no_order", detail="no subject")
    page = await shop.page("/rejected")
    assert "No order named" in page
    assert "no subject" in page
    assert "&#34;type&#34;: &#34;order.confirmed&#34;" in page
    assert 'hx-post="/v1/rejected/r1/resubmit"' in page
    assert "Nothing was rejected" not in page


async def test_an_empty_hub_says_what_to_do(database_url: str, tmp_path: Path) -> None:
    """Without orders the list says how to connect a marketplace and 1C, and how to look around first."""
    async with served(database_url, tmp_path, {}) as made:
        page = await Shop(made).page("/")
    for shown in ("No orders yet", "[channels.ym-msk]", "okno.in", "POST /v1/events", "okno demo"):
        assert shown in page


@pytest.mark.parametrize("path", ["/", "/orders/ym-msk/1", "/commands", "/rejected"])
async def test_nobody_reads_without_a_role(shop: Shop, path: str) -> None:
    """Without a token 401, with 1C's 403, each with the way to sign in and nothing of an order."""
    await shop.place("ym-msk/1")
    await shop.settle()
    for role, status in ((None, 401), ("onec", 403)):
        page = await shop.page(path, role=role, status=status)
        assert 'action="/login"' in page
        assert "Washing machine" not in page
    await shop.page(path, role="auditor")


async def test_what_is_not_there_is_404(shop: Shop) -> None:
    """An order nobody named and a page nobody wrote are pages too."""
    assert "ym-msk/404" in await shop.page("/orders/ym-msk/404", status=404)
    await shop.page("/nothing/here", status=404)


async def test_the_reader_chooses_the_language(shop: Shop) -> None:
    """The browser's language at first; a click sets it for good, and leads back, on this host only."""
    await shop.place("ym-msk/1")
    await shop.settle()
    assert "Оформлен" in await shop.page("/", language="de, ru-RU;q=0.9, en;q=0.8")
    assert "Placed" in await shop.page("/", language="ru;q=0.1, en")
    for back, led in (("/rejected?after=", "/rejected?after="), ("//evil.example", "/"), ("https://evil.example", "/")):
        async with shop.client.get("/language/ru", params={"back": back}, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, led)
            assert answer.cookies["okno_lang"].value == "ru"
    shop.client.session.cookie_jar.update_cookies({"okno_lang": "ru"})
    async with shop.client.get("/", headers={"Accept-Language": "en"}) as answer:
        assert "Вход" in await answer.text()


async def test_pages_run_no_foreign_code_and_are_not_kept(shop: Shop) -> None:
    """The policy allows this host only; no page has inline code or styles; nobody may frame or store one."""
    await refused(shop)
    for path in ("/", "/orders/ym-msk/48123456", "/commands", "/rejected"):
        async with shop.client.get(path, headers=await shop.served.headers("operator")) as answer:
            page, headers = await answer.text(), answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert (headers["X-Frame-Options"], headers["Cache-Control"]) == ("DENY", "no-store")
        assert re.findall(r"\sstyle=|<style|\son\w+=|<script(?! src=\"/static/)|javascript:|hx-on", page) == []


async def test_static_files_are_kept_while_they_stay_the_same(shop: Shop) -> None:
    """A page's files are there, for a year under their hash; an old hash gets today's file, to be asked for again."""
    page = await shop.page("/", role=None, status=401)
    found = set(re.findall(r'"(/static/[^"]+)"', page))
    assert {path.rpartition("/")[2] for path in found} == {"htmx.min.js", "icon.svg", "okno.css", "okno.js"}
    for path in found:
        async with shop.client.get(path) as answer:
            assert answer.status == 200
            assert "immutable" in answer.headers["Cache-Control"]
    async with shop.client.get("/static/0000/okno.css") as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")
    async with shop.client.get("/static/0000/README.md") as answer:
        assert answer.status == 404


async def test_a_document_without_an_order_has_its_page(shop: Shop) -> None:
    """Marks under a document of 1C that no order is linked to can be looked at under that key."""
    await shop.say("1c/6f9", "order.confirmed", f.Confirmed(lines=LINES))
    await shop.say("1c/6f9", "attention.cleared", f.AttentionCleared(code="order_unknown", until=1), HUB, actor="anna")
    assert "Operator anna" in await shop.page("/orders/1c/6f9")
