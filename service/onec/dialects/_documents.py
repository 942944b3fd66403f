"""The documents of stock configurations, whatever dialect they come in: one table of what their requisites mean. Pure.

    УТ 11, КА 2, ERP 2       ЗаказКлиента: Статус, Товары with Отменено, НомерПоДаннымКлиента
    УНФ, Розница 3           ЗаказПокупателя: СостояниеЗаказа (the shop's own, by name or id), ВариантЗавершения, Запасы
    УТ 10.3, УПП             ЗаказПокупателя without a status: Проведен, Товары

A shipment, a receipt and a return are documents of their own and name their order, in the head or in each line; one
that ships several orders is as many snapshots. What a base of 1C's has besides, its `mapping` adds or puts in place of
what stands here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from service.onec.cloudevents import Unreadable
from service.onec.dialects import _mapped
from service.onec.dialects._kinds import KINDS, kind
from service.onec.dialects._values import first, named, reference, same, text, there
from service.onec.dialects.port import Around, Part
from service.onec.mapping import VALUE

FIELDS = {
    "document.id": ("_GUID", "Ref", "Ссылка"),
    "document.number": ("Номер", "Number"),
    "document.date": ("Дата", "Date"),
    "version": ("ВерсияДанных", "DataVersion", "НомерВерсии"),
    "posted": ("Проведен", "Posted"),
    "deleted": ("ПометкаУдаления", "DeletionMark"),
}
"""A field of ours to the requisites it is in."""

STATUS, STATE = "Статус", "СостояниеЗаказа"
NUMBERS = ("НомерПоДаннымКлиента", "НомерВходящегоДокумента", "НомерЗаказаМаркетплейса")
"""Where an order has the marketplace's number."""

CANCELLED = ("Отменен", "Отменён")
ENDED, FAILED = "ВариантЗавершения", "Отменен"
GOODS = ("Товары", "Запасы")
ITEM, VARIANT, QUANTITY = "Номенклатура", "Характеристика", "Количество"
ARTICLES = ("Артикул", "_Артикул", "Код", "_Код", "Code")
ORDERS = ("Заказ", "ЗаказКлиента", "ЗаказПокупателя", "Распоряжение", "ДокументОснование")
"""Where a document names its order."""

NOT_YET = (
    "КПредоплате", "Подготовлено", "КОтбору", "КПроверке", "ВПроцессеПроверки", "Проверен", "КОтгрузке", "Отложен",
    "Аннулирован", "НеСогласован",
)  # fmt: skip
"""Statuses of a shipment or a receipt that is there, and moved no goods (yet)."""

EVERY = {
    "document.id": "Ref",
    "document.number": "Number",
    "document.date": "Date",
    "posted": "Posted",
    "deleted": "DeletionMark",
}
"""What every document has, in a format that leaves nothing out, and what it is called there."""


class Piece(msgspec.Struct, frozen=True):
    """A document's snapshot for one order. `lines`: the numbers of the lines it is of, None where of all."""

    part: Part
    lines: Sequence[int] | None = None


def pieces(
    document: Mapping[str, Any], type: str, around: Around, whole: Any, *, sparse: bool = False, **outside: str
) -> Iterator[Piece]:
    """A document's snapshots: one for each order it is of.

    `type`: the document's short name, empty where nobody says. `whole`: the message it stands in. `sparse`: its format
    leaves out what is false, zero or empty; another one always has every key. `outside`: the message's own id, time and
    source, where it says them.
    """
    is_a = kind(type, text(document.get("ВидОперации")), around)
    goods = there(document, GOODS)
    rows = _rows(document, goods)
    missing = [] if sparse else list(_missing(document, type))
    head = _head(document, type, is_a, sparse)
    found = _mapped.apply(around, document, whole, head, [_line(row, sparse) for row in rows])
    lacking = {key for line in found.lines for key in ("sku", "quantity") if key not in line}
    missing += [f"{goods}.{name}" for key, name in (("sku", ITEM), ("quantity", QUANTITY)) if key in lacking]
    lines = [] if lacking else found.lines
    if missing:
        found.data["missing"] = missing
    if found.data.get("kind", "order") == "order":
        yield Piece(found.part(around, text(found.data.get("document", {}).get("id")), lines, outside))
        return
    owners = [_order(row) for row in rows]
    orders = list(dict.fromkeys(id for id in owners if id))
    if len(orders) < 2 or len(lines) != len(rows) or found.names_order(around):
        yield Piece(found.part(around, _order(document) or next(iter(orders), None), lines, outside))
        return
    for id in orders:
        own = [number for number, owner in enumerate(owners) if owner == id]
        yield Piece(found.part(around, id, [lines[number] for number in own], outside), own)


