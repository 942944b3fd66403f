"""The kit's modules are BSL that 1C takes, as far as can be told without 1C; each check is shown to fail."""

from pathlib import Path

import pytest

from tests.onec.kit.checking import calls, check, exported_comments, faults, methods
from tests.onec.kit.lexing import NotBsl
from tests.onec.kit.linter import NoLinterError, findings
from tests.onec.kit.modules import CONFIGURATIONS, KIT, OVERRIDABLE, sources

FILES = sorted(KIT.glob("*.bsl"))

PLATFORM = frozenset(
    name.casefold()
    for name in (
        "XMLЗначение", "XMLСтрока", "Дата", "ЗаписатьJSON", "ЗаписьЖурналаРегистрации", "ЗафиксироватьТранзакцию",
        "ЗначениеЗаполнено", "ИнформацияОбОшибке", "КодироватьСтроку", "КраткоеПредставлениеОшибки", "Лев", "Макс",
        "Мин", "НРег", "НачатьТранзакцию", "ОтменитьТранзакцию", "ПодключитьВнешнююКомпоненту",
        "ПодробноеПредставлениеОшибки", "ПрочитатьJSON", "ПрочитатьДатуJSON", "ПустаяСтрока", "СокрЛП", "СтрДлина",
        "СтрЗаменить", "СтрНайти", "СтрНачинаетсяС", "СтрРазделить", "СтрСоединить", "СтрШаблон", "Строка",
        "ТекущаяДатаСеанса", "ТекущаяУниверсальнаяДатаВМиллисекундах", "Тип", "ТипЗнч",
        "УстановитьПривилегированныйРежим", "Формат",
    )
)  # fmt: skip
"""The platform's global functions the kit uses, all of them known to 8.3.14."""

GOOD = """
// Процедура в комментарии: Если (
Функция Сумма(А, Знач Б = 0) Экспорт
	Текст = "скобка ( и слово Если
	|и ""кавычки"" на второй строке";
	Если А > Б Тогда
		Для Каждого Строка Из А Цикл
			Объект.Если(Строка[0]);
		КонецЦикла;
	ИначеЕсли Б Тогда
		Попытка
			Возврат Сумма(, 1);
		Исключение
			ВызватьИсключение;
		КонецПопытки;
	КонецЕсли;
	Возврат Текст;
КонецФункции
"""

BROKEN = {
    "an unclosed call": ("Объект.Если(Строка[0])", "Объект.Если(Строка[0]"),
    "a bracket too many": ("Строка[0])", "Строка[0]))"),
    "brackets crossed": ("(Строка[0])", "(Строка[0)]"),
    "an unclosed text": ("на второй строке", 'на второй " строке'),
    "a missing КонецЕсли": ("КонецЕсли;", ""),
    "a missing КонецЦикла": ("КонецЦикла;", ""),
    "a missing КонецПопытки": ("КонецПопытки;", ""),
    "a missing КонецФункции": ("КонецФункции", ""),
    "the wrong end": ("КонецФункции", "КонецПроцедуры"),
    "a misspelt Попытка": ("Попытка\n", "Попитка\n"),
    "ends crossed": ("КонецПопытки;\n\tКонецЕсли;", "КонецЕсли;\n\tКонецПопытки;"),
}


def test_a_good_module_passes() -> None:
    """Comments, texts over several lines, fields named like words of the language: none of it misleads the check."""
    check(GOOD)
    assert methods(GOOD)["сумма"].least == 1
    assert [call.given for call in calls(GOOD, {})] == [2]


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_a_broken_module_does_not(change: tuple[str, str]) -> None:
    """Each thing the check is for is found."""
    assert change[0] in GOOD
    with pytest.raises(NotBsl):
        check(GOOD.replace(*change))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_brackets_texts_and_blocks_are_closed(path: Path) -> None:
    """In every module of the kit."""
    check(path.read_text())


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_every_call_finds_its_procedure(configuration: str) -> None:
    """What one module calls of another is there, exported, and takes so many arguments; the rest is the platform's."""
    assert faults(sources(configuration), PLATFORM) == []


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("Другой.Нет();", "is not there"),
        ("Другой.Тайная();", "is not exported"),
        ("Другой.Общая(1, 2);", "takes 0 to 1 arguments, given 2"),
        ("Сообщитъ(1);", "is not there"),
    ],
)
def test_a_call_that_finds_none_is_seen(said: str, found: str) -> None:
    """A misspelt name, a private procedure, too many arguments."""
    modules = {
        "Первый": f"Процедура Сделать() Экспорт\n\t{said}\nКонецПроцедуры",
        "Другой": "Процедура Общая(А = 1) Экспорт\n\tТайная();\nКонецПроцедуры\nПроцедура Тайная()\nКонецПроцедуры",
    }
    (fault,) = faults(modules, PLATFORM)
    assert found in fault


def test_a_procedure_nobody_calls_is_seen() -> None:
    """The kit keeps none that is left over."""
    (fault,) = faults({"Первый": "Процедура Лишняя()\nКонецПроцедуры"}, PLATFORM)
    assert fault.endswith("nobody calls Лишняя")


def test_both_configurations_offer_the_same() -> None:
    """One overridable module can take the other's place: the same procedures with the same arguments."""
    shapes = [
        {(m.name, m.least, m.most) for m in methods(sources(name)[OVERRIDABLE]).values() if m.exported}
        for name in CONFIGURATIONS
    ]
    assert len(shapes[0]) > 8
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_exported_is_explained(path: Path) -> None:
    """Each exported procedure has a comment, each module is UTF-8 with tabs, as 1C writes it."""
    source = path.read_text(encoding="utf-8")
    assert exported_comments(source) == []
    assert "\n    " not in source


def test_the_linter_finds_nothing(tmp_path: Path) -> None:
    """Nor does the linter of the package index, which finds what is broken: shown first."""
    broken = tmp_path / "broken.bsl"
    broken.write_text("Процедура А()\n\tДля Каждого Б Из В Цикл\n\t\tГ = Б\n\t\tД(Г);\nКонецПроцедуры\n")
    try:
        assert {line.split()[1] for line in findings(broken)} >= {"BSL001", "BSL030"}
    except NoLinterError as error:
        pytest.skip(f"NO BSL LINTER, {len(FILES)} MODULES NOT LOOKED AT: {error}")
    assert findings(KIT) == []
