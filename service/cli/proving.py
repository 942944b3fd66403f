"""The command that proves the log: verify."""

from typing import TYPE_CHECKING

import click

from service.cli.frame import Wrong, configured, main, opened, say
from service.cli.values import as_json

if TYPE_CHECKING:
    from service.settings import Settings


@main.command()
@as_json
@configured
async def verify(settings: "Settings", as_json: bool) -> None:
    """Proves that the log is whole and unaltered, and prints the seal to keep outside."""
    from service import audit
    from service.body_key import body_key
    from service.cli.progress import bar

    async with opened(settings, reading=True) as (pool, _):
        with bar("verifying", unit="events", quiet=as_json) as progress:
            verdict = await audit.verify(pool, progress, body_key(settings.data_dir))
    if as_json:
        say(verdict)
    elif verdict.whole:
        click.echo(f"whole and unaltered: {verdict.events} events\nseal {verdict.seal}")
    if not verdict.whole:
        raise Wrong(f"the log is not as it was written: at position {verdict.position}, {verdict.fault}")
