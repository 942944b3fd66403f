"""OData's JSON: one document, a page of them, references by their keys."""

from typing import Any

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
    odata,
    one,
    refused,
    written,
)
from tests.onec.making import ORDER

LINE = {"LineNumber": "1", "Номенклатура_Key": WASHER, "Характеристика_Key": NOTHING, "Количество": 2, "Цена": 660}
DOCUMENT: dict[str, Any] = {
    "Статус": "КОтгрузке", "НомерПоДаннымКлиента": f"{NUMBER}   ", "Товары": [{**LINE, "Отменено": False}],
}  # fmt: skip
TRADE = base()


def test_the_canonical_snapshot() -> None:
    """Keys and versions are OData's, the rest as everywhere."""
    message = one(odata(DOCUMENT), TRADE, source="trade")
    assert (message.source, message.subject) == ("1c/trade", ORDER)
    assert message.data == {
        "document": {"id": GUID, "number": "ЦСУТ-004512", "date": "2022-11-28T10:00:00"}, "version": "AAAAAQAAAAA=",
        "status": "КОтгрузке", "posted": True, "deleted": False,
        "lines": [{"sku": WASHER, "quantity": 2, "price": 660, "cancelled": False}],
    }  # fmt: skip


def test_an_older_version_changes_nothing() -> None:
    """1C's version of data tells what is older."""
    known = Order(TRADE)
    assert known.follows(odata(DOCUMENT), source="trade") == ["order.registered", "order.confirmed"]
    older = odata({**DOCUMENT, "DataVersion": "AAAAAAAAAAA=", "DeletionMark": True})
    assert known.send(older, source="trade") == ["order.snapshot"]
    assert known.last("order.snapshot").stale


def test_a_page_comes_apart() -> None:
    """Each document of a page is a message, in bytes that name its entity."""
    page = {
        "odata.metadata": "http://1c/base/odata/standard.odata/$metadata#Document_%D0%97%D0%B0%D0%BA%D0%B0%D0%B7%D0%9A%D0%BB%D0%B8%D0%B5%D0%BD%D1%82%D0%B0",
        "value": [{"Ref_Key": id, **DOCUMENT, "НомерПоДаннымКлиента": n} for id, n in ((GUID, "1"), (OTHER, "2"))],
    }  # fmt: skip
    found = messages(written(page), TRADE, source="trade")
    assert [m.subject for m in found] == ["ym-msk/1", "ym-msk/2"]
    assert [one(m.body, TRADE, source="trade").data for m in found] == [m.data for m in found]
    assert messages(written({**page, "value": []}), TRADE) == []


def test_expanded_references() -> None:
    """With `$expand` goods have their article, and a state its name beside its id."""
    item = {"Ref_Key": WASHER, "Артикул": "A-1 ", "Description": "Стиральная машина"}
    state = {"Ref_Key": STATE, "Description": "В работе"}
    document = {**DOCUMENT, "СостояниеЗаказа": state, "Запасы": [{**LINE, "Номенклатура": item}]}
    del document["Статус"], document["Товары"]
    message = one(odata(document, "ЗаказПокупателя"), TRADE, source="trade")
    assert message.data["lines"][0]["sku"] == "A-1"
    assert message.data["status"] == {"name": "В работе", "id": STATE}
    assert "order.confirmed" in Order(TRADE).follows(odata(document, "ЗаказПокупателя"), source="trade")


def test_composite_references_say_their_type() -> None:
    """`X_Type` beside `X` tells an order from another basis."""
    value = {"Запасы": [LINE], "ДокументОснование": OTHER}
    right = {**value, "ДокументОснование_Type": "StandardODATA.Document_ЗаказПокупателя"}
    assert one(odata(right, "РасходнаяНакладная"), TRADE).subject == f"1c/{OTHER}"
    wrong = {**value, "ДокументОснование_Type": "StandardODATA.Document_СчетНаОплату"}
    assert refused(odata(wrong, "РасходнаяНакладная"), TRADE).reason == "no_order"


def test_an_error_of_odata() -> None:
    """Its answer to a wrong question is no document."""
    error = {"odata.error": {"code": "9", "message": {"lang": "ru", "value": "Экземпляр сущности не найден"}}}
    assert refused(written(error), TRADE).reason == "not_an_order"
    assert refused(written({"odata.metadata": "x", "value": [5]}), TRADE).reason == "bad_field"
