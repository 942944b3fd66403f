"""The statuses that stock configurations have, where `[onec.statuses]` does not map them.

УТ 11, КА 2, ERP 2 keep an enumeration, УНФ and Розница 3 a catalogue with three entries to begin with. None of them
tells a delivery: a closed order may be one that was shipped and paid, so that closing says nothing by itself.
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
    "Отменен": "order.cancelled",
    "Отменён": "order.cancelled",
    "Закрыт": NOTHING,
    "Завершен": NOTHING,
    "Завершён": NOTHING,
}
"""A status's name to the type it stands for, blanks and case aside."""

_STOCK = {plain(name): type for name, type in STOCK.items()}


def meaning(names: tuple[str, ...], source: str, settings: Settings) -> str | None:
    """The type a status stands for, known by any of its names, its GUID among them; None where nobody says."""
    mapped = (settings.status_type(source, name) for name in names)
    stock = (_STOCK.get(plain(name)) for name in names)
    return next((type for type in (*mapped, *stock) if type is not None), None)
