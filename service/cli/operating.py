"""Commands that change something: send, retry, token, migrate."""

from typing import TYPE_CHECKING, BinaryIO

import click

from service.cli.frame import Wrong, actor, configured, main, opened

if TYPE_CHECKING:
    from service.settings import Settings


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
            ids = tuple(await operators.retry_all(log, pool, actor()))
        else:
            for id in ids:
                await operators.retry(log, pool, id, actor())
    click.echo(f"will be tried again: {len(ids)}")


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
