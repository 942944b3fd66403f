"""The command that takes past orders: import."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import click

from service.cli.frame import Wrong, actor, configured, main, opened, say
from service.cli.values import as_json

if TYPE_CHECKING:
    from service.importing import Fault, Imported, Rejects
    from service.settings import Settings

SHOWN = 20
"""Bad lines told in the terminal; the file beside holds all of them."""


@main.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True))
@click.option("--strict", is_flag=True, help="Stop at the first line that can't be taken")
@as_json
@configured
async def import_(settings: "Settings", file: str, strict: bool, as_json: bool) -> None:
    """Takes past orders, telling nobody anything: a line a CloudEvent with its time, or an exported event.

    Lines that can't be taken go to FILE.rejected.jsonl, each with its reason; the rest is taken. Stopped, run it again:
    it goes on where it was, and what is in the log is not taken twice.
    """
    from service.importing import Rejects

    rejects = None if file == "-" else Rejects(Path(f"{file}.rejected.jsonl"))
    with click.open_file(file, "rb") as lines:
        found = await _run(settings, cast("BinaryIO", lines), rejects, strict=strict, quiet=as_json)
    _show(found, as_json=as_json)
    bad = found.faults if rejects is None else rejects.count
    if bad:
        where = "see above" if rejects is None else f"{rejects.path} says why; mended, it can be imported itself"
        raise Wrong(f"lines not taken: {bad}{', nor what stands behind' if strict else ''}: {where}")


async def _run(
    settings: "Settings", file: BinaryIO, rejects: "Rejects | None", *, strict: bool, quiet: bool
) -> "Imported":  # fmt: skip
    from events.order.facts import IMPORT
    from service import importing
    from service.body_key import body_key
    from service.cli.progress import bar

    told = _Told()
    name = None if rejects is None else importing.name_of(file)
    size = 0 if name is None else os.fstat(file.fileno()).st_size
    reader = importing.Reader(file, settings, IMPORT + actor().partition("/")[2], strict=strict)

    def resumed(line: int) -> None:
        if rejects is not None:
            rejects.resumed(line)
        if line:
            click.echo(f"going on behind line {line}", err=True)

    def faulty(faults: "Sequence[Fault]") -> None:
        told.say(faults, every=rejects is None)
        if rejects is not None:
            rejects.add(faults)

    async with opened(settings) as (pool, _):
        with bar("importing", unit="bytes", quiet=quiet) as progress:
            return await importing.run(
                pool, body_key(settings.data_dir), reader, name, resumed=resumed, faulty=faulty,
                progress=lambda done: progress(done, max(size, done)),
            )  # fmt: skip


class _Told:
    """Tells of bad lines, and of no more than a screen holds."""

    def __init__(self) -> None:
        self._told = 0

    def say(self, faults: "Sequence[Fault]", *, every: bool) -> None:
        for fault in faults:
            self._told += 1
            if every or self._told <= SHOWN:
                where = f" at {fault.pointer}" if fault.pointer else ""
                click.echo(f"line {fault.line}: {fault.reason}{where}: {fault.detail}", err=True)
            elif self._told == SHOWN + 1:
                click.echo("… and more", err=True)


def _show(found: "Imported", *, as_json: bool) -> None:
    if as_json:
        say(found)
        return
    text = f"imported {found.appended} events of {found.lines} lines; {found.known} were known"
    if found.skipped:
        what = ", ".join(f"{type} {count}" for type, count in sorted(found.skipped.items()))
        text += f"; skipped as a hub's own: {what}"
    click.echo(text)
