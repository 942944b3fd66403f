"""What the benchmarks say, and that each of them is told of on their page."""

import re
from pathlib import Path

import msgspec
import pytest

from tests.benchmarks.figures import Figure, Figures, database_url

HERE = Path(__file__).parent
PAGE = (HERE / "README.md").read_text()
PARTS = {"bare", "counted", "load", "market", "shops"}
"""Modules that are run by a benchmark, not by a person."""


def test_each_benchmark_stands_on_the_page_and_each_command_there_exists() -> None:
    """`bin/benchmark NAME` works for every name of the table, and none is kept back."""
    commands = {path.stem for path in HERE.glob("[a-z]*.py") if "\ndef main(" in path.read_text()} - PARTS
    told = set(re.findall(r"^\| `(\w+)", PAGE, re.MULTILINE))
    assert told == commands


def test_a_figure_is_judged_by_its_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    """The share of the reference decides, or the value where there is none; `at_most` turns it round."""
    figures = Figures("some", json=True)
    figures.add("rate", 5_000.0, "events/s", reference=10_000.0, against="bare", reach=0.5)
    figures.add("p50", 9.0, "ms", reference=2.0, against="bare", reach=4.0, at_most=True)
    figures.add("memory", 76.0, "MB", reach=120, at_most=True)
    said = [msgspec.json.decode(line, type=Figure) for line in capsys.readouterr().out.splitlines()]
    assert [(one.ratio, one.reached) for one in said] == [(0.5, True), (4.5, False), (None, True)]


def test_a_figure_as_a_person_reads_it(capsys: pytest.CaptureFixture[str]) -> None:
    """One line with the value, the reference, their ratio and what is asked for."""
    Figures("intake").add("one process", 4_268.0, "events/s", reference=7_104.0, against="bare", reach=0.5)
    said = capsys.readouterr().out
    assert said == "intake: one process: 4,268 events/s; bare 7,104; ratio 0.60 (at least 0.5: yes)\n"


def test_the_url_of_another_database_keeps_what_leads_to_the_server() -> None:
    """A Unix socket's folder, port and password stay."""
    assert database_url("postgresql://postgres@/postgres?host=/run/x&port=5", "b") == (
        "postgresql://postgres@/b?host=/run/x&port=5"
    )
    assert database_url("postgresql://me:secret@db:5432/okno", "b") == "postgresql://me:secret@db:5432/b"
