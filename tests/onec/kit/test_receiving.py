"""The kit's reader, run against a hub: each message is applied once, in its order's order, whatever happens."""

from typing import Any

import pytest

from events.order import facts as f
from tests.onec.kit.base import Base
from tests.onec.kit.conftest import Talking
from tests.onec.kit.making import goods
from tests.onec.kit.running import Raised
from tests.onec.kit.values import Array, Map
from tests.web.shop import LINES, Shop

KEY = "ym-msk/48123456"
SKU = LINES[0].sku


def orders(base: Base) -> list[dict[str, Any]]:
    """The base's orders, as they are written."""
    return [thing for thing in base.things.values() if "статус" in thing]


def inbox(base: Base) -> list[tuple[str, bool, str]]:
    """What came: its type, whether it was applied, and what was said of it."""
    return [(r["типсообщения"], r["обработано"], r["ошибка"]) for r in base.rows("ВходящиеСообщенияОкно")]


async def placed(shop: Shop, key: str = KEY) -> None:
    """A buyer places an order, and 1C is to be told."""
    people = {"customer": {"name": "Анна", "phone": "+7"}, "comment": "Позвонить"}
    await shop.command(key, "order.placed", await shop.place(key, personal=people), target="1c")


async def happened(shop: Shop, type: str, fact: f.Fact, key: str = KEY) -> None:
    """Something else does, of which 1C is to be told."""
    await shop.command(key, type, await shop.say(key, type, fact, f"channel/{key.partition('/')[0]}"), target="1c")


async def test_an_order_placed_becomes_an_order_of_1cs(shop: Shop, talking: Talking) -> None:
    """With its goods and prices, linked, and the hub is told of its number; read again, it is no second one."""
    await placed(shop)
    goods(talking.base, SKU)
    await talking.receive()
    (order,) = orders(talking.base)
    (line,) = order["товары"]
    assert (line.fields["номенклатура"].артикул, line.fields["количество"], line.fields["цена"]) == (SKU, 1, 38990)
    assert "Анна +7" in order["комментарий"]
    await talking.send()
    registered = [event for event in await shop.log.read(0, 100) if event.type == "order.registered"]
    assert order["номер"].encode() in registered[0].data
    talking.set("Курсор", "")
    await talking.receive()
    assert len(orders(talking.base)) == 1
    assert inbox(talking.base) == [("order.placed", True, "")]
    assert talking.base.rows("ВходящиеСообщенияОкно")[0]["телоjson"] == ""


async def test_reading_goes_on_where_it_stopped(shop: Shop, talking: Talking) -> None:
    """The cursor is kept with what was read."""
    goods(talking.base, SKU)
    for number in range(3):
        await placed(shop, f"ym-msk/{number}")
        await talking.receive()
        assert len(orders(talking.base)) == number + 1
    (cursor,) = [row["значение"] for row in talking.base.rows("НастройкиОкно") if row["ключ"] == "Курсор"]
    assert cursor == f"1-{(await shop.log.head()).position}"


async def test_goods_that_are_missing_hold_up_their_order_alone(shop: Shop, talking: Talking) -> None:
    """The order waits with the reason, what comes after it waits behind it; once mended, all of it is done in turn."""
    await placed(shop)
    await happened(shop, "order.cancelled", f.Cancelled(by="customer", reason="other"))
    fact = f.Placed(number="2", lines=(f.Line(sku="HOSE", quantity=1),))
    position = await shop.say("ym-msk/2", "order.placed", fact, "channel/ym-msk")
    await shop.command("ym-msk/2", "order.placed", position, target="1c")
    goods(talking.base, "HOSE")
    await talking.receive()
    assert len(orders(talking.base)) == 1
    first, second, other = inbox(talking.base)
    assert first[1:] == (False, f"Нет номенклатуры с артикулом {SKU}: заведите ее, остальное сделается само")
    assert (second[1:], other[1]) == ((False, ""), True)
    goods(talking.base, SKU)
    await talking.receive()
    assert [applied for _, applied, _ in inbox(talking.base)] == [True, True, True]
    cancelled = next(
        order for order in orders(talking.base) if order["товары"][0].fields["номенклатура"].артикул == SKU
    )
    assert all(line.fields["отменено"] for line in cancelled["товары"])


