"""CommerceML 2 and 3, what stock configurations send in «Обмен с сайтом».

    Номер1С, «Номер по 1С», «Дата по 1С»             document
    НомерВерсии                                      version
    ПометкаУдаления, «Отменен», «Проведен»           deleted, cancelled, posted
    «Статус заказа», with `[F] ` or without          status; by its name and by «Статуса заказа ИД»
    «Номер отгрузки по 1С», «Дата…», «Отгружен»      shipment; 1C leaves them out where there is none
    Товары but services                              lines: the sku is Артикул, else Ид as the hub gave it
    an own document, or one within the order         Отпуск товара: a shipment; Возврат товара: a return

A base's `mapping` begins in the document; its requisites are there by name, as `Реквизиты.Трек-номер`.

Payments say nothing here: what a marketplace sells is paid there, and a payment hands nobody any goods. The status
that the hub itself gives an order nobody has touched says nothing either: 1C repeats it.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import msgspec

from events.codec import canonical
from events.order.stages import PATH
from service.onec import mapping
from service.onec.cloudevents import Unreadable
from service.onec.config import OnecSource, plain
from service.onec.dialects import _commerceml as cml
from service.onec.dialects import _orders
from service.onec.dialects._mapped import apply
from service.onec.dialects._values import GUID, text
from service.onec.dialects.port import Around, Part
from service.onec.snapshots import FALSE, TRUE
from service.onec.statuses import UNTOUCHED

KINDS = {cml.ORDER: "order", "": "order", "отпусктовара": "shipment", "возвраттовара": "return"}
"""What a document is to its order, by its ХозОперация."""

DELIVERY = "ORDER_DELIVERY"
SERVICE = "услуга"

_MARKED = re.compile(r"\[[^\]]{1,10}\]\s*")


def recognises(tree: Any) -> bool:
    """Whether the root is CommerceML's."""
    return isinstance(tree, Element) and cml.local(tree.tag) == cml.ROOT


def parts(tree: Element, around: Around) -> Sequence[Part]:
    """A part for each document of an order; a file without any is no message."""
    root = cml.bare(tree)
    every = list(cml.documents(root))
    if not every:
        raise Unreadable("no_document", "there is no Документ in it: a catalogue is not taken here")
    found = [part for document in every if (part := _part(document, root.attrib, around, len(every) > 1)) is not None]
    if not found:
        said = cml.text(every[0], "ХозОперация")
        detail = f"{said[:80]} is no document of an order: don't send it, or say in `documents` of its base what it is"
        raise Unreadable("not_an_order", detail)
    return found


def kind(document: Element, base: OnecSource) -> str | None:
    """What a document is to its order; None for one that is nothing to it, such as a payment."""
    operation = cml.operation(document)
    own = {plain(name): kind for name, kind in base.documents.items()}
    return own.get(operation) or KINDS.get(operation)


def names(document: Element, base: OnecSource) -> tuple[str, ...]:
    """The names of the order a document is about: those its base's `mapping` leads to, else its own."""
    tree = cml.tree(document)
    paths = [mapping.parse(path) for path, field in base.mapping.items() if field in ("order", "number")]
    mapped = tuple(found for path in paths if (found := text(mapping.walk(tree, path))))
    return mapped or cml.orders(document)


def _part(document: Element, root: Mapping[str, str], around: Around, among: bool) -> Part | None:
    """A document's part; its own bytes where it stands among others."""
    sort = kind(document, around.base)
    if sort is None:
        return None
    fields = _order(document, around) if sort == "order" else _other(document, sort)
    lines = _lines(document, root, fields)
    fields |= {"version": cml.text(document, "НомерВерсии"), "order": _name(document, around)}
    given = {field: value for field, value in fields.items() if value not in ("", None)}
    tree = cml.tree(document)
    found = apply(around, tree, tree, given, lines)
    time = cml.formed(root)
    said = [time, names(document, around.base), found.data, found.lines]
    id = hashlib.sha256(canonical(said)).hexdigest()[:32] if time else ""
    part = found.part(around, None, found.lines, {"id": id, "time": time})
    return msgspec.structs.replace(part, body=cml.written(cml.alone(root, document))) if among else part


