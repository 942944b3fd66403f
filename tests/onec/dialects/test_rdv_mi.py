"""The envelope of RDV-MI: Cyrillic keys, typed values, and nothing written that is false, zero or empty."""

from typing import Any

import pytest

from events.order import facts as f
from service.onec.cloudevents import Message, Unreadable
from service.onec.reading import read
from tests.onec.dialects.making import (
    GUID,
    LINES,
    NUMBER,
    OTHER,
    WASHER,
    Order,
    base,
    messages,
    one,
    rdv,
    refused,
    written,
)
from tests.onec.making import ORDER

STATUS = {"_ТипЗначения": "Перечисление.СтатусыЗаказовКлиентов", "_Значение": "КОтгрузке"}
ITEM = {"_ТипЗначения": "Справочник.Номенклатура", "_GUID": WASHER}
GOODS = [
    {"Номенклатура": {**ITEM, "Артикул": "A-1      "}, "Количество": 2, "Цена": 660},
    {"Номенклатура": {**ITEM, "Артикул": "B-7"}, "Количество": 1, "Цена": "1 320,50"},
]
TRADE = base()


def order(**changed: Any) -> bytes:
    """A posted «Заказ клиента» of that marketplace order."""
    data = {
        "Номер": "ЦСУТ-004512", "Дата": "2022-11-28T10:00:00", "Проведен": True, "НомерПоДаннымКлиента": NUMBER,
        "Статус": STATUS, "Партнер": {"_ТипЗначения": "Справочник.Партнеры", "_GUID": OTHER}, "Товары": GOODS,
    }  # fmt: skip
    meta = changed.pop("meta", {})
    return rdv({key: value for key, value in {**data, **changed}.items() if value is not None}, **meta)


def test_the_canonical_snapshot() -> None:
    """Every requisite is found, and what is said of the message comes from `meta`."""
    message = one(order(), TRADE, subject="ЗаказКлиента", source="ev1", id="m1")
    assert (message.source, message.subject, message.id) == ("1c/trade", ORDER, "m1")
    assert message.time == "2022-11-28T10:00:00+00:00"
    assert message.data == {
        "document": {"id": GUID, "number": "ЦСУТ-004512", "date": "2022-11-28T10:00:00"},
        "status": "КОтгрузке", "posted": True, "deleted": False, "cancelled": False, "absent": "false",
        "lines": [{"sku": "A-1", "quantity": 2, "price": 660}, {"sku": "B-7", "quantity": 1, "price": "1 320,50"}],
    }  # fmt: skip


def test_a_posted_order_is_registered_and_confirmed() -> None:
    """As a clean mark would have it, and its repeat under another id adds nothing."""
    known = Order(TRADE)
    assert known.follows(order()) == ["order.registered", "order.confirmed"]
    assert known.last("order.confirmed").lines is None
    assert known.send(order()) == []
    assert known.send(order(meta={"id": "m2", "timestamp": 1669629700000})) == []


def test_what_is_left_out_is_false() -> None:
    """A posted document without `Проведен` was unposted; a mark for deletion that is gone was taken off."""
    known = Order(TRADE)
    known.send(order())
    assert known.follows(order(Проведен=None, meta={"id": "m2"})) == ["order.unposted"]
    assert known.follows(order(meta={"id": "m3"})) == ["order.posted"]
    assert known.follows(order(ПометкаУдаления=True, meta={"id": "m4"})) == ["order.cancelled"]
    assert known.follows(order(meta={"id": "m5"})) == ["order.uncancelled"]
    assert [a.code for a in known.state.attention] == []


def test_a_line_without_a_quantity_has_none() -> None:
    """Zero is left out: the line stands for nothing, and the rest of the order is confirmed."""
    known = Order(TRADE)
    left = [GOODS[0], {"Номенклатура": GOODS[1]["Номенклатура"]}]
    assert known.follows(order(Товары=left)) == ["order.registered", "order.confirmed"]
    assert known.last("order.confirmed").lines[1] == f.Line(sku="B-7", quantity=0)


@pytest.mark.parametrize(
    "said",
    [
        {"ПометкаУдаления": True},
        {"Отменен": True},
        {"Товары": [{**line, "Отменено": True} for line in GOODS]},
        {"Статус": {"_ТипЗначения": "Перечисление.СтатусыЗаказовКлиентов", "_Значение": "Отменен"}},
    ],
)
def test_four_spellings_of_cancelled(said: dict[str, Any]) -> None:
    """Each cancels, and is taken back once it is gone."""
    known = Order(TRADE)
    known.send(order())
    assert known.follows(order(**said, meta={"id": "m2"})) == ["order.cancelled"]
    assert known.follows(order(meta={"id": "m3"})) == ["order.uncancelled"]


def test_lines_cancelled_one_by_one() -> None:
    """A line with `Отменено` is one of which nothing is left."""
    known = Order(TRADE)
    known.send(order(Товары=[GOODS[0], {**GOODS[1], "Отменено": True}]))
    assert [(line.sku, line.quantity) for line in known.last("order.confirmed").lines] == [("A-1", 2), ("B-7", 0)]


