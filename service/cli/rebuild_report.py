"""What `okno rebuild` shows while it works, and before it swaps."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from projections.differences import Difference, Found
from projections.filling import Report
from service.cli.frame import say, table

SHOWN = 20
"""Differences shown; --json tells all."""

WIDTH = 60
"""Letters of a value shown."""


class Shown(Report):
    """A bar in a terminal with the time that remains, then the first differences; or each as JSON."""

    def __init__(self, name: str, events: int, bar: Progress, as_json: bool) -> None:
        self._name, self._events, self._bar, self._as_json = name, events, bar, as_json
        self._task: TaskID = bar.add_task(name, total=None, rate="")
        self._first: list[Difference] = []
        self._began: tuple[float, int] | None = None

    def stage(self, what: str) -> None:
        """Named beside the bar, which is full only while parts are filled."""
        self._bar.update(self._task, description=f"{self._name}: {what}", total=None, rate="")

    def progress(self, done: int, total: int) -> None:
        """Parts are equal, so the time that remains follows from those done."""
        self._began = self._began or (time.monotonic(), done)
        since, before = time.monotonic() - self._began[0], self._began[1]
        rate = f"{self._events * (done - before) / total / since:,.0f} events/s" if done > before and since > 0 else ""
        self._bar.update(self._task, completed=done, total=total, rate=rate)

    def difference(self, one: Difference) -> None:
        """JSON tells all, a person is shown the first."""
        if self._as_json:
            say(one)
        elif len(self._first) < SHOWN:
            self._first.append(one)

    def compared(self, found: Found) -> None:
        """Before the swap."""
        if self._as_json or not found.values:
            return
        self._bar.stop()  # it would be drawn through the table
        click.echo(f"{self._name}: {number(found)} differ, as of position {found.position} (live → rebuilt)")
        rows = [(d.order, d.column, _cut(d.live), _cut(d.rebuilt)) for d in self._first]
        table(("order", "what", "live", "rebuilt"), rows)
        if found.values > len(self._first):
            click.echo(f"… and {found.values - len(self._first)} values more: --check --json tells all")
        self._bar.start()


def number(found: Found) -> str:
    """How much differs."""
    return f"{found.values} values of {found.orders} orders"


def _cut(value: object) -> str | None:
    text = None if value is None else str(value)
    return text if text is None or len(text) <= WIDTH else text[: WIDTH - 1] + "…"


@contextmanager
def shown(name: str, events: int, as_json: bool) -> Iterator[Shown]:
    """A report on one projection's rebuild, over a log of so many events; drawn only where stderr is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("parts {task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=as_json or not console.is_terminal, transient=True) as bar:
        yield Shown(name, events, bar, as_json)
