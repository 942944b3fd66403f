"""CommerceML's documents as trees: where they stand in a file, what they are called, how they spell values. Pure.

    2.03–2.10   КоммерческаяИнформация / Документ; from 2.10 with ПодчиненныеДокументы in it
    3.1         КоммерческаяИнформация / Контейнер / Документ, one beside the other; names are in a namespace

Here names are without a namespace. A document alone is put into a root of its own with the attributes of the file's, so
that it says by itself how its numbers are written and when it was made.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from service.onec.config import plain

ROOT = "КоммерческаяИнформация"
DOCUMENT, CONTAINER = "Документ", "Контейнер"
INNER, INNER_ONE = "ПодчиненныеДокументы", "ПодчиненныйДокумент"
BASIS = "Основание"
ORDER = "заказтовара"

_SETTING = re.compile(r"(\w+)=([^;]*)")


def local(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition("}")[2]


def bare(element: Element) -> Element:
    """The same tree with names without a namespace."""
    made = Element(local(element.tag), {local(key): value for key, value in element.attrib.items()})
    made.text, made.tail = element.text, element.tail
    made.extend([bare(child) for child in element])
    return made


def documents(root: Element) -> Iterator[Element]:
    """The documents of a file, each alone: one within another, or beside it in a container, names it as its basis.

    `root` is without namespaces, and left as it is.
    """
    for unit in root:
        if unit.tag == DOCUMENT:
            yield from _apart(unit)
        elif unit.tag == CONTAINER:
            inside = unit.findall(DOCUMENT)
            order = next((text(one, "Ид") for one in inside if operation(one) == ORDER), "")
            for one in inside:
                for document in _apart(one):
                    yield document if operation(one) == ORDER else _based(document, order)


def _apart(document: Element) -> Iterator[Element]:
    inner = document.find(INNER)
    if inner is None:
        yield document
        return
    outer = copy.copy(document)
    outer.remove(inner)
    yield outer
    for one in inner.findall(INNER_ONE):
        alone = copy.copy(one)
        alone.tag = DOCUMENT
        yield _based(alone, text(document, "Ид"))


def _based(document: Element, order: str) -> Element:
    if not order or text(document, BASIS):
        return document
    document = copy.copy(document)
    SubElement(document, BASIS).text = order
    return document


def alone(root: Mapping[str, str], *units: Element) -> Element:
    """A file's part as a file of its own; `root` are the attributes of the file's root."""
    made = Element(ROOT, dict(root))
    made.extend(units)
    return made


def written(root: Element) -> bytes:
    """A file in UTF-8."""
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def text(element: Element, *names: str) -> str:
    """The first text in elements of these names, padding cut; empty where there is none."""
    found = ((element.findtext(name) or "").strip() for name in names)
    return next((value for value in found if value), "")


def operation(document: Element) -> str:
    """What a document is, blanks and case aside."""
    return plain(text(document, "ХозОперация"))


def orders(document: Element) -> tuple[str, ...]:
    """The names of the order a document is about: its own id and number, or what it is based on."""
    names = ("Ид", "Номер") if operation(document) in ("", ORDER) else (BASIS,)
    return tuple(dict.fromkeys(name for name in (text(document, name) for name in names) if name))


def requisites(element: Element) -> dict[str, str]:
    """Everything in `ЗначенияРеквизитов`, by name without blanks and case; of several values the first that is one."""
    found: dict[str, str] = {}
    for requisite in element.iterfind("ЗначенияРеквизитов/ЗначениеРеквизита"):
        name = plain(requisite.findtext("Наименование") or "")
        values = [value.strip() for one in requisite.iterfind("Значение") if (value := one.text or "").strip()]
        if name and values:
            found.setdefault(name, values[0])
    return found


def tree(document: Element) -> dict[str, Any]:
    """A document as objects, arrays and texts, for paths to lead into; its requisites are in `Реквизиты` by name."""
    named = document.iterfind("ЗначенияРеквизитов/ЗначениеРеквизита")
    said = {text(one, "Наименование"): text(one, "Значение") for one in named}
    return {**_object(document), "Реквизиты": said}


def _object(element: Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in element:
        value = _object(child) if len(child) else (child.text or "").strip()
        if child.tag in found:
            known = found[child.tag]
            found[child.tag] = [*(known if isinstance(known, list) else [known]), value]
        else:
            found[child.tag] = value
    return found


def formed(root: Mapping[str, str]) -> str:
    """When a file was made, to the second; empty where it says only the day, or nothing."""
    stamp = root.get("ДатаФормирования", "").strip()
    return stamp if re.match(r"\d{4}-\d\d-\d\d.\d\d:\d\d", stamp) else ""


def number(value: str, root: Mapping[str, str], setting: str) -> str:
    """A number with a point, as the root's `ФорматСуммы` or `ФорматКоличества` has it written."""
    settings = dict(_SETTING.findall(root.get(setting, "")))
    point, group = settings.get("ЧРД", "").strip("\"' "), settings.get("ЧРГ", "").strip("\"'")
    value = re.sub(r"\s", "", value)
    if group.strip() and group.strip() != point:
        value = value.replace(group.strip(), "")
    return value.replace(point, ".") if point else value


def moment(value: str) -> str:
    """A date or time as it stands; empty for `T` and for the first day of the calendar, 1C's words for none."""
    value = value.strip()
    return "" if value in ("T", "Т") or value.startswith("0001-01-01") else value.rstrip("TТ")
