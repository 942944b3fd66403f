"""The rules of the project hold: who imports whom, what a wheel carries, what the README promises."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import click
import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGES = ("events", "projections", "service")

# Floors, lowest first: a module imports its own floor and those below.
FLOORS = ("events", "projections", "service", "tests")

# The only places where a driver may be imported. A folder stands for all in it.
DRIVERS = {
    "asyncpg": (
        "events/log.py",
        "events/errors.py",
        "projections",
        "service/database.py",
        "service/leases.py",
        "service/work.py",
    ),
    "aiohttp": (
        "service/web",
        "service/http_client.py",
        "service/onec/sender.py",  # posts events as 1C does
        "service/reconcile/odata.py",  # reads 1C's own HTTP interface
        "service/demo",
        *(str(path.relative_to(ROOT)) for path in (ROOT / "service" / "marketplaces").glob("*/sandbox")),
    ),
    "aio_pika": ("service/onec", "service/demo"),
}

# What the lowest floor may import besides the standard library.
LOWEST = {"msgspec", "events", *DRIVERS}

# What can send to the outside, and what must never be able to (law 7).
SENDERS = ("service.dispatcher", "service.http_client", "aiohttp", "aio_pika")
NEVER_SEND = ("projections", "service.audit")

MODULE_LINES = 300

# Words that do not belong in a project that speaks of itself only.
LEFT_OPEN = re.compile(r"\b(TODO" + r"|FIXME|NotImplementedError)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|farm|root|home/\w+)/")


def modules(*folders: str) -> Iterator[Path]:
    """The Python files of these folders."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


@cache
def imports(path: Path) -> frozenset[str]:
    """The full names a module imports, wherever in it."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def within(name: str, parent: str) -> bool:
    """Whether `name` is `parent` or in it."""
    return name == parent or name.startswith(f"{parent}.")


def tracked() -> list[Path]:
    """The project's text files."""
    skipped = {".git", ".venv", ".hypothesis", "var", "build", "dist"}
    endings = {".py", ".sql", ".md", ".toml", ".yaml", ".html", ".css", ".js", ".txt", ""}
    found: list[Path] = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in skipped and "cache" not in name]
        found += [Path(folder, name) for name in files if Path(name).suffix in endings and "cache" not in name]
    return found


def test_imports_point_one_way() -> None:
    """No module imports from a floor above its own."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for level, floor in enumerate(FLOORS)
        for path in modules(floor)
        for name in imports(path)
        if name.split(".")[0] in FLOORS[level + 1 :]
    ]
    assert wrong == []


def test_drivers_live_only_at_the_edges() -> None:
    """asyncpg, aiohttp and aio-pika are imported where the table says and nowhere else."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {driver}"
        for path in modules(*PACKAGES)
        for driver, homes in DRIVERS.items()
        if any(within(name, driver) for name in imports(path))
        and not any(path.is_relative_to(ROOT / home) for home in homes)
    ]
    assert wrong == []


def test_the_lowest_floor_needs_little() -> None:
    """Events need msgspec and the standard library; the log also its driver."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("events")
        for name in imports(path)
        if name.split(".")[0] not in LOWEST | sys.stdlib_module_names
    ]
    assert wrong == []


def test_marketplaces_know_no_other_and_no_driver() -> None:
    """A marketplace's folder imports what all folders share, the core and itself; its sandbox is a server besides."""
    folder = ROOT / "service" / "marketplaces"
    kinds = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name != "__pycache__"]
    assert kinds
    allowed = ("events", *(f"service.marketplaces.{path.stem}" for path in folder.glob("*.py")))
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for kind in kinds
        for path in modules(str(kind.relative_to(ROOT)))
        for name in imports(path)
        if name.split(".")[0] in (*PACKAGES, *DRIVERS)
        and not any(within(name, home) for home in (*allowed, f"service.marketplaces.{kind.name}"))
        and name not in ("service.marketplaces", "service")
        and not (within(name, "aiohttp") and path.is_relative_to(kind / "sandbox"))
    ]
    assert wrong == []


def test_what_replays_cannot_send() -> None:
    """Projections and the audit reach no module that can send, however many imports away."""
    graph = {".".join(p.relative_to(ROOT).with_suffix("").parts): imports(p) for p in modules(*PACKAGES)}
    graph = {name.removesuffix(".__init__"): found for name, found in graph.items()}
    reached: set[str] = set()
    waiting = [name for name in graph if any(within(name, start) for start in NEVER_SEND)]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += graph.get(name, ())
    assert [name for name in reached if any(within(name, sender) for sender in SENDERS)] == []


def test_modules_are_small() -> None:
    """A module tells one story, in at most 300 lines."""
    sizes = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in modules(*PACKAGES, "tests")}
    assert {name: lines for name, lines in sizes.items() if lines > MODULE_LINES} == {}


