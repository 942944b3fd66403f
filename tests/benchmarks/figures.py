"""What every benchmark shares: its options, the servers it runs on, and how it says what it measured.

A figure is a rate or a time beside a reference measured in the same run; what counts is their ratio, since machines
differ and are busy. Rates and times are told apart by their unit, so that a ratio of 1 always means "as good as the
reference" and more is better.
"""

import argparse
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import msgspec

from service.embedded import start_postgres, start_rabbitmq
from service.logs import set_up

FOLDER = Path("var/benchmark")
SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}
"""What a Postgres of a shop has more than the smallest one; the log on the disk is written as safely as ever."""


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One measured value. `reach`: what is asked for, as a ratio; for a figure without a reference, as a value."""

    benchmark: str
    name: str
    value: float
    unit: str
    reference: float | None = None
    against: str = ""
    ratio: float | None = None
    reach: float | None = None
    at_most: bool = False
    reached: bool | None = None


@dataclass
class Figures:
    """Says figures as they come: a line each, as JSON where asked for."""

    benchmark: str
    json: bool = False

    def add(
        self, name: str, value: float, unit: str, *, reference: float | None = None, against: str = "",
        ratio: float | None = None, reach: float | None = None, at_most: bool = False,
    ) -> Figure:  # fmt: skip
        """Says one. The ratio is the value's share of the reference unless given; `at_most`: less of it is better."""
        if ratio is None and reference:
            ratio = value / reference
        judged = value if ratio is None else ratio
        reached = None if reach is None else (judged <= reach if at_most else judged >= reach)
        figure = Figure(
            benchmark=self.benchmark, name=name, value=value, unit=unit, reference=reference, against=against,
            ratio=ratio, reach=reach, at_most=at_most, reached=reached,
        )  # fmt: skip
        sys.stdout.write((msgspec.json.encode(figure).decode() if self.json else line(figure)) + "\n")
        sys.stdout.flush()
        return figure

    def note(self, text: str) -> None:
        """What a reader should know besides; goes where it does not disturb JSON."""
        sys.stderr.write(text + "\n")


def line(figure: Figure) -> str:
    """A figure as a person reads it."""
    said = f"{figure.benchmark}: {figure.name}: {_number(figure.value)} {figure.unit}"
    if figure.reference is not None:
        said += f"; {figure.against} {_number(figure.reference)}"
    if figure.ratio is not None:
        said += f"; ratio {figure.ratio:.2f}"
    if figure.reach is not None:
        said += (
            f" ({'at most' if figure.at_most else 'at least'} {figure.reach:g}: {'yes' if figure.reached else 'NO'})"
        )
    return said


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def parser(about: str | None) -> argparse.ArgumentParser:
    """The options every benchmark has. From here on the hub's log is quiet: its lines would stand among the figures."""
    set_up(quiet=True)
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--json", action="store_true", help="a JSON object a figure, a line each")
    made.add_argument("--url", help="a Postgres of yours, to whose databases it may add; default: an embedded one")
    made.add_argument("--folder", type=Path, default=FOLDER, help="where the embedded servers live")
    return made


@asynccontextmanager
async def postgres(folder: Path) -> AsyncIterator[str]:
    """An embedded Postgres in a folder, set as in a shop; its URL."""
    folder.mkdir(parents=True, exist_ok=True)
    embedded = await start_postgres(folder)
    connection = await asyncpg.connect(embedded.url)
    fresh = await connection.fetchval("SHOW shared_buffers") != SETTINGS["shared_buffers"]
    for name, value in SETTINGS.items():
        await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    await connection.close()
    if fresh:  # shared_buffers counts from the next start on
        await embedded.stop()
        embedded = await start_postgres(folder)
    try:
        yield embedded.url
    finally:
        await embedded.stop()


@asynccontextmanager
async def rabbitmq(folder: Path) -> AsyncIterator[str]:
    """A private RabbitMQ in a folder; its URL."""
    node = await start_rabbitmq(folder)
    if node is None:
        raise SystemExit("no RabbitMQ here: install rabbitmq-server")
    try:
        yield node.url
    finally:
        await node.stop()


def database_url(server: str, name: str) -> str:
    """The URL of a database of a server; urllib would drop the empty authority of a socket's URL."""
    base, mark, query = server.partition("?")
    return base.rpartition("/")[0] + f"/{name}{mark}{query}"


@asynccontextmanager
async def database(server: str, name: str) -> AsyncIterator[str]:
    """A new database on a server, dropped in the end; its URL."""
    admin = await asyncpg.connect(server)
    try:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.execute(f"CREATE DATABASE {name}")
        yield database_url(server, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@asynccontextmanager
async def servers(given: argparse.Namespace, *, broker: bool = False) -> AsyncIterator[Sequence[str]]:
    """URLs of the Postgres that the options name, and of a RabbitMQ where one is wanted."""
    async with AsyncExitStack() as stack:
        url = given.url or await stack.enter_async_context(postgres(given.folder))
        yield (url, await stack.enter_async_context(rabbitmq(given.folder))) if broker else (url,)