async def test_an_older_version_is_skipped(talking: Talking) -> None:
    """A message that comes late does not undo a later one; it is kept, with the reason."""
    base = talking.base

    def message(id: str, version: int) -> Map:
        data = Map(stage="shipped", due="2022-11-28T06:00:00.204000Z")
        return Map(id=id, type="order.deadline", subject=KEY, version=version, data=data)

    for id, version in (("b", 7), ("a", 5), ("b", 7)):
        base.call("ОкноПолучение", "Принять", Array([message(id, version)]))
        base.call("ОкноПолучение", "ОбработатьОжидающие")
    assert inbox(base) == [
        ("order.deadline", True, ""), ("order.deadline", True, "Пропущено: уже применена версия 7"),
    ]  # fmt: skip
    assert [line for line in base.journal if "ждут отметки shipped до 28.11.2022 09:00:00" in line]


async def test_linking_an_order_by_hand_forgets_no_version(talking: Talking) -> None:
    """What was applied before the order was linked is not applied again."""
    base = talking.base
    message = Map(id="a", type="order.deadline", subject=KEY, version=7, data=Map())
    base.call("ОкноПолучение", "Принять", Array([message]))
    base.call("ОкноПолучение", "ОбработатьОжидающие")
    base.call("ОкноОчередь", "СвязатьЗаказ", KEY, base.new("ЗаказКлиента").fields["ссылка"])
    (link,) = base.rows("ЗаказыОкно")
    assert link["версия"] == 7


async def test_a_page_is_kept_whole_or_not_at_all(talking: Talking, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the cursor can't be written, neither are the messages: they come again."""
    base, register = talking.base, talking.base.registers["настройкиокно"]

    def full(*_: Any) -> None:
        raise Raised("Ошибка СУБД")

    monkeypatch.setattr(register, "создатьменеджерзаписи", full)
    page = Array([Map(id="a", type="order.deadline", subject=KEY, version=1, data=Map())])
    with pytest.raises(Raised):
        base.call("ОкноПолучение", "Принять", page, "1-7")
    assert inbox(base) == []


async def test_a_log_restored_from_a_backup_is_followed(shop: Shop, talking: Talking) -> None:
    """A cursor of another life of the log: the hub says where to go on, and what comes again is known."""
    await placed(shop)
    goods(talking.base, SKU)
    talking.set("Курсор", "9-100")
    await talking.receive()
    assert inbox(talking.base) == [("order.placed", True, "")]
    assert any("the log was restored" in line for line in talking.base.journal)


async def test_goods_taken_out_at_the_marketplace_are_cancelled_here(shop: Shop, talking: Talking) -> None:
    """Lines that became fewer become fewer, those that are gone are cancelled; wishes and refusals reach people."""
    lines = (f.Line(sku="A", quantity=3), f.Line(sku="B", quantity=1))
    position = await shop.say(KEY, "order.placed", f.Placed(number="1", lines=lines), "channel/ym-msk")
    await shop.command(KEY, "order.placed", position, target="1c")
    goods(talking.base, "A", "B")
    await happened(shop, "order.changed", f.Changed(lines=(f.Line(sku="A", quantity=2),)))
    await happened(shop, "order.cancellation_requested", f.CancellationRequested())
    await talking.receive()
    (order,) = orders(talking.base)
    told = [(line.fields["количество"], line.fields["отменено"]) for line in order["товары"]]
    assert told == [(2, False), (1, True)]
    assert any("покупатель просит отменить" in line for line in talking.base.journal)
    assert all(applied for _, applied, _ in inbox(talking.base))


async def test_a_reader_without_a_token_says_so(talking: Talking) -> None:
    """The job fails where its overseer looks."""
    talking.set("Токен", "another")
    with pytest.raises(Raised, match="HTTP 401"):
        await talking.receive()
