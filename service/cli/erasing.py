"""The command that destroys personal data: erase."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from service.cli.frame import Wrong, actor, configured, main, opened, say, table
from service.cli.values import as_json, shown

if TYPE_CHECKING:
    from events.log import Log
    from service.database import Pool
    from service.erasing import Act, Looked
    from service.settings import Settings


@main.command()
@click.argument("orders", nargs=-1, metavar="ORDER...")
@click.option("--reason", help="Why; it stays in the log for ever, so it names nobody")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal")
@click.option("--act", type=click.Path(path_type=Path, dir_okay=False), help="A new file for the act; else stdout")
@click.option("--also", multiple=True, metavar="ID", help="A rejected message that belongs to the order too")
@click.option("--spare", multiple=True, metavar="ID", help="A rejected message that does not")
@click.option("--find", metavar="TEXT", help="Only list orders that name this phone, name or e-mail address")
@as_json
@configured
async def erase(
    settings: "Settings", orders: tuple[str, ...], reason: str | None, yes: bool, act: Path | None,
    also: tuple[str, ...], spare: tuple[str, ...], find: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Destroys orders' personal data for good, and prints the act of it; the history stays and can be verified.

    Where nothing is left, the act of the last time is printed again.
    """
    if find is not None:
        if orders:
            raise click.UsageError("--find looks for orders: name none")
        await _find(settings, find, as_json)
        return
    if not orders or (len(orders) > 1 and (also or spare)):
        raise click.UsageError("name an order, as ym-msk/48123456; with --also and --spare one only")
    async with opened(settings) as (pool, log):
        looked = await _looked(settings, log, pool, orders, reason, bool(also))
        for one in looked:
            _warn(one, spare, also)
        if any(_something(one, spare, also) for one in looked):
            _ask(yes)
        paper = _open(act) if act is not None else None
        with paper or nullcontext():
            for one in looked:
                for made in await _erased(settings, log, pool, one, reason or "", also, spare):
                    _give(made, paper, as_json)


def _give(act: "Act", paper: TextIO | None, as_json: bool) -> None:
    if paper is not None:
        paper.write(act.text + "\n")
        paper.flush()
    if as_json:
        say(act)
    elif paper is None:
        click.echo(act.text)


async def _looked(
    settings: "Settings", log: "Log", pool: "Pool", orders: Sequence[str], reason: str | None, also: bool
) -> "list[Looked]":
    """What is held of each order; nothing is destroyed where one of them is unknown, or the reason will not do."""
    from service import erasing

    looked = [await erasing.look(log, pool, order, settings.channels) for order in orders]
    for one in looked:
        if not one.known and one.holdings.nothing and not also:
            raise Wrong(f"nobody ever spoke of {one.order}: `okno erase --find PHONE` lists a person's orders")
        if not one.holdings.nothing or also:
            if reason is None:
                raise click.UsageError("say why with --reason TEXT: it stays in the log")
            try:
                erasing.checked(reason, one)
            except erasing.BadReason as error:
                raise click.UsageError(str(error)) from error
    return looked


def _something(one: "Looked", spare: Sequence[str], also: Sequence[str]) -> bool:
    from service.erasing import rejected_of

    held = one.holdings
    return bool(held.bodies or held.personal or held.exchanges or rejected_of(one, also, spare))


def _warn(one: "Looked", spare: Sequence[str], also: Sequence[str]) -> None:
    """Says what will go, and what somebody may miss."""
    held = one.holdings
    if not _something(one, spare, also):
        again = f"; erased at position {one.erased[-1]}" if one.erased else ""
        click.echo(f"{one.order}: nothing to destroy{again}", err=True)
        return
    click.echo(
        f"{one.order}: personal data that came with {held.personal} events, {held.bodies} raw messages"
        f" ({', '.join(held.categories)})", err=True,
    )  # fmt: skip
    for trace in held.rejected:
        what = "spared" if trace.id in spare else "rejected message"
        click.echo(f"  {what} {trace.id}, {shown(trace.received_at)}, {trace.reason}: {trace.detail[:120]}", err=True)
    for id in also:
        click.echo(f"  rejected message {id}, as you say", err=True)
    if one.under_way:
        click.echo(
            f"  the order is under way ({one.state.stage}): what 1C and the marketplace have still to be told goes"
            " without the buyer's name, phone, address and code", err=True,
        )  # fmt: skip
    if one.quoted:
        places = ", ".join(map(str, one.quoted[:10]))
        click.echo(f"  events at {places} repeat something of the buyer, and events are never changed", err=True)


def _ask(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: add --yes once you have seen what goes")
    click.confirm("Destroy it for good?", abort=True, err=True)


def _open(path: Path) -> TextIO:
    """Where the act goes: opened before anything is destroyed, and never over another act."""
    try:
        return path.open("x", encoding="utf-8")
    except FileExistsError as error:
        raise click.UsageError(f"{path} is there already: name a new file") from error
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}: name another file") from error


async def _erased(
    settings: "Settings", log: "Log", pool: "Pool", one: "Looked", reason: str, also: Sequence[str],
    spare: Sequence[str],
) -> "list[Act]":  # fmt: skip
    """The act of what was destroyed now; where nothing was, those of before."""
    from service import erasing

    position = None
    if _something(one, spare, also):
        position = await erasing.erase(log, pool, one, reason, actor(), also=also, spare=spare)
    positions = one.erased if position is None else (position,)
    return await erasing.acts(log, pool, one.order, positions, settings.timezone)


async def _find(settings: "Settings", wanted: str, as_json: bool) -> None:
    from service import erasing
    from service.cli.progress import bar

    async with opened(settings, reading=True) as (pool, _):
        with bar("looking", unit="messages", quiet=as_json) as progress:
            try:
                found = await erasing.find(pool, wanted, progress)
            except ValueError as error:
                raise click.UsageError(str(error)) from error
    if as_json:
        for one in found:
            say(one)
    elif found:
        table(
            ("order", "positions", "rejected messages"),
            [(one.order, ", ".join(map(str, one.positions)), ", ".join(one.rejected)) for one in found],
        )
    else:
        click.echo("nobody of that name or number is known here")
