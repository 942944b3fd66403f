"""The kit's outbox, run: what a document's transaction leaves in the queue, whatever becomes of the document."""

import json
from typing import Any

import pytest

from tests.onec.kit.base import Base
from tests.onec.kit.making import made, order
from tests.onec.kit.running import Raised
from tests.onec.kit.values import Array, Map

KEY = "ym-msk/48123456"
MONTH = 31 * 24 * 3600 * 1000
WRITE, POST, UNPOST = (f"РежимЗаписиДокумента.{how}" for how in ("запись", "проведение", "отменапроведения"))


def queued(base: Base) -> list[dict[str, Any]]:
    """The events that wait, in the order they will be sent in."""
    found: list[dict[str, Any]] = [json.loads(row.fields["ТелоJSON".casefold()]) for row in waiting(base)]
    return found


def waiting(base: Base) -> Any:
    """The rows that wait."""
    return base.call("ОкноОчередь", "КОтправке", 100)


def test_a_posted_order_is_one_snapshot() -> None:
    """Written and posted in one go: one event, and it says that the document is posted."""
    base = made()
    order(base, KEY, ("BOSCH", 2)).записать(POST)
    (event,) = queued(base)
    assert (event["type"], event["subject"], event["source"]) == ("order.snapshot", KEY, "1c/ut11")
    assert event["data"]["posted"] is True
    assert event["data"]["lines"] == [{"sku": "BOSCH", "quantity": 2, "price": 38990}]
    assert event["data"]["document"]["date"] == "2022-11-28T09:58:00"


def test_each_write_is_an_event_of_its_own_and_grows() -> None:
    """Written, posted, unposted by one object: three events, three ids, and versions that grow."""
    base = made()
    document = order(base, KEY, ("BOSCH", 2))
    for mode in (WRITE, POST, UNPOST):
        document.записать(mode)
    events = queued(base)
    assert [event["data"]["posted"] for event in events] == [False, True, False]
    assert len({event["id"] for event in events}) == 3
    versions = [int(event["data"]["version"]) for event in events]
    assert versions == sorted(set(versions))


def test_a_clock_that_is_set_back_makes_no_event_older() -> None:
    """The servers of a cluster don't agree on the time: of one order a later write is later all the same."""
    base = made()
    document = order(base, KEY, ("BOSCH", 0))
    document.записать(WRITE)
    base.later = -60_000
    document.записать(POST)
    first, second = queued(base)
    assert int(first["data"]["version"]) < int(second["data"]["version"])
    assert (first["data"]["posted"], second["data"]["posted"]) == (False, True)
    assert second["data"]["lines"][0]["quantity"] == 0


def test_what_is_at_the_hub_stays_so() -> None:
    """A fault that is noted later does not send an event a second time."""
    base = made()
    order(base, KEY, ("BOSCH", 2)).записать(POST)
    (row,) = base.rows("ОчередьСобытийОкно")
    base.call("ОкноОчередь", "ОтметитьОтправленное", row["идентификатор"])
    base.call("ОкноОчередь", "ОтметитьПопытку", row["идентификатор"], "обрыв")
    assert queued(base) == []


def test_what_is_rolled_back_leaves_no_event() -> None:
    """The event shares the document's fate."""
    base = made()
    document = order(base, KEY, ("BOSCH", 2))
    base._begin()
    document.записать(POST)
    base._undo()
    assert queued(base) == []


def test_an_order_of_the_shops_own_is_nobodys_business() -> None:
    """Without a link to a marketplace's order nothing is queued."""
    base = made()
    base.new("ЗаказКлиента").записать(POST)
    assert base.rows("ОчередьСобытийОкно") == []


def test_goods_without_an_article_do_not_vanish_from_the_order() -> None:
    """The document is written, the event waits for a person, and comes whole once the cause is removed."""
    base = made()
    document = order(base, KEY, ("BOSCH", 2), ("", 1))
    document.записать(POST)
    assert queued(base) == []
    (row,) = base.rows("ОчередьСобытийОкно")
    assert row["неисправно"] is True
    assert "Нет артикула" in row["ошибка"]
    (line,) = [each for each in document.fields["товары"] if each.fields["количество"] == 1]
    base.things[line.fields["номенклатура"].id]["артикул"] = "HOSE"
    assert base.call("ОкноОчередь", "ПовторитьНеисправные") == 1
    (event,) = queued(base)
    assert [each["sku"] for each in event["data"]["lines"]] == ["BOSCH", "HOSE"]


