"""Registers of information and the queries the kit asks of them, in memory."""
# ruff: noqa: PLC2401  # members are named as in 1C

import re
from collections.abc import Mapping
from typing import Any

from tests.onec.kit.running import Fields
from tests.onec.kit.values import Array

Row = dict[str, Any]


class Register:
    """A register of information: rows by their dimensions."""

    def __init__(self, dimensions: Mapping[str, Any], resources: Mapping[str, Any]) -> None:
        self.dimensions = [name.casefold() for name in dimensions]
        self.empty = {name.casefold(): value for name, value in {**dimensions, **resources}.items()}
        self.rows: dict[tuple[Any, ...], Row] = {}

    def создатьменеджерзаписи(self) -> "Record":
        return Record(self)

    def создатьнаборзаписей(self) -> "RecordSet":
        return RecordSet(self)


class Record(Fields):
    """МенеджерЗаписи."""

    def __init__(self, register: Register) -> None:
        super().__init__(register.empty)
        self._register, self._found = register, False

    def _key(self) -> tuple[Any, ...]:
        return tuple(self.fields[name] for name in self._register.dimensions)

    def прочитать(self) -> None:
        row = self._register.rows.get(self._key())
        self._found = row is not None
        self.fields.update(row if row is not None else self._register.empty)

    def выбран(self) -> bool:
        return self._found

    def записать(self, replace: bool = True) -> None:
        assert replace
        self._register.rows[self._key()] = dict(self.fields)


class RecordSet:
    """НаборЗаписей with a filter, written empty: what it finds is removed."""

    def __init__(self, register: Register) -> None:
        self._register, self._wanted = register, Row()
        self.отбор = self

    def __getattr__(self, name: str) -> Any:
        return type("Filter", (), {"установить": staticmethod(lambda value: self._wanted.update({name: value}))})

    def записать(self, _: bool) -> None:
        kept = {k: row for k, row in self._register.rows.items() if not self._wanted.items() <= row.items()}
        self._register.rows = kept


class Table(Array):
    """ТаблицаЗначений, and a selection that goes over its rows."""

    kind = "таблицазначений"
    at = -1

    def выгрузить(self) -> "Table":
        return self

    def выбрать(self) -> "Table":
        return self

    def следующий(self) -> bool:
        self.at += 1
        return self.at < len(self)

    def __getattr__(self, name: str) -> Any:
        return self[self.at].fields[name]


class Query:
    """Запрос of one register, with plain conditions."""

    SHAPE = re.compile(
        r"ВЫБРАТЬ (?P<distinct>РАЗЛИЧНЫЕ )?(?:ПЕРВЫЕ (?P<first>\d+) )?(?P<fields>.+?) "
        r"ИЗ РегистрСведений\.(?P<of>\w+) КАК \w+(?: ГДЕ (?P<where>.+?))?"
        r"(?: УПОРЯДОЧИТЬ ПО (?P<by>\w+)(?P<down> УБЫВ)?)?$"
    )

    def __init__(self, registers: Mapping[str, Register], text: str) -> None:
        found = self.SHAPE.fullmatch(" ".join(text.split()))
        assert found is not None, text
        self._parts, self._register, self._given = found, registers[found["of"].casefold()], Row()

    def установитьпараметр(self, name: str, value: Any) -> None:
        self._given[name] = value

    def выполнить(self) -> Table:
        parts = self._parts
        rows = [row for row in self._register.rows.values() if self._wanted(row)]
        if parts["by"]:
            rows.sort(key=lambda row: row[parts["by"].casefold()], reverse=bool(parts["down"]))
        names = [field.partition(" КАК ")[2].strip() for field in parts["fields"].split(",")]
        taken = [{name: row[name.casefold()] for name in names} for row in rows]
        if parts["distinct"]:
            taken = [row for number, row in enumerate(taken) if row not in taken[:number]]
        return Table(Fields(row) for row in taken[: int(parts["first"] or len(taken))])

    def _wanted(self, row: Row) -> bool:
        for condition in (self._parts["where"] or "").split(" И "):
            found = re.fullmatch(r"(НЕ )?\w+\.(\w+)(?: ([=<]) &(\w+))?", condition) if condition else None
            assert found is not None or not condition, condition
            if found is None:
                continue
            value = row[found[2].casefold()]
            other = self._given[found[4]] if found[3] else None
            good = value < other if found[3] == "<" else value == other if found[3] else value
            if bool(good) == bool(found[1]):
                return False
        return True
