"""A base of 1C's in memory: registers as the kit's page describes them, documents, subscriptions, transactions.

What is written stays if its transaction does. A document is posted in 1C's order: ПриЗаписи, ОбработкаПроведения.
"""
# ruff: noqa: PLC2401  # members are named as in 1C

import copy
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from tests.onec.kit.modules import registers, sources
from tests.onec.kit.platform import FUNCTIONS, OBJECTS, TYPES, milliseconds
from tests.onec.kit.registers import Query, Register, Row
from tests.onec.kit.running import Fields, Machine
from tests.onec.kit.values import Array, Names, Structure, text_of


class Reference:
    """A reference: equal to every other of the same thing; what is asked of it is read from the base."""

    def __init__(self, base: "Base", kind: str, id: uuid.UUID) -> None:
        self.base, self.kind, self.id = base, kind, id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and (self.kind, self.id) == (other.kind, other.id)

    def __hash__(self) -> int:
        return hash(self.id)

    def __deepcopy__(self, _: Any) -> "Reference":
        return self

    def __str__(self) -> str:
        return text_of(self.base.things[self.id].get("наименование", self.id))

    def __getattr__(self, name: str) -> Any:
        return self.base.things[self.id][name]

    def уникальныйидентификатор(self) -> uuid.UUID:
        return self.id

    def получитьобъект(self) -> "Document":
        return Document(self.base, self, copy.deepcopy(self.base.things[self.id]))


class Document(Fields):
    """ДокументОбъект; its fields are those of the base's kind of document."""

    def __init__(self, base: "Base", reference: Reference, fields: Row) -> None:
        super().__init__(fields)
        self.declare("Ссылка", reference)
        self.declare("ОбменДанными", Fields({"Загрузка": False}))
        self.declare("ДополнительныеСвойства", Structure())
        self._base = base

    def установитьссылкунового(self, reference: Reference) -> None:
        self.fields["ссылка"] = reference

    def заполнить(self, given: Structure) -> None:
        for each in given:
            self.declare(each.fields["ключ"], each.fields["значение"])

    def записать(self, mode: str) -> None:
        self._base.write(self, posting=mode.endswith("проведение"), unposting=mode.endswith("отменапроведения"))


class Section(Array):
    """A document's table."""

    def __init__(self, columns: Row, rows: Any = ()) -> None:
        super().__init__(rows)
        self._columns = columns

    def __deepcopy__(self, memory: Any) -> "Section":
        return Section(self._columns, [Fields(dict(row.fields)) for row in self])

    def добавить(self, value: Any = None) -> Fields:  # type: ignore[override]  # a table adds a row of its own
        self.append(Fields(self._columns))
        return self[-1]  # type: ignore[no-any-return]

    def удалить(self, row: Fields) -> None:
        self.remove(row)


