"""XDTO in JSON: typed objects whose keys are always there, УНФ's own statuses, deletions, arrays."""

from decimal import Decimal
from typing import Any

import pytest

from events.order import facts as f
from service.onec.cloudevents import Message, Unreadable
from service.onec.reading import read
from service.settings import Settings
from tests.onec.dialects.making import (
    GUID,
    NOTHING,
    NUMBER,
    OTHER,
    STATE,
    WASHER,
    Order,
    base,
    messages,
    one,
    refused,
    written,
    xdto,
    xdto_tree,
)  # fmt: skip
from tests.onec.making import ORDER

LINE = {"Номенклатура": WASHER, "Характеристика": NOTHING, "Количество": 2, "Цена": 660, "Сумма": 1320}
CHOSEN = {**LINE, "Характеристика": OTHER.upper()}
EVENT = {"#type": "jcfg:DocumentRef.Событие", "#value": OTHER}
VALUE: dict[str, Any] = {
    "СостояниеЗаказа": STATE, "ВариантЗавершения": "", "Комментарий": "", "НомерВходящегоДокумента": NUMBER,
    "ДокументОснование": EVENT, "Запасы": [LINE, CHOSEN],
}  # fmt: skip


def trade(**changed: Any) -> Settings:
    """A base whose state of an order is known by its id."""
    return base(**{"statuses": {"{" + STATE.upper() + "}": "order.confirmed"}, **changed})


def order(**changed: Any) -> bytes:
    """A posted «Заказ покупателя»."""
    return xdto({key: value for key, value in {**VALUE, **changed}.items() if value is not None})


def test_the_canonical_snapshot() -> None:
    """A state is a reference; goods go by their id, with the id of their variant where there is one."""
    message = one(order(), trade(), source="trade", id="m1")
    assert (message.source, message.subject, message.id, message.time) == ("1c/trade", ORDER, "m1", None)
    assert message.data == {
        "document": {"id": GUID, "number": "0000-000123", "date": "2022-11-28T10:00:00"},
        "status": STATE, "posted": True, "deleted": False, "cancelled": False,
        "lines": [
            {"sku": WASHER, "quantity": 2, "price": 660}, {"sku": f"{WASHER}#{OTHER}", "quantity": 2, "price": 660},
        ],
    }  # fmt: skip


def test_a_state_is_known_by_its_id() -> None:
    """In any case and with its braces; one that nobody mapped says nothing, and somebody is told."""
    assert Order(trade()).follows(order(), source="trade") == ["order.registered", "order.confirmed"]
    unmapped = Order(trade(statuses={}))
    assert unmapped.follows(order(), source="trade") == ["order.registered"]
    assert [(a.code, a.about) for a in unmapped.state.attention] == [("unmapped", STATE)]


@pytest.mark.parametrize(
    ("absent", "named"),
    [
        ("Posted", "Posted"), ("DeletionMark", "DeletionMark"), ("Number", "Number"),
        ("СостояниеЗаказа", "СостояниеЗаказа"), ("Запасы", "Товары or Запасы"),
    ],
)  # fmt: skip
def test_a_key_that_is_not_there_is_a_changed_exchange(absent: str, named: str) -> None:
    """It does not count as false: a person is told, and no stage is made of the rest."""
    tree = xdto_tree(VALUE)
    del tree["#value"][absent]
    known = Order(trade())
    types = known.follows(written(tree), source="trade")
    assert [(a.code, a.about) for a in known.state.attention] == [("unmapped", "missing")]
    assert named in known.state.attention[0].message
    assert ("order.confirmed" in types) == (absent != "СостояниеЗаказа")


def test_a_line_without_its_quantity_cuts_nothing() -> None:
    """Lines that are not whole are not lines: what is left out would be refused for good."""
    known = Order(trade())
    known.send(
        order(Запасы=[LINE, {key: value for key, value in CHOSEN.items() if key != "Количество"}]), source="trade"
    )
    assert known.last("order.confirmed").lines is None
    assert "Запасы.Количество" in known.state.attention[0].message


def test_goods_that_go_by_ids_of_1cs() -> None:
    """As many pieces at the same prices are the same goods: nothing was left out. Anything else is told as it is."""
    prices = (("A-1", 2, "660.00"), ("B-7", 1, "1320.50"))
    placed = [f.Line(sku=sku, quantity=count, price=Decimal(price)) for sku, count, price in prices]
    goods = [{**LINE, "Номенклатура": id, "Количество": count, "Цена": price}
             for id, count, price in ((WASHER, 2, 660), (OTHER, 1, "1 320,50"))]  # fmt: skip
    whole = Order(trade(), placed)
    whole.send(order(Запасы=goods), source="trade")
    assert whole.last("order.confirmed").lines is None
    less = Order(trade(), placed)
    less.send(order(Запасы=[goods[0], {**goods[1], "Количество": 0}]), source="trade")
    assert [line.quantity for line in less.last("order.confirmed").lines] == [2, 0]


