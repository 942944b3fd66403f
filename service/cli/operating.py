"""Commands that change something: send, rebuild, retry, token."""

from functools import partial
from typing import TYPE_CHECKING, BinaryIO

import click

from service.cli.frame import Wrong, configured, main, opened, say, table
from service.cli.looking import as_json

if TYPE_CHECKING:
    from projections.check import Difference
    from projections.projection import Projection
    from service.settings import Settings

SHOWN = 20


@main.command()
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--token", envvar="OKNO_TOKEN", help="Where there is no RabbitMQ: a token with the role onec")
@configured
async def send(settings: "Settings", file: BinaryIO, token: str | None) -> None:
    """Publishes CloudEvents the way 1C does: one, an array, or one a line."""
    from service.onec.sender import SendError, send_events

    try:
        count = await send_events(settings, file.read(), token)
    except SendError as error:
        raise Wrong(str(error)) from error
    click.echo(f"sent {count}")


@main.command()
@click.argument("names", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All projections")
@click.option("--check", "only_check", is_flag=True, help="Only report what differs")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@as_json
@configured
async def rebuild(
    settings: "Settings", names: tuple[str, ...], every: bool, only_check: bool, workers: int, as_json: bool
) -> None:
    """Rebuilds projections beside the live ones and swaps; can be interrupted and run again."""
    from projections.catalogue import PROJECTIONS

    unknown = set(names) - set(PROJECTIONS)
    if unknown or bool(names) == every:
        raise click.UsageError(f"name projections, or --all; there are {', '.join(PROJECTIONS)}")
    chosen = [PROJECTIONS[name] for name in (PROJECTIONS if every else dict.fromkeys(names))]
    if only_check:
        await _check(settings, chosen, as_json)
    else:
        await _rebuild(settings, chosen, workers)


async def _rebuild(settings: "Settings", chosen: "list[Projection]", workers: int) -> None:
    from projections.rebuild import rebuild
    from service import database
    from service.cli.progress import bar

    async with database.server(settings.postgres.url, settings.data_dir) as url, opened(settings) as (pool, log):
        for projection in chosen:
            with bar(projection.name, unit="of 256 parts") as progress:
                connect = partial(database.open_pool, url, size=2)
                await rebuild(pool, log, projection, workers=workers, progress=progress, connect=connect)
            click.echo(f"rebuilt {projection.name}")


async def _check(settings: "Settings", chosen: "list[Projection]", as_json: bool) -> None:
    from projections.check import check
    from service.cli.progress import bar

    found: list[Difference] = []
    async with opened(settings) as (pool, _):
        for projection in chosen:
            with bar(projection.name, unit="of 256 parts", quiet=as_json) as progress:
                found += await check(pool, projection, progress)
    if as_json:
        for difference in found:
            say(difference)
    elif found:
        table(("order", "what", "live", "rebuilt"), [(d.order, d.column, d.live, d.rebuilt) for d in found[:SHOWN]])
    if found:
        orders = len({difference.order for difference in found})
        raise Wrong(f"{len(found)} values of {orders} orders differ from the log: run `okno rebuild` without --check")
    if not as_json:
        click.echo(f"no difference: {', '.join(projection.name for projection in chosen)}")


@main.command()
@click.argument("ids", nargs=-1)
@click.option("--all-failed", is_flag=True, help="Every refused or given-up command")
@configured
async def retry(settings: "Settings", ids: tuple[str, ...], all_failed: bool) -> None:
    """Tries refused or given-up commands again."""
    from service import operators

    if bool(ids) == all_failed:
        raise click.UsageError("name commands by their ids, or --all-failed; `okno commands --state failed` shows them")
    async with opened(settings) as (pool, log):
        if all_failed:
            ids = tuple(await operators.retry_all(log, pool, _actor()))
        else:
            for id in ids:
                await operators.retry(log, pool, id, _actor())
    click.echo(f"will be tried again: {len(ids)}")


def _actor() -> str:
    """Who sits at this terminal."""
    import getpass

    try:
        return f"cli/{getpass.getuser()}"
    except (OSError, KeyError):  # a user id without a name
        return "cli"


@main.group()
def token() -> None:
    """Bearer tokens of the HTTP API."""


@token.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["onec", "operator", "auditor", "admin"]), required=True)
@configured
async def add(settings: "Settings", name: str, role: str) -> None:
    """Prints a new token as its last line; only its hash is kept. A name's earlier token ends."""
    from service import tokens

    async with opened(settings) as (pool, _):
        made = await tokens.add(pool, name, role)
    click.echo(f"token {name} with the role {role}; it is shown this once:", err=True)
    click.echo(made)


@main.command()
@configured
async def migrate(settings: "Settings") -> None:
    """Brings the database's schema up to date."""
    from service import database

    async with database.server(settings.postgres.url, settings.data_dir) as url:
        connection = await database.connect(url)
        try:
            applied = await database.migrate(connection)
        finally:
            await connection.close()
    click.echo("\n".join(applied) if applied else "up to date")
