"""What 1C's documents are to an order, by the names of their types in stock configurations. Pure."""

from service.onec.cloudevents import Unreadable
from service.onec.config import KINDS as WORDS
from service.onec.dialects._values import same
from service.onec.dialects.port import Around

KINDS = {
    "ЗаказКлиента": "order",
    "ЗаказПокупателя": "order",
    "РеализацияТоваровУслуг": "shipment",
    "РасходнаяНакладная": "shipment",
    "РасходныйОрдерНаТовары": "shipment",
    "ЧекККМ": "receipt",
    "ВозвратТоваровОтКлиента": "return",
    "ВозвратТоваровОтПокупателя": "return",
    "ПриходнаяНакладная": "return",
    "ЧекККМВозврат": "return",
}
OPERATIONS = {"ПриходнаяНакладная": "ВозвратОтПокупателя"}
"""Documents that are this in one of their operations only, their ВидОперации."""


def known(type: str, around: Around) -> bool:
    """Whether a type is an order's document, or one configured as such."""
    return any(same(name, type) for name in (*around.base.documents, *KINDS))


def kind(type: str, operation: str, around: Around) -> str:
    """What a document of this type is; `Unreadable` where it has nothing to do with an order.

    `operation`: its ВидОперации, empty where it has none. What is configured of the base comes before the stock names.
    """
    if not type:
        return WORDS[0]
    for name, is_a in around.base.documents.items():
        if same(name, type):
            return is_a
    stock = next((name for name in KINDS if same(name, type)), "")
    if stock and same(OPERATIONS.get(stock, operation), operation):
        return KINDS[stock]
    if type in WORDS:
        return type
    what = f"{type[:60]} ({operation[:60]})" if operation else type[:60]
    detail = f"{what} is no document of an order: don't send it, or say in `documents` of its base what it is"
    raise Unreadable("not_an_order", detail)