def test_older_by_the_clock_is_stale() -> None:
    """Without a version the sender's time tells what is older; it changes nothing."""
    known = Order(TRADE)
    known.send(order())
    assert known.send(order(ПометкаУдаления=True, meta={"id": "m0", "timestamp": 1669629500000})) == ["order.snapshot"]
    assert known.last("order.snapshot").stale
    assert known.state.stage == "confirmed"


@pytest.mark.parametrize(
    "written",
    ["2022-11-28T10:00:00", 1669629600000, 1669629600, "1669629600000", 63805226400000, "28.11.2022 10:00:00"],
)
def test_the_time_however_it_is_written(written: object) -> None:
    """As 1C writes a date, which is in UTC here; seconds or milliseconds, since 1970 or as 1C counts them."""
    known = Order(TRADE)
    known.send(order(meta={"timestamp": written}))
    assert known.history[1].occurred_at.isoformat() == "2022-11-28T10:00:00+00:00"


def test_a_left_over_app_id_does_not_say_whose_it_is() -> None:
    """The base in the body counts, and somebody is told of the other; the event's own id in app_id is as usual."""
    for usual in ("ev1", "m1", "trade", "1c/trade", OTHER):
        assert "missing" not in one(order(), TRADE, source=usual).data
    known = Order(TRADE)
    known.send(order(), source="perm")
    assert known.history[1].source == "1c/trade"
    assert [(a.code, "perm" in a.message) for a in known.state.attention] == [("unmapped", True)]


def test_a_left_over_type_does_not_make_it_a_mark() -> None:
    """The add-in repeats the properties of the message before: what a body is, its look says."""
    message = one(order(), TRADE, type="order.shipped", id="m0", subject="ym-msk/1")
    assert (message.type, message.id, message.subject) == ("order.snapshot", "m1", "ym-msk/1")


def test_no_base_named() -> None:
    """The event's id in app_id is no base: the source is simply 1C."""
    assert one(order(meta={"baseid": ""}), TRADE, source="ev1").source == "1c"
    assert one(order(meta={"baseid": ""}), TRADE, source="trade").source == "1c/trade"


def shipment(*orders: str, **changed: Any) -> bytes:
    """A «Реализация» of as many orders, a line each, in turn."""
    lines = [
        {**line, "ЗаказКлиента": {"_ТипЗначения": "Документ.ЗаказКлиента", "_GUID": id}}
        for line, id in zip(GOODS, orders, strict=False)
    ]
    return rdv({"_GUID": OTHER, "Номер": "Р-1", "Проведен": True, "Товары": lines, **changed}, "РеализацияТоваровУслуг")


def test_a_shipment_is_its_orders() -> None:
    """A document of its own, for the order it names in its lines; unposted it does not count."""
    known = Order(TRADE)
    known.send(order())
    message = one(shipment(GUID, GUID), TRADE)
    assert (message.subject, message.data["kind"], message.data["document"]["number"]) == (
        f"1c/{GUID}",
        "shipment",
        "Р-1",
    )
    assert known.follows(shipment(GUID, GUID)) == ["order.shipped"]
    assert known.follows(rdv({"_GUID": OTHER, "Номер": "Р-1", "Товары": [], "ЗаказКлиента": {"_GUID": GUID}},
                             "РеализацияТоваровУслуг", id="m9")) == ["order.unposted"]  # fmt: skip


def test_a_shipment_of_several_orders_comes_apart() -> None:
    """A snapshot for each order, with its own lines, in bytes that say just this."""
    first, second = messages(shipment(GUID, OTHER), TRADE)
    assert [m.subject for m in (first, second)] == [f"1c/{GUID}", f"1c/{OTHER}"]
    assert [[line["sku"] for line in m.data["lines"]] for m in (first, second)] == [["A-1"], ["B-7"]]
    assert [m.id for m in (first, second)] == ["m1/0", "m1/1"]
    again = [one(m.body, TRADE) for m in (first, second)]
    assert [(m.id, m.subject, m.data) for m in again] == [(m.id, m.subject, m.data) for m in (first, second)]


