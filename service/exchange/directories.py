"""What `info` answers: the statuses, ways to pay and to deliver that a base may map its own to. Pure."""

from xml.etree.ElementTree import Element, SubElement

from service.exchange.orders import DELIVERY
from service.onec.statuses import STAGES, UNTOUCHED

STATUSES = ("Cтатусы", "Статусы")
"""The first letter is Latin where public servers of this exchange write it, and so where 1C reads it."""

PAID = {"marketplace": "Оплата на маркетплейсе"}


def directories() -> Element:
    """The lists, each entry with its id and name."""
    root = Element("Справочник")
    for name in STATUSES:
        _listed(root, name, {"placed": UNTOUCHED, **STAGES})
    _listed(root, "ПлатежныеСистемы", PAID)
    _listed(root, "СлужбыДоставки", DELIVERY)
    return root


def _listed(root: Element, name: str, entries: dict[str, str]) -> None:
    made = SubElement(root, name)
    for id, called in entries.items():
        entry = SubElement(made, "Элемент")
        SubElement(entry, "Ид").text, SubElement(entry, "Название").text = id, called