def _head(document: Mapping[str, Any], type: str, kind: str, sparse: bool) -> dict[str, Any]:
    """The fields of a document but its lines, each by its name with dots."""
    fields = {field: first(document, names) for field, names in FIELDS.items()}
    fields["status"] = next((found for name in (STATUS, STATE) if (found := named(document, name)) is not None), None)
    if kind == "order":
        fields |= {"number": first(document, NUMBERS), "cancelled": _cancelled(document, sparse)}
        if not sparse and fields["status"] is None and fields["posted"] is not False and _has_status(document, type):
            fields["posted"] = None  # its status is not set, or was not sent: that it is posted says nothing then
    else:
        fields["kind"] = kind
        if any(same(text(fields["status"]), name) for name in NOT_YET) or (sparse and fields["posted"] is None):
            fields["posted"] = False
    if kind == "receipt":
        fields |= {"receipt.number": first(document, ("НомерЧекаККМ", *FIELDS["document.number"]))}
        fields |= {"receipt.total": first(document, ("СуммаДокумента",))}
    if sparse:
        fields |= {"absent": "false", "deleted": fields["deleted"] or False}
    return {field: value for field, value in fields.items() if value is not None}


def _cancelled(document: Mapping[str, Any], sparse: bool) -> Any:
    """What the head says of a cancellation; None where it has no such requisite."""
    if same(text(document.get(ENDED)), FAILED):
        return True
    said = first(document, CANCELLED)
    if said is None and (sparse or there(document, (*CANCELLED, ENDED)) is not None):
        return False
    return said


def _has_status(document: Mapping[str, Any], type: str) -> bool:
    """Whether documents like this have a status; those of old configurations have none."""
    return same(type, "ЗаказКлиента") or GOODS[1] in document or there(document, (STATUS, STATE)) is not None


def _rows(document: Mapping[str, Any], goods: str | None) -> list[Mapping[str, Any]]:
    rows = document.get(goods) if goods is not None else None
    rows = rows.get(VALUE) if isinstance(rows, dict) else rows
    if rows is None:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreadable("bad_field", f"{goods} is not an array of objects", "")
    return rows


def _line(row: Mapping[str, Any], sparse: bool) -> dict[str, Any]:
    """A line of goods; one that lacks its sku or quantity is not whole."""
    item, variant = reference(row, ITEM), reference(row, VARIANT)
    inside = item.fields if item is not None else row.get(ITEM)
    sku = first(row, ARTICLES[:2]) or (first(inside, ARTICLES) if isinstance(inside, Mapping) else None)
    if sku is None and item is not None:
        sku = item.id if variant is None else f"{item.id}#{variant.id}"
    quantity = first(row, (QUANTITY, "Quantity"))
    line = {"sku": text(sku) or None, "quantity": 0 if quantity is None and sparse else quantity}
    line |= {"price": first(row, ("Цена", "Price")), "cancelled": first(row, ("Отменено",))}
    return {key: value for key, value in line.items() if value is not None}


def _order(fields: Mapping[str, Any]) -> str | None:
    """The id of the order that a document or a line of it belongs to."""
    for name in ORDERS:
        found = reference(fields, name)
        if found is not None and (not found.type or KINDS.get(found.type) == "order"):
            return found.id
    return None


def _missing(document: Mapping[str, Any], type: str) -> Iterator[str]:
    """Requisites a document of this type always has, and this one has not."""
    for field, name in EVERY.items():
        if there(document, FIELDS[field]) is None:
            yield name
    if there(document, (STATUS, STATE)) is None and _has_status(document, type):
        yield STATUS if same(type, "ЗаказКлиента") else STATE
    if type in KINDS and there(document, GOODS) is None:
        yield " or ".join(GOODS)


def cut(document: Mapping[str, Any], lines: Sequence[int]) -> dict[str, Any]:
    """A document with these of its lines only."""
    goods = there(document, GOODS)
    rows = _rows(document, goods)
    return {**document, str(goods): [rows[number] for number in lines]}


def with_body(part: Part, body: bytes | None) -> Part:
    """A part whose bytes say just this."""
    return msgspec.structs.replace(part, body=body)


def alone(read: Callable[[], Iterable[Part]], body: bytes) -> list[Part | Unreadable]:
    """The parts of one document among others; where it can't be understood, why, with its own bytes."""
    try:
        return [part if part.body is not None else with_body(part, body) for part in read()]
    except Unreadable as error:
        return [Unreadable(error.reason, error.detail, error.pointer, body)]
