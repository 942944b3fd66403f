"""The command that makes projections anew: rebuild."""

from functools import partial
from typing import TYPE_CHECKING

import click

from service.cli.frame import Wrong, configured, main, opened, say, table
from service.cli.values import as_json

if TYPE_CHECKING:
    from projections.check import Difference
    from projections.projection import Projection
    from service.settings import Settings

SHOWN = 20


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
