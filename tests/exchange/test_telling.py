"""What 1C gets by `query`, and when it gets it again."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from events.order import facts as f
from service.exchange import news
from tests.exchange.conftest import LINES, Shop
from tests.exchange.onec import documents, requisites

ORDER = "ym-msk/48123456"


@pytest.mark.parametrize("version", [None, "2.08", "3.1"])
async def test_an_order_is_written_down_whole(shop: Shop, version: str | None) -> None:
    """Its key, number, local time, buyer, goods and what else 1C needs to know."""
    await shop.order(ORDER, deadlines=(f.Deadline("confirmed", datetime(2026, 11, 28, 8, tzinfo=UTC)),))
    base = await shop.base(version=version)
    await base.begin()
    [order] = await base.orders()
    assert [order.findtext(n) for n in ("Ид", "Номер", "ХозОперация", "Роль", "Валюта", "Сумма")] == [
        ORDER, "48123456", "Заказ товара", "Продавец", "RUB", "39570.00",
    ]  # fmt: skip
    buyer = order.find("Контрагенты/Контрагент")
    assert buyer is not None
    assert (buyer.findtext("Наименование"), buyer.findtext("Роль")) == ("Тест Тестович", "Покупатель")
    assert buyer.findtext("Контакты/Контакт/Значение") == "+70000000001"
    assert buyer.findtext("АдресРегистрации/Представление") == "Москва, ул. Примерная, д. 1"
    assert order.findtext("Комментарий") == "Домофон 12К"
    goods = order.findall("Товары/Товар")
    told = [[g.findtext(name) for name in ("Ид", "Артикул", "Количество", "Сумма")] for g in goods]
    assert told == [
        ["BOSCH-WAN24260OE", "BOSCH-WAN24260OE", "1", "38990.00"], ["CABLE-1M", "CABLE-1M", "2", "580.00"],
    ]  # fmt: skip
    assert all(requisites(g) == {"ВидНоменклатуры": "Товар", "ТипНоменклатуры": "Товар"} for g in goods)
    said = requisites(order)
    assert (said["Статус заказа"], said["Отменен"], said["Сайт"]) == ("Новый", "false", "ym-msk")
    assert said["Срок: Подтвержден"] == "2026-11-28T12:00:00"


async def test_what_is_not_confirmed_comes_again(shop: Shop) -> None:
    """Only `success` moves the cursor, and only as far as its session was told."""
    await shop.order(ORDER)
    base = await shop.base()
    for _ in range(2):
        await base.begin()
        assert [o.findtext("Ид") for o in await base.orders()] == [ORDER]
    await shop.order("ym-msk/2")
    await base.confirm()
    await base.begin()
    assert [o.findtext("Ид") for o in await base.orders()] == ["ym-msk/2"]
    await base.confirm()
    assert await base.orders() == []


async def test_a_change_brings_an_order_again(shop: Shop) -> None:
    """What the marketplace or the buyer does is told; what 1C itself said and the hub did is not."""
    await shop.order(ORDER)
    base = await shop.base()
    await base.begin()
    await base.orders()
    await base.confirm()
    await shop.say(ORDER, "order.confirmed", f.Confirmed())
    await shop.react()
    assert await base.orders() == []
    await shop.seen(ORDER, "order.cancellation_requested", f.CancellationRequested())
    [order] = await base.orders()
    assert requisites(order)["Отмену просит покупатель"] == "true"
    await base.confirm()
    await shop.seen(ORDER, "order.changed", f.Changed(lines=LINES[:1], total=Decimal("38990.00")))
    [order] = await base.orders()
    assert len(order.findall("Товары/Товар")) == 1
    await base.confirm()
    await shop.seen(ORDER, "order.cancelled", f.Cancelled(by="customer"))
    [order] = await base.orders()
    said = requisites(order)
    assert (said["Отменен"], said["Статус заказа"], said["Кто отменил"]) == ("true", "Отменен", "Покупатель")


async def test_bases_and_channels_have_their_own_cursors(shop: Shop) -> None:
    """What one base confirmed, another one still gets; each gets the channels of its address."""
    await shop.order(ORDER)
    await shop.order("ym-spb/7")
    first, second = await shop.base(), await shop.base("unf", "/exchange/1c/ym-spb, ym-msk")
    everything = await shop.base("unf", "/exchange/1c/all/bitrix/admin/1c_exchange.php")
    told = {}
    for name, base in (("first", first), ("second", second), ("all", everything)):
        await base.begin()
        told[name] = [o.findtext("Ид") for o in await base.orders()]
        await base.confirm()
    assert told == {"first": [ORDER], "second": [ORDER, "ym-spb/7"], "all": [ORDER, "ym-spb/7"]}


async def test_a_base_is_told_of_its_channels_only(shop: Shop) -> None:
    """`tells` holds for this door as for the queues."""
    base = await shop.base("perm", "/exchange/1c/ym-msk")
    failure, why = await base.lines("checkauth")
    assert failure == "failure"
    assert "tells" in why
    await shop.order(ORDER)
    await shop.order("ym-spb/7")
    base = await shop.base("perm", "/exchange/1c/all")
    await base.begin()
    assert [o.findtext("Ид") for o in await base.orders()] == ["ym-spb/7"]


async def test_encodings_are_as_they_are_set(shop: Shop) -> None:
    """windows-1251 with references for what it lacks, else UTF-8 with its mark; the declaration says so."""
    await shop.order(ORDER)
    for name, encoding, mark in (("unf", "windows-1251", b"<?xml"), ("ut11", "utf-8", b"\xef\xbb\xbf<?xml")):
        base = await shop.base(name)
        await base.begin()
        _, body = await base.ask("query")
        assert body.startswith(mark)
        assert f'encoding="{encoding}"'.encode() in body[:60]
        assert documents(body)[0].findtext("Товары/Товар/Наименование") == "Стиральная машина «Bosch» ❄"
    base = await shop.base("unf")
    await base.begin()
    assert b"&#10052;" in (await base.ask("query"))[1]


async def test_many_orders_come_in_several_answers(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many at a time; the rest once those are confirmed, and none is left out."""
    monkeypatch.setattr(news, "MOST", 3)
    monkeypatch.setattr(news, "CHUNK", 2)
    for number in range(7):
        await shop.order(f"ym-msk/{number}")
    await shop.seen("ym-msk/0", "order.changed", f.Changed(total=Decimal(1)))
    base = await shop.base()
    await base.begin()
    told = []
    while found := [o.findtext("Номер") for o in await base.orders()]:
        assert len(found) <= 3
        told += found
        await base.confirm()
    assert told == ["0", "1", "2", "3", "4", "5", "6", "0"]


async def test_an_erased_buyer_is_not_told(shop: Shop) -> None:
    """Without personal data the counterparty is the channel."""
    await shop.order(ORDER, people={})
    base = await shop.base()
    await base.begin()
    [order] = await base.orders()
    assert order.findtext("Контрагенты/Контрагент/Ид") == "ym-msk"
