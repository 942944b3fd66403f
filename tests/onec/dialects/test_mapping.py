"""The mapping language: paths, what they lead to, and what the configuration refuses."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from service.config import ConfigError
from service.onec import dialects
from service.onec.mapping import FIELDS, parse, walk
from tests.onec.dialects.making import base
from tests.onec.making import CONFIG, configured

TREE: dict[str, Any] = {
    "Заказ": {"Номер": 5, "Код.1С": "К"}, "Товары": [{"Артикул": "A", "Ном": {"Код": 1}}, {"Артикул": "B"}, 7],
    "Реквизиты": [{"Имя": "Трек", "Значение": "RU1"}, {"Имя": " Номер заказа ", "Значение": "48"}],
    "Один": {"Артикул": "C"}, "#value": {"Внутри": 1}, 'a"b': 2, "Вложенный": {"#type": "x", "#value": {"Ключ": 3}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Заказ.Номер", 5),
        (" Заказ . Номер ", 5),
        ('Заказ."Код.1С"', "К"),
        ("Товары[].Артикул", ["A", "B", None]),
        ("Товары.Артикул", ["A", "B", None]),
        ("Товары[].Ном.Код", [1, None, None]),
        ("Один[].Артикул", ["C"]),
        ("Реквизиты[Имя=Номер заказа].Значение", "48"),
        ("Реквизиты[Имя = трек].Значение", "RU1"),
        ("Реквизиты[Имя=Другое].Значение", None),
        ('"a""b"', 2),
        ("Вложенный.Ключ", 3),
        ("Внутри", 1),
        ("Нет.Такого", None),
        ("Заказ.Номер.Глубже", None),
    ],
)
def test_paths(path: str, expected: object) -> None:
    """Keys, arrays, chosen elements, and 1C's typed values walked through."""
    assert walk(TREE, parse(path)) == expected


@pytest.mark.parametrize(
    "path", ["", ".", "a.", ".a", "a..b", "a[", "a]", "a[]b", 'a"b', '""', "a[x=]", "a[=x].b", '"a']
)
def test_paths_that_are_none(path: str) -> None:
    """Each is refused at the start, with where it goes wrong."""
    with pytest.raises(ValueError, match="character"):
        parse(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mapping": {"a..b": "order"}}, 'onec.sources.trade.mapping."a..b": a key is missing at character 3'),
        (
            {"mapping": {"Номер": "nomer"}},
            "onec.sources.trade.mapping.\"Номер\": 'nomer' is no field of ours; there are answer,",
        ),
        ({"mapping": {'a"b': "order"}}, 'onec.sources.trade.mapping."a\\"b": \'"\' at character 2 is out of place'),
        ({"dialect": "flat"}, "onec.sources.trade.mapping: the dialect flat needs one"),
        ({"dialect": "xml"}, "onec.sources.trade.dialect: 'xml' is not one of"),
    ],
)
def test_what_the_configuration_refuses(changed: dict[str, Any], message: str) -> None:
    """Its path first, then what is wrong and what there is."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        base(**changed)


def test_every_field_can_be_mapped() -> None:
    """All canonical fields are taken as they are."""
    assert base("flat", mapping={f"Поле{number}": field for number, field in enumerate(sorted(FIELDS))}) is not None


def test_the_examples_of_the_readme_are_configurations() -> None:
    """What the page shows can be used as it stands."""
    page = (Path(dialects.__file__).parents[1] / "README.md").read_text()
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    channels = dict.fromkeys(("ym-msk", "ozon"), CONFIG["channels"]["ym-msk"])
    assert len(blocks) == 2
    for block in blocks:
        (source,) = configured(**tomllib.loads(block), channels=channels).onec.sources.values()
        assert source.mapping