class Base:
    """`documents`: what a new document of each kind holds. `journal`: what was written into the event log.

    `client` makes the add-in's objects, where there is one. `later`: milliseconds the clock is ahead.
    """

    def __init__(self, configuration: str, documents: Mapping[str, Callable[[], Row]]) -> None:
        self.things: dict[uuid.UUID, Row] = {}
        self.journal: list[str] = []
        self.machine: Machine
        self.client: Callable[[], Any] | None = None
        self.later = 0
        self._documents = documents
        self._saved: list[Any] = []
        self.registers = {
            name.casefold(): Register(*({field: _empty(kind) for field, kind in part.items()} for part in parts))
            for name, parts in registers().items()
        }
        given = {
            **FUNCTIONS, **OBJECTS,
            "ЗаписьЖурналаРегистрации": lambda name, level, *rest: self.journal.append(f"{level} {rest[-1]}"),
            "НачатьТранзакцию": self._begin, "ЗафиксироватьТранзакцию": self._commit, "ОтменитьТранзакцию": self._undo,
            "ИнформацияОбОшибке": lambda: self.machine.error, "КраткоеПредставлениеОшибки": str,
            "ПодробноеПредставлениеОшибки": str, "ПодключитьВнешнююКомпоненту": lambda *_: self.client is not None,
            "ТекущаяУниверсальнаяДатаВМиллисекундах": lambda: milliseconds() + self.later,
            "РегистрыСведений": _Found(self.registers), "Документы": _Found({
                name.casefold(): _Manager(self, name) for name in documents
            }), "Справочники": _Found({
                name: _Catalogue(self, name) for name in ("номенклатура", "партнеры", "контрагенты")
            }), "Перечисления": _Enumerations(),
            "Метаданные": Fields({"РегистрыСведений": _Metadata(self.registers)}),
        }  # fmt: skip
        new: dict[str, Callable[..., Any]] = {
            **TYPES, "Запрос": lambda text: Query(self.registers, text), "БлокировкаДанных": lambda: _Lock(self),
            "AddIn.OKNO.PinkRabbitMQ": self._add_in,
        }  # fmt: skip
        self.machine = Machine(sources(configuration), given, new)

    def call(self, module: str, name: str, *arguments: Any) -> Any:
        """Calls a procedure of the kit's; no transaction may be left open behind it."""
        result = self.machine.call(module, name, *arguments)
        assert self._saved == []
        return result

    def rows(self, register: str) -> list[Row]:
        """A register's rows."""
        return list(self.registers[register.casefold()].rows.values())

    def add(self, kind: str, **fields: Any) -> Reference:
        """A catalogue's item, or a document nobody is told of."""
        reference = Reference(self, kind.casefold(), uuid.uuid4())
        self.things[reference.id] = fields
        return reference

    def new(self, name: str) -> Document:
        """СоздатьДокумент."""
        reference = Reference(self, f"ДокументСсылка.{name}".casefold(), uuid.uuid4())
        return Document(self, reference, self._documents[name]())

    def write(self, document: Document, *, posting: bool = False, unposting: bool = False) -> None:
        """Writes a document with its subscriptions, all in one transaction."""
        self._begin()
        try:
            document.fields["проведен"] = posting or (document.fields["проведен"] and not unposting)
            if not document.fields["номер"]:
                document.fields["номер"] = f"ЦСУТ-{len(self.things):06}"
            kept = {k: v for k, v in document.fields.items() if k not in ("обменданными", "дополнительныесвойства")}
            self.things[document.fields["ссылка"].id] = copy.deepcopy(kept)
            self.machine.call("ОкноОчередь", "ПриЗаписиДокумента", document, False)
            if posting:
                self.machine.call("ОкноОчередь", "ПриПроведенииДокумента", document, False, None)
            if unposting:
                self.machine.call("ОкноОчередь", "ПриОтменеПроведенияДокумента", document, False)
        except BaseException:
            self._undo()
            raise
        self._commit()

    def _begin(self) -> None:
        self._saved.append(({n: dict(r.rows) for n, r in self.registers.items()}, dict(self.things)))

    def _commit(self) -> None:
        self._saved.pop()

    def _undo(self) -> None:
        rows, self.things = self._saved.pop()
        for name, register in self.registers.items():
            register.rows = rows[name]

    def _add_in(self) -> Any:
        assert self.client is not None
        return self.client()


class _Found:
    """Objects of the base by name."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._known = known

    def __getattr__(self, name: str) -> Any:
        return self._known[name]

    def __getitem__(self, name: str) -> Any:
        return self._known[name.casefold()]


class _Enumerations:
    """Each value is its own name, behind its enumeration's."""

    def __getattr__(self, name: str) -> Names:
        return Names(name)


class _Manager:
    def __init__(self, base: Base, name: str) -> None:
        self._base, self._name = base, name

    def создатьдокумент(self) -> Document:
        return self._base.new(self._name)

    def получитьссылку(self, id: uuid.UUID) -> Reference:
        return Reference(self._base, f"ДокументСсылка.{self._name}".casefold(), id)


class _Catalogue:
    def __init__(self, base: Base, name: str) -> None:
        self._base, self._kind = base, f"справочникссылка.{name}"

    def найтипореквизиту(self, field: str, value: Any) -> Reference | None:
        found = (id for id, thing in self._base.things.items() if thing.get(field.casefold()) == value)
        return next((Reference(self._base, self._kind, id) for id in found), None)

    def найтипонаименованию(self, value: str, _: bool) -> Reference | None:
        return self.найтипореквизиту("наименование", value)


class _Lock:
    def __init__(self, base: Base) -> None:
        self._base = base

    def добавить(self, table: str) -> "_Lock":
        assert table.removeprefix("РегистрСведений.").casefold() in self._base.registers
        return self

    def установитьзначение(self, name: str, value: Any) -> None:
        assert name
        assert value

    def заблокировать(self) -> None:
        assert self._base._saved, "a lock outside of a transaction holds nothing"


class _Metadata:
    def __init__(self, known: Mapping[str, Register]) -> None:
        self._known = known

    def найти(self, name: str) -> Fields | None:
        register = self._known.get(name.casefold())
        if register is None:
            return None
        return Fields({"Измерения": _Listed(register), "Ресурсы": _Listed(register)})


class _Listed:
    def __init__(self, register: Register) -> None:
        self._names = set(register.empty)

    def найти(self, name: str) -> str | None:
        return name if name.casefold() in self._names else None


def _empty(kind: str) -> Any:
    """What a field of this type holds before it is filled."""
    return {"Строка": "", "Число": 0, "Булево": False}.get(kind.split(maxsplit=1)[0])
