"""Bodies nobody can understand: each is refused with its reason, and none of them is an accident."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from events.order.state import fold
from service.documents import of_document
from service.onec.cloudevents import Message, Unreadable
from service.onec.reading import read
from service.onec.snapshots import understood
from service.understanding import understand
from tests.onec.dialects.making import GUID, base, messages, odata, rdv, recorded, refused, written, xdto, xdto_tree

MAPPING = {
    "Заказ.Номер": "order", "Статус": "status", "Событие": "type", "Дата": "time", "Вид": "kind", "Чек": "receipt",
    "Товары[].Артикул": "lines.sku", "Товары[].Количество": "lines.quantity", "Возврат[].Код": "returned.lines.sku",
    "Отгрузка": "shipment", "Отгрузка.Номер": "shipment.number", "Доставка.Дата": "delivery.date",
}  # fmt: skip
TRADE = base("flat", mapping=MAPPING)
ORDER = rdv(
    {"Номер": "Ц-1", "Проведен": True, "НомерПоДаннымКлиента": "1", "Товары": [{"Артикул": "A-1", "Количество": 1}]}
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (ORDER[: len(ORDER) // 2], "broken_json"),
        (ORDER[:-1], "broken_json"),
        (ORDER.decode().encode("cp1251"), "not_utf8"),
        (ORDER.decode().encode("utf-16"), "not_utf8"),
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"null", "not_an_event"),
        (b"[null]", "not_an_event"),
        (b"5", "not_an_event"),
        (b'{"meta": {"objecttype": "x", "baseid": "y"}, "data": null}', "bad_field"),
        (b'{"meta": {"objecttype": "x", "baseid": "y"}, "data": [5]}', "bad_field"),
        (written({"#type": "x", "#value": None}), "bad_field"),
        (written({"meta": {}, "data": {"_GUID": GUID, "_ИмяОбъекта": "СправочникПартнеры"}}), "not_an_order"),
        (b"<html>", "broken_xml"),
        (b"<html></html>", "not_an_event"),
        (rdv({"НомерПоДаннымКлиента": "x" * 300}), "no_order"),
        (rdv({"НомерПоДаннымКлиента": "1\u00002"}), "bad_field"),
    ],
)  # fmt: skip
def test_each_kind_of_damage_has_its_reason(body: bytes, reason: str) -> None:
    """What it is, and what to do."""
    error = refused(body, base())
    assert (error.reason, bool(error.detail)) == (reason, True)


def test_a_text_cut_at_its_first_nul() -> None:
    """The usual add-in cuts a body there: the reason says so."""
    assert "U+0000" in refused(ORDER[: len(ORDER) // 2], base()).detail


@pytest.mark.parametrize("depth", [50, 400, 700, 900, 980, 5000])
def test_nested_too_deep(depth: int) -> None:
    """Whatever the parser just about takes is read, or refused."""
    deep = b'{"#value":' * depth + b"1" + b"}" * depth
    for around in (b'{"#type":"jcfg:DocumentObject.X","#value":%s}', b'{"Ref_Key":%s,"DeletionMark":1}', b'{"Vid":%s}'):
        for message in read(around % deep, {"source": "trade"}, TRADE):
            with suppress(Unreadable):
                understand(message, TRADE)


def test_five_megabytes() -> None:
    """A document of any size is read."""
    goods = [{"Артикул": f"A-{number}", "Количество": 1, "Содержание": "х" * 80} for number in range(25_000)]
    body = rdv({"НомерПоДаннымКлиента": "1", "Товары": goods})
    assert len(body) > 5_000_000
    (message,) = messages(body, base())
    assert len(message.data["lines"]) == 25_000


@pytest.mark.parametrize(
    ("line", "field"),
    [({"Количество": "два"}, "quantity"), ({"Количество": -1}, "quantity"), ({"Отменено": "может быть"}, "cancelled")],
)
def test_values_that_are_none(line: dict[str, Any], field: str) -> None:
    """The field is named."""
    error = refused(
        xdto({"НомерВходящегоДокумента": "1", "Запасы": [{"Артикул": "A", "Количество": 1, **line}]}), base()
    )
    assert (error.reason, field in error.pointer) == ("bad_field", True)


KEYS = (
    "meta", "data", "#type", "#value", "Ref", "Ref_Key", "DeletionMark", "DataVersion", "odata.metadata", "odata.type",
    "value", "_GUID", "_Значение", "baseid", "_ТипЗначения", "_ИмяОбъекта", "timestamp", "objecttype", "id", "Товары",
    "Запасы", "Номенклатура", "Характеристика", "Артикул", "Количество", "Цена", "Отменено", "Статус",
    "СостояниеЗаказа", "Проведен", "Posted", "Номер", "Заказ", "ЗаказКлиента", "НомерПоДаннымКлиента",
    "ВариантЗавершения", "ВидОперации", "Отгрузка", "Возврат", "Код", "Событие", "Чек", "Дата", "Доставка", "type",
    "source", "subject", "specversion", "lines", "shipment", "receipt", "returned", "delivery", "document", "status",
    "Вид", "posted", "Отменен", "СуммаДокумента", "НомерЧекаККМ", "kind", "version", "absent", "arrival", "answer",
)  # fmt: skip
WORDS = st.sampled_from([
    GUID, GUID.upper(),
    "ym-msk/1", "1c/x", "0001-01-01T00:00:00", "0001-01-01T10:00:00", "", "\x00", "A-1    ", "ЗаказКлиента",
    "jcfg:DocumentObject.ЗаказПокупателя", "jent:ObjectDeletion", "Документ.ЧекККМ", "order.shipped", "order.snapshot",
    "order.rescheduled", "КОтгрузке", "Отменен", "T", "2022-11-28", "1,5", "Да", "Нет", "ПриходнаяНакладная", "false",
    "AAAAAQAAAAA=", "1669629600000", "99999999999999", "shipment", "1e999", "9999-12-31T23:59:59-14:00",
])  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS
    | st.text(max_size=8)
)
OBJECTS = st.deferred(lambda: st.dictionaries(st.sampled_from(KEYS), TREES, max_size=6))
TREES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=8),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(
    TREES | OBJECTS,
    st.sampled_from(("", "ym-msk/1", "order.trade.x")),
    st.sampled_from(("", "trade", "1c/trade", "okno")),
)
@example({"meta": {"objecttype": "x", "baseid": 1}, "data": {"_GUID": 5}}, "", "")
@example(xdto_tree({"Запасы": [{}]}), "", "trade")
@example(json.loads(odata({"Товары": {"#value": [{}]}})), "", "")
@example({"Заказ": {"Номер": 1}, "Событие": "order.cancelled"}, "", "trade")
def test_any_tree_is_read_or_refused(tree: Any, subject: str, source: str) -> None:
    """Whatever JSON holds: messages or a reason, never an error of ours, and events follow from what is read."""
    body = json.dumps(tree).encode()
    given = {key: value for key, value in (("subject", subject), ("source", source), ("id", "m1")) if value}
    for message in read(body, given, TRADE):
        try:
            event = understand(message, TRADE)
        except Unreadable:
            continue
        assert isinstance(message, Message)
        assert event.order
        if message.type == "order.snapshot":
            sent = understood(message, TRADE)
            for known in ([], [recorded(event)]):
                of_document(fold(event.order, known), sent, event.source)
