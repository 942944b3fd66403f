"""The kit as it lies there: its modules, once for each configuration it is made for."""

import re
from pathlib import Path

KIT = Path(__file__).parents[3] / "service" / "onec" / "kit"
OVERRIDABLE = "ОкноПереопределяемый"
CONFIGURATIONS = ("УТ11", "УНФ")


def sources(configuration: str) -> dict[str, str]:
    """The modules as a base of this configuration has them, by name."""
    found = {}
    for path in sorted(KIT.glob("*.bsl")):
        name, _, variant = path.stem.partition(".")
        if variant in ("", configuration):
            found[name] = path.read_text()
    return found


def words_of_the_readme() -> str:
    """The page for 1C's developers."""
    return (KIT / "README.md").read_text()


def registers() -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """What the page says of the registers to make: dimensions and resources, each with its type, by name."""
    tables = re.findall(r"^#### (\w+)\n+((?:\|.*\|\n)+)", words_of_the_readme(), re.MULTILINE)
    found = {}
    for name, table in tables:
        rows = [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
        fields = [(field, kind.partition(",")[0], shape) for field, kind, shape, _ in rows]
        dimensions = {field: shape for field, kind, shape in fields if kind == "измерение"}
        found[name] = (dimensions, {field: shape for field, kind, shape in fields if kind == "ресурс"})
    return found
