"""The statuses that stock configurations have, where `[onec.statuses]` does not map them.

УТ 11, КА 2, ERP 2 keep an enumeration, and a state that follows from it and from shipments; УНФ and Розница 3 have a
catalogue with three entries to begin with. None of them tells a delivery: a closed order may be one that was shipped
and paid, or one of which nothing was left, so that closing says nothing by itself. Nor does a state tell a shipment:
the shipment's own document does.
"""

from service.onec.config import plain
from service.settings import Settings

NOTHING = "order.status"
"""What a status means that is known, and says nothing of the goods."""

STOCK = {
    "НеСогласован": "order.registered",
    "НаСогласовании": "order.registered",
    "Открыт": "order.registered",
    "Согласован": "order.confirmed",
    "КВыполнению": "order.confirmed",
    "КОбеспечению": "order.confirmed",
    "КОтгрузке": "order.confirmed",
    "ВРаботе": "order.confirmed",
    "ОжидаетсяСогласование": "order.registered",
    "ОжидаетсяАвансДоОбеспечения": "order.confirmed",
    "ГотовКОбеспечению": "order.confirmed",
    "ОжидаетсяОбеспечение": "order.confirmed",
    "ОжидаетсяПредоплатаДоОтгрузки": "order.confirmed",
    "ГотовКОтгрузке": "order.confirmed",
    "ВПроцессеОтгрузки": "order.confirmed",
    "ОжидаетсяОплатаПослеОтгрузки": NOTHING,
    "ГотовКЗакрытию": NOTHING,
    "Отменен": "order.cancelled",
    "Отменён": "order.cancelled",
    "Закрыт": NOTHING,
    "Завершен": NOTHING,
    "Завершён": NOTHING,
}
"""A status's name to the type it stands for, blanks and case aside."""

UNTOUCHED = "Новый"
"""What the hub calls an order in 1C's own language that is only placed; 1C repeats it, and says nothing by that."""

STAGES = {
    "confirmed": "Подтвержден",
    "assembled": "Собран",
    "shipped": "Отгружен",
    "arrived": "Прибыл в пункт выдачи",
    "handed_over": "Передан курьеру",
    "delivered": "Доставлен",
    "completed": "Выполнен",
    "cancelled": "Отменен",
    "returned": "Возвращен",
}
"""What the hub calls the stages there, and where a base was given this list, what it calls them."""

_STOCK = {plain(name): type for name, type in STOCK.items()}
for _stage, _name in STAGES.items():
    _STOCK |= {plain(_name): f"order.{_stage}", _stage: f"order.{_stage}"}


def meaning(names: tuple[str, ...], source: str, settings: Settings) -> str | None:
    """The type a status stands for, known by any of its names, its GUID among them; None where nobody says."""
    mapped = (settings.status_type(source, name) for name in names)
    stock = (_STOCK.get(plain(name)) for name in names)
    return next((type for type in (*mapped, *stock) if type is not None), None)
