"""Orders as CommerceML for 1C: one document each, flat (2.03–2.10) or in containers (3.1). Pure.

`Ид` is the order's key, by which 1C names it ever after; `Номер` the marketplace's number; times are the base's own.
An article stands as Ид and as Артикул, for 1C finds goods by either. A buyer the marketplace names is a counterparty of
his own; where it names nobody, or he was erased, the counterparty is the channel, one for all its orders.

Elements stand as the schema of 2.09 has them; a version below or above only differs in what it is called.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import Element, SubElement
from zoneinfo import ZoneInfo

from events.order import facts as f
from events.order.stages import ASIDE, rank
from events.order.state import OrderState
from service.exchange.answers import NEWEST
from service.exchange.news import Order
from service.onec.dialects import _commerceml as cml
from service.onec.statuses import STAGES, UNTOUCHED

NAMESPACE = "urn:1C.ru:commerceml_3"
PIECE = {"Код": "796", "НаименованиеПолное": "Штука", "МеждународноеСокращение": "PCE"}
LONGEST = {"Ид": 200, "Комментарий": 3000, "Значение": 1000}
"""Characters that the schema allows, where they are not 255; a key is never cut."""

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

DELIVERY = {"courier": "Курьер", "pickup": "Самовывоз", "post": "Почта", "digital": "Цифровой товар"}
DEADLINES = {"cancelled": "Ответить на просьбу об отмене до"}


def document(orders: Iterable[Order], version: str, zone: ZoneInfo, now: datetime) -> Element:
    """The answer to `query`."""
    stamp = now.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")
    own = {"xmlns": NAMESPACE} if version == NEWEST else {}
    root = Element(cml.ROOT, {**own, "ВерсияСхемы": version, "ДатаФормирования": stamp})
    for order in orders:
        if version == NEWEST:
            SubElement(root, cml.CONTAINER).append(_contained(order, zone))
        else:
            root.append(_flat(order, zone))
    return root


def _flat(order: Order, zone: ZoneInfo) -> Element:
    state, made = order.state, Element(cml.DOCUMENT)
    _head(made, state, zone)
    _texts(made, ("ХозОперация", "Заказ товара"), ("Роль", "Продавец"), *_money(state))
    made.append(_counterparty(order))
    _texts(made, ("Время", _time(state, zone)), ("Комментарий", order.people.get("comment")))
    goods = SubElement(made, "Товары")
    for line in _lines(state):
        item = _goods(goods, line)
        SubElement(item, "БазоваяЕдиница", PIECE).text = "шт"
        item.append(_requisites(_SORT))
        _texts(item, ("ЦенаЗаЕдиницу", line.price), ("Количество", line.quantity), ("Сумма", _sum(line)))
    made.append(_requisites(_said(order, zone)))
    return made


def _contained(order: Order, zone: ZoneInfo) -> Element:
    state, made = order.state, Element(cml.DOCUMENT)
    _texts(made, ("Ид", state.order), ("НомерВерсии", state.version), ("ПометкаУдаления", "false"))
    _texts(made, ("Номер", state.number or state.order.partition("/")[2]), ("Дата", _day(state, zone)))
    _texts(made, ("Время", _time(state, zone)), ("ХозОперация", "Заказ товара"))
    made.append(_counterparty(order))
    _texts(made, *_money(state), ("Роль", "Продавец"), ("Комментарий", order.people.get("comment")))
    made.append(_requisites(_said(order, zone)))
    goods = SubElement(made, "Товары")
    for line in _lines(state):
        item = _goods(goods, line)
        item.append(_requisites(_SORT))
        unit = SubElement(item, "Единица")
        _texts(unit, ("Ид", PIECE["Код"]), ("НаименованиеКраткое", "шт"), ("Код", PIECE["Код"]))
        _texts(unit, ("НаименованиеПолное", PIECE["НаименованиеПолное"]))
        _texts(item, ("Коэффициент", 1), ("Количество", line.quantity), ("Цена", line.price), ("Сумма", _sum(line)))
    return made


_SORT = (("ВидНоменклатуры", "Товар"), ("ТипНоменклатуры", "Товар"))


def _head(made: Element, state: OrderState, zone: ZoneInfo) -> None:
    number = state.number or state.order.partition("/")[2]
    _texts(made, ("Ид", state.order), ("Номер", number), ("Дата", _day(state, zone)))


def _money(state: OrderState) -> Sequence[tuple[str, Any]]:
    total = state.total if state.total is not None else sum((_sum(line) or 0 for line in state.lines), Decimal(0))
    return ("Валюта", state.currency or "RUB"), ("Курс", 1), ("Сумма", total)


def _counterparty(order: Order) -> Element:
    made, state = Element("Контрагенты"), order.state
    one = SubElement(made, "Контрагент")
    customer = order.people.get("customer")
    said = customer if isinstance(customer, Mapping) else {"name": customer}
    name, phone, address = said.get("name"), said.get("phone"), order.people.get("address")
    if not name and not phone:
        _texts(one, ("Ид", state.channel), ("Наименование", state.channel), ("ПолноеНаименование", state.channel))
    else:
        id = hashlib.sha256(f"{state.channel}\n{name}\n{phone}".encode()).hexdigest()[:32]
        called = name or phone
        _texts(one, ("Ид", id), ("Наименование", called), ("ПолноеНаименование", called))
        if address:
            _texts(SubElement(one, "АдресРегистрации"), ("Представление", address))
        if phone:
            contact = SubElement(SubElement(one, "Контакты"), "Контакт")
            _texts(contact, ("Тип", "Телефон мобильный"), ("Значение", phone))
    _texts(one, ("Роль", "Покупатель"))
    return made


def _lines(state: OrderState) -> list[f.Line]:
    return [line for line in state.lines if line.quantity]


def _goods(goods: Element, line: f.Line) -> Element:
    item = SubElement(goods, "Товар")
    _texts(item, ("Ид", line.sku), ("Артикул", line.sku), ("Наименование", line.name or line.sku))
    return item


def _said(order: Order, zone: ZoneInfo) -> list[tuple[str, str]]:
    """Everything of an order that a document has no element for."""
    state = order.state
    stage, cancelled = state.stage, state.cancelled
    found: list[tuple[str, Any]] = [
        ("Статус заказа", STAGES.get(stage, UNTOUCHED)),
        ("Статуса заказа ИД", stage),
        ("Дата изменения статуса", state.updated_at),
        ("Отменен", stage == "cancelled"),
        ("Финальный статус", stage in ASIDE or rank(stage) >= rank("delivered")),
        ("Отмену просит покупатель", state.request is not None and state.answer is None),
        ("Возвращен", state.returned),
        ("Кто отменил", WHO.get(cancelled.by, cancelled.by) if cancelled is not None else None),
        ("Сайт", state.channel),
        ("Номер на маркетплейсе", state.number),
        ("Статус на маркетплейсе", state.status),
        ("Способ доставки", DELIVERY.get(state.delivery.type or "", state.delivery.type)),
        ("Служба доставки", state.delivery.service),
        ("Пункт выдачи", state.delivery.outlet),
        ("Адрес доставки", order.people.get("address")),
        ("Доставить с", state.delivery.since),
        ("Доставить до", state.delivery.until),
    ]
    found += [(DEADLINES.get(d.stage, f"Срок: {STAGES.get(d.stage, d.stage)}"), d.due) for d in state.deadlines]
    return [(name, _spelt(value, zone)) for name, value in found if value is not None]


WHO = {"shop": "Магазин", "customer": "Покупатель", "marketplace": "Маркетплейс"}


def _spelt(value: Any, zone: ZoneInfo) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S") if isinstance(value, datetime) else str(value)


def _requisites(said: Iterable[tuple[str, str]]) -> Element:
    made = Element("ЗначенияРеквизитов")
    for name, value in said:
        _texts(SubElement(made, "ЗначениеРеквизита"), ("Наименование", name), ("Значение", value))
    return made


def _texts(parent: Element, *named: tuple[str, Any]) -> None:
    """Adds elements with texts; none for None. What XML can't hold is left out, what is too long is cut."""
    for name, value in named:
        if value is not None:
            SubElement(parent, name).text = NOT_XML.sub("", str(value))[: LONGEST.get(name, 255)]


def _sum(line: f.Line) -> Decimal | None:
    return line.price * line.quantity if line.price is not None else None


def _day(state: OrderState, zone: ZoneInfo) -> str | None:
    return _placed(state, zone, "%Y-%m-%d")


def _time(state: OrderState, zone: ZoneInfo) -> str | None:
    return _placed(state, zone, "%H:%M:%S")


def _placed(state: OrderState, zone: ZoneInfo, shape: str) -> str | None:
    at = state.placed_at or state.updated_at
    return at.astimezone(zone).strftime(shape) if at is not None else None
