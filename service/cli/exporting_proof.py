"""The commands that give away a proof, and the program that checks it: export proof, export verifier."""

from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.exporting import outlet
from service.cli.frame import Wrong, configured, opened
from service.cli.proving import Seal
from service.cli.values import Moment

if TYPE_CHECKING:
    from service.settings import Settings

output = click.option("-o", "--output", type=click.Path(path_type=Path), help="A file; it is there once it is whole")


@click.command()
@click.option("--order", help="The whole history of this order")
@click.option("--since", type=Moment(), help="All that was recorded at this time or later")
@click.option("--until", type=Moment(), help="All that was recorded before this time")
@click.option("--through", type=Seal(), help="A seal kept outside, for the verifier to compare with")
@output
@configured
async def proof(
    settings: "Settings", order: str | None, since: datetime | None, until: datetime | None, through: bytes | None,
    output: Path | None,
) -> None:  # fmt: skip
    """An order's or a period's history with the proof that it is in the log, for `okno export verifier` to check.

    It holds no personal data and no raw bodies, only their hashes.
    """
    from service.audit.extract import Wanted, extracted
    from service.audit.inclusion import NoProof
    from service.cli.progress import bar

    if (order is None) == (since is None and until is None):
        raise click.UsageError("name an order (--order), or a period (--since, --until)")
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--since is not before --until: no time lies between them")
    wanted = Wanted(order=order, since=since, until=until, through=through)
    async with opened(settings, reading=True) as (pool, _):
        with bar("exporting", unit="links") as progress, outlet(_named(output)) as file:
            try:
                async with aclosing(extracted(pool, wanted, progress)) as parts:
                    async for lines in parts:
                        file.write(lines)
            except NoProof as error:
                raise Wrong(str(error)) from error


@click.command()
@output
def verifier(output: Path | None) -> None:
    """The program that checks such a file: it needs nothing but Python, and no database."""
    from importlib import resources

    with outlet(_named(output)) as file:
        file.write((resources.files("service.audit") / "check_proof.py").read_bytes())


def _named(output: Path | None) -> Path | None:
    return None if output == Path("-") else output