def test_a_shipment_speaks_of_each_of_its_orders() -> None:
    """One document for two orders: an event for each, with its own goods only; unposted it is shipped no more."""
    base = made()
    orders = [order(base, key, (article, 1)) for key, article in ((KEY, "BOSCH"), ("ozon/7-1", "HOSE"))]
    for each in orders:
        each.записать(WRITE)
    shipment = base.new("РеализацияТоваровУслуг")
    for each in orders:
        row = shipment.fields["товары"].добавить()
        goods = each.fields["товары"][0].fields["номенклатура"]
        row.fields |= {"номенклатура": goods, "количество": 1, "цена": 38990, "заказклиента": each.fields["ссылка"]}
    shipment.записать(POST)
    events = queued(base)[2:]
    assert {event["subject"]: [line["sku"] for line in event["data"]["lines"]] for event in events} == {
        KEY: ["BOSCH"], "ozon/7-1": ["HOSE"],
    }  # fmt: skip
    assert all(event["data"]["shipment"]["number"] for event in events)
    shipment.записать(UNPOST)
    assert all("shipment" not in event["data"] for event in queued(base)[4:])


def test_an_order_of_unf_names_its_state_twice() -> None:
    """By its name and by its GUID, and says whether it is cancelled."""
    base = made("УНФ")
    document = order(base, KEY, ("BOSCH", 2), configuration="УНФ")
    state = base.add("СправочникСсылка.СостоянияЗаказовПокупателей", наименование="В работе")
    document.fields |= {"состояниезаказа": state, "вариантзавершения": "успешно"}
    document.записать(POST)
    (event,) = queued(base)
    assert event["data"]["status"] == {"name": "В работе", "id": str(state.id)}
    assert event["data"]["cancelled"] is False


def test_marks_go_without_a_document() -> None:
    """The buyer's wish is answered by a mark."""
    base = made()
    document = order(base, KEY, ("BOSCH", 2))
    base.call("ОкноОчередь", "ОтветитьОбОтмене", document.fields["ссылка"], False)
    (event,) = queued(base)
    assert (event["type"], event["data"]) == ("order.cancellation_declined", {"reason": "in_delivery"})


def test_old_rows_are_cleaned_away_and_waiting_ones_are_not() -> None:
    """Only what was sent a month ago goes, and what was read and applied a month ago."""
    base = made()
    document = order(base, KEY, ("BOSCH", 2))
    for _ in range(3):
        document.записать(WRITE)
    old, sent, waits = base.rows("ОчередьСобытийОкно")
    for row in (old, sent):
        base.call("ОкноОчередь", "ОтметитьОтправленное", row["идентификатор"])
    for row in (old, waits):
        base.registers["очередьсобытийокно"].rows[(row["идентификатор"],)]["момент"] -= MONTH
    base.call(
        "ОкноПолучение", "Принять", Array(Map(id=id, type="order.deadline", subject=KEY, version=1) for id in "ab")
    )
    for row, applied in zip(base.rows("ВходящиеСообщенияОкно"), (True, False), strict=True):
        row |= {"обработано": applied, "момент": row["момент"] - MONTH}
    base.call("ОкноОчередь", "Очистить")
    assert [row["идентификатор"] for row in base.rows("ОчередьСобытийОкно")] == [
        sent["идентификатор"],
        waits["идентификатор"],
    ]
    assert [row["идентификатор"] for row in base.rows("ВходящиеСообщенияОкно")] == ["b"]


def test_what_an_exchange_between_bases_brings_is_left_to_its_own_base() -> None:
    """A document loaded by an exchange is no news of this base's, even if the same object was written before."""
    base = made()
    document = order(base, KEY, ("BOSCH", 2))
    document.записать(WRITE)
    document.fields["обменданными"].fields["загрузка"] = True
    document.записать(POST)
    (event,) = queued(base)
    assert event["data"]["posted"] is False


def test_a_fault_of_the_database_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What 1C raises outside of our own snapshot reaches whoever posts the document."""
    base = made()
    document = order(base, KEY, ("BOSCH", 2))

    def full(*_: Any) -> None:
        raise Raised("Ошибка СУБД")

    monkeypatch.setattr(base.registers["очередьсобытийокно"], "создатьменеджерзаписи", full)
    with pytest.raises(Raised):
        document.записать(POST)
    assert document.fields["ссылка"].id not in base.things
