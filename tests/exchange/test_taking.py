"""What 1C sends by `file` and `import`: taken whole or not at all, once, for orders of these channels."""

from collections.abc import Callable

import pytest

from events.order import facts as f
from service.exchange import taking
from service.exchange.files import Files
from service.exchange.leaving import clear
from service.exchange.sessions import Sessions
from service.exchange.taking import Taking
from tests.exchange.conftest import Shop
from tests.onec.commerceml.making import FROM_1C, document, file, goods, public

ORDER = "ym-msk/48123456"
SHIPPED = {"Проведен": "true", "Номер по 1С": "ЦСУТ-1", "Номер отгрузки по 1С": "О-1"}
BOTH = pytest.mark.parametrize("version", [None, "2.08"])


@BOTH
async def test_a_document_becomes_what_follows_from_it(shop: Shop, version: str | None) -> None:
    """In any number of pieces, by either protocol: it is in the log before the answer."""
    base = await shop.base(version=version)
    await base.begin()
    for number, piece in enumerate((None, 700, 64)):
        key = await shop.order(f"ym-msk/{number}")
        assert await base.send(file(document(key, SHIPPED)), piece=piece) == ["success"]
        assert await shop.facts(key) == ["order.snapshot", "order.registered", "order.confirmed", "order.shipped"]


async def test_a_whole_session(shop: Shop) -> None:
    """Orders first, then what 1C says of them; the next session brings nothing back."""
    await shop.order(ORDER)
    base = await shop.base(version="2.10")
    assert await base.begin() == ["zip=no", f"file_limit={base.limit}", f"sessid={base.sessid}", "version=2.10"]
    [order] = await base.orders()
    await base.confirm()
    answer = document(order.findtext("Ид") or "", {"Проведен": "true"})
    assert await base.send(file(answer), "/tmp/v8/documents.xml") == ["success"]
    await shop.react()
    await base.begin()
    assert await base.orders() == []


@BOTH
async def test_a_repeat_changes_nothing(shop: Shop, version: str | None) -> None:
    """The same file in the same session, in another one, and exported anew: nothing is added to the log."""
    await shop.order(ORDER)
    base = await shop.base(version=version)
    for formed in ("2026-11-21T10:00:00", "2026-11-21T10:00:00", "2026-11-21T11:00:00", "2026-11-21"):
        await base.begin()
        for _ in range(2):
            assert await base.send(file(document(ORDER, SHIPPED), formed=formed)) == ["success"]
    assert (await shop.facts(ORDER)).count("order.snapshot") == 1
    assert len(await shop.facts(ORDER)) == 4


async def test_back_to_an_earlier_state_is_seen(shop: Shop) -> None:
    """On the same day, in files that say only the day: each session is a state of its own."""
    await shop.order(ORDER)
    base = await shop.base()
    for posted in ("true", "false", "true"):
        await base.begin()
        await base.send(file(document(ORDER, {"Проведен": posted}), formed="2026-11-21"))
    assert await shop.facts(ORDER) == [
        "order.snapshot", "order.confirmed", "order.snapshot", "order.unposted", "order.snapshot", "order.posted",
    ]  # fmt: skip


async def test_the_public_file_byte_for_byte(shop: Shop) -> None:
    """1C exports its whole shop: orders that are none of ours are left out, those the log knows are taken."""
    for number in ("320", "482"):
        await shop.order(f"ym-msk/{number}")
    base = await shop.base(version="3.1")
    await base.begin()
    assert await base.send(public(FROM_1C), piece=10_000) == ["success"]
    assert "order.shipped" in await shop.facts("ym-msk/320")
    assert {e.order for e in await shop.log.read(0)} == {"ym-msk/320", "ym-msk/482"}


async def test_a_number_two_channels_know_is_nobodys(shop: Shop) -> None:
    """By its number alone it can't be told whose it is; by its key it can."""
    await shop.order("ym-msk/5")
    await shop.order("ym-spb/5")
    base = await shop.base(address="/exchange/1c/all")
    await base.begin()
    await base.send(file(document("5", SHIPPED)))
    assert await shop.facts("ym-msk/5") == await shop.facts("ym-spb/5") == []
    await base.send(file(document("ym-spb/5", SHIPPED)))
    assert "order.shipped" in await shop.facts("ym-spb/5")


async def test_other_channels_orders_and_payments_are_left_out(shop: Shop) -> None:
    """They are no fault of the file's, and nothing is kept of them."""
    await shop.order(ORDER)
    await shop.order("ym-spb/7")
    base = await shop.base()
    await base.begin()
    paid = document("p", operation="Выплата безналичных денег", more=f"<Основание>{ORDER}</Основание>")
    assert await base.send(file(document("ym-spb/7", SHIPPED), paid, document("2024/15"))) == ["success"]
    assert await shop.facts("ym-spb/7") == []
    assert await shop.pool.fetchval("SELECT count(*) FROM okno.rejected") == 0