def _name(document: Element, around: Around) -> str:
    """The order's key as the hub gave it, else the marketplace's number. 1C's own ids are nobody's number."""
    every = names(document, around.base)
    key = next((found for name in every if (found := _orders.key(name, around))), "")
    return key or next((name for name in every if not GUID.fullmatch(name)), "")


def _order(document: Element, around: Around) -> dict[str, Any]:
    said = cml.requisites(document)
    status = _MARKED.sub("", said.get("статусзаказа", ""), count=1).strip()
    id = said.get("статусазаказаид") or said.get("статусзаказаид", "")
    number, date = said.get("номеротгрузкипо1с", ""), cml.moment(said.get("датаотгрузкипо1с", ""))
    flag = _said(said.get("отгружен"))
    shipped = {"shipment.number": number, "shipment.date": date, "shipment": flag} if flag is not False else {}
    return {
        **_document(document, said), **shipped,
        "status": _status(status, id, around),
        "posted": _said(said.get("проведен")), "cancelled": _said(said.get("отменен")),
        "deleted": _said(said.get("пометкаудаления") or cml.text(document, "ПометкаУдаления")),
    }  # fmt: skip


def _other(document: Element, kind: str) -> dict[str, Any]:
    """A document beside the order: it counts while it is posted, and neither cancelled nor marked for deletion."""
    said = cml.requisites(document)
    deleted = _said(said.get("пометкаудаления") or cml.text(document, "ПометкаУдаления"))
    there = [_said(said.get(name)) for name in ("проведен", "отгружен")]
    against = deleted or _said(said.get("отменен")) or False in there
    return {
        "kind": kind, "document.id": cml.text(document, "Ид"), "document.number": cml.text(document, "Номер"),
        **_document(document, said), "deleted": deleted, "posted": False if against else True in there or None,
    }  # fmt: skip


def _document(document: Element, said: Mapping[str, str]) -> dict[str, str]:
    """1C's own document, by its number and date there."""
    number = cml.text(document, "Номер1С") or said.get("номерпо1с", "")
    date = cml.moment(cml.text(document, "Дата1С") or said.get("датапо1с", ""))
    return {field: value for field, value in (("document.number", number), ("document.date", date)) if value}


def _status(name: str, id: str, around: Around) -> str | dict[str, str]:
    untouched = plain(name or id) in (plain(UNTOUCHED), PATH[0])
    if untouched and around.onec.status_type(around.source, name or id) is None:
        return ""
    return {"name": name, "id": id} if name and id else name or id


def _lines(document: Element, root: Mapping[str, str], data: dict[str, Any]) -> list[dict[str, Any]]:
    """The goods; none where a line of them is not whole, and `missing` says so."""
    found = []
    for item in document.iterfind("Товары/Товар"):
        sort = cml.requisites(item)
        own = cml.text(item, "Ид")
        if own == DELIVERY or SERVICE in (
            sort.get("типноменклатуры", "").lower(),
            sort.get("видноменклатуры", "").lower(),
        ):
            continue
        sku = cml.text(item, "Артикул") or own.rstrip("#")
        quantity = cml.number(cml.text(item, "Количество"), root, "ФорматКоличества")
        if not sku or not quantity:
            data["missing"] = ["Товар." + ("Ид" if not sku else "Количество")]
            return []
        price = cml.number(cml.text(item, "ЦенаЗаЕдиницу", "Цена"), root, "ФорматСуммы")
        found.append({"sku": sku, "quantity": quantity, **({"price": price} if price else {})})
    return found


def _said(value: str | None) -> bool | None:
    """True or false as 1C spells it; None where it says neither."""
    said = (value or "").strip().casefold()
    return True if said in TRUE else False if said in FALSE else None
