"""The command that makes projections anew: rebuild."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import click

from service.cli.frame import Wrong, configured, main, opened, say, table
from service.cli.values import as_json

if TYPE_CHECKING:
    from projections.differences import Difference
    from projections.projection import Projection
    from projections.rebuild import Outcome
    from service.settings import Settings


@main.command()
@click.argument("names", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All projections")
@click.option("--check", "only_check", is_flag=True, help="Only report what differs")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that fill")
@click.option("--order", metavar="ORDER", help="This order alone (CHANNEL/NUMBER), in the live tables")
@as_json
@configured
async def rebuild(
    settings: "Settings", names: tuple[str, ...], every: bool, only_check: bool, workers: int, order: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Rebuilds projections beside the live ones, shows what differs, and swaps.

    It can be interrupted at any time and run again: it goes on where it was. --check leaves the live tables alone; what
    it filled is kept for a rebuild where something differs.
    """
    from projections.catalogue import PROJECTIONS

    unknown = set(names) - set(PROJECTIONS)
    if unknown or (every and names) or not (every or names or order):
        raise click.UsageError(f"name projections, or --all; there are {', '.join(PROJECTIONS)}")
    chosen = [PROJECTIONS[name] for name in (dict.fromkeys(names) or PROJECTIONS)]
    if order is not None:
        await _one_order(settings, chosen, order, only_check, as_json)
    else:
        await _tables(settings, chosen, only_check, workers, as_json)


async def _tables(
    settings: "Settings", chosen: "list[Projection]", only_check: bool, workers: int, as_json: bool
) -> None:
    from projections.rebuild import RebuildReplaced, rebuild
    from projections.shape import OtherShape
    from service import database
    from service.cli.rebuild_report import shown

    faults: list[str] = []
    async with database.server(settings.postgres.url, settings.data_dir) as url, opened(settings) as (pool, log):
        connect = partial(database.open_pool, url, size=2)
        for projection in chosen:
            try:
                with shown(projection.name, (await log.head()).position, as_json) as report:
                    outcome = await rebuild(
                        pool, projection, workers=workers, connect=connect, report=report, only_check=only_check
                    )
            except (RebuildReplaced, OtherShape) as error:
                raise Wrong(str(error)) from error
            except asyncio.CancelledError:
                click.echo(f"okno: {projection.name} is interrupted: run it again, what is done is kept", err=True)
                raise
            faults += _told(projection.name, outcome, only_check, as_json)
    if faults:
        raise Wrong("; ".join(faults))


def _told(name: str, outcome: "Outcome", only_check: bool, as_json: bool) -> list[str]:
    """Says how a projection's rebuild ended; what a check found wrong."""
    from service.cli.rebuild_report import number

    found = outcome.found
    if only_check and found is not None and found.values:
        kept = f"what was filled is kept, `okno rebuild {name}` only has to catch up and swap"
        return [f"{name}: {number(found)} differ from the log: {kept}"]
    if found is None:
        said = f"{name} was rebuilt by another process meanwhile"
    else:
        said = f"no difference: {name}" if only_check else f"rebuilt {name}"
    if not as_json:
        click.echo(said)
    return []


async def _one_order(
    settings: "Settings", chosen: "list[Projection]", order: str, only_check: bool, as_json: bool
) -> None:
    from projections import shape
    from projections.asking import storable
    from projections.follow import begin
    from projections.mend import mend
    from projections.projection import belongs

    found: list[Difference] = []
    async with opened(settings) as (pool, log):
        if not storable(order) or not belongs(order) or not (await log.histories([order]))[order]:
            named = order.encode(errors="replace").decode()
            raise Wrong(f"no order {named}: an order is named as CHANNEL/NUMBER, `okno events` shows what there is")
        await begin(pool, chosen)
        for projection in chosen:
            if (fault := await shape.fault(pool, projection)) is not None:
                raise Wrong(f"projection {projection.name}: {fault}")
            found += await mend(pool, projection, [order], write_down=not only_check)
    _show(found, as_json)
    failed = [difference for difference in found if not difference.column]
    if failed:
        raise Wrong(f"the rows of {order} can't be made: {failed[0].rebuilt}")
    if found and only_check:
        raise Wrong(f"{len(found)} values of {order} differ from the log: run it without --check")
    if not as_json:
        click.echo(f"no difference: {order}" if only_check else f"rebuilt {order}: {len(found)} values were different")


def _show(found: "list[Difference]", as_json: bool) -> None:
    if as_json:
        for difference in found:
            say(difference)
    elif found:
        table(("what", "live", "rebuilt"), [(d.column, d.live, d.rebuilt) for d in found])
