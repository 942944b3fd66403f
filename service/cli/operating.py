"""Commands that change something: send, retry, token, migrate, restored."""

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
@click.option("--source", metavar="BASE", help="With the role onec: for this base only, of [onec.sources.BASE]")
@configured
async def add(settings: "Settings", name: str, role: str, source: str | None) -> None:
    """Prints a new token as its last line; only its hash is kept. A name's earlier token ends."""
    from events.order.facts import IMPORT
    from service import tokens

    if name.startswith(IMPORT):  # the name stands as actor, and what an import brought is told to nobody
        raise click.UsageError(f"a name may not begin with {IMPORT}: take another")
    if source is not None and role != "onec":
        raise click.UsageError("--source goes with --role onec: the other roles speak for no base")
    if source is not None and source not in settings.onec.sources:
        known = ", ".join(sorted(settings.onec.sources)) or "none yet"
        raise click.UsageError(f"--source {source!r} is not in [onec.sources]; there are: {known}")
    async with opened(settings) as (pool, _):
        made = await tokens.add(pool, name, role, source)
    whose = f" for the base {source}" if source is not None else ""
    click.echo(f"token {name} with the role {role}{whose}; it is shown this once:", err=True)
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


@main.command()
@configured
async def restored(settings: "Settings") -> None:
    """Says that the database was restored from a backup, before a hub starts on it; see service/BACKUP.md.

    What is to be told is read back first, since the log may be behind what was told, and 1C's cursors get the way on.
    """
    from service.restored import Watch

    async with opened(settings) as (pool, log):
        said = await Watch(pool, settings.data_dir).say()
        head = await log.head()
    if said is None:
        raise Wrong("a hub works on this database: stop it, wait ten seconds, then say it again")
    epoch, doubt = said
    click.echo(
        f"restored at position {head.position}, epoch {epoch} from here on: for {doubt.days} days each command is read "
        "back before it is sent"
    )
