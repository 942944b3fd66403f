"""JSON of any shape, by the mapping of its base."""

from typing import Any

import pytest

from service.settings import Settings
from tests.onec.dialects.making import GUID, NUMBER, OTHER, Order, base, messages, one, rdv, refused, written
from tests.onec.making import ORDER

MAPPING = {
    "Заказ.НомерНаПлощадке": "order",
    "Заказ.Ссылка": "document.id",
    "Заказ.Номер": "document.number",
    "Состояние": "status",
    "Версия": "version",
    "Товары[].Артикул": "lines.sku",
    "Товары.Количество": "lines.quantity",
    "Товары[].Коды[].Код": "lines.marks",
    'Реквизиты."Трек.номер"': "shipment.track",
    "Свойства[Имя=Дата отгрузки].Значение": "shipment.date",
    "Когда": "time",
    "Ид": "id",
}
MESSAGE: dict[str, Any] = {
    "Ид": "m1", "Когда": "28.11.2022 10:00:00", "Состояние": " К Отгрузке ", "Версия": 3,
    "Заказ": {"НомерНаПлощадке": 48123456, "Ссылка": "{" + GUID.upper() + "}", "Номер": "ЦСУТ-004512    "},
    "Товары": [
        {"Артикул": "A-1   ", "Количество": "2,000", "Коды": [{"Код": "0104600"}]}, {"Артикул": "B-7", "Количество": 1},
    ],
    "Реквизиты": {"Трек.номер": ""}, "Свойства": [{"Имя": "Дата отгрузки", "Значение": "0001-01-01T00:00:00"}],
}  # fmt: skip


def trade(mapping: dict[str, str] | None = None, **changed: Any) -> Settings:
    """A base of that dialect."""
    return base("flat", mapping=MAPPING if mapping is None else mapping, **changed)


def test_the_canonical_snapshot() -> None:
    """Each path leads to its field; what is empty is not there."""
    message = one(written(MESSAGE), trade(), source="trade")
    assert (message.source, message.subject, message.id, message.time) == (
        "1c/trade",
        ORDER,
        "m1",
        "28.11.2022 10:00:00",
    )
    assert message.data == {
        "document": {"id": GUID, "number": "ЦСУТ-004512"}, "status": "К Отгрузке", "version": 3,
        "lines": [{"sku": "A-1", "quantity": "2,000", "marks": ["0104600"]}, {"sku": "B-7", "quantity": 1}],
    }  # fmt: skip


def test_the_events_that_follow() -> None:
    """The same as of any snapshot; a shipment is one once something says so."""
    known = Order(trade())
    assert known.follows(written(MESSAGE), source="trade") == ["order.registered", "order.confirmed"]
    shipped = {**MESSAGE, "Версия": 4, "Реквизиты": {"Трек.номер": "RU1"}, "Ид": "m2"}
    assert known.follows(written(shipped), source="trade") == ["order.assembled", "order.shipped"]
    assert known.last("order.assembled").lines[0].marks == ("0104600",)
    assert known.last("order.shipped").track == "RU1"


def test_the_one_base_with_a_dialect_needs_no_name() -> None:
    """Where just one base is set to a dialect, who names none is that one."""
    assert one(written(MESSAGE), trade()).source == "1c/trade"


def test_a_type_of_ours_is_that_mark() -> None:
    """By our name or by one that `statuses` has; by another one it is a snapshot with that status."""
    mapping = {"event": "type", "number": "order", "track": "shipment.track", "why": "reason", "when": "delivery.date"}
    settings = trade(mapping, statuses={"Отправлен": "order.shipped"})
    for named in ("order.shipped", "Отправлен"):
        message = one(written({"event": named, "number": NUMBER, "track": "RU1"}), settings)
        assert (message.type, message.subject, message.data) == ("order.shipped", ORDER, {"track": "RU1"})
    gone = one(written({"event": "order.cancelled", "number": NUMBER, "why": "out_of_stock"}), settings)
    assert gone.data == {"by": "shop", "reason": "out_of_stock"}
    moved = one(written({"event": "order.rescheduled", "number": NUMBER, "when": "2022-12-01"}), settings)
    assert moved.data == {"date": "2022-12-01"}
    other = one(written({"event": "Упакован", "number": NUMBER}), settings)
    assert (other.type, other.data) == ("order.snapshot", {"status": "Упакован"})


def test_marks_with_lines() -> None:
    """A cancelled line of a confirmation is one of which nothing is left."""
    mapping = {"type": "type", "order": "order", "goods.sku": "lines.sku", "goods.n": "lines.quantity"}
    mapping |= {"goods.gone": "lines.cancelled"}
    goods = [{"sku": "A-1", "n": 2, "gone": "Нет"}, {"sku": "B-7", "n": 1, "gone": "Да"}]
    message = one(written({"type": "order.confirmed", "order": NUMBER, "goods": goods}), trade(mapping))
    assert message.data == {"lines": [{"sku": "A-1", "quantity": 2}, {"sku": "B-7", "quantity": 0}]}
    known = Order(trade(mapping))
    assert known.follows(written({"type": "order.confirmed", "order": NUMBER, "goods": goods})) == ["order.confirmed"]


def test_clean_events_stay_what_they_are() -> None:
    """A base may send CloudEvents beside its own messages, in the body or in the add-in's properties."""
    clean = {"type": "order.shipped", "subject": ORDER, "data": {"track": "RU1"}}
    assert one(written(clean), trade(), source="1c/trade").data == {"track": "RU1"}
    binary = one(b'{"track": "RU1"}', trade(), type="order.shipped", subject=ORDER, source="trade")
    assert (binary.type, binary.data) == ("order.shipped", {"track": "RU1"})