def test_an_order_of_an_old_configuration() -> None:
    """УТ 10.3 has no status: a posted order is confirmed, one that is not is not."""
    value = {
        key: value for key, value in VALUE.items() if key not in ("СостояниеЗаказа", "ВариантЗавершения", "Запасы")
    }
    old = {**value, "Товары": [LINE, CHOSEN]}
    assert Order(trade()).follows(xdto(old)) == ["order.registered", "order.confirmed"]
    assert Order(trade()).follows(xdto({**old, "Posted": False})) == ["order.registered"]


def test_a_state_that_is_not_set() -> None:
    """An empty reference is none, and the order is not confirmed for being posted."""
    assert Order(trade()).follows(order(СостояниеЗаказа=NOTHING), source="trade") == ["order.registered"]


def test_ended_as_cancelled() -> None:
    """УНФ says with the end of an order which end it was."""
    known = Order(trade())
    known.send(order(), source="trade", id="m1")
    assert known.follows(order(ВариантЗавершения="Отменен"), source="trade", id="m2") == ["order.cancelled"]
    assert known.follows(order(), source="trade", id="m3") == ["order.uncancelled"]


def test_a_deleted_object_is_a_cancelled_order() -> None:
    """The object is gone, its document's id is all there is."""
    gone = {
        "#type": "jent:ObjectDeletion",
        "#value": {"Ref": {"#type": "jcfg:DocumentRef.ЗаказПокупателя", "#value": GUID}},
    }
    known = Order(trade())
    known.send(order(), source="trade")
    message = one(written(gone), trade(), source="trade")
    assert (message.subject, message.data) == (f"1c/{GUID}", {"document": {"id": GUID}, "deleted": True})
    assert known.follows(written(gone), source="trade") == ["order.cancelled"]
    shipment = {
        "#type": "jent:ObjectDeletion",
        "#value": {"Ref": {"#type": "jcfg:DocumentRef.РасходнаяНакладная", "#value": GUID}},
    }
    assert refused(written(shipment), trade()).reason == "no_order"
    assert refused(written({"#type": "jent:ObjectDeletion", "#value": {}}), trade()).reason == "bad_field"


def test_arrays() -> None:
    """Several objects, bare or as one value, are a message each, in bytes that say just it."""
    trees = [xdto_tree({**VALUE, "НомерВходящегоДокумента": number}) for number in ("1", "2")]
    for body in (written(trees), written({"#type": "jv8:Array", "#value": trees})):
        found = messages(body, trade(), source="trade", id="whole")
        assert [(m.subject, m.id) for m in found] == [("ym-msk/1", None), ("ym-msk/2", None)]
        assert [one(m.body, trade()).data for m in found] == [m.data for m in found]


def test_one_of_an_array_that_cant_be_understood() -> None:
    """It is refused with its own bytes; the others are taken."""
    trees = [{"#type": "jcfg:CatalogObject.Партнеры", "#value": {"Ref": GUID}}, xdto_tree(VALUE)]
    for body in (written(trees), written({"#type": "jv8:Array", "#value": trees})):
        first, second = read(body, {"source": "trade"}, trade())
        assert isinstance(first, Unreadable)
        assert (first.reason, "Партнеры" in (first.body or b"").decode()) == ("not_an_order", True)
        assert isinstance(second, Message)


def test_the_documents_own_type_matters() -> None:
    """A composite reference to something that is no order says nothing of the order."""
    value = {"Posted": True, "Заказ": EVENT, "Запасы": [LINE]}
    assert refused(xdto(value, "РасходнаяНакладная"), trade()).reason == "no_order"
    named = {**value, "Заказ": {"#type": "jcfg:DocumentRef.ЗаказПокупателя", "#value": OTHER}}
    message = one(xdto(named, "РасходнаяНакладная"), trade())
    assert (message.subject, message.data["kind"]) == (f"1c/{OTHER}", "shipment")


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        ({"#type": "jcfg:CatalogObject.Номенклатура", "#value": {"Ref": GUID, "Code": "1"}}, "not_an_order"),
        ({"#type": "jcfg:DocumentObject.ЗаказПокупателя", "#value": "text"}, "bad_field"),
        ({"#type": "jcfg:DocumentObject.ЗаказПокупателя", "#value": {"Запасы": 5}}, "bad_field"),
        ({"#type": "jcfg:DocumentObject.ЗаказПокупателя", "#value": {"Запасы": [5]}}, "bad_field"),
        ({"#type": "jcfg:DocumentObject.ЗаказПокупателя", "#value": {"Number": "1"}}, "no_order"),
        ({"#type": "jv8:Array", "#value": [5]}, "bad_field"),
        ({"#type": "jcfg:DocumentObject.Закрытие", "#value": {"Ref": GUID}}, "not_an_order"),
    ],
)
def test_what_cant_be_understood_says_why(tree: Any, reason: str) -> None:
    """What is no document of an order is kept with what to do."""
    error = refused(written(tree), trade())
    assert (error.reason, bool(error.detail)) == (reason, True)


def test_a_base_says_what_its_own_documents_are() -> None:
    """A document nobody knows by its name is what `documents` makes of it."""
    settings = trade(documents={"Отгрузка МП": "shipment"})
    value = {"Заказ": {"#type": "jcfg:DocumentRef.ЗаказПокупателя", "#value": OTHER}}
    assert one(xdto(value, "ОтгрузкаМП"), settings, source="trade").data["kind"] == "shipment"
