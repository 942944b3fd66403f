"""Bases of УТ 11 and УНФ as far as the kit's examples look into them, with goods, and a hub to talk to."""

from datetime import datetime
from typing import Any

from tests.onec.kit.base import Base, Document, Reference, Section
from tests.onec.kit.registers import Row

DATE = datetime(2022, 11, 28, 9, 58)  # noqa: DTZ001  # 1C's times have no zone


def _document(**more: Any) -> Row:
    return {"Номер": "", "Дата": DATE, "Проведен": False, "ПометкаУдаления": False, "Комментарий": "", **more}


def _order_ut() -> Row:
    columns = ("Номенклатура", "Количество", "КоличествоУпаковок", "Цена", "Сумма")
    lines = Section({**dict.fromkeys(columns), "Отменено": False})
    return _document(Статус="НеСогласован", НомерПоДаннымКлиента="", Партнер=None, Товары=lines)


def _shipment_ut() -> Row:
    return _document(Товары=Section(dict.fromkeys(("Номенклатура", "Количество", "Цена", "ЗаказКлиента"))))


def _order_unf() -> Row:
    lines = Section(dict.fromkeys(("Номенклатура", "Количество", "Цена", "Сумма")))
    return _document(СостояниеЗаказа=None, ВариантЗавершения=None, Контрагент=None, Запасы=lines)


def _shipment_unf() -> Row:
    lines = Section(dict.fromkeys(("Номенклатура", "Количество", "Цена", "Заказ")))
    return _document(Заказ=None, Запасы=lines)


KINDS = {
    "УТ11": {"ЗаказКлиента": _order_ut, "РеализацияТоваровУслуг": _shipment_ut},
    "УНФ": {"ЗаказПокупателя": _order_unf, "РасходнаяНакладная": _shipment_unf},
}
ORDER = {"УТ11": "ЗаказКлиента", "УНФ": "ЗаказПокупателя"}
LINES = {"УТ11": "товары", "УНФ": "запасы"}


def made(configuration: str = "УТ11") -> Base:
    """An empty base."""
    return Base(configuration, KINDS[configuration])


def goods(base: Base, *articles: str) -> list[Reference]:
    """Items of the catalogue."""
    shared = {"типноменклатуры": "запас"}
    return [base.add("СправочникСсылка.Номенклатура", артикул=each, наименование=each, **shared) for each in articles]


def order(base: Base, key: str, *lines: tuple[str, int], configuration: str = "УТ11") -> Document:
    """An order of these goods, linked with its key and not written yet."""
    document = base.new(ORDER[configuration])
    for item, (_, quantity) in zip(goods(base, *(article for article, _ in lines)), lines, strict=True):
        row = document.fields[LINES[configuration]].добавить()
        row.fields |= {"номенклатура": item, "количество": quantity, "цена": 38990, "сумма": 38990 * quantity}
    base.call("ОкноОчередь", "СвязатьЗаказ", key, document.fields["ссылка"])
    return document