async def test_an_order_of_ours_that_is_not_understood_is_kept(shop: Shop) -> None:
    """Whole, with the reason, and the others are taken."""
    await shop.order(ORDER)
    base = await shop.base()
    await base.begin()
    bad = document("ym-msk/9", lines=goods("A", quantity="-1"))
    assert await base.send(file(bad, document(ORDER, SHIPPED))) == ["success"]
    assert "order.shipped" in await shop.facts(ORDER)
    row = await shop.pool.fetchrow("SELECT reason, body FROM okno.rejected")
    assert row is not None
    assert row["reason"] == "bad_field"
    assert "ym-msk/9" in bytes(row["body"]).decode()


SPOILED: tuple[tuple[Callable[[bytes], bytes], str], ...] = (
    (lambda whole: whole.replace("</Док".encode(), "</Доф".encode(), 2), "строка"),
    (lambda whole: whole.replace("<Коммерч".encode(), "<!DOCTYPE x><Коммерч".encode()), "DTD"),
    (lambda whole: whole.replace(b"utf-8", b"utf-9"), "не разобран"),
    (lambda whole: whole.replace("<Ид>".encode(), b"<a>" * 60 + b"</a>" * 60 + "<Ид>".encode(), 1), "вложенности"),
)
"""What may be wrong with a file, and a word of what is said of it."""


@BOTH
async def test_nothing_of_a_broken_file_is_taken(shop: Shop, version: str | None) -> None:
    """1C is told where the fault is; what stands before it is not taken either."""
    base = await shop.base(version=version)
    await base.begin()
    whole = file(document(ORDER, SHIPPED), document(ORDER, SHIPPED), document("ym-msk/9", SHIPPED))
    for spoil, why in SPOILED:
        for _ in range(2):
            failure, said = await base.send(spoil(whole))
            assert (failure, why in said) == ("failure", True), said
    assert await shop.log.read(0) == []


async def test_entities_reach_no_file(shop: Shop) -> None:
    """The attack every site with this address is tried with."""
    base = await shop.base()
    await base.begin()
    attack = b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    failure, said = await base.send(attack + "<КоммерческаяИнформация>&x;</КоммерческаяИнформация>".encode())
    assert failure == "failure"
    assert "root:" not in said


async def test_progress_until_it_is_taken(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long file takes several requests; each goes on where the last one was."""
    monkeypatch.setattr(taking, "BATCH", 2)
    monkeypatch.setattr("service.web.exchange.SECONDS", 0.0)
    base = await shop.base(version="2.08")
    await base.begin()
    content = file(*(document(f"ym-msk/{number}", SHIPPED) for number in range(7)))
    await base.lines("file", data=content, filename="a.xml")
    answers = [(await base.lines("import", filename="a.xml"))[0] for _ in range(5)]
    assert answers == ["progress", "progress", "progress", "progress", "success"]
    assert len({e.order for e in await shop.log.read(0)}) == 7


async def test_a_file_that_never_ended_is_kept(shop: Shop) -> None:
    """By the old protocol 1C was told that it is: once its session is over, it lies in `rejected`, whole."""
    base = await shop.base()
    await base.begin()
    half = file(document(ORDER, SHIPPED))[:-200]
    assert await base.send(half) == ["success"]
    await shop.pool.execute("UPDATE okno.exchange_sessions SET seen_at = now() - interval '2 hours'")
    for _ in range(2):
        await clear(Taking(shop.door, shop.log, Files(shop.pool), shop.settings), Sessions(shop.pool))
    rows = await shop.pool.fetch("SELECT reason, body FROM okno.rejected")
    assert [(row["reason"], bytes(row["body"])) for row in rows] == [("incomplete_xml", half)]
    assert await shop.pool.fetchval("SELECT count(*) FROM okno.exchange_pieces") == 0


@BOTH
async def test_a_file_may_come_in_one_large_request(shop: Shop, version: str | None) -> None:
    """Whatever `file_limit` said: there are versions that do not heed it for orders."""
    await shop.order(ORDER)
    base = await shop.base(version=version)
    await base.begin()
    large = file(document(ORDER, SHIPPED)).replace("<Документ>".encode(), b" " * 10_000_000 + "<Документ>".encode())
    assert await base.send(large, piece=len(large)) == ["success"]
    assert "order.shipped" in await shop.facts(ORDER)


async def test_cancelled_and_back(shop: Shop) -> None:
    """1C's spellings of a cancellation lead where the clean mark would."""
    await shop.order(ORDER)
    base = await shop.base()
    for number, cancelled in enumerate(("true", "false")):
        await base.begin()
        said = {"Проведен": "true", "Отменен": cancelled}
        await base.send(file(document(ORDER, said), formed=f"2026-11-21T10:00:0{number}"))
    kinds = await shop.facts(ORDER)
    assert kinds[:3] == ["order.snapshot", "order.cancelled", "order.snapshot"]
    assert "order.uncancelled" in kinds


async def test_what_the_hub_calls_a_stage_may_be_said_back(shop: Shop) -> None:
    """A base that maps its statuses to the list of `info` reaches every stage without a mark of its own."""
    await shop.order(ORDER)
    base = await shop.base()
    await base.begin()
    await base.send(file(document(ORDER, {"Проведен": "true", "Статус заказа": "Собран"})))
    assert (await shop.facts(ORDER))[1:] == ["order.confirmed", "order.assembled"]
    assert f.ONEC_STAGES["order.assembled"] == "assembled"