def test_nothing_is_left_open_and_no_path_is_a_machines() -> None:
    """What is committed works anywhere and promises nothing for later."""
    wrong = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in tracked()
        if path != Path(__file__)
        for found in (LEFT_OPEN.search(path.read_text()), MACHINE_PATHS.search(path.read_text()))
        if found
    ]
    assert wrong == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The project's wheel, built from a copy so that nothing is written beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", "out", "."]
    subprocess.run(words, cwd=folder, check=True)
    (built,) = (folder / "out").glob("okno-*.whl")
    return zipfile.ZipFile(built)


def test_a_wheel_carries_all_that_the_code_reads(wheel: zipfile.ZipFile) -> None:
    """Every file of the packages is in the wheel: modules, SQL, templates, styles, samples. Nothing else is."""
    expected = {
        str(path.relative_to(ROOT))
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert found == expected


def test_a_wheel_carries_the_command(wheel: zipfile.ZipFile) -> None:
    """Installing the wheel gives `okno`, under the license's name."""
    texts = {Path(name).name: wheel.read(name).decode() for name in wheel.namelist() if ".dist-info/" in name}
    assert "okno = service.cli:main" in texts["entry_points.txt"]
    assert "MIT License" in texts["LICENSE"]


def command() -> click.Command:
    """`okno` as it is installed."""
    (entry,) = metadata.entry_points(group="console_scripts", name="okno")
    loaded = entry.load()
    assert isinstance(loaded, click.Command)
    return loaded


def test_the_command_answers() -> None:
    """`okno --help` names every command of the table."""
    script = Path(sys.executable).with_name("okno")
    shown = subprocess.run([script, "--help"], check=True, capture_output=True, text=True).stdout
    for name in ("run", "demo", "sandbox", "doctor", "send", "replay", "events", "rebuild", "verify", "commands"):
        assert re.search(rf"^\s+{name}\b", shown, re.MULTILINE), name


def test_scripts_can_be_run() -> None:
    """bin/run, bin/test and .ci/run are executable, and bash finds no fault in them."""
    for name in ("bin/run", "bin/test", ".ci/run"):
        assert os.access(ROOT / name, os.X_OK), name
    for name in ("bin/run", "bin/test", ".ci/run", "bin/_env"):
        subprocess.run(["bash", "-n", ROOT / name], check=True)


def readme_commands() -> list[str]:
    """Every `okno …` and `bin/run …` line of the READMEs' code blocks, without comments and prompts."""
    lines: list[str] = []
    for path in (ROOT / "README.md", ROOT / "README.ru.md"):
        for block in re.findall(r"```\w*\n(.*?)```", path.read_text(), re.DOTALL):
            lines += [line.strip().removeprefix("$ ") for line in block.splitlines()]
    starts = ("okno ", "bin/run", "bin/test", ".ci/run")
    return [re.sub(r"\s+#.*| [|&>].*", "", line) for line in lines if line.startswith(starts)]


def test_the_readmes_commands_are_real() -> None:
    """Each command line of the READMEs names a command that exists, with options that it has."""
    said = readme_commands()
    assert any(line.startswith("bin/run") for line in said)
    assert any(line.startswith("bin/test") for line in said)
    for line in said:
        program, *words = line.split()
        if program not in ("okno", "bin/run") or not words:
            assert (ROOT / program).exists() or program == "okno", line
            continue
        known = command()
        while isinstance(known, click.Group) and words and not words[0].startswith("-"):
            found = known.get_command(click.Context(known), words.pop(0))
            assert found is not None, line
            known = found
        options = {option for parameter in known.params for option in (*parameter.opts, *parameter.secondary_opts)}
        unknown = {word.split("=")[0] for word in words if word.startswith("--")} - options - {"--help"}
        assert unknown == set(), line


def test_compose_has_what_the_hub_needs() -> None:
    """Three services, each with a health check, the hub waiting for the other two; every path it names exists."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert set(services) == {"postgres", "rabbitmq", "okno"}
    assert all("healthcheck" in service for service in services.values())
    assert {name: wait["condition"] for name, wait in services["okno"]["depends_on"].items()} == {
        "postgres": "service_healthy",
        "rabbitmq": "service_healthy",
    }
    example = tomllib.loads((ROOT / "okno.example.toml").read_text())
    named = {example["postgres"]["url"]["env"], example["rabbitmq"]["url"]["env"]}
    named |= {value["env"] for value in example["channels"]["ym-msk"].values() if isinstance(value, dict)}
    assert named <= set(services["okno"]["environment"])


def test_the_image_is_made_of_what_is_there() -> None:
    """Every path the Dockerfile copies exists and is not kept out by .dockerignore."""
    ignored = set((ROOT / ".dockerignore").read_text().split())
    lines = re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    copied = {word for line in lines for word in line.split()[:-1]}
    assert set(PACKAGES) <= copied
    assert {name for name in copied if not (ROOT / name).exists()} == set()
    assert copied & ignored == set()
