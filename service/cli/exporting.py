"""The commands that write out events and orders: export."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

from service.cli.frame import Wrong, configured, main, opened
from service.cli.values import Moment

if TYPE_CHECKING:
    from service.exports import Asked
    from service.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("jsonl", "csv", "parquet")


def options(function: F) -> F:
    """What every export may be asked."""
    for option in reversed((
        click.option("--format", type=click.Choice(FORMATS), default="jsonl", show_default=True),
        click.option("-o", "--output", type=click.Path(path_type=Path), help="A file; it is there once it is whole"),
        click.option("--order", help="Of this order only"),
        click.option("--channel", help="Of this channel only"),
        click.option("--since", type=Moment(), help="Events recorded, orders placed at this time or later"),
        click.option("--until", type=Moment(), help="Events recorded, orders placed before this time"),
        click.option("--personal", is_flag=True, help="With names, phones and addresses, where they are not erased"),
        click.option("--bom", is_flag=True, help="CSV with the mark by which Excel knows UTF-8"),
    )):  # fmt: skip
        function = option(function)
    return function


@main.group(invoke_without_command=True)
@options
@click.option("--config", type=click.Path(path_type=Path), envvar="OKNO_CONFIG", help="Default: ./okno.toml")
@click.pass_context
def export(ctx: click.Context, /, **given: Any) -> None:
    """Writes out events (without another word) or orders, for auditors and analysts.

    JSON lines and Parquet hold every text as it is. In CSV a text that a spreadsheet would take for a formula has an
    apostrophe in front.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(events, **given)
    else:  # what stands before the word counts for it
        said = {name: value for name, value in given.items() if value is not None}
        ctx.default_map = dict.fromkeys(export.commands, said)


@export.command()
@options
@configured
async def events(settings: "Settings", output: Path | None, **asked: Any) -> None:
    """Events, in the log's order, as the API gives them."""
    await _export(settings, output, "events", asked)


@export.command()
@options
@configured
async def orders(settings: "Settings", output: Path | None, **asked: Any) -> None:
    """Orders as they stand now, as the API gives them; in columns for CSV and Parquet."""
    await _export(settings, output, "orders", asked)


async def _export(settings: "Settings", output: Path | None, what: str, given: dict[str, Any]) -> None:
    from service.exports import Asked

    asked = Asked(what=what, **given)
    if output == Path("-"):
        output = None
    if asked.format == "parquet" and output is None and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for a terminal: name a file with -o, or pipe it on")
    if asked.bom and asked.format != "csv":
        raise click.UsageError("--bom is for --format csv")
    click.echo(await _written(settings, output, asked), err=True)


async def _written(settings: "Settings", output: Path | None, asked: "Asked") -> str:
    """Writes the export out, and says what it was."""
    from service.cli.progress import bar
    from service.exports import Export, NothingThere

    kinds = {name: (channel.kind, channel.model) for name, channel in settings.channels.items()}
    async with opened(settings, reading=True) as (pool, _):
        made = Export(pool, asked, kinds, abreast=2)
        with bar("exporting", unit=asked.what) as progress, outlet(output) as file:
            try:
                async with aclosing(made.pieces(progress)) as pieces:
                    async for piece in pieces:
                        file.write(piece)
            except NothingThere as error:
                raise Wrong(str(error)) from error
    return made.summary()


@contextmanager
def outlet(path: Path | None) -> Iterator[BinaryIO]:
    """Where to write: stdout, or a file under another name until it is whole."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    part = path.with_name(path.name + ".part")
    try:
        file = part.open("wb")
    except OSError as error:
        raise Wrong(f"{part}: {error.strerror}: name another file with -o") from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