@pytest.mark.parametrize(
    ("type", "status", "stage"),
    [
        ("РеализацияТоваровУслуг", "КПредоплате", "confirmed"),
        ("РеализацияТоваровУслуг", "Отгружено", "shipped"),
        ("РасходныйОрдерНаТовары", "КОтбору", "confirmed"),
        ("РасходныйОрдерНаТовары", "Отгружен", "shipped"),
        ("РасходнаяНакладная", None, "shipped"),
        ("ЧекККМ", "Отложен", "confirmed"),
        ("ЧекККМ", "Пробит", "delivered"),
    ],
)
def test_what_other_documents_say(type: str, status: str | None, stage: str) -> None:
    """A shipment ships and a receipt delivers, once its status says that the goods have moved."""
    known = Order(TRADE, LINES)
    known.send(order())
    data: dict[str, Any] = {"_GUID": OTHER, "Номер": "7", "Проведен": True, "СуммаДокумента": "2 640,50"}
    data |= {"ДокументОснование": {"_ТипЗначения": "Документ.ЗаказКлиента", "_GUID": GUID}}
    data |= {} if status is None else {"Статус": {"_ТипЗначения": "Перечисление.Статусы", "_Значение": status}}
    known.send(rdv(data, type, id="m2"))
    assert known.state.stage == stage
    if stage == "delivered":
        assert (known.state.receipt and known.state.receipt.number) == "7"
        assert str(known.state.receipt and known.state.receipt.total) == "2640.50"


@pytest.mark.parametrize("type", ["РеализацияТоваровУслуг", "ЧекККМ"])
def test_a_document_that_is_only_written_down_moves_nothing(type: str) -> None:
    """`Проведен` is left out where it is false: goods are shipped and issued by a posted document alone."""
    known = Order(TRADE)
    known.send(order())
    data: dict[str, Any] = {"_GUID": OTHER, "Номер": "7", "ЗаказКлиента": {"_GUID": GUID}}
    assert known.follows(rdv(data, type, id="m2")) == []
    assert known.follows(rdv({**data, "Проведен": True}, type, id="m3")) != []


def test_a_return_is_the_buyers_only() -> None:
    """«Приходная накладная» is a return in that operation alone."""
    data: dict[str, Any] = {"_GUID": OTHER, "Проведен": True, "Заказ": {"_GUID": GUID}, "Запасы": [GOODS[1]]}
    known = Order(TRADE)
    known.send(rdv({**data, "ВидОперации": "ВозвратОтПокупателя"}, "ПриходнаяНакладная"))
    assert known.last("order.returned").lines[0].sku == "B-7"
    error = refused(rdv({**data, "ВидОперации": "ПоступлениеОтПоставщика"}, "ПриходнаяНакладная"), TRADE)
    assert (error.reason, "ПоступлениеОтПоставщика" in error.detail) == ("not_an_order", True)


TREE = {"meta": {"id": "m1", "baseid": "trade", "objecttype": "Документ.ЗаказКлиента"}}
PARTNER = {"_ИмяОбъекта": "Справочник.Партнеры", "_ТипЗначения": "Справочник.Партнеры", "_GUID": OTHER, "Код": "1"}


def numbered(id: str, number: str) -> dict[str, Any]:
    """An order with no more than its number, under the names its exchange's rules give it."""
    type = {"_ИмяОбъекта": "Документ.ЗаказыПлощадок", "_ТипЗначения": "Документ.ЗаказКлиента"}
    return {**type, "_GUID": id, "НомерПоДаннымКлиента": number}


def test_what_comes_beside_a_document() -> None:
    """`data` is an array as a rule; objects beside the order say nothing, and stay in the bytes that are kept."""
    body = written({**TREE, "data": [PARTNER, numbered(GUID, "1")]})
    message = one(body, TRADE)
    assert (message.subject, message.id, message.body) == ("ym-msk/1", "m1", body)
    error = refused(written({**TREE, "data": [PARTNER]}), TRADE)
    assert (error.reason, "Партнеры" in error.detail) == ("not_an_order", True)


def test_a_batch_of_documents() -> None:
    """Each has an id of its own, and bytes that say just it and what came beside."""
    body = written({**TREE, "data": [numbered("g1", "1"), PARTNER, numbered("g2", "2")]})
    found = messages(body, TRADE)
    said = [("ym-msk/1", "m1/0"), ("ym-msk/2", "m1/1")]
    assert [(m.subject, m.id) for m in found] == said
    assert [(m.subject, m.id) for m in (one(m.body, TRADE) for m in found)] == said
    assert all("Партнеры" in m.body.decode() for m in found)


def test_one_of_a_batch_that_cant_be_understood() -> None:
    """It is refused with its own bytes; the others are taken."""
    strange = {"_ТипЗначения": "Документ.СчетНаОплату", "_GUID": OTHER}
    first, second = read(written({**TREE, "data": [strange, numbered(GUID, "1")]}), {}, TRADE)
    assert isinstance(first, Unreadable)
    assert (first.reason, "СчетНаОплату" in (first.body or b"").decode()) == ("not_an_order", True)
    assert isinstance(second, Message)
    assert second.subject == "ym-msk/1"


@pytest.mark.parametrize("type", ["ПодтверждениеПолучения", "ping"])
def test_the_exchanges_own_messages_are_no_orders(type: str) -> None:
    """A receipt for a message of ours, or a sign of life."""
    body = written({"meta": {**TREE["meta"], "objecttype": type}, "data": [{"_ТипОбъекта": type, "Успешно": True}]})
    assert refused(body, TRADE).reason == "not_an_order"
