"""CommerceML's documents are understood, whatever version and spelling they come in."""

import pytest

from service.onec.cloudevents import Unreadable
from service.onec.reading import read
from tests.onec.commerceml.making import FROM_1C, SHORT, TO_1C, data, document, file, goods, public, said
from tests.onec.making import CONFIG, SETTINGS, configured

ORDER = "ym-msk/48123456"
ONE = configured(channels={"ym-msk": CONFIG["channels"]["ym-msk"]})


def test_a_public_file_of_3_1() -> None:
    """Twenty containers: numbers without their padding, goods, what was shipped; payments say nothing."""
    messages = said(public(FROM_1C), ONE, source="1c/ut11")
    assert [len(messages), messages[0].subject, messages[0].source] == [20, "ym-msk/320", "1c/ut11"]
    first = messages[0].data
    assert first["document"] == {"number": "L320", "date": "2017-08-03"}
    assert first["version"] == "AAAC+wAAAAA="
    assert (first["posted"], first["cancelled"], first["deleted"]) == (True, False, False)
    assert first["shipment"] == {"number": "О0000000976", "date": "2017-08-04T12:22:01"}
    assert first["lines"] == [
        {
            "sku": "aa8085b0-ee4d-11e3-9438-00155d020201#9b62e395-ef8b-11e3-9438-00155d020201", "quantity": "1",
            "price": "1320",
        }
    ]  # fmt: skip
    assert sum("shipment" in message.data for message in messages) == 7
    assert len({message.id for message in messages}) == 20
    assert all("receipt" not in message.data for message in messages)


def test_each_document_is_a_file_by_itself() -> None:
    """The body of a document of many says what the whole file said of it."""
    for message in said(public(FROM_1C), ONE, source="1c/ut11"):
        assert data(message.body, ONE, source="1c/ut11") == message.data


def test_a_public_file_of_2_03() -> None:
    """The site's own order and 1C's short answers stand in one file; delivery is no goods."""
    site, first, second = said(public(SHORT), ONE)
    assert [line["sku"] for line in site.data["lines"]] == ["dee6e19a-55bc-11d9-848a-00112f43529a"]
    assert site.data["status"] == "Принят"
    assert first.data["document"] == {"number": "MM92", "date": "2015-08-12"}
    assert (first.data["posted"], first.data["deleted"], first.data["status"]) == (True, False, "Открыт")
    assert "lines" not in first.data
    assert second.subject == "ym-msk/93"


def test_a_public_file_in_windows_1251() -> None:
    """What it is written in, it says itself."""
    [order] = said(public(TO_1C), ONE)
    assert (order.subject, order.data["status"], order.data["cancelled"]) == ("ym-msk/20", "Доставлен", False)


