"""Values as 1C's own formats write them: references, enumerations, values with their type around them. Pure.

    rdv-mi   {"_ТипЗначения": "Перечисление.X", "_Значение": "…"}, {"_ТипЗначения": "Справочник.X", "_GUID": "…"}
    xdto     {"#type": "jcfg:DocumentRef.X", "#value": "…"}
    odata    X_Key: "…", or X: "…" with X_Type: "StandardODATA.Document_X"

What 1C writes for nothing is None: an empty text, a reference of zeros, the date 0001-01-01.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from service.onec.config import plain
from service.onec.mapping import VALUE

VALUES = (VALUE, "_Значение")
IDS = ("_GUID", "Ref", "Ref_Key", "Ссылка")
TYPES = ("_ТипЗначения", "#type")
NAMES = ("Наименование", "_Наименование", "Description", "Имя")
GUID = re.compile(r"\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?")
YEAR_1 = 62_135_596_800_000
"""Milliseconds from the year 1 to 1970."""

MAX_DIGITS = 50
"""More than a number in an order's key can have; 1E+999999999 written out would fill the memory."""

NO_REFERENCE = "00000000-0000-0000-0000-000000000000"
NOTHING = re.compile(r"0001-01-01(T00:00(:00)?)?")
"""1C's date for none; with an hour it is that hour of any day."""

_TYPE = re.compile(r"(?:.*[:}.])?(?:Document_|Catalog_|Enum_)?(.+?)")


class Reference(msgspec.Struct, frozen=True):
    """What refers to an object of 1C's: its id, its type's short name where it is said, and what came with it."""

    id: str
    type: str = ""
    fields: Mapping[str, Any] = {}


def short(type: str) -> str:
    """A type's own name: `ЗаказКлиента` of `Документ.ЗаказКлиента` or `jcfg:DocumentObject.ЗаказКлиента`."""
    match = _TYPE.fullmatch(type.strip())
    return match[1] if match is not None else ""


def bare(value: Any) -> Any:
    """A value without its type around it, a reference as its id; other objects and arrays as they are."""
    while isinstance(value, dict):
        inner = next((value[key] for key in (*VALUES, *IDS) if key in value), value)
        if inner is value:
            return None if not value or set(value) <= set(TYPES) else value
        value = inner
    if not isinstance(value, str):
        return value
    value = value.strip()
    if not value or NOTHING.fullmatch(value):
        return None
    guid = GUID.fullmatch(value)
    if guid is None:
        return value
    return None if guid[1] == NO_REFERENCE else guid[1].lower()


def text(value: Any) -> str:
    """A value as text; empty for nothing and for what is none. Grouped digits of a number come together."""
    value = bare(value)
    if isinstance(value, Decimal) and value.adjusted() < MAX_DIGITS and value == value.to_integral_value():
        value = f"{value:.0f}"
    if value is None or isinstance(value, dict | list | bool):
        return ""
    found = str(value)
    return re.sub(r"\s", "", found) if re.fullmatch(r"[\d\s]+", found) else found


def there(fields: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """The first of these keys that there is, in OData's spelling too."""
    return next((key for name in names for key in (name, f"{name}_Key") if key in fields), None)


def first(fields: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The first value under these keys that is one."""
    for name in names:
        for key in (name, f"{name}_Key"):
            value = bare(fields.get(key))
            if value is not None:
                return value
    return None


def reference(fields: Mapping[str, Any], name: str) -> Reference | None:
    """What a key refers to; None for nothing, and for a text that is no id."""
    value = fields.get(name)
    value = fields.get(f"{name}_Key") if value is None else value
    type = fields.get(f"{name}_Type", "")
    while isinstance(value, dict):
        type = next((value[key] for key in TYPES if isinstance(value.get(key), str)), type)
        inner = value.get(VALUE)
        if inner is None:
            break
        value = inner
    id = bare(value)
    if not isinstance(id, str) or GUID.fullmatch(id) is None:
        return None
    return Reference(id, short(type) if isinstance(type, str) else "", value if isinstance(value, dict) else {})


def named(fields: Mapping[str, Any], name: str) -> Any:
    """A catalogue's entry by its name and its id, an enumeration's by its name."""
    found = reference(fields, name)
    called = first(found.fields, NAMES) if found is not None else None
    if found is None or called is None:
        return first(fields, (name,))
    return {"name": called, "id": found.id}


def same(one: str, other: str) -> bool:
    """Whether two names of 1C's are the same one."""
    return plain(one) == plain(other)


def stamp(value: Any) -> str:
    """A time as text: as it is written, or of a count of seconds or milliseconds. Empty for none.

    They are counted since 1970, milliseconds of ТекущаяУниверсальнаяДатаВМиллисекундах since the year 1.
    """
    found = text(value)
    if not re.fullmatch(r"\d{9,14}(\.\d+)?", found):
        return found
    count = Decimal(found)
    if count >= YEAR_1:
        count = (count - YEAR_1) / 1000
    elif len(found.partition(".")[0]) > 11:
        count /= 1000
    return datetime.fromtimestamp(float(count), UTC).isoformat()
