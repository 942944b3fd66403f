"""1C's values: collections, enumerations, and what can be asked of any value."""
# ruff: noqa: PLC2401  # members are named as in 1C

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.onec.kit.running import Fields


class Array(list[Any]):
    """Массив."""

    def добавить(self, value: Any) -> None:
        self.append(value)

    def количество(self) -> int:
        return len(self)

    def вграница(self) -> int:
        return len(self) - 1

    def найти(self, value: Any) -> int | None:
        return self.index(value) if value in self else None


class Map(dict[Any, Any]):
    """Соответствие: what is not there is Неопределено."""

    def __missing__(self, key: Any) -> None:
        return None

    def __iter__(self) -> Iterator[Any]:
        for key in self.keys():  # over `self` it would call itself
            yield Fields({"Ключ": key, "Значение": self[key]})

    def вставить(self, key: Any, value: Any) -> None:
        self[key] = value

    def количество(self) -> int:
        return len(self)


class Structure(Fields):
    """Структура."""

    def __init__(self, names: str | None = None, *values: Any) -> None:
        keys = [name.strip() for name in (names or "").split(",") if name.strip()]
        super().__init__(dict(zip(keys, values, strict=True)))

    def __iter__(self) -> Iterator[Fields]:
        for key, name in self.names.items():
            yield Fields({"Ключ": name, "Значение": self.fields[key]})

    def __getitem__(self, name: str) -> Any:
        return self.fields[name.casefold()]

    def вставить(self, name: str, value: Any = None) -> None:
        assert name.isidentifier(), f"{name} can't name a field of a structure"
        self.declare(name, value)

    def свойство(self, name: str) -> bool:
        return name.casefold() in self.fields


class Names:
    """An enumeration of the platform's: each name is its own value."""

    def __init__(self, of: str) -> None:
        self._of = of

    def __getattr__(self, name: str) -> str:
        return f"{self._of}.{name}"


def filled(value: Any) -> bool:
    """ЗначениеЗаполнено."""
    if isinstance(value, bool):
        return True
    return value not in (None, "", 0, datetime(1, 1, 1)) and value not in ([], {})  # noqa: DTZ001  # 1C's has none


def kind(value: Any) -> str:
    """ТипЗнч, as Тип would write it."""
    kinds: list[tuple[type, str]] = [
        (str, "строка"), (bool, "булево"), (int, "число"), (Decimal, "число"), (datetime, "дата"),
        (Map, "соответствие"), (Array, "массив"), (type(None), "неопределено"),
    ]  # fmt: skip
    return next((name for shape, name in kinds if isinstance(value, shape)), getattr(value, "kind", "?"))


def text_of(value: Any) -> str:
    """Строка."""
    return f"{value:%d.%m.%Y %H:%M:%S}" if isinstance(value, datetime) else "" if value is None else str(value)