def test_its_own_type_and_source_are_no_cloud_events() -> None:
    """Keys that happen to have CloudEvents' names do not make it one."""
    settings = trade(
        {"source": "channel", "data.number": "number", "data.state": "status"}, channels={"Маркет": "ym-spb"}
    )
    message = one(
        written({"type": "Заказ", "source": "Маркет", "data": {"number": "5", "state": "КОтгрузке"}}), settings
    )
    assert (message.subject, message.data) == ("ym-spb/5", {"status": "КОтгрузке"})


def test_another_document_is_not_its_own_order() -> None:
    """What is no order has to name its order: its own id is none."""
    settings = trade({"kind": "kind", "ref": "document.id", "order": "order"}, documents={"Отгрузка": "shipment"})
    tree = {"kind": "Отгрузка", "ref": GUID}
    assert refused(written(tree), settings).reason == "no_order"
    assert one(written({**tree, "order": f"1c/{OTHER}"}), settings).data["kind"] == "shipment"
    assert one(written({**tree, "kind": "Заказ клиента"}), settings).subject == f"1c/{GUID}"
    assert refused(written({**tree, "kind": "Счет"}), settings).reason == "not_an_order"


def test_several_in_an_array() -> None:
    """Each element is a message."""
    found = messages(written([{**MESSAGE, "Ид": id} for id in ("a", "b")]), trade(), source="trade")
    assert [m.id for m in found] == ["a", "b"]


def test_what_says_nothing_is_rejected() -> None:
    """A message in which no path leads anywhere is not understood, and says where to look."""
    assert refused(b'{"Something": "else"}', trade(), source="trade").reason == "not_an_event"
    error = refused(written({"Состояние": "КОтгрузке"}), trade(), source="trade", subject="order.trade.zakaz")
    assert (error.reason, "mapping" in error.detail or "map its field" in error.detail) == ("no_order", True)


@pytest.mark.parametrize(
    ("said", "type"), [(True, "order.delivered"), ("Да", "order.delivered"), (False, None), ("", None)]
)
def test_things_that_are_there_or_not(said: object, type: str | None) -> None:
    """A flag alone says that there was a receipt; false says that there was none, whatever stands beside it."""
    settings = trade({"order": "order", "paid": "receipt", "sum": "receipt.total"})
    known = Order(settings)
    types = known.follows(written({"order": NUMBER, "paid": said, "sum": "39 570,50" if said else None}))
    assert types == ([type] if type else []) or (type and types[-1] == type)
    assert one(written({"order": NUMBER, "paid": False, "sum": "1,00"}), settings).data == {"receipt": False}


def test_a_receipt_of_fewer_goods() -> None:
    """Lines of the receipt's own say what the buyer took."""
    settings = trade(
        {"order": "order", "check.items.sku": "receipt.lines.sku", "check.items.n": "receipt.lines.quantity"}
    )
    known = Order(settings)
    known.send(written({"order": NUMBER, "check": {"items": [{"sku": "A-1", "n": 1}]}}))
    assert [(line.sku, line.quantity) for line in known.last("order.delivered").lines] == [("A-1", 1)]


def test_a_mapping_adds_to_a_stock_configuration() -> None:
    """A shop's own requisites fill in, or stand before, what the dialect knows by itself."""
    mapping = {"НомерЗаказаНаПлощадке": "order", "meta.shop": "channel", "Товары[].КодПлощадки": "lines.sku"}
    settings = base(mapping=mapping, channels={"Маркет Питер": "ym-spb"})
    goods = [
        {"КодПлощадки": "Z-9", "Номенклатура": {"_GUID": GUID}, "Количество": 2},
        {"Количество": 1, "КодПлощадки": "Z-8"},
    ]
    body = rdv({"НомерЗаказаНаПлощадке": "77", "НомерПоДаннымКлиента": "5", "Товары": goods}, shop="маркет питер")
    message = one(body, settings)
    assert message.subject == "ym-spb/77"
    assert [line["sku"] for line in message.data["lines"]] == ["Z-9", "Z-8"]


def test_a_mapping_that_finds_other_lines() -> None:
    """Values that can't be told which line they are of are not guessed at."""
    settings = base(mapping={"Коды[].Код": "lines.marks"})
    body = rdv({"Товары": [{"Артикул": "A-1", "Количество": 1}], "Коды": [{"Код": "1"}, {"Код": "2"}]})
    assert refused(body, settings).reason == "bad_field"


def test_dates_and_hours() -> None:
    """The letter that is left of no date is none, and an hour is one of any day."""
    mapping = {"order": "order", "day": "delivery.date", "from": "delivery.interval.from", "doc": "document.date"}
    settings = trade({**mapping, "sent": "shipment.date", "keep": "arrival.keep_until", "here": "arrival"})
    tree = {"order": NUMBER, "day": "2022-12-01T00:00:00", "from": "0001-01-01T10:00:00", "doc": "Т", "sent": "T"}
    assert one(written({**tree, "keep": "0001-01-01T00:00:00", "here": False}), settings).data == {
        "delivery": {"date": "2022-12-01T00:00:00", "interval": {"from": "0001-01-01T10:00:00"}}, "arrival": False,
    }  # fmt: skip
    known = Order(settings)
    assert known.follows(written(tree)) == []
    moved = {**tree, "day": "2022-12-02T00:00:00", "from": "0001-01-01T12:30:00"}
    assert known.follows(written(moved)) == ["order.rescheduled"]
    assert known.last("order.rescheduled").interval.since == "12:30"
