"""The page for 1C's developers names what is there: commands, procedures, files, settings."""

import re
import tomllib
from pathlib import Path

import click
import pytest

from service.cli import main
from service.onec.snapshots import CARRIED, FLAGS, KINDS
from service.settings import parse
from tests.onec.kit.checking import check, methods
from tests.onec.kit.modules import CONFIGURATIONS, KIT, registers, sources, words_of_the_readme

ROOT = Path(__file__).parents[3]


def blocks(language: str) -> list[str]:
    """The page's code in a language."""
    return [
        block.replace("\n   ", "\n")
        for block in re.findall(rf"```{language}\n(.*?)```", words_of_the_readme(), re.DOTALL)
    ]


def test_commands_are_real() -> None:
    """Each `bin/run …` and `okno …` line names a command that exists, with options that it has."""
    said = [line.strip() for block in blocks("sh") for line in block.splitlines() if line.strip()]
    said += re.findall(r"`(okno \w[^`]*)`", words_of_the_readme())
    lines = [re.sub(r"\s+#.*", "", line) for line in said if line.startswith(("bin/run ", "okno "))]
    assert len(lines) > 6
    for line in lines:
        known: click.Command = main
        words = line.split()[1:]
        while isinstance(known, click.Group) and words:
            found = known.get_command(click.Context(known), words.pop(0))
            assert found is not None, line
            known = found
        options = {option for parameter in known.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_configurations_are_taken() -> None:
    """What is to be written into okno.toml is accepted as it stands."""
    whole = "\n".join(blocks("toml"))
    settings = parse(tomllib.loads(whole), Path())
    assert list(settings.channels) == ["ym-dbs"]
    assert "ut11" in settings.onec.sources


def test_code_is_closed() -> None:
    """BSL on the page is BSL."""
    assert blocks("bsl")
    for block in blocks("bsl"):
        check(block)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_procedures_are_there(configuration: str) -> None:
    """What is to be called or subscribed is exported by the module it is said to be in."""
    modules = sources(configuration)
    said = set(re.findall(r"\b(Окно\w+)\.(\w+)\b", words_of_the_readme()))
    said = {(module, name) for module, name in said if module in modules and name not in ("УТ11", "УНФ")}
    assert len(said) > 8
    for module, name in said:
        found = methods(modules[module]).get(name.casefold())
        assert found is not None, f"{module}.{name}"
        assert found.exported, f"{module}.{name}"


def test_every_module_and_register_is_listed() -> None:
    """Whoever follows the page makes all of them; the checkup asks for exactly those fields."""
    page = words_of_the_readme()
    modules = sources("УТ11")
    assert all(f"`{module}`" in page for module in modules)
    asked = dict(re.findall(r'Вставить\("(\w+)",\s+"([\w,]+)"\)', modules["ОкноПроверка"]))
    assert {name: set(fields.split(",")) for name, fields in asked.items()} == {
        name: {*dimensions, *resources} for name, (dimensions, resources) in registers().items()
    }


def test_links_lead_somewhere() -> None:
    """Every file the page links to exists."""
    for target in re.findall(r"\]\(([^)#]+)\)", words_of_the_readme()):
        assert (KIT / target).exists(), target
    assert (ROOT / "service/onec/kit/definitions.json").exists()


def test_every_key_the_hub_reads_is_explained() -> None:
    """The table of the snapshot leaves out nothing the hub would understand."""
    page = words_of_the_readme()
    inner = {"store", "keep_until"}  # of `arrival`
    assert {key for key in (*FLAGS, *CARRIED) if f"`{key}`" not in page} - inner == set()
    assert all(f"`{kind}`" in page for kind in KINDS)