@pytest.mark.parametrize("containers", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251"])
def test_flat_and_in_containers(containers: bool, encoding: str) -> None:
    """The same document says the same in 2.x and 3.1."""
    body = file(document(said={"Проведен": "true"}, lines=goods("A")), encoding=encoding, containers=containers)
    assert data(body) == {"posted": True, "lines": [{"sku": "A", "quantity": "1", "price": "100"}]}


@pytest.mark.parametrize(
    ("spelt", "meant"),
    [
        ({"Отменен": "true"}, {"cancelled": True}),
        ({"ПометкаУдаления": "Да"}, {"deleted": True}),
        ({"Проведен": "0"}, {"posted": False}),
        ({"Дата отгрузки по 1С": "T"}, {}),
        ({"Номер отгрузки по 1С": "  ", "Отгружен": "false"}, {}),
        ({"Номер отгрузки по 1С": "О-1  "}, {"shipment": {"number": "О-1"}}),
        ({"Отгружен": "true"}, {"shipment": True}),
        ({"Отгружен": "false", "Номер отгрузки по 1С": "О-1"}, {}),
        ({"Номер оплаты по 1С": "П-1", "Дата оплаты по 1С": "2026-11-20", "Оплачен": "true"}, {}),
        ({"Статус заказа": "[F] Доставлен "}, {"status": "Доставлен"}),
        ({"Статус заказа": "Собран", "Статуса заказа ИД": "assembled"},
         {"status": {"name": "Собран", "id": "assembled"}}),
        ({"Статус заказа": "Новый", "Статуса заказа ИД": "placed"}, {}),
        ({"Номер по 1С": "ЦСУТ-1   ", "Дата по 1С": "2026-11-20"},
         {"document": {"number": "ЦСУТ-1", "date": "2026-11-20"}}),
    ],
)  # fmt: skip
def test_requisites(spelt: dict[str, str], meant: dict[str, object]) -> None:
    """What stands in `ЗначенияРеквизитов`, as 1C spells it."""
    assert data(file(document(said=spelt))) == meant


def test_numbers_are_written_as_the_root_says() -> None:
    """`ЧРД` is the sign before the fraction, `ЧРГ` the one between groups."""
    lines = goods("A", quantity="2,000", price="1.234,50")
    body = file(document(lines=lines), more='ФорматСуммы="ЧЦ=18; ЧДЦ=2; ЧРД=,; ЧРГ=." ФорматКоличества="ЧДЦ=3; ЧРД=,"')
    assert data(body)["lines"] == [{"sku": "A", "quantity": "2.000", "price": "1234.50"}]


def test_an_article_goes_before_an_id() -> None:
    """1C's own id of goods is no article of the marketplace's, where it names one; an empty variant is none."""
    lines = goods("3d5f", more="<Артикул>BOSCH  </Артикул>") + goods("GUID#")
    assert [line["sku"] for line in data(file(document(lines=lines)))["lines"]] == ["BOSCH", "GUID"]


def test_services_are_no_goods() -> None:
    """Nor is the delivery as a line."""
    lines = goods("A") + goods("X", sort="Услуга") + goods("ORDER_DELIVERY")
    assert [line["sku"] for line in data(file(document(lines=lines)))["lines"]] == ["A"]


def test_a_line_that_is_not_whole_says_so() -> None:
    """Then nothing is concluded from the goods at all."""
    found = data(file(document(lines=goods("A") + goods("B", quantity=""))))
    assert found == {"missing": ["Товар.Количество"]}


def test_documents_within_and_beside_an_order() -> None:
    """A shipment within the order, or after it in its container, is a document of its own of that order."""
    shipment = document("sh-1", {"Проведен": "true"}, goods("A"), operation="Отпуск товара")
    within = shipment.replace("Документ>", "ПодчиненныйДокумент>")
    paid = document("p-1", operation="Выплата безналичных денег", tag="ПодчиненныйДокумент")
    order = document(said={"Проведен": "true"}, more=f"<ПодчиненныеДокументы>{within}{paid}</ПодчиненныеДокументы>")
    flat = said(file(order, version="2.10"))
    beside = said(file(document(said={"Проведен": "true"}) + shipment, version="3.1", containers=True))
    for messages in (flat, beside):
        assert [(m.subject, m.data.get("kind", "order")) for m in messages] == [(ORDER, "order"), (ORDER, "shipment")]
        assert messages[1].data["document"] == {"id": "sh-1", "number": "sh-1"}
        assert messages[1].data["posted"] is True
        again = [said(m.body)[0] for m in messages]
        assert [(m.subject, m.data, m.id) for m in again] == [(m.subject, m.data, m.id) for m in messages]


@pytest.mark.parametrize("against", [{"Отменен": "true"}, {"ПометкаУдаления": "true"}, {"Отгружен": "false"}])
def test_a_shipment_that_does_not_count(against: dict[str, str]) -> None:
    """Cancelled, marked for deletion or not shipped, it is as one that is not posted."""
    body = file(document("s", {"Проведен": "true", **against}, operation="Отпуск товара",
                         more=f"<Основание>{ORDER}</Основание>"))  # fmt: skip
    assert data(body)["posted"] is False


def test_a_return_is_one() -> None:
    """By its operation; what else a base writes there, its `documents` say."""
    based = f"<Основание>{ORDER}</Основание>"
    assert data(file(document("r", operation="Возврат товара", more=based)))["kind"] == "return"
    own = configured(onec={"sources": {"ut11": {"documents": {"Чек ККМ": "receipt"}}}})
    body = file(document("c", operation="Чек ККМ", more=based))
    assert data(body, own, source="1c/ut11")["kind"] == "receipt"


def test_a_mapping_leads_into_a_document() -> None:
    """To requisites by name, and to elements; what it leads to counts before what stands here."""
    paths = {'"Реквизиты"."Трек-номер"': "shipment.track", "Реквизиты.НомерМП": "order", "Комментарий": "version"}
    own = configured(onec={"sources": {"ut11": {"mapping": paths}}})
    said_there = {"Трек-номер": "RR1", "НомерМП": "ym-spb/5", "Номер отгрузки по 1С": "О-1"}
    body = file(document("320", said_there, more="<Комментарий>7</Комментарий>"))
    [message] = said(body, own, source="1c/ut11")
    assert message.subject == "ym-spb/5"
    assert message.data == {"shipment": {"number": "О-1", "track": "RR1"}, "version": "7"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (file(document("p", operation="Выплата безналичных денег")), "not_an_order"),
        (file("<Каталог/>"), "no_document"),
        (file(document("b0e5f7f4-0001-11ef-a850-cc52afc9fc6f")), "no_order"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><КоммерческаяИнформация>&a;</КоммерческаяИнформация>".encode(), "broken_xml"),
        (file(document())[:-40], "broken_xml"),
        (b"<?xml version='1.0'?><other/>", "not_an_event"),
    ],
)
def test_what_is_no_order_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    """Kept whole, by its reason."""
    [refused] = read(body, {}, SETTINGS)
    assert isinstance(refused, Unreadable)
    assert refused.reason == reason


def test_the_same_document_of_another_export_is_another_message() -> None:
    """So that a state it goes back to is not taken for one that was sent before; the same export is the same."""
    [first], [again], [later] = (
        said(file(document(said={"Проведен": "true"}), formed=formed))
        for formed in ("2026-11-21T10:00:00", "2026-11-21T10:00:00", "2026-11-21T10:00:01")
    )
    assert first.id == again.id != later.id
    [daily] = said(file(document(), formed="2026-11-21"), id="of the session")
    assert (daily.id, daily.time) == ("of the session", None)
